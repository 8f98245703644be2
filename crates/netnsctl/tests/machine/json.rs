//! Every document that `--json` prints begins with a version, which docs/json.md has too.

use std::path::Path;

use serde_json::Value;

use crate::support::{configure, expect, netnsctl};

/// The commands that have `--json`, as the program's own help lists them.
fn commands_with_json() -> Vec<String> {
    let help = expect(0, &["--help"]).stdout;
    let (_, commands) = help.split_once("\nCommands:\n").expect("there are some");
    let commands = commands.lines().take_while(|line| !line.is_empty());
    // A line that goes on with a description is indented further.
    let commands = commands.filter_map(|line| line.strip_prefix("  "));
    let commands = commands.filter(|line| !line.starts_with(' '));
    let names = commands.filter_map(|line| line.split(' ').next());
    let has_json = |name: &&str| {
        let help = expect(0, &[name, "--help"]).stdout;
        help.split_whitespace().any(|word| word == "--json")
    };
    let names = names.filter(|name| *name != "help").filter(has_json);
    names.map(str::to_owned).collect()
}

/// The versions in docs/json.md: for each heading of a command, what its table says.
fn documented() -> Vec<(String, Option<u64>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    let version = |section: &str| {
        let row = "| `version` | number | version of this document: ";
        let (_, rest) = section.split_once(row)?;
        rest.split(' ').next()?.parse().ok()
    };
    let sections = page.split("\n## `").skip(1).map(|section| {
        let (name, _) = section.split_once(" --json`").expect("a command");
        (name.to_owned(), version(section))
    });
    sections.collect()
}

#[netnsctl_machine::test]
fn every_json_document_begins_with_its_documented_version() {
    configure("[netns.one]\n");
    expect(0, &["up", "--quiet"]);
    let mut printed = Vec::new();
    for command in commands_with_json() {
        let output = netnsctl(&[&command, "--json"]).output().expect("it starts");
        let text = String::from_utf8(output.stdout).expect("it is text");
        let first = text.lines().nth(1).unwrap_or_default();
        assert!(first.starts_with("  \"version\": "), "{command}: {text}");
        let document: Value = serde_json::from_str(&text).expect("it is JSON");
        printed.push((command, document["version"].as_u64()));
    }
    let mut documented = documented();
    documented.sort();
    printed.sort();
    assert_eq!(printed, documented);
    assert!(printed.iter().any(|(name, _)| name == "status"));
}
