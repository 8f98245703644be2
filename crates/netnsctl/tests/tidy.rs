//! The house rules that a program can check.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Lines of a file beyond which it wants a reason.
const FILE_LINES: usize = 500;

/// Lines of a function beyond which it wants a reason.
const FUNCTION_LINES: usize = 60;

/// What is longer and why.
const LONGER: &[(&str, &str)] = &[];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file below `folder`, with its text.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
        }
    }
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(&root().join("crates"), &mut found);
    assert!(found.len() > 50, "only {} files found", found.len());
    found
}

#[test]
fn no_file_is_too_long_to_read() {
    for (path, text) in all_sources() {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES, "{} has {lines} lines", path.display());
    }
}

/// The functions of a file that rustfmt formatted: name and number of lines.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some((before, rest)) = line.split_once("fn ") else {
            continue;
        };
        let is_definition = before.trim().split(' ').all(|word| {
            matches!(word, "" | "const" | "unsafe" | "extern") || word.starts_with("pub")
        });
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let length = lines[start..].iter().position(|line| *line == end);
        // A declaration of a foreign function has no body.
        let close = format!("{})", " ".repeat(indent));
        let is_declared = |line: &&str| line.starts_with(&close) && line.ends_with(';');
        let length = length.filter(|length| !lines[start..start + length].iter().any(is_declared));
        let is_one_line = line.trim_end().ends_with(['}', ';']);
        if let (true, false, Some(length)) = (is_definition, is_one_line, length) {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            found.push((name.to_owned(), length + 1));
        }
    }
    found
}

#[test]
fn no_function_is_too_long_to_read_without_a_reason() {
    let mut excused = Vec::new();
    for (path, text) in all_sources() {
        for (name, lines) in functions(&text)
            .into_iter()
            .filter(|(_, l)| *l > FUNCTION_LINES)
        {
            let reason = LONGER.iter().find(|(longer, _)| *longer == name);
            assert!(
                reason.is_some(),
                "{} in {} has {lines} lines",
                name,
                path.display()
            );
            excused.push(name);
        }
    }
    for (name, _) in LONGER {
        assert!(
            excused.iter().any(|excused| excused == name),
            "{name} is not long any more"
        );
    }
}

#[test]
fn function_lengths_are_counted() {
    let text = "    fn foreign(\n        x: u8,\n    ) -> u8;\npub(crate) fn a() {\n    x\n}\nfn b() {}\n    const fn c(\n    ) {\n        y\n    }\n";
    assert_eq!(functions(text), [("a".to_owned(), 3), ("c".to_owned(), 4)]);
}

#[test]
fn only_sys_has_unsafe_code_in_the_product() {
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let head = ["src/lib.rs", "src/main.rs"].map(|file| folder.join(file));
        let head = head
            .iter()
            .find_map(|file| std::fs::read_to_string(file).ok())
            .unwrap();
        let forbids = head.contains("#![forbid(unsafe_code)]");
        // The second is for tests, and no part of the product.
        let may = folder.ends_with("sys") || folder.ends_with("inject");
        assert_eq!(forbids, !may, "{}", folder.display());
    }
}

#[test]
fn the_product_does_not_depend_on_what_is_for_tests() {
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        let product = text.split("[dev-dependencies]").next().unwrap();
        let uses = product.lines().any(|line| {
            line.starts_with("netnsctl-inject") || line.starts_with("netnsctl-machine.")
        });
        assert!(!uses, "{}", manifest.display());
    }
}

#[test]
fn the_architecture_page_names_every_crate_and_no_other() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let folders = std::fs::read_dir(root().join("crates")).unwrap();
    let mut crates: Vec<_> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    crates.sort();
    let mut named: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `crates/")?.split('`').next())
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    named.sort();
    assert_eq!(named, crates);
}

/// A recipe that nobody follows is out of date soon; tests/recipes/run takes those with a check.
#[test]
fn every_recipe_has_a_page_and_a_check() {
    let scenarios = root().join("tests/e2e/scenarios/09-recipes.sh");
    let scenarios = std::fs::read_to_string(scenarios).unwrap();
    let entries = std::fs::read_dir(root().join("examples")).unwrap();
    let folders: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(!folders.is_empty());
    for folder in folders {
        let page = std::fs::read_to_string(folder.join("README.md")).unwrap();
        for heading in ["Bring it up", "See it work", "Undo", "For your own"] {
            let heading = format!("\n## {heading}\n");
            assert!(page.contains(&heading), "{}:{heading}", folder.display());
        }
        // One that wants a booted systemd is followed by a scenario.
        let name = folder.file_name().unwrap().to_str().unwrap();
        let is_followed = scenarios.contains(&format!("cd /e2e/examples/{name} "));
        let is_tried = folder.join("check").exists() || is_followed;
        assert!(is_tried, "{}", folder.display());
    }
}

/// Files that may have the word of a kind: its own, on either side, and tests. The words that name
/// base links and veth pairs stand elsewhere too, as those are declared by keys of their own.
const KINDS_ELSEWHERE: &[&str] = &["bridge", "dummy", "ifb"];

#[test]
fn a_kind_is_named_by_its_own_files_alone() {
    let folders = ["item/link/kinds", "item/entry/kinds"];
    let kinds = folders.iter().flat_map(|folder| {
        let entries = std::fs::read_dir(root().join("crates/model/src").join(folder)).unwrap();
        entries.map(|it| {
            it.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
    });
    let kinds: Vec<_> = kinds
        .filter(|it| !KINDS_ELSEWHERE.contains(&it.as_str()))
        .collect();
    assert!(kinds.len() >= 3, "{kinds:?}");
    for (path, text) in all_sources() {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
        if !path.contains("/src/") || path.contains("/tests/") || path.ends_with("tests.rs") {
            continue;
        }
        // What a script or a profile of another program says is in that program's words.
        if path.starts_with("crates/import/src/script") {
            continue;
        }
        for kind in &kinds {
            let own = [format!("/kinds/{kind}.rs"), "/kinds.rs".to_owned()];
            let is_own = own.iter().any(|end| path.ends_with(end.as_str()));
            let quoted = format!("\"{kind}\"");
            assert!(is_own || !text.contains(&quoted), "{path} has {quoted}");
        }
    }
}

/// Where product code decides by the text of a message: an expression that gives one, with a search or
/// a comparison right after it. A text that took a way through a variable is not seen; `Step` and
/// `Object` of `netnsctl_base::error` are types for that reason.
fn decisions_on_text(text: &str) -> Vec<String> {
    const TEXTS: [&str; 7] = [
        ".to_string()",
        ".message()",
        ".message",
        ".into_message()",
        ".hint()",
        ".hint",
        ".step",
    ];
    const DECISIONS: [&str; 8] = [
        ".contains(",
        ".starts_with(",
        ".ends_with(",
        ".strip_prefix(",
        ".strip_suffix(",
        ".find(",
        "==\"",
        "!=\"",
    ];
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = (product.lines())
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
        .collect();
    let pairs = TEXTS
        .iter()
        .flat_map(|text| DECISIONS.iter().map(move |it| format!("{text}{it}")));
    pairs.filter(|pair| code.contains(pair)).collect()
}

#[test]
fn no_text_of_a_message_steers() {
    for (path, text) in all_sources() {
        let path = path.strip_prefix(root()).unwrap();
        let parts: Vec<_> = path.components().map(|it| it.as_os_str()).collect();
        let is_for_tests = |part: &&OsStr| {
            *part == "machine" || *part == "inject" || part.to_string_lossy().starts_with("test")
        };
        let is_product = parts.contains(&OsStr::new("src")) && !parts.iter().any(is_for_tests);
        let found = decisions_on_text(&text);
        assert!(
            !is_product || found.is_empty(),
            "{} decides by {found:?}; give the error a type",
            path.display()
        );
    }
    let seen = decisions_on_text("if error\n    .to_string()\n    .contains(\"denied\") {}");
    assert_eq!(seen, [".to_string().contains("]);
    let seen = decisions_on_text("if error.message() == \"duplicate key\" {}");
    assert_eq!(seen, [".message()==\""]);
}
