//! Commands that wait for a lock: on the folder of records, or on the folder of views.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use crate::support::{command, configure, expect, netnsctl, settled, traces};
use crate::unknown::{TWO, go_on, keep_lock};

/// A command that waits for a lock, which this process has, and what it says.
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
fn a_run_that_waits_for_the_folder_of_views_says_for_which_process() {
    let with_files = |name: &str| format!("[netns.{name}.dns]\nnameservers = [\"192.0.2.53\"]\n");
    configure(&format!("{}{}", with_files("office"), with_files("shop")));
    expect(0, &["up", "--quiet"]);
    let run = |netns| ["run", netns, "--", "cat", "/etc/resolv.conf"];
    let end = "), which holds the lock on /run/netnsctl/views\n";
    expect(0, &run("office"));
    // The view of shop has to be made.
    let lock = keep_lock("/run/netnsctl/views");
    let (child, line) = waiting_command(&run("shop"));
    let begin = format!("waiting for process {} (", std::process::id());
    assert!(line.starts_with(&begin) && line.ends_with(end), "{line}");
    drop(lock);
    let ran = go_on(child);
    assert!(ran.stdout.contains("192.0.2.53"), "{ran:?}");
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    // That of office has to be mended, from inside it, where another folder stands for that of views.
    let script = "echo ready; read -r line";
    let words = ["flock", "/run/netnsctl/views", "/bin/sh", "-c", script];
    let mut holder = netnsctl(&[&["run", "office", "--"][..], &words].concat());
    let mut holder = holder
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let stdout = holder.stdout.as_mut().expect("a pipe");
    stdout.read_exact(&mut [0; 6]).expect("it has the lock");
    let own = "/etc/netns/office/resolv.conf";
    fs::write("/etc/netns/office/new", "nameserver 192.0.2.54\n").unwrap();
    fs::rename("/etc/netns/office/new", own).unwrap();
    let (child, line) = waiting_command(&run("office"));
    let begin = format!("waiting for process {} (flock", holder.id());
    assert!(line.starts_with(&begin) && line.ends_with(end), "{line}");
    go_on(holder);
    let ran = go_on(child);
    assert!(ran.stdout.contains("192.0.2.54"), "{ran:?}");
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
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
