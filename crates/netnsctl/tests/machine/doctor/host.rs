//! What `doctor` says of this kernel and this host.

use std::fs;

use super::stage::{doctor, one, says};
use crate::net::make_foreign;
use crate::served::Served;
use crate::support::{Ran, command, configure, expect, netnsctl};
use crate::traffic::listen;

/// Checks that there always are, whatever comes of them.
const ALWAYS: [&str; 20] = [
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
    "rights",
    "no_new_privs",
    "etc_netns",
    "run_netnsctl",
    "configuration",
];

/// The exit status, which depends on the machine that the tests run on, and the text.
fn status_and_text() -> (i32, String) {
    let ran = Ran::of(netnsctl(&["doctor", "--verbose"]).output().unwrap());
    (ran.status.unwrap(), ran.stdout)
}

#[netnsctl_machine::test]
fn doctor_examines_the_host() {
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

#[netnsctl_machine::test]
fn doctor_finds_a_name_without_a_namespace() {
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

#[netnsctl_machine::test]
fn doctor_finds_what_is_in_the_way_of_what_is_declared() {
    let (status, _) = status_and_text();
    says(
        &doctor(status, &[]),
        ("configuration", ""),
        "ok",
        "none yet",
    );
    configure("[netns.office]\nadress = 1\n");
    let mistaken = doctor(1, &[]);
    says(&mistaken, ("configuration", ""), "problem", "has mistakes");
    configure(
        "[netns.office]\n[netns.lab]\n[[netns.default.forward]]\nlisten = \"127.0.0.1:1001\"\n\
         netns = \"office\"\nconnect = \"127.0.0.1:80\"\n",
    );
    let right = doctor(status, &[]);
    says(&right, ("configuration", ""), "ok", "without a mistake");
    assert!(
        right
            .iter()
            .all(|it| it.check != "port" && it.check != "declared")
    );
    let taken = listen("default", "127.0.0.1:1001");
    make_foreign("lab");
    let checks = doctor(1, &[]);
    let process = format!("process {} (", std::process::id());
    says(&checks, ("port", "tcp 127.0.0.1:1001"), "problem", &process);
    says(
        &checks,
        ("declared", "netns \"lab\""),
        "problem",
        "not made by netnsctl",
    );
    drop(taken);
    expect(0, &["up", "--quiet", "--adopt", "lab"]);
    // A forward of our own is in nobody's way.
    let mut served = Served::ready(&[]);
    let checks = doctor(status, &[]);
    assert!(
        checks
            .iter()
            .all(|it| it.check != "port" && it.check != "declared")
    );
    served.stop();
}

#[netnsctl_machine::test]
fn doctor_finds_where_nothing_can_be_written() {
    fs::create_dir_all("/etc/netns").unwrap();
    fs::create_dir_all("/run/netnsctl").unwrap();
    let (status, _) = status_and_text();
    let checks = doctor(status, &[]);
    for kind in ["etc_netns", "run_netnsctl"] {
        says(&checks, (kind, ""), "ok", "can be written");
    }
    for (options, folder) in [("ro", "/etc/netns"), ("nr_inodes=1", "/run/netnsctl")] {
        let mount = ["-t", "tmpfs", "-o", options, "small", folder];
        assert!(command("mount").args(mount).status().unwrap().success());
    }
    let checks = doctor(1, &[]);
    says(
        &checks,
        ("etc_netns", ""),
        "problem",
        "/etc/netns is read-only",
    );
    says(
        &checks,
        ("run_netnsctl", ""),
        "problem",
        "/run/netnsctl is full",
    );
}

#[netnsctl_machine::test]
fn doctor_finds_what_this_process_lacks() {
    let (status, _) = status_and_text();
    let checks = doctor(status, &[]);
    says(&checks, ("no_new_privs", ""), "ok", "not set");
    let mut poor = command("setpriv");
    poor.args([
        "--no-new-privs",
        "--bounding-set",
        "-sys_admin",
        "--inh-caps",
        "-sys_admin",
    ]);
    let ran = poor
        .arg(env!("CARGO_BIN_EXE_netnsctl"))
        .arg("doctor")
        .output();
    let ran = Ran::of(ran.unwrap());
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let has = |start: &str, part: &str| {
        let mut lines = ran.stdout.lines();
        lines.any(|line| line.starts_with(start) && line.contains(part))
    };
    assert!(has("warning no_new_privs: set", "by pkexec"), "{ran:?}");
    assert!(
        has("problem rights: ", "root lacks CAP_SYS_ADMIN here"),
        "{ran:?}"
    );
}
