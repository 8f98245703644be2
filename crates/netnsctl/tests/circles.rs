//! No two files of a crate import each other, except a module and the modules inside it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

/// A module by its path in the crate; the root is empty.
type Module = Vec<String>;

/// The modules of a crate that are files, with their text.
fn modules(folder: &Path, above: &Module, found: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut module = above.clone();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !matches!(name, "lib" | "main") {
            module.push(name.to_owned());
        }
        if path.is_dir() {
            modules(&path, &module, found);
        } else if path.extension().is_some_and(|it| it == "rs") && name != "tests" {
            found.insert(module, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Adds the paths that `tokens` name, each continuing `path`, as far as they are in this crate.
fn paths(tokens: TokenStream, here: &Module, path: Option<&Module>, found: &mut Vec<Module>) {
    let mut current = path.cloned();
    let mut is_start = true;
    for token in tokens {
        match token {
            TokenTree::Ident(word) => match (word.to_string().as_str(), is_start) {
                ("crate", true) => current = Some(Vec::new()),
                ("self", true) if path.is_none() => current = Some(here.clone()),
                ("super", _) if current.is_none() || is_start => {
                    current = here.split_last().map(|(_, above)| above.to_vec());
                }
                ("super", false) => drop(current.as_mut().and_then(Vec::pop)),
                (word, _) => {
                    current = if is_start { path.cloned() } else { current };
                    if let Some(current) = &mut current {
                        current.push(word.to_owned());
                    }
                }
            },
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                is_start = false;
                continue;
            }
            TokenTree::Group(group) => {
                let inside = current.as_ref().filter(|_| !is_start);
                paths(group.stream(), here, inside, found);
                current = None;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => current = None,
        }
        found.extend(current.clone());
        is_start = true;
    }
}

/// The pairs of modules of a crate that import each other.
fn circles(modules: &BTreeMap<Module, String>) -> BTreeSet<(String, String)> {
    let mut arrows: BTreeSet<(&Module, &Module)> = BTreeSet::new();
    for (here, text) in modules {
        let mut found = Vec::new();
        paths(TokenStream::from_str(text).unwrap(), here, None, &mut found);
        for path in found {
            let file = (0..=path.len())
                .rev()
                .find_map(|end| modules.get_key_value(&path[..end]));
            arrows.extend(file.map(|(there, _)| (here, there)));
        }
    }
    let name = |module: &Module| module.join("::");
    let mutual = arrows.iter().filter(|(one, other)| {
        let is_inside = one.starts_with(other) || other.starts_with(one);
        one < other && !is_inside && arrows.contains(&(other, one))
    });
    mutual
        .map(|(one, other)| (name(one), name(other)))
        .collect()
}

#[test]
fn no_two_files_import_each_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut left = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut found = BTreeMap::new();
        modules(&path.join("src"), &Vec::new(), &mut found);
        let name = path.file_name().unwrap().to_str().unwrap();
        left.extend(
            circles(&found)
                .into_iter()
                .map(|(one, other)| (name.to_owned(), one, other)),
        );
    }
    assert_eq!(left, BTreeSet::new());
}

#[test]
fn a_circle_is_found() {
    let files = [
        ("a", "use crate::b::X;"),
        ("b", "fn f() { super::a::g() }"),
        ("c", "use crate::{a, b};"),
    ];
    let modules = files.map(|(name, text)| (vec![name.to_owned()], text.to_owned()));
    let expected = BTreeSet::from([("a".to_owned(), "b".to_owned())]);
    assert_eq!(circles(&BTreeMap::from(modules)), expected);
}
