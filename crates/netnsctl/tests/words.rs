//! Every message that the program can print, in one file, so that all are read side by side, and
//! the rules of their form.
//!
//! They are the string literals of the sources that hold more than one word: errors, warnings,
//! hints, and the pieces some are put together from. Help texts and pages are not among them: those
//! are compared in pages.rs.
//!
//! `NETNSCTL_UPDATE=1 cargo test -p netnsctl --test words` writes the file anew.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The file of all messages, from the root of the project.
const GOLDEN: &str = "crates/netnsctl/tests/messages.txt";

/// What prints other things than messages: pages, help, unit files, programs for shells, pictures,
/// tests.
const OTHERS: [&str; 7] = [
    "crates/netnsctl/src/man",
    "crates/netnsctl/src/cli",
    "crates/netnsctl/src/commands/complete",
    "crates/model/src/config/schema",
    "crates/graph/src",
    "crates/machine/src",
    "crates/units/src",
];

/// Words that a message does without, and what it says in their place.
const AVOIDED: &[(&str, &str)] = &[
    ("failed to ", "cannot"),
    (
        "{errno}",
        "the words of netnsctl_sys::errno, which have the name",
    ),
    ("unable to ", "cannot"),
    ("can't", "cannot"),
    ("don't", "do not"),
    ("doesn't", "does not"),
    ("isn't", "is not"),
    ("please ", "nothing"),
    ("oops", "nothing"),
    ("successfully", "nothing"),
    ("namespace '", "netns \"…\""),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The sources of the program below `folder`, by their path from the root, without their tests.
fn sources(folder: &Path, found: &mut BTreeMap<String, TokenStream>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let is_other = OTHERS.iter().any(|other| name.starts_with(other))
            || path.ends_with("tests")
            || path.ends_with("tests.rs");
        if is_other {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(name.to_owned(), TokenStream::from_str(&text).unwrap());
        }
    }
}

/// Adds the messages of `tokens` to `found`, in their order.
fn messages(tokens: TokenStream, found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                tokens.next_if(|next| matches!(next, TokenTree::Punct(it) if it.as_char() == '!'));
                let Some(TokenTree::Group(attribute)) = tokens.peek() else {
                    continue;
                };
                let text = attribute.stream().to_string();
                if text.starts_with("error") {
                    messages(attribute.stream(), found);
                }
                let is_test = text.starts_with("cfg") && text.contains("test");
                tokens.next();
                if is_test {
                    skip_item(&mut tokens);
                }
            }
            TokenTree::Group(group) => messages(group.stream(), found),
            TokenTree::Literal(literal) => {
                let literal = syn::parse_str::<syn::LitStr>(&literal.to_string());
                found.extend(
                    literal
                        .ok()
                        .map(|it| it.value())
                        .filter(|it| is_message(it)),
                );
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// Passes over what an attribute stands before: up to its braces or its semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    for token in tokens {
        let is_end = match &token {
            TokenTree::Group(group) => is_body(group),
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        if is_end {
            return;
        }
    }
}

fn is_body(group: &Group) -> bool {
    group.delimiter() == Delimiter::Brace
}

/// Whether a literal is said to people: it holds two words at least, outside of its `{…}`.
fn is_message(text: &str) -> bool {
    let mut depth = 0;
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let is_word = |word: &&str| {
        let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
        letters.len() > 1
            && letters
                .chars()
                .all(|c| c.is_ascii_alphabetic() || c == '\'')
    };
    plain.split(' ').filter(is_word).count() > 1
}

fn all() -> BTreeMap<String, Vec<String>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut files);
    }
    let of = |(path, tokens)| {
        let mut found = Vec::new();
        messages(tokens, &mut found);
        (path, found)
    };
    let mut all: BTreeMap<_, _> = files.into_iter().map(of).collect();
    all.retain(|_, messages| !messages.is_empty());
    all
}

#[test]
fn every_message_stands_in_one_file() {
    let mut text = String::new();
    for (path, messages) in all() {
        text.push_str(&format!("{path}\n"));
        for message in messages {
            text.push_str(&format!("  {}\n", message.escape_debug()));
        }
    }
    let text = text.replace("\\\"", "\"").replace("\\'", "'");
    let path = root().join(GOLDEN);
    if std::env::var_os("NETNSCTL_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "{GOLDEN} is out of date: NETNSCTL_UPDATE=1 cargo test -p netnsctl --test words, and read what changed"
    );
}

#[test]
fn messages_are_of_one_form() {
    let mut faults = Vec::new();
    let all = all();
    assert!(all.len() > 50, "only {} files found", all.len());
    for (path, messages) in &all {
        for message in messages {
            let low = message.to_lowercase();
            for (word, better) in AVOIDED {
                if low.contains(word) {
                    faults.push(format!("{path}: {message:?} says {word:?}; say {better:?}"));
                }
            }
            let is_whole = message.starts_with(|c: char| c.is_uppercase() || c == '{');
            if message.ends_with('!') || message.ends_with('.') && !is_whole {
                faults.push(format!(
                    "{path}: {message:?} ends as a sentence does, and is none"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
