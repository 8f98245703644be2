//! `run` by a user who is not root, by way of what gives root: whole for the caller, and nothing
//! more than the caller. Each line of the threat model in docs/security.md has a test here.
//!
//! No polkit runs on the test's machine, so a program of the test's own with set-user-ID stands
//! in for pkexec(1), sudo(8) and doas(1) and does to the process what they do.

pub(crate) mod hostile;
pub(crate) mod inherited;
pub(crate) mod names_of_rules;
pub(crate) mod refused;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::names;
use crate::nscd::put;
use crate::served::{children, netns_called, send};
use crate::support::{Ran, command, configure, expect, say};

const ALICE: u32 = 1000;

/// The groups that Alice has, in order.
const GROUPS: &str = "4,24,44,1000";

/// Where programs may have set-user-ID.
const PROGRAMS: &str = "/mnt/programs";

/// A machine with the namespace "office", in which Alice may get root to enter. False where this
/// user cannot make one: then there is only one user.
fn set() -> bool {
    if !rustix::process::geteuid().is_root() || !has_other_users() {
        say("SKIPPED: no user but this one on this machine; the tier of root runs it");
        return false;
    }
    configure(
        "[netns.left]\n[netns.office]\naddress = [\"10.20.0.1/24\"]\ndns.nameservers = [\"10.20.0.53\"]\n",
    );
    expect(0, &["up", "--quiet"]);
    let no_flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", "/mnt", "tmpfs", no_flags, c"mode=755").unwrap();
    fs::create_dir(PROGRAMS).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine/caller/giver.c");
    let compiled = command("cc")
        .arg(source)
        .args(["-o", "/mnt/giver"])
        .status();
    assert!(compiled.expect("a C compiler").success());
    for real in ["pkexec", "sudo", "doas"].map(|giver| format!("/usr/bin/{giver}")) {
        // Those of the machine the tests run on are no part of this one.
        if Path::new(&real).exists() {
            rustix::mount::mount_bind("/dev/null", &real).unwrap();
        }
    }
    install("pkexec");
    fs::copy(env!("CARGO_BIN_EXE_netnsctl"), "/mnt/netnsctl").unwrap();
    // A folder of Alice's own.
    fs::create_dir("/mnt/alice").unwrap();
    std::os::unix::fs::chown("/mnt/alice", Some(ALICE), Some(ALICE)).unwrap();
    true
}

pub(crate) fn has_other_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace()
        .nth(2)
        .is_some_and(|count| count != "1")
}

/// Installs what gives root, as `name`.
fn install(name: &str) {
    let path = format!("{PROGRAMS}/{name}");
    fs::copy("/mnt/giver", &path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o4755)).unwrap();
}

/// A command by Alice, in her folder.
fn as_alice(program: &str, arguments: &[&str]) -> Command {
    let mut alice = command("setpriv");
    alice
        .args([
            "--reuid=1000",
            "--regid=1000",
            "--groups",
            GROUPS,
            "--",
            program,
        ])
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{PROGRAMS}:/usr/bin:/bin"))
        .current_dir("/mnt/alice");
    alice
}

/// `netnsctl run office --` and a shell command, by Alice.
fn office(shell: &str) -> Command {
    as_alice("/mnt/netnsctl", &["run", "office", "--", "sh", "-c", shell])
}

#[track_caller]
fn ran(command: &mut Command) -> Ran {
    Ran::of(command.output().expect("it can be started"))
}

#[track_caller]
fn said(command: &mut Command) -> String {
    let ran = ran(command);
    assert_eq!(ran.status, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// Reads the first line of what a child prints.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it was asked for");
    BufReader::new(stdout).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[netnsctl_machine::test]
fn the_command_is_the_caller_in_every_respect() {
    if !set() {
        return;
    }
    // Ignored signals: without those that the C library keeps for itself (signal(7)).
    let look = "id -u; id -g; id -G; umask; pwd; nice; ulimit -a; cat /proc/self/cgroup; \
                grep -E '^(Uid|Gid|Groups|Umask|SigBlk|NoNewPrivs|Seccomp):' /proc/self/status; \
                env | sort; sed -n '/^SigIgn/s/.*\\(.......\\)$/\\1/p' /proc/self/status";
    let limits =
        "trap '' HUP; umask 027; ulimit -S -n 77; ulimit -H -n 555; ulimit -c 0; exec nice -n 5 ";
    let with = |rest: &str| {
        let mut alice = as_alice(
            "sh",
            &["-c", &format!("{limits}{rest} sh -c \"$1\"",), "sh", look],
        );
        alice
            .env("ODD", "a b\nc=d")
            .env("LD_LIBRARY_PATH", "/mnt/none")
            .env("LANG", "de_DE.UTF-8");
        said(&mut alice)
    };
    let here = with("");
    assert!(
        here.contains("0027") && here.contains("1000 4 24 44\n"),
        "{here}"
    );
    assert!(here.contains("NoNewPrivs:\t0"), "{here}");
    // The test's own parent may have others ignored too.
    let ignored = here.trim_end().rsplit('\n').next().unwrap();
    assert_eq!(u32::from_str_radix(ignored, 16).unwrap() & 1, 1, "{here}");
    assert_eq!(with("/mnt/netnsctl run office"), here);
    // The three streams, and what `ls` opens.
    assert_eq!(said(&mut office("ls /proc/self/fd | wc -l")), "4\n");
}

#[netnsctl_machine::test]
fn the_command_is_the_callers_child_and_the_only_one() {
    if !set() {
        return;
    }
    // The shell's child is the command itself, in the same session and process group, and has
    // nothing else to wait for: what it counts is the one that counts.
    let shell = "echo $$ $(cut -d\" \" -f4-6 /proc/$$/stat) $(cat /proc/$$/task/$$/children | wc -w); exec sleep 600";
    let script = format!("/mnt/netnsctl run office -- sh -c '{shell}' & wait");
    let mut alice = as_alice("sh", &["-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = first_line(&mut alice);
    let numbers: Vec<u32> = line.split(' ').map(|it| it.parse().unwrap()).collect();
    let started = children(alice.id());
    let own = fs::read_to_string(format!("/proc/{}/stat", alice.id())).unwrap();
    let own: Vec<u32> = own
        .split(' ')
        .skip(4)
        .take(2)
        .map(|it| it.parse().unwrap())
        .collect();
    assert_eq!(
        numbers,
        [started[0], alice.id(), own[0], own[1], 1],
        "{line}"
    );
    send(started[0], Signal::KILL);
    alice.wait().unwrap();
}

#[netnsctl_machine::test]
fn it_is_in_the_namespace_and_sees_its_files() {
    if !set() {
        return;
    }
    let shell = "cat /etc/resolv.conf; readlink /proc/self/ns/net; ls /proc/self/ns >/dev/null";
    let seen = said(&mut office(shell));
    assert!(seen.contains("nameserver 10.20.0.53"), "{seen}");
    let inode = netns_called("office").to_string();
    assert!(seen.contains(&inode), "{seen} {inode}");
}

#[netnsctl_machine::test]
fn a_caller_has_no_capability_and_may_get_them_as_before() {
    if !set() {
        return;
    }
    let seen = said(&mut office("grep -E '^(Cap|NoNewPrivs)' /proc/self/status"));
    let none =
        ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|set| format!("{set}:\t0000000000000000"));
    for line in none {
        assert!(seen.contains(&line), "{seen}");
    }
    // The bounding set and programs with set-user-ID are as outside.
    let outside = said(&mut as_alice(
        "sh",
        &["-c", "grep -E '^(Cap|NoNewPrivs)' /proc/self/status"],
    ));
    assert_eq!(seen, outside);
    for forbidden in [
        "ip link add x type bridge",
        "nsenter --net=/run/netns/office true",
        "chroot / true",
    ] {
        assert_ne!(ran(&mut office(forbidden)).status, Some(0), "{forbidden}");
    }
}

#[netnsctl_machine::test]
fn what_the_giver_left_open_is_closed() {
    if !set() {
        return;
    }
    for giver in ["sudo", "pkexec"] {
        // The first that is found is asked.
        let _ = fs::remove_file(format!("{PROGRAMS}/pkexec"));
        install(giver);
        let mut alice = office("ls -l /proc/self/fd; cat <&7");
        let seen = ran(alice.env("GIVER_LEAVES", "1"));
        assert_ne!(seen.status, Some(0), "{giver}: {}", seen.stdout);
        assert_eq!(seen.stdout.matches(" -> ").count(), 4, "{}", seen.stdout);
        assert!(!seen.stdout.contains("shadow"), "{}", seen.stdout);
    }
}

#[netnsctl_machine::test]
fn arguments_environment_and_status_come_through() {
    if !set() {
        return;
    }
    let words = ["", "a b", "-x", "--enter=left", "--", "$HOME", "*"];
    let show = "for word; do printf '<%s>' \"$word\"; done";
    let mut alice = as_alice(
        "/mnt/netnsctl",
        &[&["run", "office", "sh", "-c", show, "sh"][..], &words].concat(),
    );
    let wanted: String = words.iter().map(|word| format!("<{word}>")).collect();
    assert_eq!(said(&mut alice), wanted);
    let big = "x".repeat(100_000);
    let mut alice = office("printf %s \"$BIG\" | wc -c; printf %s \"$PATH\"");
    alice.env("BIG", &big);
    assert_eq!(
        said(&mut alice),
        format!("100000\n{PROGRAMS}:/usr/bin:/bin")
    );
    for wanted in [0, 7, 125, 255] {
        let seen = ran(&mut office(&format!("exit {wanted}")));
        assert_eq!(seen.status, Some(wanted), "{}", seen.stderr);
    }
    let killed = office("kill -TERM $$").status().unwrap();
    assert_eq!(killed.signal(), Some(15));
    let missing = ran(&mut as_alice(
        "/mnt/netnsctl",
        &["run", "office", "no-such-command"],
    ));
    assert_eq!(missing.status, Some(127), "{}", missing.stderr);
    // Without a command it is the shell of the caller's environment.
    let mut alice = as_alice("/mnt/netnsctl", &["run", "office"]);
    alice.env("SHELL", "/bin/pwd");
    assert_eq!(said(&mut alice), "/mnt/alice\n");
}

#[netnsctl_machine::test]
fn a_folder_hidden_inside_is_told_of() {
    if !set() {
        return;
    }
    fs::create_dir_all("/run/systemd/resolve/alice").unwrap();
    let mut alice = office("pwd");
    alice.current_dir("/run/systemd/resolve/alice");
    let seen = ran(&mut alice);
    assert_eq!(
        (seen.status, seen.stdout.as_str()),
        (Some(0), "/\n"),
        "{}",
        seen.stderr
    );
    assert!(
        seen.stderr
            .contains("/run/systemd/resolve/alice is not there in office"),
        "{}",
        seen.stderr
    );
    // One that root may enter and the caller may not is no way in.
    fs::create_dir("/mnt/closed").unwrap();
    fs::create_dir("/mnt/closed/open").unwrap();
    fs::set_permissions("/mnt/closed", Permissions::from_mode(0o700)).unwrap();
    let mut alice = office("pwd");
    alice.current_dir("/mnt/closed/open");
    let seen = ran(&mut alice);
    assert_eq!(
        (seen.status, seen.stdout.as_str()),
        (Some(0), "/\n"),
        "{}",
        seen.stderr
    );
}

#[netnsctl_machine::test]
fn sudo_and_doas_will_do_where_there_is_no_pkexec() {
    if !set() {
        return;
    }
    put(
        "passwd",
        "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n",
    );
    let look = "id -u; id -g; id -G; pwd; echo $ODD; grep CapEff /proc/self/status; exit 9";
    for giver in ["sudo", "doas"] {
        fs::remove_dir_all(PROGRAMS).unwrap();
        fs::create_dir(PROGRAMS).unwrap();
        install(giver);
        let mut alice = office(look);
        alice.env("ODD", "whole");
        let seen = ran(&mut alice);
        let wanted = "1000\n1000\n1000 4 24 44\n/mnt/alice\nwhole\nCapEff:\t0000000000000000\n";
        assert_eq!(seen.stdout, wanted, "{giver}: {}", seen.stderr);
        assert_eq!(seen.status, Some(9));
    }
    // What cannot give rights is not even asked.
    let mut sealed = command("setpriv");
    sealed
        .arg("--no-new-privs")
        .arg(office("true").get_program());
    sealed
        .args(office("true").get_args())
        .current_dir("/mnt/alice");
    sealed.env("PATH", format!("{PROGRAMS}:/usr/bin:/bin"));
    is_refused(
        &ran(&mut sealed),
        "can get no rights (no_new_privs)",
        "such as NoNewPrivileges=",
    );
    fs::remove_dir_all(PROGRAMS).unwrap();
    fs::create_dir(PROGRAMS).unwrap();
    is_refused(
        &ran(&mut office("true")),
        "only root may, and there is no pkexec, sudo or doas here",
        "\"netnsctl serve --sandbox\"",
    );
}

/// Nothing was started, for a `cause` and with a next `step`.
#[track_caller]
fn is_refused(seen: &Ran, cause: &str, step: &str) {
    assert_eq!(seen.status, Some(125), "{}", seen.stderr);
    let (error, hint) = seen.stderr.split_once("\n  hint: ").expect("a hint");
    assert!(
        error.contains(cause) && hint.contains(step),
        "{}",
        seen.stderr
    );
}

#[netnsctl_machine::test]
fn a_link_chooses_the_namespace() {
    if !set() {
        return;
    }
    symlink("/mnt/netnsctl", "/mnt/netns-run-office").unwrap();
    let wanted = netns_called("office");
    let seen = said(&mut as_alice(
        "/mnt/netns-run-office",
        &["readlink", "/proc/self/ns/net"],
    ));
    assert_eq!(seen.trim_end(), wanted);
    // Root needs nobody to give it root.
    fs::remove_dir_all(PROGRAMS).unwrap();
    let seen = said(command("/mnt/netns-run-office").args(["--", "readlink", "/proc/self/ns/net"]));
    assert_eq!(seen.trim_end(), wanted);
}

#[netnsctl_machine::test]
fn the_way_home_is_a_namespace_like_others() {
    if !set() {
        return;
    }
    // In a process id namespace of its own this machine has a /proc/1 that is at home.
    let show = "readlink /proc/self/ns/net; readlink /proc/self/ns/mnt; id -u";
    let alice = format!("setpriv --reuid=1000 --regid=1000 --groups {GROUPS}");
    let run = "/mnt/netnsctl run";
    let script = format!(
        "cd /mnt; PATH={PROGRAMS}:$PATH; {alice} sh -c '{show}; {run} office -- sh -c \"{show}; \
         {run} default -- sh -c \\\"{show}\\\"\"'"
    );
    let mut shell = command("unshare");
    shell.args(["--pid", "--fork", "--mount-proc", "sh", "-c", &script]);
    let seen = said(&mut shell);
    let lines: Vec<_> = seen.lines().collect();
    let (home, office, back) = (&lines[..3], &lines[3..6], &lines[6..]);
    assert_eq!(home[2], "1000");
    assert_ne!(office[..2], home[..2]);
    assert_eq!(back, home);
}

#[netnsctl_machine::test]
fn names_are_looked_up_by_each_namespaces_own_daemon() {
    if !set() {
        return;
    }
    let mut served = names::serve();
    for (netns, _, address) in names::SERVERS {
        let before = names::found(netns);
        let words = ["run", netns, "getent", "hosts", "nick.test"];
        let seen = said(&mut as_alice("/mnt/netnsctl", &words));
        assert!(seen.starts_with(address), "{netns}: {seen}");
        assert!(
            names::found(netns) > before,
            "{netns} did not ask its daemon"
        );
    }
    served.stop();
}

#[netnsctl_machine::test]
fn a_path_is_for_root() {
    if !set() {
        return;
    }
    let path = format!("/proc/{}/ns/net", std::process::id());
    let seen = ran(&mut as_alice("/mnt/netnsctl", &["run", &path, "true"]));
    assert_eq!(seen.status, Some(125));
    assert!(
        seen.stderr
            .contains("only root may enter a namespace that is given by a path"),
        "{}",
        seen.stderr
    );
    let wanted = netns_called("office").to_string();
    let sleeper = expect(
        0,
        &[
            "run",
            "office",
            "--",
            "sh",
            "-c",
            "sleep 600 >&- 2>&- & echo $!",
        ],
    )
    .stdout;
    let sleeper: u32 = sleeper.trim().parse().unwrap();
    for path in [
        "/run/netns/office".to_owned(),
        format!("/proc/{sleeper}/ns/net"),
    ] {
        let seen = expect(0, &["run", &path, "--", "readlink", "/proc/self/ns/net"]).stdout;
        assert!(seen.contains(&wanted), "{path} {seen}");
    }
    send(sleeper, Signal::KILL);
    let error = expect(125, &["run", "/etc/passwd", "--", "true"]).stderr;
    assert!(error.contains("/etc/passwd"), "{error}");
}

#[netnsctl_machine::test]
fn a_namespace_that_is_not_there_needs_no_password() {
    if !set() {
        return;
    }
    fs::remove_dir_all(PROGRAMS).unwrap();
    let seen = ran(&mut as_alice("/mnt/netnsctl", &["run", "nowhere", "true"]));
    assert_eq!(seen.status, Some(125));
    assert!(
        seen.stderr.contains("no network namespace \"nowhere\""),
        "{}",
        seen.stderr
    );
}
