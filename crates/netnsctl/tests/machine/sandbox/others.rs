//! Sandboxes that are not the caller's: the user who made one chose its mounts, and so the programs
//! that start inside.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::{Plain, user};
use crate::support::{Ran, command, expect, say};

/// Whether there are other users than this one.
fn has_other_users() -> bool {
    let has = rustix::process::geteuid().is_root() && Plain::new().is_root;
    if !has {
        say("SKIPPED: no user but this one on this machine; the tier of root runs it");
    }
    has
}

/// A process that prints a line when `script` is done, and then waits.
fn prepared(mut shell: Command, script: &str) -> Child {
    let script = format!("{script} && echo ready && exec sleep 60");
    let mut child = shell
        .args(["sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it was asked for");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    child
}

fn end(mut child: Child) {
    child.kill().expect("it is ours");
    child.wait().expect("it was started here");
}

/// `run` in the sandbox of process `pid`, in its host namespace.
fn arguments<'a>(pid: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    let run = ["run", "--sandbox", "--sandbox-pid", pid, "default", "--"];
    [&run, words].concat()
}

#[netnsctl_machine::test]
fn the_programs_of_another_users_sandbox_are_not_run() {
    if !has_other_users() {
        return;
    }
    let plain = Plain::new();
    let program = plain.folder.path().join("id");
    fs::write(&program, "#!/bin/sh\necho a program of the sandbox\n").expect("our folder");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("our file");
    let mut unshare = command("unshare");
    unshare
        .args(["--map-root-user", "--mount", "--net"])
        .uid(user())
        .gid(user());
    let script = format!("mount --bind {} /usr/bin/id", program.display());
    let sandbox = prepared(unshare, &script);
    let pid = sandbox.id().to_string();

    // It is a sandbox, and its user may enter it.
    let seen = plain.expect(0, &arguments(&pid, &["id"]));
    assert_eq!(seen.stdout, "a program of the sandbox\n");
    // Nobody else may: neither root nor other users.
    let seen = expect(125, &arguments(&pid, &["id"]));
    assert_eq!(seen.stdout, "");
    let reason = "its user namespace belongs to another user";
    assert!(seen.stderr.contains(reason), "{}", seen.stderr);
    assert!(seen.stderr.contains("hint: "), "{}", seen.stderr);
    for command in [
        "list", "status", "plan", "graph", "metrics", "import", "doctor",
    ] {
        let words: &[&str] = match command {
            "doctor" => &["doctor", "--sandbox", "--sandbox-pid", &pid, "x"],
            command => &[command, "--sandbox", "--sandbox-pid", &pid],
        };
        let seen = Ran::of(crate::support::netnsctl(words).output().expect("it starts"));
        assert_ne!(seen.status, Some(0), "{command}");
        assert!(seen.stderr.contains(reason), "{command}: {}", seen.stderr);
    }
    end(sandbox);
}

#[netnsctl_machine::test]
fn root_in_a_sandbox_is_no_more_than_its_root() {
    if !has_other_users() {
        return;
    }
    // As a container has it whose root is an ordinary user outside.
    let no_flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", "/mnt", "tmpfs", no_flags, c"mode=755").expect("a mount");
    fs::write("/mnt/secret", "of root\n").expect("our file");
    fs::set_permissions("/mnt/secret", Permissions::from_mode(0o600)).expect("our file");
    let mut unshare = command("unshare");
    unshare.args(["--user", "--mount", "--net"]);
    let sandbox = prepared(unshare, "true");
    let pid = sandbox.id().to_string();
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{pid}/{map}"), "0 100000 10\n").expect("root may");
    }
    let look = "id -u; id -g; id -G; cat /mnt/secret 2>/dev/null || echo closed";
    let seen = expect(0, &arguments(&pid, &["sh", "-c", look]));
    assert_eq!(seen.stdout, "0\n0\n0\nclosed\n");
    end(sandbox);
    // One in which nobody is root has nobody whom root could be.
    let mut unshare = command("unshare");
    unshare.args(["--user", "--mount", "--net"]);
    let sandbox = prepared(unshare, "true");
    let pid = sandbox.id().to_string();
    let seen = expect(125, &arguments(&pid, &["true"]));
    assert!(
        seen.stderr.contains("cannot become root of"),
        "{}",
        seen.stderr
    );
    end(sandbox);
}

#[netnsctl_machine::test]
fn a_process_that_is_not_in_a_sandbox_is_refused() {
    let own = std::process::id().to_string();
    let seen = expect(125, &arguments(&own, &["true"]));
    let reason = "its user namespace is that of this process";
    assert!(seen.stderr.contains(reason), "{}", seen.stderr);
    let seen = expect(125, &arguments("4194305", &["true"]));
    assert!(seen.stderr.contains("ESRCH"), "{}", seen.stderr);
    // With the mounts or the network of this machine it is no sandbox either.
    for (namespace, reason) in [
        ("--net", "its mounts do not belong to its user namespace"),
        (
            "--mount",
            "its network does not belong to its user namespace",
        ),
    ] {
        let mut unshare = command("unshare");
        unshare.args(["--map-root-user", namespace]);
        let half = prepared(unshare, "true");
        let seen = expect(125, &arguments(&half.id().to_string(), &["true"]));
        assert!(seen.stderr.contains(reason), "{}", seen.stderr);
        end(half);
    }
}
