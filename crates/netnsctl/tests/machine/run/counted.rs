//! What `run` adds to the start of a command, counted: system calls and page faults. Times of a
//! machine under load say less, and a page fault costs more than most system calls.

use std::fs;
use std::path::Path;

use crate::serve::make_foreign;
use crate::support::{Ran, command, expect, say};

/// System calls and page faults beyond those of the loader and the C library, which any program
/// has. Six system calls enter the namespace and become the command, two make the program's start
/// safe. Without the feature `static-unwinder` the loader also loads libgcc_s.
const CALLS_MOST: i64 = if cfg!(feature = "static-unwinder") {
    12
} else {
    24
};

/// Most faults are pages with addresses in them, which the loader writes to. A program that is not
/// optimised has many more of them.
const FAULTS_MOST: i64 = if cfg!(debug_assertions) { 250 } else { 30 };

/// System calls and page faults of a program until it becomes another one or ends.
#[track_caller]
fn counted(words: &[&str]) -> (i64, i64) {
    let ran = Ran::of(
        command("/mnt/counts")
            .args(words)
            .output()
            .expect("it starts"),
    );
    assert_eq!(ran.status, Some(0), "{}{}", ran.stdout, ran.stderr);
    let line = ran.stdout.lines().last().unwrap();
    let (calls, faults) = line.split_once(' ').unwrap();
    (calls.parse().unwrap(), faults.parse().unwrap())
}

#[netnsctl_machine::test]
fn a_plain_run_does_little_but_start() {
    let no_flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", "/mnt", "tmpfs", no_flags, c"mode=755").unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine/run/counts.c");
    let compiled = command("cc")
        .arg(source)
        .args(["-o", "/mnt/counts"])
        .status();
    assert!(compiled.expect("a C compiler").success());
    make_foreign("other");
    make_foreign("other.x");
    let program = env!("CARGO_BIN_EXE_netnsctl");
    // What is not in memory yet is read from disk once, which is no fault of this kind.
    expect(0, &["run", "other", "/bin/true"]);
    let bare = counted(&["/bin/true"]);
    let run = counted(&[program, "run", "other", "--", "/bin/true"]);
    let added = (run.0 - bare.0, run.1 - bare.1);
    say(&format!(
        "COUNTED run adds {} system calls and {} page faults to those of true(1), {} and {}",
        added.0, added.1, bare.0, bare.1
    ));
    assert!(added.0 <= CALLS_MOST, "{} system calls", added.0);
    assert!(added.1 <= FAULTS_MOST, "{} page faults", added.1);
    // The long way, which a name with a dot takes, costs more: so the short one is taken above.
    let long = counted(&[program, "run", "other.x", "--", "/bin/true"]);
    say(&format!(
        "COUNTED the long way has {} and {} more",
        long.0 - run.0,
        long.1 - run.1
    ));
    assert!(
        long.0 >= run.0 + 6 && long.1 >= run.1 + 10,
        "{long:?} {run:?}"
    );
    // The short way ends where a namespace has files.
    fs::create_dir_all("/etc/netns/other").unwrap();
    fs::write("/etc/netns/other/hosts", "192.0.2.7 printer\n").unwrap();
    let hosts = expect(0, &["run", "other", "--", "cat", "/etc/hosts"]).stdout;
    assert_eq!(hosts, "192.0.2.7 printer\n");
}
