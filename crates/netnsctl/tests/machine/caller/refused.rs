//! Callers whom pkexec(1), sudo(8) or doas(1) refuse.

use std::fs;
use std::path::Path;

use super::{PROGRAMS, install, office, ran, set};
use crate::support::eventually;

/// Whether a process of the program that Alice starts is left.
fn is_running() -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| fs::read_link(entry.path().join("exe")).ok())
        .any(|program| program == Path::new("/mnt/netnsctl"))
}

#[netnsctl_machine::test]
fn a_refusal_comes_through_and_nothing_starts() {
    if !set() {
        return;
    }
    fs::write("/mnt/giver-refuses", "").unwrap();
    for (giver, status, words) in [
        (
            "pkexec",
            127,
            "Error executing command as another user: Not authorized\n",
        ),
        ("sudo", 1, "alice is not in the sudoers file.\n"),
        ("doas", 1, "doas: Operation not permitted\n"),
    ] {
        fs::remove_dir_all(PROGRAMS).unwrap();
        fs::create_dir(PROGRAMS).unwrap();
        install(giver);
        let seen = ran(&mut office("echo started"));
        assert_eq!(
            (seen.status, seen.stdout.as_str(), seen.stderr.as_str()),
            (Some(status), "", words),
            "{giver}"
        );
        eventually("the end of the witness", || (!is_running()).then_some(()));
    }
    // The same caller is let in as soon as it is allowed.
    fs::remove_file("/mnt/giver-refuses").unwrap();
    install("pkexec");
    assert_eq!(ran(&mut office("echo started")).stdout, "started\n");
}
