//! Views when a step fails, when a caller has strange limits, and when a command is inside already:
//! nothing of the host or of another namespace may show.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::{Inhabitant, VIEWS, mounts_inside, plain_resolv_conf};
use crate::names;
use crate::served::status;
use crate::support::{Ran, command, eventually, expect, inside, netnsctl, traces};

const RESOLVED: &str = "/run/systemd/resolve";

/// What the host's resolved says.
const STUB: &str = "# a line that is longer than some limits\nnameserver 127.0.0.53\n";

/// A host with systemd-resolved.
fn start_resolved() -> UnixListener {
    let _ = fs::remove_dir_all(RESOLVED);
    fs::create_dir_all(RESOLVED).unwrap();
    for file in ["stub-resolv.conf", "resolv.conf"] {
        fs::write(format!("{RESOLVED}/{file}"), STUB).unwrap();
    }
    let _ = fs::remove_file("/etc/resolv.conf");
    symlink(format!("{RESOLVED}/stub-resolv.conf"), "/etc/resolv.conf").unwrap();
    UnixListener::bind(format!("{RESOLVED}/io.systemd.Resolve")).unwrap()
}

/// A namespace that has a file of its own, but not resolv.conf.
fn make(name: &str) {
    fs::create_dir_all(format!("/etc/netns/{name}")).unwrap();
    fs::write(format!("/etc/netns/{name}/hosts"), "192.0.2.7 printer\n").unwrap();
    crate::serve::make_foreign(name);
}

/// The system calls `refused` end with `errno` in what `work` starts.
fn with_refused<T: Send + 'static>(
    refused: Vec<(i64, Vec<SeccompRule>)>,
    errno: i32,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let filter = SeccompFilter::new(
        refused.into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    let start = move || {
        // Of this thread, and of what it starts.
        apply_filter(&filter).unwrap();
        work()
    };
    std::thread::spawn(start).join().unwrap()
}

fn run(shell: &str) -> Ran {
    let run = ["run", "office", "--", "/bin/sh", "-c", shell];
    Ran::of(netnsctl(&run).output().unwrap())
}

/// The command was not started, and the message says `why`.
#[track_caller]
fn is_refused(ran: &Ran, why: &str) {
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (Some(125), ""),
        "{ran:?}"
    );
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[netnsctl_machine::test]
fn what_cannot_be_found_out_ends_the_command() {
    let _first = start_resolved();
    make("office");
    assert_eq!(run("ls /run/systemd/resolve/io*").status, Some(2));
    let _second = start_resolved();
    let listing = "ls /run/systemd/resolve";
    for (errno, word) in [(libc::EIO, "(EIO)"), (libc::ENOMEM, "(ENOMEM)")] {
        let links = [libc::SYS_readlink, libc::SYS_readlinkat];
        let refused = links.map(|call| (call, Vec::new())).to_vec();
        let ran = with_refused(refused, errno, move || run(listing));
        is_refused(&ran, word);
        assert!(ran.stderr.contains("cannot look at /"), "{}", ran.stderr);
    }
    assert_eq!(inside("office", listing), "resolv.conf\nstub-resolv.conf\n");
}

#[netnsctl_machine::test]
fn a_link_of_resolved_leads_to_no_other_file() {
    let _resolved = start_resolved();
    fs::write("/run/secret", "secret\n").unwrap();
    let stub = format!("{RESOLVED}/stub-resolv.conf");
    fs::remove_file(&stub).unwrap();
    symlink("/run/secret", &stub).unwrap();
    make("office");
    is_refused(&run("cat /etc/resolv.conf"), "stub-resolv.conf: ");
    // As resolved makes it where nothing listens at 127.0.0.53.
    fs::remove_file(&stub).unwrap();
    symlink("resolv.conf", &stub).unwrap();
    assert_eq!(inside("office", "cat /etc/resolv.conf"), STUB);
    // One that is absent is nothing.
    fs::remove_file(&stub).unwrap();
    make("other");
    assert_eq!(inside("other", "cat /etc/resolv.conf"), "");
}

#[netnsctl_machine::test]
fn a_view_that_cannot_be_kept_ends_the_command() {
    make("office");
    fs::create_dir("/run/netnsctl").unwrap();
    fs::write(VIEWS, "").unwrap();
    is_refused(
        &run("true"),
        "/run/netnsctl/views: Not a directory (ENOTDIR)",
    );
    fs::remove_file(VIEWS).unwrap();
    fs::create_dir(VIEWS).unwrap();
    fs::write(format!("{VIEWS}/office"), "").unwrap();
    is_refused(
        &run("true"),
        "/run/netnsctl/views/office/mntns: Not a directory (ENOTDIR)",
    );
    fs::remove_file(format!("{VIEWS}/office")).unwrap();
    assert_eq!(inside("office", "cat /etc/hosts"), "192.0.2.7 printer\n");
}

#[netnsctl_machine::test]
fn down_says_why_the_folder_of_views_stays() {
    let nothing = traces();
    super::declare("192.0.2.53");
    fs::write(VIEWS, "").unwrap();
    let ran = expect(1, &["down"]);
    let why = "error: cannot open /run/netnsctl/views: Not a directory (ENOTDIR)\n";
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("- netns office\n- netns other\n", why)
    );
    fs::remove_file(VIEWS).unwrap();
    expect(0, &["down"]);
    // What is in the folder though nothing is known of it is in use.
    super::declare("192.0.2.53");
    fs::create_dir_all(format!("{VIEWS}/left")).unwrap();
    expect(0, &["down"]);
    fs::remove_dir(format!("{VIEWS}/left")).unwrap();
    expect(0, &["down"]);
    assert_eq!(traces(), nothing);
}

#[netnsctl_machine::test]
fn a_run_that_cannot_be_written_will_do() {
    make("office");
    let flags = MountFlags::RDONLY | MountFlags::BIND;
    mount_remount("/run", flags, "").unwrap();
    assert_eq!(inside("office", "cat /etc/hosts"), "192.0.2.7 printer\n");
    assert!(!fs::exists(VIEWS).unwrap());
}

#[netnsctl_machine::test]
fn modes_are_the_same_whatever_the_umask() {
    let _resolved = start_resolved();
    let _ = fs::remove_file("/etc/hosts");
    make("office");
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let shell = format!("umask 777; {program} run office true");
    let made = command("sh").args(["-c", &shell]).status().unwrap();
    assert!(made.success());
    let paths = format!("/etc /etc/hosts {RESOLVED} {RESOLVED}/* /run/netns-office");
    assert_eq!(
        inside("office", &format!("stat -c '%a %n' {paths}")),
        format!(
            "755 /etc\n644 /etc/hosts\n755 {RESOLVED}\n644 {RESOLVED}/resolv.conf\n\
             644 {RESOLVED}/stub-resolv.conf\n700 /run/netns-office\n"
        )
    );
    assert_eq!(
        inside("office", "cat /etc/resolv.conf /etc/hosts"),
        format!("{STUB}192.0.2.7 printer\n")
    );
}

#[netnsctl_machine::test]
fn files_of_a_declaration_can_be_read_whatever_the_umask() {
    crate::support::configure("[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n");
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let up = format!("umask 077; {program} up --quiet");
    assert!(command("sh").args(["-c", &up]).status().unwrap().success());
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for folder in ["/run/netns", "/etc/netns", "/etc/netns/office"] {
        assert_eq!(mode(folder), 0o755, "{folder}");
    }
    for file in ["resolv.conf", "nsswitch.conf"] {
        assert_eq!(mode(&format!("/etc/netns/office/{file}")), 0o644, "{file}");
    }
}

#[netnsctl_machine::test]
fn a_limit_of_a_caller_leaves_nothing_incomplete() {
    let _first = start_resolved();
    make("office");
    assert_eq!(inside("office", "cat /etc/resolv.conf"), STUB);
    // With and without the signal.
    for trap in ["trap '' XFSZ;", ""] {
        let _again = start_resolved();
        let program = env!("CARGO_BIN_EXE_netnsctl");
        let shell = format!("{trap} prlimit --fsize=21 {program} run office cat /etc/resolv.conf");
        let output = command("sh").args(["-c", &shell]).output().unwrap();
        assert_ne!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(inside("office", "cat /etc/resolv.conf"), STUB);
        let bound = inside("office", &format!("cat {VIEWS}/bound"));
        assert!(bound.contains("file hosts\n"), "{bound}");
    }
}

#[netnsctl_machine::test]
fn a_mount_with_the_numbers_of_an_old_one_is_not_taken_for_it() {
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    mount_change("/", shared).unwrap();
    fs::create_dir("/run/nscd").unwrap();
    make("office");
    for _ in 0..5 {
        assert_eq!(inside("office", "ls -A /run/nscd"), "");
        let device = inside("office", "stat -c %d /run/nscd");
        // The mount on it goes, and another one gets the number of its device.
        fs::remove_dir("/run/nscd").unwrap();
        fs::create_dir("/run/nscd").unwrap();
        mount("host", "/run/nscd", "tmpfs", MountFlags::empty(), None).unwrap();
        let is_same = command("stat")
            .args(["-c", "%d", "/run/nscd"])
            .output()
            .unwrap();
        let is_same = String::from_utf8(is_same.stdout).unwrap() == device;
        fs::write("/run/nscd/socket", "").unwrap();
        assert_eq!(inside("office", "ls -A /run/nscd"), "");
        if is_same {
            return;
        }
        rustix::mount::unmount("/run/nscd", rustix::mount::UnmountFlags::empty()).unwrap();
    }
    crate::support::say("SKIPPED: the kernel used no number again");
}

/// `netnsctl run` of a command, in words for a shell.
fn run_in(netns: &str, command: &str) -> String {
    let program = env!("CARGO_BIN_EXE_netnsctl");
    format!("{program} run {netns} -- {command}")
}

#[netnsctl_machine::test]
fn nothing_of_one_view_shows_in_another_namespace() {
    plain_resolv_conf("nameserver 198.51.100.1\n");
    super::declare("192.0.2.53");
    crate::serve::make_foreign("plain");
    let from_office = |netns: &str, command: &str| inside("office", &run_in(netns, command));
    assert_eq!(
        from_office("plain", "cat /etc/resolv.conf"),
        "nameserver 198.51.100.1\n"
    );
    // Each namespace has the one view, from wherever it is entered.
    let mounts = "readlink /proc/self/ns/mnt";
    assert_eq!(from_office("plain", mounts), mounts_inside("plain"));
    assert_eq!(from_office("other", mounts), mounts_inside("other"));
    assert_eq!(from_office("office", mounts), mounts_inside("office"));
    let nested = run_in("other", &run_in("plain", "cat /etc/resolv.conf"));
    assert_eq!(inside("office", &nested), "nameserver 198.51.100.1\n");
    // A namespace by its path has no view, and the working directory is kept.
    let by_path = run_in("/run/netns/plain", "sh -c 'pwd; cat /etc/resolv.conf'");
    assert_eq!(
        inside("office", &format!("cd /usr && {by_path}")),
        "/usr\nnameserver 198.51.100.1\n"
    );
}

#[netnsctl_machine::test]
fn a_view_that_lives_on_is_known_when_it_was_taken_down() {
    let host = "nameserver 198.51.100.1\n";
    plain_resolv_conf(host);
    super::declare("192.0.2.53");
    let inhabitant = Inhabitant::new();
    crate::serve::make_foreign("plain");
    expect(0, &["down", "--no-wait"]);
    assert!(!fs::exists("/run/netnsctl").unwrap());
    let server = inhabitant.sees("/etc/resolv.conf");
    assert!(server.contains("192.0.2.53"), "{server}");
    let from_inside = |words: &[&str]| {
        let target = inhabitant.0.id().to_string();
        let program = env!("CARGO_BIN_EXE_netnsctl");
        let mut nsenter = command("nsenter");
        nsenter.args(["--mount", "--net", "--target", &target, program]);
        Ran::of(nsenter.args(words).output().unwrap())
    };
    let shown = from_inside(&["run", "plain", "--", "cat", "/etc/resolv.conf"]);
    assert_eq!((shown.status, shown.stdout.as_str()), (Some(0), host));
    let up = from_inside(&["up"]);
    assert_eq!((up.status, up.stdout.as_str()), (Some(1), ""));
    assert!(up.stderr.contains("in the view of a netns"), "{up:?}");
    // Also when there are views again.
    super::declare("192.0.2.54");
    let shown = from_inside(&["run", "office", "--", "cat", "/etc/resolv.conf"]);
    assert!(shown.stdout.contains("192.0.2.54"), "{shown:?}");
    let shown = from_inside(&["run", "plain", "--", "cat", "/etc/resolv.conf"]);
    assert_eq!((shown.status, shown.stdout.as_str()), (Some(0), host));
}

#[netnsctl_machine::test]
fn mounts_for_one_command_alone_are_known_too() {
    fs::remove_file("/etc/hosts").unwrap();
    fs::write("/etc/hosts", "198.51.100.7 printer\n").unwrap();
    make("office");
    crate::serve::make_foreign("plain");
    // No view can be kept.
    mount_remount("/run", MountFlags::RDONLY | MountFlags::BIND, "").unwrap();
    let both = run_in("plain", "cat /etc/hosts");
    assert_eq!(
        inside("office", &format!("cat /etc/hosts; {both}")),
        "192.0.2.7 printer\n198.51.100.7 printer\n"
    );
}

/// A command that is ended with the value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[netnsctl_machine::test]
fn a_view_whose_origin_is_gone_cannot_be_left() {
    make("office");
    crate::serve::make_foreign("plain");
    // The mounts that the view is made from have no process but the one that makes it.
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let child = command("unshare")
        .args(["--mount", program, "run", "office", "--", "sleep", "1000"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let sleeper = Ended(child);
    let pid = sleeper.0.id();
    eventually("the command", || {
        (status(pid, "Name")? == "sleep").then_some(())
    });
    let output = command("nsenter")
        .args(["--mount", "--net", "--target", &pid.to_string(), program])
        .args(["run", "plain", "--", "cat", "/etc/hosts"])
        .output();
    is_refused(
        &Ran::of(output.unwrap()),
        "cannot leave the view this command was started in: no process",
    );
}

#[netnsctl_machine::test]
fn a_view_of_an_earlier_version_gives_way_to_a_new_one() {
    make("office");
    crate::serve::make_foreign("plain");
    // It did not note what it was made from.
    let forget = format!("sed -i '/^from /d' {VIEWS}/bound; readlink /proc/self/ns/mnt");
    let old = inside("office", &forget);
    let new = mounts_inside("office");
    assert_ne!(new, old);
    assert_eq!(mounts_inside("office"), new);
    assert_eq!(inside("office", &run_in("plain", "echo there")), "there\n");
}

#[netnsctl_machine::test]
fn without_a_thread_the_command_ends() {
    make("office");
    let is = |argument, mask: i32, value: i32| {
        let operator = SeccompCmpOp::MaskedEq(u64::from(mask.unsigned_abs()));
        let value = u64::from(value.unsigned_abs());
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).unwrap()
    };
    let rule = |conditions| vec![SeccompRule::new(conditions).unwrap()];
    let thread = vec![is(0, libc::CLONE_THREAD, libc::CLONE_THREAD)];
    // The memory of a thread's stack, but not that of a new process.
    let stack = vec![
        is(2, i32::MAX, libc::PROT_NONE),
        is(3, libc::MAP_STACK, libc::MAP_STACK),
    ];
    for (refused, errno) in [
        ((libc::SYS_clone, rule(thread)), libc::EAGAIN),
        ((libc::SYS_mmap, rule(stack)), libc::ENOMEM),
    ] {
        // The arguments of the newer call are in memory, where no filter can see them.
        let newer = vec![(libc::SYS_clone3, Vec::new())];
        let ran = with_refused(newer, libc::ENOSYS, move || {
            with_refused(vec![refused], errno, || run("true"))
        });
        let why =
            "cannot start a thread that makes a mount namespace: Resource temporarily unavailable";
        is_refused(&ran, why);
    }
    assert_eq!(inside("office", "cat /etc/hosts"), "192.0.2.7 printer\n");
}

#[netnsctl_machine::test]
fn a_daemon_is_out_of_reach_of_others_by_its_path() {
    if !crate::caller::has_other_users() {
        crate::support::say("SKIPPED: there is only one user here");
        return;
    }
    // As an earlier version made it.
    fs::create_dir_all("/run/netns-left").unwrap();
    let _served = names::serve();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("/run/netns-left"), 0o700);
    assert_eq!(mode("/run/netns-left/nscd"), 0o755);
    // In the host namespace and in another one, and only an ordinary user: root has every way.
    let asks = |place: &str| {
        format!(
            "exec setpriv --reuid=1000 --regid=1000 --clear-groups sh -c \
             'test -S {place}/socket || exit 9; getent hosts nick.test'"
        )
    };
    let path = asks("/run/netns-left/nscd");
    let on_host = command("sh").args(["-c", &path]).status().unwrap();
    assert_eq!(on_host.code(), Some(9));
    for netns in ["right", "left"] {
        expect(9, &["run", netns, "sh", "-c", &path]);
    }
    // Those inside find it where programs look.
    let before = names::found("left");
    let answer = inside("left", &asks("/run/nscd"));
    assert!(answer.starts_with("192.0.2.1 "), "{answer}");
    assert_eq!(names::found("left"), before + 1);
}
