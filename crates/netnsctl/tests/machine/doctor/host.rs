//! What `doctor` says of this kernel and this host.

use std::fs;

use super::stage::{doctor, one, says};
use crate::support::{Ran, configure, expect, netnsctl};

/// Checks that there always are, whatever comes of them.
const ALWAYS: [&str; 15] = [
    "kernel",
    "user_namespaces",
    "link_dummy",
    "link_ifb",
    "overlay",
    "mount_beneath",
    "landlock",
    "seccomp",
    "proc_sys",
    "run_netns",
    "pkexec",
    "polkit_action",
    "systemd",
    "nsswitch",
    "descriptors",
];

/// The exit status, which depends on the machine that the tests run on, and the text.
fn status_and_text() -> (i32, String) {
    let ran = Ran::of(netnsctl(&["doctor"]).output().unwrap());
    (ran.status.unwrap(), ran.stdout)
}

pub(super) fn doctor_examines_the_host() {
    let (status, text) = status_and_text();
    let checks = doctor(status, &[]);
    let is_problem = checks.iter().any(|check| check.mark == "problem");
    assert_eq!(status, i32::from(is_problem), "{checks:#?}");
    // Those that a machine for tests needs itself.
    for (kind, subject) in [
        ("namespaces", ""),
        ("link_bridge", "bridge links"),
        ("link_veth", "veth links"),
        ("view_pin", ""),
    ] {
        says(&checks, (kind, subject), "ok", "");
    }
    for kind in ALWAYS {
        one(&checks, kind, "");
    }
    let marks = ["ok      ", "warning ", "problem ", "unknown "];
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let (last, lines) = lines.split_last().unwrap();
    assert!(last.starts_with("this host: "), "{text}");
    let is_check = |line: &&&str| marks.iter().any(|mark| line.starts_with(mark));
    let count = lines.iter().filter(is_check).count();
    assert_eq!(count, checks.len(), "{text}");
    let mut rest = lines.iter().filter(|line| !is_check(line));
    let hint = "          hint: ";
    assert!(rest.all(|line| line.starts_with(hint)), "{text}");
}

pub(super) fn doctor_finds_a_name_without_a_namespace() {
    fs::create_dir_all("/run/netns").unwrap();
    fs::write("/run/netns/gone", "").unwrap();
    let (status, _) = status_and_text();
    let checks = doctor(status, &[]);
    let gone = ("stale_name", "/run/netns/gone");
    says(&checks, gone, "warning", "no namespace is mounted");
    says(&checks, ("run_netns", ""), "warning", "no mount of its own");
    configure("[netns.gone]\n");
    expect(0, &["up", "--quiet"]);
    let checks = doctor(status, &[]);
    assert!(checks.iter().all(|check| check.check != "stale_name"));
    says(&checks, ("run_netns", ""), "ok", "shared");
}
