//! `run`: becomes the command, inside.

pub(crate) mod counted;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::serve::make_foreign;
use crate::served::{netns_called, netns_of, send, status};
use crate::support::{Ran, command, configure, eventually, expect, inside, netnsctl};

fn office() {
    configure("[netns.office]\naddress = [\"10.20.0.1/24\"]\n");
    expect(0, &["up", "--quiet"]);
}

fn ran(arguments: &[&str]) -> std::process::ExitStatus {
    let mut command = netnsctl(&[&["run"], arguments].concat());
    command.stderr(Stdio::null()).status().unwrap()
}

/// Replaces a file of this machine's /etc.
fn replace(path: &str, text: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, text).expect("/etc is ours");
}

#[netnsctl_machine::test]
fn the_commands_status_is_the_status() {
    office();
    for status in [0, 1, 2, 3, 7, 125, 126, 127, 255] {
        let shell = format!("exit {status}");
        let status_seen = ran(&["office", "--", "sh", "-c", &shell]).code();
        assert_eq!(status_seen, Some(status));
    }
    for signal in [Signal::KILL, Signal::TERM, Signal::USR1, Signal::PIPE] {
        let number = signal.as_raw();
        let status = ran(&["office", "--", "sh", "-c", &format!("kill -{number} $$")]);
        assert_eq!(status.signal(), Some(number));
    }
}

#[netnsctl_machine::test]
fn netnsctls_own_failures_have_their_own_statuses() {
    office();
    let error = expect(125, &["run", "nowhere", "--", "true"]).stderr;
    assert!(error.contains("\"nowhere\""), "{error}");
    assert!(error.contains("hint: "), "{error}");
    for name in ["", ".", "..", "a/b"] {
        let error = expect(125, &["run", name, "true"]).stderr;
        assert!(error.contains("error: "), "{error}");
    }
    expect(127, &["run", "office", "--", "no-such-command"]);
    // Also if one of the folders is none, or, without root, may not be looked into.
    fs::write("/etc/nobodys", "").unwrap();
    let path = "/etc/nobodys:/root:/usr/bin:/bin";
    let mut blind = netnsctl(&["run", "office", "--", "no-such-command"]);
    assert_eq!(blind.env("PATH", path).status().unwrap().code(), Some(127));
    expect(127, &["run", "office", "--", "/no/such/command"]);
    let error = expect(126, &["run", "office", "--", "/etc"]).stderr;
    assert!(error.contains("/etc"), "{error}");
    fs::write("/etc/plain", "no program").unwrap();
    fs::set_permissions("/etc/plain", fs::Permissions::from_mode(0o644)).unwrap();
    expect(126, &["run", "office", "--", "/etc/plain"]);
}

#[netnsctl_machine::test]
fn signals_reach_the_command() {
    office();
    let shell = "trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.01; done";
    let mut child = netnsctl(&["run", "office", "--", "sh", "-c", shell])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("the shell", || {
        (status(child.id(), "Name")? == "sh").then_some(())
    });
    assert_eq!(netns_of(child.id()), netns_called("office"));
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    send(child.id(), Signal::USR1);
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[netnsctl_machine::test]
fn environment_folder_umask_and_descriptors_are_the_callers() {
    office();
    let folder = tempfile::tempdir().unwrap();
    let inherited = fs::File::create(folder.path().join("inherited")).unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&inherited);
    // A umask is the process's: this one is the test's own.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    let shell = format!("echo through >&{fd}; env; pwd; umask; id -u; id -G");
    let output = netnsctl(&["run", "office", "--", "sh", "-c", &shell])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("ODD", "a b\nc=d")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let here = command("sh")
        .args(["-c", &shell])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("ODD", "a b\nc=d")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let (inside, here) = (Ran::of(output), Ran::of(here));
    assert!(here.stdout.contains("ODD=a b\nc=d"), "{}", here.stdout);
    assert!(here.stdout.contains("0027"), "{}", here.stdout);
    assert_eq!(inside.stdout, here.stdout);
    let written = fs::read_to_string(folder.path().join("inherited")).unwrap();
    assert_eq!(written, "through\nthrough\n");
}

#[netnsctl_machine::test]
fn arguments_come_through_as_they_are() {
    office();
    let show = "for word; do printf '<%s>' \"$word\"; done";
    let words = ["", "a b", "-x", "--json", "--", "--sandbox", "$HOME", "*"];
    let shell = ["sh", "-c", show, "sh"];
    let expected: String = words.iter().map(|word| format!("<{word}>")).collect();
    for before in [&["run", "office", "--"][..], &["run", "office"]] {
        let arguments = [before, &shell, &words].concat();
        assert_eq!(expect(0, &arguments).stdout, expected);
    }
}

#[netnsctl_machine::test]
fn streams_come_through() {
    office();
    let shell = "tr a-z A-Z; echo trouble >&2";
    let mut child = netnsctl(&["run", "office", "--", "sh", "-c", shell])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"loud\0and clear").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"LOUD\0AND CLEAR");
    assert_eq!(output.stderr, b"trouble\n");
}

#[netnsctl_machine::test]
fn a_working_directory_that_is_not_there_is_told_of() {
    office();
    let folder = tempfile::tempdir().unwrap();
    let inside_view = |shell: &str| {
        let mut command = netnsctl(&["run", "office", "sh", "-c", shell]);
        Ran::of(command.current_dir(folder.path()).output().unwrap())
    };
    let ran = inside_view("pwd");
    assert_eq!(ran.stdout.trim_end(), folder.path().to_str().unwrap());
    assert_eq!(ran.stderr, "");
    // A host's mount that a view has not got, over the folder it is in.
    rustix::mount::mount(
        "other",
        folder.path(),
        "tmpfs",
        rustix::mount::MountFlags::empty(),
        None,
    )
    .unwrap();
    let deeper = folder.path().join("deeper");
    fs::create_dir(&deeper).unwrap();
    let mut command = netnsctl(&["run", "office", "pwd"]);
    let ran = Ran::of(command.current_dir(&deeper).output().unwrap());
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "/\n"));
    let name = deeper.display();
    assert!(
        ran.stderr
            .contains(&format!("the working directory {name} is not")),
        "{ran:?}"
    );
}

#[netnsctl_machine::test]
fn a_closed_stream_is_never_another_file() {
    office();
    for stream in 0..=2 {
        let program = env!("CARGO_BIN_EXE_netnsctl");
        let shell =
            format!("exec {program} run office readlink /proc/self/fd/{stream} {stream}>&-");
        let output = command("sh").args(["-c", &shell]).output().unwrap();
        assert!(output.status.success(), "{stream}: {output:?}");
        if stream != 1 {
            assert_eq!(String::from_utf8_lossy(&output.stdout), "/dev/null\n");
        }
    }
}

#[netnsctl_machine::test]
fn output_that_nobody_reads_is_an_error_and_no_signal() {
    office();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut list = netnsctl(&["list"]);
    let status = list.stdout(writer).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.signal(), None);
    assert!(status.code().is_some());
    // The command inside finds the signal as every other program does.
    let status = ran(&["office", "--", "sh", "-c", "kill -PIPE $$"]);
    assert_eq!(status.signal(), Some(Signal::PIPE.as_raw()));
}

#[netnsctl_machine::test]
fn name_service_files_are_the_namespaces_own() {
    replace("/etc/resolv.conf", "nameserver 192.0.2.1\n");
    replace(
        "/etc/nsswitch.conf",
        "passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\n",
    );
    configure("[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\nsearch = [\"example.org\"]\n");
    expect(0, &["up", "--quiet"]);
    let resolv = inside("office", "cat /etc/resolv.conf");
    assert!(
        resolv.contains("nameserver 192.0.2.53\nsearch example.org\n"),
        "{resolv}"
    );
    assert!(!resolv.contains("192.0.2.1\n"), "{resolv}");
    let nsswitch = inside("office", "cat /etc/nsswitch.conf");
    assert!(
        nsswitch.contains("passwd: files\nhosts: files dns\n"),
        "{nsswitch}"
    );
    assert_eq!(
        fs::read_to_string("/etc/resolv.conf").unwrap(),
        "nameserver 192.0.2.1\n"
    );
}

#[netnsctl_machine::test]
fn no_mount_reaches_the_host() {
    replace("/etc/resolv.conf", "nameserver 192.0.2.1\n");
    fs::create_dir("/run/nscd").unwrap();
    office();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let shell = "cat /proc/self/mountinfo; mkdir /run/mine && mount -t tmpfs none /run/mine";
    let there = inside("office", shell);
    assert!(there.contains("/etc/resolv.conf"), "{there}");
    // But for the two that keep the view.
    let after = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let kept = |line: &&str| !line.contains(" /run/netnsctl/views");
    let after: String = after
        .lines()
        .filter(kept)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(after, before);
}

#[netnsctl_machine::test]
fn a_linked_resolv_conf_is_covered_too() {
    fs::create_dir_all("/run/systemd/resolve").unwrap();
    fs::write(
        "/run/systemd/resolve/stub-resolv.conf",
        "nameserver 127.0.0.53\n",
    )
    .unwrap();
    let _ = fs::remove_file("/etc/resolv.conf");
    symlink(
        "../run/systemd/resolve/stub-resolv.conf",
        "/etc/resolv.conf",
    )
    .unwrap();
    configure("[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n");
    expect(0, &["up", "--quiet"]);
    for file in ["/etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf"] {
        let text = inside("office", &format!("cat {file}"));
        assert!(text.contains("nameserver 192.0.2.53"), "{text}");
        assert!(!text.contains("127.0.0.53"), "{text}");
    }
    let host = fs::read_to_string("/etc/resolv.conf").unwrap();
    assert_eq!(host, "nameserver 127.0.0.53\n");
}

#[netnsctl_machine::test]
fn the_hosts_name_service_cache_is_out_of_reach() {
    fs::create_dir("/run/nscd").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind("/run/nscd/socket").unwrap();
    office();
    assert_eq!(
        inside("office", "ls -A /run/nscd /var/run/nscd/"),
        "/run/nscd:\n\n/var/run/nscd/:\n"
    );
    assert!(fs::exists("/run/nscd/socket").unwrap());
}

#[netnsctl_machine::test]
fn a_linked_folder_of_files_is_followed_and_left_alone() {
    fs::create_dir_all("/etc/netns").unwrap();
    fs::create_dir("/run/elsewhere").unwrap();
    fs::write("/run/elsewhere/resolv.conf", "nameserver 192.0.2.99\n").unwrap();
    symlink("/run/elsewhere", "/etc/netns/office").unwrap();
    office();
    assert_eq!(
        inside("office", "cat /etc/resolv.conf"),
        "nameserver 192.0.2.99\n"
    );
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
    expect(0, &["down"]);
    let left = fs::read_to_string("/run/elsewhere/resolv.conf").unwrap();
    assert_eq!(left, "nameserver 192.0.2.99\n");
    assert!(
        fs::symlink_metadata("/etc/netns/office")
            .unwrap()
            .is_symlink()
    );
}

#[netnsctl_machine::test]
fn files_of_the_user_are_bound_as_well() {
    replace("/etc/hosts", "127.0.0.1 localhost\n");
    fs::create_dir_all("/etc/netns/office").unwrap();
    fs::write("/etc/netns/office/hosts", "192.0.2.7 printer\n").unwrap();
    fs::write("/etc/netns/office/resolv.conf", "nameserver 192.0.2.99\n").unwrap();
    office();
    assert_eq!(inside("office", "cat /etc/hosts"), "192.0.2.7 printer\n");
    assert_eq!(
        inside("office", "cat /etc/resolv.conf"),
        "nameserver 192.0.2.99\n"
    );
    expect(0, &["down"]);
    let mut left: Vec<_> = fs::read_dir("/etc/netns/office")
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["hosts", "resolv.conf"]);
}

#[netnsctl_machine::test]
fn namespaces_made_by_others_can_be_entered() {
    make_foreign("other");
    let link = inside("other", "readlink /proc/self/ns/net");
    assert_eq!(link.trim_end(), netns_called("other"));
    fs::write("/run/netns/stale", "").unwrap();
    let error = expect(125, &["run", "stale", "--", "true"]).stderr;
    assert!(error.contains("stale"), "{error}");
    assert!(error.contains("hint: "), "{error}");
}

#[netnsctl_machine::test]
fn without_a_command_it_is_the_shell() {
    office();
    fs::write(
        "/etc/shell",
        "#!/bin/sh\necho \"my shell, $# arguments\"; exit 9\n",
    )
    .unwrap();
    fs::set_permissions("/etc/shell", fs::Permissions::from_mode(0o755)).unwrap();
    let run = |shell: Option<&str>| {
        let mut command: Command = netnsctl(&["run", "office"]);
        command.stdin(Stdio::null()).env_remove("SHELL");
        Ran::of(command.envs(shell.map(|s| ("SHELL", s))).output().unwrap())
    };
    let mine = run(Some("/etc/shell"));
    assert_eq!(mine.status, Some(9), "{mine:?}");
    assert_eq!(mine.stdout, "my shell, 0 arguments\n");
    assert_eq!(run(None).status, Some(0));
    // An empty variable is as good as none.
    assert_eq!(run(Some("")).status, Some(0));
}

#[netnsctl_machine::test]
fn default_leads_back_home() {
    office();
    // In a process id namespace of its own this machine has a /proc/1 that is at home.
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let show = "readlink /proc/self/ns/net; readlink /proc/self/ns/mnt; pwd";
    let script = format!(
        "{show}; {program} run office -- sh -c '{show}; {program} run default -- sh -c \"{show}\"'; \
         {program} run default -- sh -c '{show}'"
    );
    let output = command("unshare")
        .args(["--pid", "--fork", "--mount-proc", "sh", "-c", &script])
        .current_dir("/usr")
        .arg0("unshare")
        .output()
        .unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let lines: Vec<_> = ran.stdout.lines().collect();
    let (home, office, back, stayed) = (&lines[..3], &lines[3..6], &lines[6..9], &lines[9..]);
    assert_ne!(home[0], office[0]);
    assert_ne!(home[1], office[1]);
    assert_eq!(back, home);
    assert_eq!(stayed, home);
    assert_eq!(office[2], "/usr");
}
