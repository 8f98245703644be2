//! Side by side with ip-netns(8).

use std::process::{Child, Stdio};

use rustix::mount::{UnmountFlags, unmount};

use crate::net::{has_link, inode, netns};
use crate::support::{Ran, command, complaints, configure, expect, netnsctl, settled, traces};

/// Runs ip(8) and wants it to succeed.
#[track_caller]
pub(crate) fn ip(arguments: &[&str]) -> String {
    let output = command("ip")
        .args(arguments)
        .output()
        .expect("ip was there before");
    let ran = Ran::of(output);
    assert_eq!(
        ran.status,
        Some(0),
        "ip {arguments:?}\n{}{}",
        ran.stdout,
        ran.stderr
    );
    ran.stdout
}

/// Whether iproute2 is there. Where it must be and is not, that is a failure.
#[expect(clippy::print_stderr, reason = "a test says what it could not try")]
pub(crate) fn has_ip() -> bool {
    let there = command("ip").arg("-V").output().is_ok();
    if !there {
        eprintln!("SKIPPED: there is no ip(8); install iproute2");
        assert!(
            std::env::var_os("CI").is_none(),
            "CI is set: that is a failure"
        );
    }
    there
}

const OFFICE: &str = "[netns.office]\naddress = [\"10.20.0.1/24\"]\n[[netns.office.veth]]\n\
                      [netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n";

#[netnsctl_machine::test]
fn ip_lists_enters_and_deletes_our_namespaces() {
    if !has_ip() {
        return;
    }
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    // `(id: N)` follows where home knows the namespace by a number, as it does with a veth.
    let listed = ip(&["netns", "list"]);
    assert_eq!(listed.split_whitespace().next(), Some("office"), "{listed}");
    let inside = "cat /etc/resolv.conf; readlink /proc/self/ns/net; ip -o addr show dev office";
    let text = ip(&["netns", "exec", "office", "sh", "-c", inside]);
    for wanted in ["nameserver 192.0.2.53\n", "inet 10.20.0.1/24"] {
        assert!(text.contains(wanted), "{text}");
    }
    let old = inode("office");
    assert!(text.contains(&format!("net:[{old}]")), "{text}");
    // Gone by another's hand, made anew by ours.
    ip(&["netns", "del", "office"]);
    assert_eq!(expect(0, &["list"]).stdout, "");
    expect(0, &["up"]);
    settled();
    assert!(ip(&["netns", "list"]).starts_with("office"));
    ip(&["netns", "del", "office"]);
    let ran = expect(0, &["down"]);
    assert_eq!(ran.stdout, "- netns office (its remains)\n");
    assert_eq!(traces(), before);
    let ran = expect(0, &["down", "office"]);
    assert_eq!(ran.stderr, "netns \"office\": already gone\n");
    // Its own way with a file that is no namespace.
    ip(&["netns", "add", "office"]);
    ip(&["netns", "del", "office"]);
}

#[netnsctl_machine::test]
fn netnsctl_lists_and_enters_the_namespaces_of_ip() {
    if !has_ip() {
        return;
    }
    ip(&["netns", "add", "theirs"]);
    ip(&["-n", "theirs", "link", "set", "lo", "up"]);
    configure(OFFICE);
    expect(0, &["up"]);
    assert_eq!(expect(0, &["list"]).stdout, "office\ntheirs\n");
    let text = crate::support::inside("theirs", "readlink /proc/self/ns/net");
    assert_eq!(text, format!("net:[{}]\n", inode("theirs")));
    expect(0, &["down"]);
    assert_eq!(expect(0, &["list"]).stdout, "theirs\n");
    // Declared later, it is taken over when that is asked for and given back to nobody.
    configure("[netns.theirs]\n");
    expect(1, &["up"]);
    expect(0, &["up", "--adopt"]);
    settled();
    expect(0, &["down"]);
    assert_eq!(ip(&["netns", "list"]), "");
}

/// The mounts on /run/netns itself: one optional-fields column each (proc(5)).
fn folder_mounts() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc is there");
    let mounts = text
        .lines()
        .filter(|line| line.split(' ').nth(4) == Some("/run/netns"));
    mounts.map(str::to_owned).collect()
}

#[netnsctl_machine::test]
fn twenty_programs_of_both_kinds_start_at_once_on_a_fresh_machine() {
    if !has_ip() {
        return;
    }
    let ours: Vec<_> = (0..10).map(|number| format!("ours{number}")).collect();
    let theirs: Vec<_> = (0..10).map(|number| format!("theirs{number}")).collect();
    configure(
        &ours
            .iter()
            .map(|name| format!("[netns.{name}]\n"))
            .collect::<String>(),
    );
    // The machine's own, under the /run of this test.
    let hidden = folder_mounts();
    for _ in 0..10 {
        assert!(!std::fs::exists("/run/netns").expect("/run is ours"));
        let start = |mut command: std::process::Command| -> Child {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.spawn().expect("it can be started")
        };
        let mut children = Vec::new();
        for (our, their) in ours.iter().zip(&theirs) {
            let mut ip = command("ip");
            ip.args(["netns", "add", their]);
            children.extend([start(ip), start(netnsctl(&["up", our, "--quiet"]))]);
        }
        for child in children {
            let ran = Ran::of(child.wait_with_output().expect("it is our child"));
            assert_eq!((ran.status, complaints(&ran.stderr)), (Some(0), Vec::new()));
        }
        let mut mounts = folder_mounts();
        mounts.retain(|mount| !hidden.contains(mount));
        assert_eq!(mounts.len(), 1, "{mounts:?}");
        assert!(mounts[0].contains(" shared:"), "{mounts:?}");
        let names = [ours.clone(), theirs.clone()].concat();
        assert_eq!(
            expect(0, &["list"]).stdout.lines().collect::<Vec<_>>(),
            names
        );
        for name in &names {
            assert!(netns(name).inode > 0 && has_link(name, "lo"));
        }
        settled();
        expect(0, &["down", "--quiet"]);
        theirs
            .iter()
            .for_each(|name| drop(ip(&["netns", "del", name])));
        unmount("/run/netns", UnmountFlags::empty()).expect("it is one mount");
        std::fs::remove_dir("/run/netns").expect("it is empty");
    }
}
