//! The schema against the loader, in the eyes of a validator that is not ours.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::super::schema::schema;
use super::super::section::{FILE, Shape};
use super::super::{Format, Severity, Source, load};
use super::{contradictions, malformed, refused, refused_items, template};
use crate::testing;

/// Files: what they are called and what is in them.
type Files = Vec<(String, String)>;

/// Debian's python3-jsonschema belongs to Debian's interpreter, whichever else comes first in PATH.
#[expect(clippy::disallowed_methods, reason = "the validator is a program")]
fn python(arguments: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.args(arguments);
    command
}

/// Whether there is a validator; says so, or fails in CI, if not.
#[expect(clippy::print_stderr, reason = "a test says what it did not try")]
fn has_validator() -> bool {
    let there = python(&["-c", "import jsonschema, tomllib"]).output();
    let there = there.is_ok_and(|output| output.status.success());
    if !there {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs python3-jsonschema"
        );
        eprintln!("SKIPPED: there is no python3-jsonschema");
    }
    there
}

/// What the validator says of each file; none if it is valid.
fn verdicts(files: &Files) -> Vec<Option<String>> {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let list: Vec<_> = files
        .iter()
        .map(|(name, text)| serde_json::json!({ "name": name.split(':').next(), "text": text }))
        .collect();
    let task = serde_json::json!({ "schema": schema, "files": list }).to_string();
    let mut child = python(&[concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/config/tests/validate.py"
    )])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(task.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let verdicts: Vec<Option<String>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdicts.len(), files.len());
    verdicts
}

/// Whether the loader takes it.
fn is_accepted(file: &(String, String)) -> bool {
    let name = file.0.split(':').next().unwrap();
    let loaded = load(&[Source::new(
        name,
        Format::of_file_name(name).unwrap(),
        &*file.1,
    )]);
    !(loaded.diagnostics.iter()).any(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Every configuration below `folder`.
fn files_of(folder: &Path, found: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, found);
        } else if path
            .extension()
            .is_some_and(|it| it == "toml" || it == "json")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn what_is_right_is_valid() {
    if !has_validator() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Files::new();
    for folder in [
        "examples",
        "crates/units/tests/golden",
        "crates/model/src/config/tests",
    ] {
        let before = files.len();
        files_of(&root.join(folder), &mut files);
        assert!(files.len() > before, "{folder}");
    }
    let mut runner = TestRunner::deterministic();
    for n in 0..100 {
        let state = testing::desired().new_tree(&mut runner).unwrap().current();
        files.push((format!("{n}.toml"), testing::to_toml(&state)));
        files.push((format!("{n}.json"), testing::to_json(&state)));
    }
    for (file, verdict) in files.iter().zip(verdicts(&files)) {
        assert!(is_accepted(file), "{}", file.0);
        assert_eq!(verdict, None, "{}\n{}", file.0, file.1);
    }
}

/// What the schema cannot know is listed in a snapshot, to be looked at whenever it changes.
#[test]
fn what_is_refused_is_not_valid() {
    if !has_validator() {
        return;
    }
    let files: Files = [
        refused::keys::cases(),
        refused::types::cases(),
        refused::names::cases(),
        refused::holder::cases(),
        refused::services::cases(),
        refused::sysctl::cases(),
        refused::forward::cases(),
        refused::veth::cases(),
        refused::route::cases(),
        refused_items::link::cases(),
        refused_items::rule::cases(),
        template::templates::cases(),
        contradictions::contradictions::cases(),
        malformed::syntax::cases(),
        malformed::json::cases(),
    ]
    .concat();
    let mut valid = String::new();
    for (file, verdict) in files.iter().zip(verdicts(&files)) {
        match (is_accepted(file), verdict) {
            (true, verdict) => assert_eq!(verdict, None, "{} is only warned of", file.0),
            (false, None) => valid += &format!("{}\n", file.0),
            (false, Some(_)) => {}
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("beyond_schema", valid);
    });
}

/// Each text of the table's own examples and defaults, and each with something wrong in front.
#[test]
fn every_key_has_its_words() {
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let definitions = schema["$defs"].as_object().unwrap();
    let sections = FILE.all();
    let with_own = sections.iter();
    let with_own = with_own.filter(|it| !matches!(it.shape, Shape::File | Shape::Parameters));
    assert_eq!(definitions.len(), with_own.count());
    let tables = definitions.values().chain([&schema]);
    for (name, key) in tables.flat_map(|table| table["properties"].as_object().unwrap()) {
        let about = key["description"].as_str().unwrap_or_default();
        assert!(about.len() > 8 && about.ends_with('.'), "{name}: {about:?}");
        assert!(
            !about.starts_with(char::is_lowercase) || about.contains(": "),
            "{about}"
        );
    }
}
