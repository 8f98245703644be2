//! `serve --sandbox`: for everybody, and out of the host's sight.

pub(crate) mod others;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::served::{Served, forwarders, is_alive};
use crate::support::{Ran, command, configure, eventually, traces};

/// A user that nobody is, and no other test: tests that run at the same time see the processes of
/// each other, and a user's sandboxes are found by their user.
fn user() -> u32 {
    100_000 + std::process::id()
}

/// The program as a normal user runs it.
pub(crate) struct Plain {
    program: PathBuf,
    folder: tempfile::TempDir,
    is_root: bool,
}

impl Plain {
    pub(crate) fn new() -> Self {
        let is_root = fs::read_to_string("/proc/self/uid_map")
            .expect("/proc is there")
            .split_whitespace()
            .eq(["0", "0", "4294967295"]);
        let folder = tempfile::tempdir().expect("a folder");
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), everybody).expect("a mode");
        let mut program = PathBuf::from(env!("CARGO_BIN_EXE_netnsctl"));
        if is_root {
            let copy = folder.path().join("netnsctl");
            fs::copy(program, &copy).expect("a copy");
            program = copy;
        }
        Self {
            program,
            folder,
            is_root,
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.program);
        command.args(arguments).current_dir(self.folder.path());
        if self.is_root {
            command.uid(user()).gid(user());
        }
        command
    }

    #[track_caller]
    fn expect(&self, status: i32, arguments: &[&str]) -> Ran {
        let ran = Ran::of(self.command(arguments).output().expect("it starts"));
        assert_eq!(ran.status, Some(status), "{arguments:?}: {ran:?}");
        ran
    }
}

const LAB: &str = r#"
[netns.left]
address = ["10.20.0.1/32"]
[netns.left.dns]
nameservers = ["192.0.2.53"]
[[netns.left.veth]]
netns = "right"
[netns.right]
[[netns.left.forward]]
listen = "127.0.0.1:8080"
netns = "right"
connect = "127.0.0.1:8000"
"#;

#[netnsctl_machine::test]
fn a_sandbox_touches_nothing_and_can_be_reached_from_outside() {
    let plain = Plain::new();
    let file = configure(LAB);
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("/proc is there");
    let (before, mounted) = (traces(), mounts());
    let mut served =
        Served::start_as(plain.command(&["serve", "--sandbox", &file.display().to_string()]));
    served.wait_ready();
    assert_eq!(traces(), before);
    assert_eq!(mounts(), mounted);

    assert_eq!(
        plain.expect(0, &["list", "--sandbox"]).stdout,
        "left\nright\n"
    );
    let pid = served.pid().to_string();
    let status = plain.expect(0, &["status", "--sandbox", "--sandbox-pid", &pid]);
    assert!(
        status.stdout.contains("left: up, as declared"),
        "{}",
        status.stdout
    );
    assert!(status.stdout.contains("running"), "{}", status.stdout);
    let shell = "cat /proc/net/fib_trie; pwd; exit 7";
    let run = ["run", "--sandbox", "left", "--", "sh", "-c", shell];
    let ran = plain.expect(7, &run);
    assert!(ran.stdout.contains("10.20.0.1"), "{}", ran.stdout);
    let folder = plain.folder.path().display().to_string();
    assert!(
        ran.stdout.ends_with(&format!("{folder}\n")),
        "{}",
        ran.stdout
    );
    assert_eq!(traces(), before);

    let forwarders = forwarders(served.pid());
    assert_eq!(forwarders.len(), 1);
    served.signal(Signal::TERM);
    assert_eq!(served.message(), ["STOPPING=1"]);
    assert_eq!(served.exit().code(), Some(0), "{}", served.text());
    assert!(forwarders.iter().all(|pid| !is_alive(*pid)));
    assert_eq!(traces(), before);
    assert_eq!(mounts(), mounted);
    let error = plain.expect(1, &["list", "--sandbox"]).stderr;
    assert!(
        error.contains("no \"netnsctl serve --sandbox\" running"),
        "{error}"
    );
}

#[netnsctl_machine::test]
fn a_sandbox_reloads_and_keeps_its_own_resolv_conf() {
    let plain = Plain::new();
    // As most machines have it: the sandbox covers what the link leads to.
    fs::create_dir_all("/run/systemd/resolve").expect("/run is ours");
    fs::write("/run/systemd/resolve/stub.conf", "nameserver 127.0.0.53\n").expect("/run is ours");
    let _ = fs::remove_file("/etc/resolv.conf");
    symlink("../run/systemd/resolve/stub.conf", "/etc/resolv.conf").expect("/etc is ours");
    let file = configure(LAB);
    let mut served =
        Served::start_as(plain.command(&["serve", "--sandbox", &file.display().to_string()]));
    served.wait_ready();
    let resolv = ["run", "--sandbox", "left", "--", "cat", "/etc/resolv.conf"];
    let text = plain.expect(0, &resolv).stdout;
    assert!(text.contains("nameserver 192.0.2.53\n"), "{text}");
    configure(&format!("{LAB}\n[netns.third]\n"));
    served.reload();
    let list = plain.expect(0, &["list", "--sandbox"]).stdout;
    assert_eq!(list, "left\nright\nthird\n", "{}", served.text());
    let host = fs::read_to_string("/etc/resolv.conf").expect("it is there");
    assert_eq!(host, "nameserver 127.0.0.53\n");
    let pid = served.pid();
    served.signal(Signal::KILL);
    served.exit();
    eventually("its end", || (!is_alive(pid)).then_some(()));
    assert!(!Path::new("/run/netns").exists());
}

#[netnsctl_machine::test]
fn without_a_sandbox_there_is_none_to_enter() {
    let plain = Plain::new();
    for command in [&["list", "--sandbox"][..], &["status", "--sandbox"]] {
        let error = plain.expect(1, command).stderr;
        assert!(error.contains("hint: start one"), "{error}");
    }
    plain.expect(125, &["run", "--sandbox", "left", "--", "true"]);
}
