//! Errors while finding out or removing: never taken for absence, and nothing is forgotten.

use std::fs;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::fs::{FlockOperation, flock};
use rustix::mount::{MountFlags, mount_bind, mount_remount, unmount};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use crate::leftovers::has_polkit;
use crate::net::{inode, link, name_exists};
use crate::served::Served;
use crate::support::{Ran, command, configure, expect, netnsctl, say, settled, traces};
use crate::traffic::{connect, expect_answer, serve_tcp};

pub(crate) const TWO: &str = "[netns.office]\n[[netns.office.veth]]\n[netns.shop]\n";

/// The program, as root that lacks CAP_SYS_ADMIN.
fn powerless(arguments: &[&str]) -> Ran {
    let mut setpriv = command("setpriv");
    let drop = ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--"];
    setpriv.args(drop).arg(env!("CARGO_BIN_EXE_netnsctl"));
    Ran::of(
        setpriv
            .args(arguments)
            .output()
            .expect("setpriv of util-linux"),
    )
}

fn is_recorded(name: &str) -> bool {
    fs::exists(format!("/run/netnsctl/{name}.json")).unwrap()
}

#[netnsctl_machine::test]
fn down_keeps_the_record_of_what_it_could_not_remove() {
    let nothing = traces();
    configure(TWO);
    expect(0, &["up"]);
    let all = traces();
    let ran = powerless(&["down"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    for name in ["office", "shop"] {
        let words = format!("cannot enter netns \"{name}\": Operation not permitted (EPERM)");
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
        let words = format!("\"netnsctl down {name}\" tries again");
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    }
    // Not a file less: the namespaces have their names, so they keep what belongs to them.
    assert_eq!(traces(), all);
    settled();
    expect(0, &["down"]);
    assert_eq!(traces(), nothing);
}

#[netnsctl_machine::test]
fn prune_keeps_the_record_of_what_it_could_not_remove() {
    configure(TWO);
    expect(0, &["up"]);
    // The name of one cannot be removed: another mount lies below it on a folder.
    crate::net::delete_by_hand("office");
    fs::create_dir("/run/netns/office").unwrap();
    configure("[netns.shop]\n");
    let ran = expect(1, &["up", "--prune"]);
    assert!(
        ran.stderr.contains("cannot remove /run/netns/office"),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains("netns office"), "{ran:?}");
    assert!(is_recorded("office") && is_recorded("shop"));
    fs::remove_dir("/run/netns/office").unwrap();
    expect(0, &["up", "--prune"]);
    assert!(!is_recorded("office") && is_recorded("shop"));
    settled();
}

/// Runs `work` on a thread that, with all it starts, can start no further thread.
fn without_threads<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let filter = |calls: Vec<(i64, Vec<SeccompRule>)>, errno: i32| -> BpfProgram {
        let filter = SeccompFilter::new(
            calls.into_iter().collect(),
            SeccompAction::Allow,
            SeccompAction::Errno(errno.unsigned_abs()),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        filter.unwrap().try_into().unwrap()
    };
    // The C library falls back to clone(2), the flags of which a filter can see.
    let flag = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let is_thread = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(flag),
        flag,
    );
    let rule = SeccompRule::new(vec![is_thread.unwrap()]).unwrap();
    let no_clone3 = filter(vec![(libc::SYS_clone3, Vec::new())], libc::ENOSYS);
    let no_thread = filter(vec![(libc::SYS_clone, vec![rule])], libc::EAGAIN);
    let start = move || {
        apply_filter(&no_clone3).unwrap();
        apply_filter(&no_thread).unwrap();
        work()
    };
    std::thread::spawn(start).join().unwrap()
}

#[track_caller]
fn lacks_a_thread(arguments: &'static [&'static str]) {
    let ran = without_threads(|| Ran::of(netnsctl(arguments).output().unwrap()));
    assert_eq!(ran.status, Some(1), "{arguments:?} {ran:?}");
    let words = "cannot start a thread that enters network namespaces: \
                 Resource temporarily unavailable (EAGAIN)";
    assert!(ran.stderr.contains(words), "{arguments:?} {ran:?}");
}

#[netnsctl_machine::test]
fn without_a_thread_nothing_is_changed() {
    let nothing = traces();
    configure(TWO);
    for words in [
        &["plan"][..],
        &["status"],
        &["up"],
        &["import"],
        &["graph", "--live"],
    ] {
        lacks_a_thread(words);
    }
    // The folder of records may have been made, and nothing in it.
    let left = [
        "/run/netnsctl".to_owned(),
        "/run/netnsctl/host-netns".to_owned(),
    ];
    let mut now = traces();
    now.retain(|trace| !left.contains(trace));
    assert_eq!(now, nothing);
    expect(0, &["up"]);
    let all = traces();
    lacks_a_thread(&["down"]);
    assert_eq!(traces(), all);
    let ran = without_threads(|| Ran::of(netnsctl(&["doctor", "office"]).output().unwrap()));
    assert!(
        ran.status == Some(1) && ran.stderr.contains("cannot start a thread"),
        "{ran:?}"
    );
    expect(0, &["down"]);
    assert_eq!(traces(), nothing);
}

#[netnsctl_machine::test]
fn serve_goes_on_when_no_thread_can_be_started() {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    if map.split_whitespace().nth(2) == Some("4294967295") {
        say("SKIPPED: no limit on processes binds root; the tier of a normal user runs it");
        return;
    }
    configure(
        "[netns.office]\n[[netns.office.forward]]\nlisten = \"127.0.0.1:1001\"\nconnect = \"127.0.0.1:2001\"\n",
    );
    serve_tcp("default", "127.0.0.1:2001", "tcp ");
    let served = Served::ready(&[]);
    let mut client = connect("office", "127.0.0.1:1001");
    expect_answer(&mut client, "tcp ", "hello");
    let pid = i32::try_from(served.pid())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    // Only root may raise the hard limit again.
    let maximum = getrlimit(Resource::Nproc).maximum;
    let current = Some(1);
    let limit = Rlimit { current, maximum };
    let before = prlimit(pid, Resource::Nproc, limit).expect("our own child");
    served.signal(Signal::HUP);
    served.wait_for("cannot start a thread that enters network namespaces");
    expect_answer(&mut client, "tcp ", "again");
    prlimit(pid, Resource::Nproc, before).expect("our own child");
    let mut served = served;
    served.message();
    served.message();
    expect_answer(&mut connect("office", "127.0.0.1:1001"), "tcp ", "new");
    served.stop();
}

/// A shell inside `office` that waits for a line and then runs `script`.
fn waiting_shell(script: &str) -> std::process::Child {
    let script = format!("echo ready; read -r line; {script}");
    let mut child = netnsctl(&["run", "office", "--", "/bin/sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let stdout = child.stdout.as_mut().expect("a pipe");
    let mut ready = [0; 6];
    std::io::Read::read_exact(stdout, &mut ready).expect("it says that it runs");
    child
}

pub(crate) fn go_on(mut child: std::process::Child) -> Ran {
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(b"\n").expect("it reads");
    }
    Ran::of(child.wait_with_output().expect("it is our child"))
}

#[netnsctl_machine::test]
fn a_shell_in_a_namespace_without_a_name_cannot_manage() {
    let program = env!("CARGO_BIN_EXE_netnsctl");
    // Without files of its own, so that `run` stays in the mounts of the host.
    let plain = "[netns.office]\nnscd.enable = false\n[netns.lab]\n[[netns.lab.veth]]\n";
    configure(plain);
    expect(0, &["up"]);
    for file in ["resolv.conf", "nsswitch.conf"] {
        let _ = fs::remove_file(format!("/etc/netns/office/{file}"));
    }
    let shell = waiting_shell(&format!("{program} up; {program} down; {program} status"));
    expect(0, &["down"]);
    expect(0, &["up"]);
    let (lab, host_end) = (inode("lab"), link("default", "lab").index);
    let ran = go_on(shell);
    let own = std::process::id();
    let words =
        "error: the namespaces of /run/netnsctl belong to another host namespace, that of process";
    assert_eq!(ran.stderr.matches(words).count(), 3, "{own} {ran:?}");
    // The machine has its link to lab still, the same one.
    assert_eq!(
        (inode("lab"), link("default", "lab").index),
        (lab, host_end)
    );
    settled();
    // Without records the note binds nobody.
    let note = fs::read("/run/netnsctl/host-netns").unwrap();
    expect(0, &["down"]);
    fs::create_dir("/run/netnsctl").unwrap();
    fs::write("/run/netnsctl/host-netns", note).unwrap();
    let mut unshare = command("unshare");
    let ran = Ran::of(unshare.args(["-n", program, "plan"]).output().unwrap());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    expect(0, &["up"]);
    // Once nothing is noted any more, a world of one's own can be made anywhere.
    expect(0, &["down"]);
    let mut unshare = command("unshare");
    let ran = Ran::of(unshare.args(["-n", program, "up"]).output().unwrap());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    // That world has ended. Where all processes can be seen, the rest can be removed from here.
    let ran = Ran::of(netnsctl(&["down"]).output().unwrap());
    if ran.status != Some(0) {
        assert!(
            ran.stderr.contains("remove /run/netnsctl/host-netns"),
            "{ran:?}"
        );
        fs::remove_file("/run/netnsctl/host-netns").unwrap();
        expect(0, &["down"]);
    }
    assert!(!name_exists("lab"));
}

#[netnsctl_machine::test]
fn a_shell_in_a_view_cannot_manage() {
    let program = env!("CARGO_BIN_EXE_netnsctl");
    configure(TWO);
    expect(0, &["up"]);
    let all = traces();
    // In the network namespace of the host, and with the files of another.
    let host = format!(
        "nsenter --net=/proc/{}/ns/net {program}",
        std::process::id()
    );
    let shell = waiting_shell(&format!("{host} up; {host} plan; {host} down"));
    let ran = go_on(shell);
    let words = "error: this command was started in the view of a netns";
    assert_eq!(ran.stderr.matches(words).count(), 3, "{ran:?}");
    assert!(all.iter().all(|trace| traces().contains(trace)));
    settled();
}

#[netnsctl_machine::test]
fn a_host_namespace_that_cannot_be_seen_is_not_taken_for_ended() {
    let program = env!("CARGO_BIN_EXE_netnsctl");
    configure("[netns.office]\nnscd.enable = false\n[netns.lab]\n[[netns.lab.veth]]\n");
    expect(0, &["up"]);
    for file in ["resolv.conf", "nsswitch.conf"] {
        let _ = fs::remove_file(format!("/etc/netns/office/{file}"));
    }
    // Without this capability the processes of the host namespace cannot be looked at.
    let drop = "setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace --";
    let shell = waiting_shell(&format!("{drop} {program} up; {drop} {program} down"));
    expect(0, &["down"]);
    expect(0, &["up"]);
    let host_end = link("default", "lab").index;
    let ran = go_on(shell);
    let words = "error: the namespaces of /run/netnsctl belong to another host namespace, of which no \
                 process can be seen from here";
    assert_eq!(ran.stderr.matches(words).count(), 2, "{ran:?}");
    assert_eq!(link("default", "lab").index, host_end);
    settled();
    fs::write("/run/netnsctl/host-netns", "").unwrap();
    for words in [&["up"][..], &["down"], &["plan"]] {
        let ran = expect(1, words);
        let hint = "  hint: in the host namespace, remove that file";
        assert!(ran.stderr.contains(hint), "{ran:?}");
    }
    fs::remove_file("/run/netnsctl/host-netns").unwrap();
    settled();
}

/// Keeps the lock of a folder, as anybody can who may open it.
pub(crate) fn keep_lock(folder: &str) -> OwnedFd {
    let folder = OwnedFd::from(fs::File::open(folder).unwrap());
    flock(&folder, FlockOperation::LockExclusive).unwrap();
    folder
}

#[netnsctl_machine::test]
fn nobody_stops_up_by_a_lock_on_the_folder_of_names() {
    configure(TWO);
    expect(0, &["up", "shop"]);
    let _lock = keep_lock("/run/netns");
    expect(0, &["up"]);
    settled();
    expect(0, &["down"]);
}

#[netnsctl_machine::test]
fn a_lock_of_another_user_stops_no_first_up() {
    if !has_polkit() {
        say("SKIPPED: there is no other user here; the tier of root runs it");
        return;
    }
    configure(TWO);
    fs::create_dir("/run/netns").unwrap();
    let mut other = command("setpriv");
    let keep = [
        "flock",
        "/run/netns",
        "/bin/sh",
        "-c",
        "echo kept; read -r line",
    ];
    other
        .args(["--reuid", "1000", "--clear-groups", "--"])
        .args(keep);
    let mut other = other
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("setpriv and flock of util-linux");
    let mut kept = [0; 5];
    let stdout = other.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(stdout, &mut kept).expect("it has the lock");
    expect(0, &["up"]);
    settled();
    drop(other.stdin.take());
    other.wait().expect("it is our child");
}

#[netnsctl_machine::test]
fn a_process_that_keeps_a_lock_is_named() {
    configure(TWO);
    fs::create_dir("/run/netns").unwrap();
    let lock = keep_lock("/run/netns");
    let own = std::process::id();
    let ran = expect(1, &["up"]);
    let words = format!("cannot lock /run/netns: process {own} (");
    assert!(ran.stderr.contains(&words), "{ran:?}");
    drop(lock);
    expect(0, &["up"]);
    settled();
    // What only looks goes on, and says who is in the way.
    let _lock = keep_lock("/run/netnsctl");
    let ran = expect(0, &["status", "shop"]);
    let words = format!("note: process {own} (");
    assert!(ran.stderr.starts_with(&words), "{ran:?}");
    assert!(ran.stdout.contains("shop"), "{ran:?}");
}

/// How often `plan` and `run` are asked beside a change.
const QUESTIONS: usize = 60;

#[netnsctl_machine::test]
fn plan_and_run_beside_a_change_say_what_is() {
    configure(TWO);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&stop);
    let changes = std::thread::spawn(move || {
        let mut changes = 0;
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            expect(0, &["up", "--quiet"]);
            expect(0, &["down", "--quiet"]);
            changes += 2;
        }
        changes
    });
    for _ in 0..QUESTIONS {
        let ran = Ran::of(netnsctl(&["plan"]).output().unwrap());
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        let counted = ran.stdout == "nothing to do\n" || ran.stdout.contains("+ network namespace");
        assert!(counted, "{ran:?}");
        let ran = Ran::of(netnsctl(&["run", "office", "--", "true"]).output().unwrap());
        let is_gone = ran
            .stderr
            .contains("there is no network namespace \"office\"");
        assert!(ran.status == Some(0) || is_gone, "{ran:?}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(changes.join().unwrap() > 0);
}

/// Makes the folder of polkit's rules read-only, as on an image or under ProtectSystem=.
pub(crate) fn read_only(folder: &str) {
    mount_bind(folder, folder).expect("mounts are ours");
    mount_remount(folder, MountFlags::BIND | MountFlags::RDONLY, "").expect("mounts are ours");
}

/// Undoes [`read_only`].
pub(crate) fn writable(folder: &str) {
    unmount(folder, rustix::mount::UnmountFlags::DETACH).expect("mounts are ours");
}
