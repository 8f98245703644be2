//! Two namespaces and a name server between them, and what `doctor` says of it.

use std::fs;
use std::net::UdpSocket;

use serde_json::Value;

use crate::forward::{Forwarder, ready};
use crate::support::{Ran, command, configure, expect, inside};
use crate::traffic::within;

/// Office, which asks a server in another namespace over a veth pair; home has one of its own to it.
pub(super) fn declare(dns: &str) {
    configure(&format!(
        "[netns.office.dns]\nnameservers = {dns}\n\
         [[netns.office.veth]]\nnetns = \"server\"\ninterface = \"cable\"\n\
         address = [\"192.0.2.1/30\"]\npeer_address = [\"192.0.2.2/30\"]\n\
         [netns.server]\n[[netns.server.veth]]\ninterface = \"from-home\"\npeer_interface = \"to-server\"\n\
         address = [\"192.0.2.6/30\"]\npeer_address = [\"192.0.2.5/30\"]\n"
    ));
    for folder in ["/run/nscd", "/run/other"] {
        fs::create_dir_all(folder).unwrap();
    }
    let _ = fs::remove_file("/etc/resolv.conf");
    fs::write("/etc/resolv.conf", "nameserver 192.0.2.6\n").unwrap();
    let _ = fs::remove_file("/etc/nsswitch.conf");
    fs::write(
        "/etc/nsswitch.conf",
        "hosts: resolve [!UNAVAIL=return] files dns\n",
    )
    .unwrap();
    expect(0, &["up", "--quiet"]);
}

/// All of it, with a server that answers.
pub(super) fn healthy() {
    declare("[\"192.0.2.2\"]");
    serve("server", "0.0.0.0:53", |answer| Some(answer.to_vec()));
    // The view is there.
    inside("office", "true");
}

/// Answers questions that no such name exists (RFC 1035), as far as `pass` lets it.
pub(super) fn serve(netns: &str, address: &str, pass: fn(&[u8]) -> Option<Vec<u8>>) {
    let socket = within(netns, || UdpSocket::bind(address)).expect("the port is free");
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            answer[2..4].copy_from_slice(&[0x81, 0x83]);
            if let Some(answer) = pass(&answer) {
                let _ = socket.send_to(&answer, client);
            }
        }
    });
}

/// A check as `--json` has it.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) check: String,
    pub(super) subject: String,
    pub(super) mark: String,
    pub(super) message: String,
}

/// What `doctor` finds, which must end with `status`.
#[track_caller]
pub(super) fn doctor(status: i32, name: &[&str]) -> Vec<Check> {
    let output = expect(status, &[&["doctor", "--json"], name].concat());
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["netns"], Value::from(name.first().copied()));
    assert_eq!(report["ok"], status == 0);
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let check = |value: &Value| {
        assert!(value["hint"].is_null() || value["hint"].is_string());
        Check {
            check: text(&value["check"]),
            subject: text(&value["subject"]),
            mark: text(&value["mark"]),
            message: text(&value["message"]),
        }
    };
    let checks = report["checks"].as_array().expect("an array");
    checks.iter().map(check).collect()
}

/// The only check of a kind, about a subject that ends so.
#[track_caller]
pub(super) fn one<'a>(checks: &'a [Check], kind: &str, subject: &str) -> &'a Check {
    let is_it = |it: &&Check| it.check == kind && it.subject.ends_with(subject);
    let found: Vec<_> = checks.iter().filter(is_it).collect();
    assert_eq!(found.len(), 1, "{kind} {subject} in {checks:#?}");
    found[0]
}

/// A check must have this mark and say this.
#[track_caller]
pub(super) fn says(checks: &[Check], (kind, subject): (&str, &str), mark: &str, words: &str) {
    let check = one(checks, kind, subject);
    assert_eq!(check.mark, mark, "{check:?}");
    assert!(check.message.contains(words), "{check:?}");
}

/// Those that are not right.
pub(super) fn wrong(checks: &[Check]) -> Vec<(&str, &str)> {
    let wrong = checks.iter().filter(|check| check.mark != "ok");
    wrong
        .map(|it| (it.check.as_str(), it.mark.as_str()))
        .collect()
}

/// Runs a command in the view of office, by other means than the product's.
#[track_caller]
pub(super) fn in_view(words: &str) {
    let mut nsenter = command("nsenter");
    nsenter.arg("--mount=/run/netns-office/mntns");
    let output = nsenter.args(["sh", "-ec", words]).output();
    let ran = Ran::of(output.expect("nsenter of util-linux"));
    assert_eq!(ran.status, Some(0), "{words}: {}", ran.stderr);
}

/// A daemon of ours, started by `words`, at a socket of its own.
pub(super) fn daemon(words: &[&str]) -> Forwarder {
    let mut command = command(words[0]);
    command.args(&words[1..]);
    command.args(["nscd", "--socket", "/run/other/socket"]);
    ready(command)
}

/// Shows the folder of that daemon where clients look for one.
pub(super) fn show_daemon() {
    in_view("mount --bind /run/other /run/nscd");
}
