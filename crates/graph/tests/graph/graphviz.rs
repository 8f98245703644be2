//! What dot(1) says of the text that is for it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use netnsctl_graph::{Format, Topology, render};
use netnsctl_model::desired::Desired;
use netnsctl_model::testing;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::shapes;

/// Declarations by chance that are shown to dot(1); each takes it some time.
const CHANCES: usize = 12;

#[expect(
    clippy::disallowed_methods,
    reason = "a test asks the program that reads the text"
)]
fn dot() -> Command {
    Command::new("dot")
}

/// Whether dot(1) is there; said if not, and a failure where CI is set.
#[expect(clippy::print_stderr, reason = "a test that did not run says so")]
fn is_there() -> bool {
    let is_there = dot().arg("-V").stderr(Stdio::null()).status().is_ok();
    if !is_there {
        eprintln!("SKIPPED: dot of graphviz is not here to read anything");
        assert!(
            std::env::var_os("CI").is_none(),
            "CI is set: that is a failure"
        );
    }
    is_there
}

/// Has dot(1) draw a declaration and checks that it found everything in it and no fault.
fn check(desired: &Desired) {
    let text = render(&Topology::new(desired, None, None), Format::Dot);
    let mut child = dot()
        .arg("-Tplain")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // Without a font for a script it says that it guesses its width.
    let faults: Vec<_> = said
        .lines()
        .filter(|line| !line.contains("no hard-coded metrics"))
        .collect();
    assert!(
        output.status.success() && faults.is_empty(),
        "{said}\n{text}"
    );
    let plain = String::from_utf8_lossy(&output.stdout);
    let edges = plain
        .lines()
        .filter(|line| line.starts_with("edge "))
        .count();
    assert_eq!(
        edges,
        desired.veths.len() + desired.all_forwards().count(),
        "{text}"
    );
    let nodes = plain
        .lines()
        .filter(|line| line.starts_with("node "))
        .count();
    assert!(nodes >= desired.netns.len(), "{text}");
}

#[test]
fn dot_reads_any_declaration_without_a_fault() {
    if !is_there() {
        return;
    }
    for (_, text) in shapes::all() {
        check(&shapes::declared(&text));
    }
    let mut runner = TestRunner::deterministic();
    for _ in 0..CHANCES {
        check(&testing::desired().new_tree(&mut runner).unwrap().current());
    }
    let odd = crate::root().join("crates/graph/tests/golden/odd-names/input.toml");
    check(&crate::declared(&odd));
}
