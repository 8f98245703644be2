//! Commands that wait for the lock on the folder of records.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use crate::support::{command, configure, expect, netnsctl, settled, traces};
use crate::unknown::{TWO, go_on, keep_lock};

/// A command that waits for the lock on the folder of records, which this process has, and what it says.
fn waiting_command(arguments: &[&str]) -> (Child, String) {
    let mut child = netnsctl(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut line = String::new();
    // Byte by byte, so that the rest stays for the one who waits for its end.
    let stderr = child.stderr.as_mut().expect("a pipe");
    while !line.ends_with('\n') {
        let mut byte = [0];
        stderr.read_exact(&mut byte).expect("it says that it waits");
        line.push(char::from(byte[0]));
    }
    (child, line)
}

#[netnsctl_machine::test]
fn a_command_that_waits_says_for_which_process() {
    configure(TWO);
    expect(0, &["up"]);
    for words in [&["up"][..], &["down", "shop", "--part", "view"], &["down"]] {
        let lock = keep_lock("/run/netnsctl");
        let (child, line) = waiting_command(words);
        let begin = format!("waiting for process {} (", std::process::id());
        let end = "), which holds the lock on /run/netnsctl\n";
        assert!(line.starts_with(&begin) && line.ends_with(end), "{line}");
        drop(lock);
        let ran = go_on(child);
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    }
    expect(0, &["up"]);
    settled();
}

#[netnsctl_machine::test]
fn a_host_namespace_noted_during_the_wait_is_respected() {
    configure(TWO);
    expect(0, &["up"]);
    let note = "/run/netnsctl/host-netns";
    let own = fs::read(note).unwrap();
    // A network namespace that is no netns of netnsctl, with a process in it.
    let mut other = command("unshare");
    let mut other = other
        .args([
            "-n",
            "/bin/sh",
            "-c",
            "stat -L -c '%d %i -' /proc/self/ns/net; read -r line",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare of util-linux");
    let mut identity = String::new();
    let stdout = other.stdout.as_mut().expect("a pipe");
    BufReader::new(stdout).read_line(&mut identity).unwrap();
    let words = format!("that of process {} (sh)", other.id());
    for command in [&["down"][..], &["up"]] {
        if command == ["up"] {
            // Otherwise there is nothing to do.
            configure("[netns.office]\n[netns.shop]\n[netns.new]\n");
        }
        let lock = keep_lock("/run/netnsctl");
        let (child, line) = waiting_command(command);
        assert!(line.starts_with("waiting for "), "{line}");
        fs::write(note, &identity).unwrap();
        let before = traces();
        drop(lock);
        let ran = go_on(child);
        assert_eq!(ran.status, Some(1), "{command:?} {ran:?}");
        assert!(ran.stderr.contains(&words), "{command:?} {ran:?}");
        assert_eq!(traces(), before);
        fs::write(note, &own).unwrap();
    }
    configure(TWO);
    settled();
    drop(other.stdin.take());
    other.wait().expect("it is our child");
}
