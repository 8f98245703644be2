//! What the pages say is so: links lead somewhere, configuration is accepted.
//!
//! That the commands in them can be typed is tested beside the parser, in `cli::typed`.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::canonicalize(root).unwrap()
}

/// A page: where it is, and its text.
type Page = (PathBuf, String);

/// The pages below `folder`; links to folders are not followed.
fn below(folder: &Path, found: &mut Vec<Page>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            below(&path, found);
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
        }
    }
}

fn pages() -> Vec<Page> {
    let mut found = Vec::new();
    for folder in ["docs", "examples", "nixos", "benches", "fuzz"] {
        below(&root().join(folder), &mut found);
    }
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let path = root().join(page);
        found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// The text without blocks of code, and these with what is said behind their fence.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            let block = lines.by_ref().take_while(|it| it.trim() != "```");
            let block = block.collect::<Vec<_>>().join("\n");
            blocks.push((info.to_owned(), format!("{block}\n")));
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    (prose, blocks)
}

/// Where the links and pictures of a page lead.
fn links(prose: &str) -> Vec<String> {
    // Every second part is between backticks, and may look like anything.
    let plain: Vec<_> = prose.split('`').step_by(2).collect();
    let plain = plain.join("code");
    let mut found = Vec::new();
    for (before, after) in [
        ("](", ')'),
        ("src=\"", '"'),
        ("srcset=\"", '"'),
        ("href=\"", '"'),
    ] {
        let targets = plain.split(before).skip(1);
        found.extend(targets.map(|it| it.split(after).next().unwrap().to_owned()));
    }
    found
}

/// What the headings of a page are called in links, as mdBook and the usual web pages of
/// repositories do it.
fn anchors(text: &str) -> BTreeSet<String> {
    let (prose, _) = split(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || "_- ".contains(*c);
        text.chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Why a link leads nowhere, if it does.
fn fault(page: &Path, link: &str) -> Option<&'static str> {
    if ["https://", "http://"]
        .iter()
        .any(|it| link.starts_with(it))
    {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        page.to_owned()
    } else {
        page.parent().unwrap().join(path)
    };
    if !target.exists() {
        return Some("there is no such file");
    }
    let docs = root().join("docs");
    if page.starts_with(&docs)
        && path.starts_with("..")
        && !page.starts_with(docs.join("reference"))
    {
        return Some("the book has nothing outside of docs/");
    }
    if anchor.is_empty() {
        return None;
    }
    let text = std::fs::read_to_string(&target).unwrap_or_default();
    (!anchors(&text).contains(anchor)).then_some("there is no such heading")
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    let mut faults = Vec::new();
    for (path, text) in pages() {
        for link in links(&split(&text).0) {
            count += 1;
            if let Some(fault) = fault(&path, &link) {
                faults.push(format!("{}: {link}: {fault}", path.display()));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
    assert!(count > 100, "{count}");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = root().join("docs/security.md");
    let prose = "[a](json.md#status---json) `[b](c)` [d](nothing.md) <img src=\"e.svg\">";
    assert_eq!(
        links(prose),
        ["json.md#status---json", "nothing.md", "e.svg"]
    );
    assert_eq!(fault(&page, "json.md#status---json"), None);
    assert!(fault(&page, "json.md#nothing").is_some());
    assert!(fault(&page, "nothing.md").is_some());
    assert!(fault(&page, "../README.md").is_some());
}

/// What the book shows of other files is there, and every page of docs/ is in the book.
#[test]
fn the_book_has_all_its_pages() {
    let docs = root().join("docs");
    let (mut found, mut included) = (Vec::new(), 0);
    below(&docs, &mut found);
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<_> = links(&summary).into_iter().collect();
    for (path, text) in found {
        for place in text.split("{{#include ").skip(1) {
            let place = place.split(['}', ':']).next().unwrap();
            let included_path = path.parent().unwrap().join(place);
            assert!(included_path.is_file(), "{}: {place}", path.display());
            included += 1;
        }
        let name = path.strip_prefix(&docs).unwrap().to_str().unwrap();
        let is_listed = listed.contains(name) || name == "SUMMARY.md";
        assert!(is_listed, "{name} is not in docs/SUMMARY.md");
    }
    assert!(included > 0);
    let readmes = std::fs::read_dir(docs.join("examples")).unwrap();
    for recipe in readmes.map(|entry| entry.unwrap().path().join("README.md")) {
        let place = recipe.strip_prefix(&docs).unwrap().to_str().unwrap();
        assert!(
            !recipe.is_file() || listed.contains(place),
            "{place} is not in docs/SUMMARY.md"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "tests run the program")]
fn check(file: &Path) -> Output {
    let mut netnsctl = Command::new(env!("CARGO_BIN_EXE_netnsctl"));
    netnsctl.arg("check").arg(file).output().unwrap()
}

/// A block of `toml` is a whole configuration, unless `fragment` stands behind it.
#[test]
fn configuration_in_the_pages_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("block.toml");
    let mut count = 0;
    for (path, text) in pages() {
        for (info, block) in split(&text).1 {
            // What is included is a file of its own, with its own test.
            if info.trim() != "toml" || block.starts_with("{{#include ") {
                continue;
            }
            std::fs::write(&file, &block).unwrap();
            let output = check(&file);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {block}{told}", path.display());
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}
