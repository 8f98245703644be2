//! What the privileged half of `run` does not believe, and does not let be done to it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::{PROGRAMS, as_alice, first_line, install, office, ran, said, set};
use crate::nscd::put;
use crate::served::{send, status};
use crate::support::{Ran, command, eventually, expect};

/// What Alice's shells write the ids of their witnesses to.
const WITNESS: &str = "/mnt/alice/witness";

/// The privileged half, started by `giver` from a shell of Alice's, after `script` there.
fn privileged(giver: &str, script: &str) -> Ran {
    let script = format!(
        "give() {{ exec {PROGRAMS}/{giver} /mnt/netnsctl \"$@\"; }}
         witness() {{ \"$@\" >/dev/null 2>&1 & pid=$!; echo $pid >{WITNESS}; }}
         {script}"
    );
    // As everywhere, the process above is the caller's own too.
    let seen = ran(&mut as_alice(
        "sh",
        &["-c", "bash -c \"$1\"; exit $?", "sh", &script],
    ));
    if let Ok(witness) = fs::read_to_string(WITNESS) {
        // Gone already if it was believed.
        let witness = Pid::from_raw(witness.trim().parse().unwrap()).unwrap();
        let _ = kill_process(witness, Signal::KILL);
        fs::remove_file(WITNESS).unwrap();
    }
    seen
}

#[track_caller]
fn is_refused(seen: &Ran, why: &str) {
    assert_eq!(seen.status, Some(125), "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stderr.contains(why), "{}", seen.stderr);
    assert_eq!(seen.stdout, "");
}

#[netnsctl_machine::test]
fn the_privileged_half_believes_no_one_else() {
    if !set() {
        return;
    }
    // Not root at all.
    let seen = ran(&mut as_alice(
        "/mnt/netnsctl",
        &["--enter=office", "1", "id"],
    ));
    is_refused(&seen, "is for pkexec, sudo and doas");
    // Root by itself, and by a giver that says nothing of the caller.
    let plain = ran(command("/mnt/netnsctl")
        .args(["--enter=office", "1", "id"])
        .env_clear());
    is_refused(&plain, "nothing says who asks");
    for odd in ["", "0x3e8", "-1", "1000 ", "alice", "99999999999"] {
        let mut root = command("/mnt/netnsctl");
        root.args(["--enter=office", "1", "id"])
            .env_clear()
            .env("PKEXEC_UID", odd);
        is_refused(&ran(&mut root), "PKEXEC_UID does not say who asks");
    }
    let mut root = command("/mnt/netnsctl");
    root.args(["--enter=office", "1", "id"])
        .env_clear()
        .env("PKEXEC_UID", "0");
    is_refused(&ran(&mut root), "root asks");
    for witness in ["", "x", "0", "-1", "4294967295", "99999999999999999999"] {
        let seen = privileged("pkexec", &format!("give --enter=office '{witness}' id"));
        assert_eq!(
            (seen.status, seen.stdout.as_str()),
            (Some(125), ""),
            "{}",
            seen.stderr
        );
    }
}

#[netnsctl_machine::test]
fn no_other_process_is_a_witness() {
    if !set() {
        return;
    }
    // Bob's process, one of root's, one of Alice's that this shell did not start, the privileged
    // half itself, and one that is gone.
    let bob = command("setpriv")
        .args([
            "--reuid=1001",
            "--regid=1001",
            "--clear-groups",
            "sleep",
            "600",
        ])
        .spawn()
        .unwrap();
    let alice = as_alice("sleep", &["600"]).spawn().unwrap();
    eventually("the sleepers", || {
        (status(bob.id(), "Name")? == "sleep" && status(alice.id(), "Name")? == "sleep")
            .then_some(())
    });
    for pid in [bob.id(), alice.id(), std::process::id(), 1] {
        let seen = privileged("pkexec", &format!("give --enter=office {pid} id"));
        is_refused(&seen, "the caller did not start it");
    }
    is_refused(
        &privileged("pkexec", "give --enter=office $$ id"),
        "the caller did not start it",
    );
    let gone = privileged("pkexec", "sleep 0 & wait $!; give --enter=office $! id");
    is_refused(&gone, "there is no such process");
    // By sudo the witness has to be a child of what the caller turned into sudo, no further away.
    install("sudo");
    let outer = "witness sleep 600; bash -c \"exec PROGRAMS/sudo /mnt/netnsctl --enter=office $pid id\"; exit $?";
    is_refused(
        &privileged("pkexec", &outer.replace("PROGRAMS", PROGRAMS)),
        "the caller did not start it",
    );
    for mut child in [bob, alice] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[netnsctl_machine::test]
fn a_program_with_the_rights_of_others_is_no_witness() {
    if !set() {
        return;
    }
    // The shell's own child, but running a program with the rights of others.
    fs::copy("/bin/sleep", "/mnt/sleep-as-root").unwrap();
    fs::set_permissions("/mnt/sleep-as-root", Permissions::from_mode(0o4755)).unwrap();
    fs::copy("/bin/sleep", "/mnt/sleep-as-group").unwrap();
    fs::set_permissions("/mnt/sleep-as-group", Permissions::from_mode(0o2755)).unwrap();
    let wait = |program: &str| {
        format!(
            "witness {program} 600; while ! grep -q '^Name:.sleep-as' /proc/$pid/status; do :; done; give --enter=office $pid id"
        )
    };
    is_refused(
        &privileged("pkexec", &wait("/mnt/sleep-as-root")),
        "belongs to somebody else",
    );
    is_refused(
        &privileged("pkexec", &wait("/mnt/sleep-as-group")),
        "rights of another group",
    );
}

#[netnsctl_machine::test]
fn what_is_left_of_the_callers_environment_decides_nothing() {
    if !set() {
        return;
    }
    put(
        "passwd",
        "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n",
    );
    install("sudo");
    install("doas");
    let enter = "witness sleep 600; give --enter=office $pid id -u";
    for giver in ["sudo", "doas"] {
        for claim in [
            "PKEXEC_UID=1001",
            "SUDO_UID=1001",
            "DOAS_USER=root",
            "PKEXEC_UID=0",
            "DOAS_USER=bob",
        ] {
            let own = claim.starts_with(&giver.to_uppercase());
            let script = format!("export GIVER_KEEPS=1 {claim}; {enter}");
            let seen = privileged(giver, &script);
            if own {
                // Set anew by who gives root.
                assert_eq!(seen.stdout, "1000\n", "{giver} {claim}: {}", seen.stderr);
            } else {
                assert_eq!(
                    (seen.status, seen.stdout.as_str()),
                    (Some(125), ""),
                    "{giver} {claim}: {}",
                    seen.stderr
                );
            }
        }
    }
    // pkexec leaves nothing; what `run` itself passes on cannot spoil it.
    let mut alice = office("id -u; echo $PKEXEC_UID $SUDO_UID $DOAS_USER");
    alice
        .env("PKEXEC_UID", "0")
        .env("SUDO_UID", "1001")
        .env("DOAS_USER", "root");
    assert_eq!(said(&mut alice), "1000\n0 1001 root\n");
}

#[netnsctl_machine::test]
fn a_name_is_a_name() {
    if !set() {
        return;
    }
    for name in [
        "",
        ".",
        "..",
        "../office",
        "/run/netns/office",
        "/proc/1/ns/net",
        "a/b",
        "-x",
    ] {
        let seen = privileged(
            "pkexec",
            &format!("witness sleep 600; give '--enter={name}' $pid id"),
        );
        is_refused(&seen, "is not a namespace argument");
    }
    let seen = privileged("pkexec", "witness sleep 600; give --enter=nowhere $pid id");
    is_refused(&seen, "no network namespace \"nowhere\"");
}

#[netnsctl_machine::test]
fn limits_that_starve_it_leave_nothing_broken() {
    if !set() {
        return;
    }
    for limit in [
        "-n 3", "-n 5", "-n 8", "-f 0", "-u 1", "-v 20000", "-s 64", "-l 0", "-t 1",
    ] {
        let script = format!("ulimit {limit}; exec /mnt/netnsctl run office -- /bin/true");
        let seen = ran(&mut as_alice("bash", &["-c", &script]));
        // Whether or not that was enough to get there, the next has all it needs.
        let after = said(&mut office(
            "cat /etc/resolv.conf; ls /run/nscd /run/systemd/resolve 2>/dev/null | wc -l",
        ));
        assert!(
            after.contains("nameserver 10.20.0.53"),
            "{limit}: {after} {}",
            seen.stderr
        );
    }
    expect(0, &["up", "--quiet"]);
    expect(0, &["plan", "--exit-code"]);
}

#[netnsctl_machine::test]
fn the_terminal_cannot_stop_it_while_it_has_rights() {
    if !set() {
        return;
    }
    // Its view has to be made, for which it waits for the lock that we have.
    expect(0, &["run", "left", "--", "true"]);
    let held = fs::File::open("/run/netnsctl/views").unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    // In a process group of its own: an orphaned one, as this test's may be, is never stopped.
    let mut alice = office("echo $$; exec sleep 600")
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = alice.id();
    // Root, inside, and waiting.
    eventually("the privileged half", || {
        let is_root = status(pid, "Uid")?.starts_with("0\t0");
        let waits = fs::read_to_string(format!("/proc/{pid}/wchan")).ok()?;
        (is_root && waits.contains("lock")).then_some(())
    });
    for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
        send(pid, signal);
    }
    let pending = status(pid, "ShdPnd").unwrap();
    assert_ne!(pending.trim(), "0000000000000000");
    assert!(!status(pid, "State").unwrap().starts_with('T'));
    drop(held);
    // As the caller it stops, as whoever typed Ctrl-Z wants.
    eventually("the stop", || {
        let is_alice = status(pid, "Uid")?.starts_with("1000\t1000");
        (is_alice && status(pid, "State")?.starts_with('T')).then_some(())
    });
    eventually("the command", || {
        // Each of the three stops it.
        send(pid, Signal::CONT);
        (status(pid, "Name")? == "sleep").then_some(())
    });
    assert_eq!(first_line(&mut alice), pid.to_string());
    send(pid, Signal::KILL);
    alice.wait().unwrap();
}
