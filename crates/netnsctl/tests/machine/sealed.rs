//! What a running forwarder cannot do any more, whoever started it.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::io::FdFlags;
use rustix::process::Signal;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use crate::forward::{Forwarder, ready};
use crate::sandbox::Plain;
use crate::serve::expect_not_dumpable;
use crate::served::{Served, send, status};
use crate::support::{configure, expect, netnsctl};
use crate::traffic::{connect, expect_answer, expect_datagram, serve_tcp, serve_udp};

const WORDS: &[&str] = &[
    "forward",
    "--listen",
    "tcp:127.0.0.1:2001",
    "--listen",
    "udp:127.0.0.1:2001",
    "--connect",
    "127.0.0.1:2002",
];

/// Starts servers, and `command` between them and us.
fn between(command: Command) -> Forwarder {
    serve_tcp("default", "127.0.0.1:2002", "tcp ");
    serve_udp("default", "127.0.0.1:2002", "udp ");
    ready(command)
}

#[track_caller]
fn expect_bytes() {
    let mut client = connect("default", "127.0.0.1:2001");
    expect_answer(&mut client, "tcp ", "hello");
    expect_datagram("default", "127.0.0.1:0", "127.0.0.1:2001", "udp ");
}

#[track_caller]
fn expect_sealed(forward: &Forwarder) {
    let pid = forward.id();
    // SECCOMP_MODE_FILTER
    assert_eq!(status(pid, "Seccomp").unwrap(), "2");
    assert_eq!(status(pid, "NoNewPrivs").unwrap(), "1");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(pid, set).unwrap(), "0000000000000000", "{set}");
    }
    expect_not_dumpable(pid);
}

#[netnsctl_machine::test]
fn a_forwarder_of_root_is_sealed() {
    let forward = between(netnsctl(WORDS));
    expect_sealed(&forward);
    assert_eq!(status(forward.id(), "CapBnd").unwrap(), "0000000000000000");
    expect_bytes();
}

#[netnsctl_machine::test]
fn a_forwarder_of_a_normal_user_is_sealed() {
    let plain = Plain::new();
    let forward = between(plain.command(WORDS));
    expect_sealed(&forward);
    expect_bytes();
}

/// Has every process started from now on inherit a file, at a low and a high number.
fn leave_a_file_open() -> [OwnedFd; 2] {
    std::fs::write("/run/secret", "of root").unwrap();
    let file = std::fs::File::open("/run/secret").unwrap();
    [3, 77].map(|least| {
        let copy = rustix::io::fcntl_dupfd_cloexec(&file, least).unwrap();
        rustix::io::fcntl_setfd(&copy, FdFlags::empty()).unwrap();
        copy
    })
}

/// How often a process has that file open.
fn stray_files(pid: u32) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it may be looked at");
    let links = entries.map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap());
    links
        .filter(|link| link == Path::new("/run/secret"))
        .count()
}

#[netnsctl_machine::test]
fn what_serve_inherited_is_closed_in_its_children() {
    let netns = "[netns.left]\n[[netns.left.forward]]\nlisten = \"127.0.0.1:1001\"\n\
                 connect = \"127.0.0.1:2001\"\n";
    configure(&format!("{netns}[netns.left.nscd]\n"));
    let _open = leave_a_file_open();
    let mut served = Served::ready(&[]);
    assert_eq!(stray_files(served.pid()), 2);
    assert_eq!(stray_files(served.forwarder("127.0.0.1:2001")), 0);
    assert_eq!(stray_files(served.daemon("left")), 0);
    served.stop();
    // A container's filter may forbid close_range(2).
    configure(netns);
    let start = || {
        refuse([(libc::SYS_close_range, Vec::new())], libc::EPERM);
        Served::ready(&[])
    };
    let mut served = std::thread::spawn(start).join().unwrap();
    assert_eq!(stray_files(served.forwarder("127.0.0.1:2001")), 0);
    served.stop();
}

/// Processes can be started, and no thread.
fn refuse_threads() {
    let flag = libc::CLONE_THREAD.unsigned_abs().into();
    let is_thread = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(flag),
        flag,
    );
    let is_thread = SeccompRule::new(vec![is_thread.unwrap()]).unwrap();
    refuse([(libc::SYS_clone, vec![is_thread])], libc::EAGAIN);
    // Its flags cannot be looked at; the C library falls back to the other one.
    refuse([(libc::SYS_clone3, Vec::new())], libc::ENOSYS);
}

#[netnsctl_machine::test]
fn no_thread_to_be_had_is_an_error_with_its_name() {
    let workers = [WORDS, &["--workers", "2"]].concat();
    let nscd = ["nscd", "--socket", "/run/nscd.sock"];
    let run = move || {
        refuse_threads();
        for words in [&workers[..], &nscd[..]] {
            let error = expect(1, words).stderr;
            let line = "cannot start a thread: Resource temporarily unavailable (EAGAIN)\n  \
                        hint: raise the limit on processes and threads: ";
            assert!(error.contains(line), "{words:?}: {error}");
        }
        // One loop needs no other thread.
        ready(netnsctl(WORDS))
    };
    serve_tcp("default", "127.0.0.1:2002", "tcp ");
    serve_udp("default", "127.0.0.1:2002", "udp ");
    // Only the processes of that thread are without.
    let _forward = std::thread::spawn(run).join().unwrap();
    expect_bytes();
}

/// Has the kernel refuse system calls of this thread, and of the processes that it starts.
pub(crate) fn refuse<const COUNT: usize>(calls: [(i64, Vec<SeccompRule>); COUNT], errno: i32) {
    let filter = SeccompFilter::new(
        calls.into(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    apply_filter(&filter).unwrap();
}

/// Starts a forwarder where the kernel says that it knows neither Landlock nor filters.
fn on_an_old_kernel() -> Forwarder {
    let unknown = [libc::SYS_landlock_create_ruleset, libc::SYS_seccomp];
    let start = move || {
        refuse(unknown.map(|call| (call, Vec::new())), libc::ENOSYS);
        let mut command = netnsctl(WORDS);
        command.stderr(Stdio::piped());
        between(command)
    };
    std::thread::spawn(start).join().unwrap()
}

#[netnsctl_machine::test]
fn a_forwarder_that_cannot_be_sealed_says_so_and_goes_on() {
    let mut forward = on_an_old_kernel();
    expect_bytes();
    assert_eq!(status(forward.id(), "CapEff").unwrap(), "0000000000000000");
    let mut stderr = forward.stderr();
    send(forward.id(), Signal::TERM);
    assert_eq!(forward.exit(), Some(0));
    let mut lines = String::new();
    stderr.read_to_string(&mut lines).unwrap();
    let landlock = "going on with no Landlock: the kernel has none or does not allow it\n";
    let filter = "going on with no system call filter: Error calling `seccomp`: Function not \
                  implemented (ENOSYS)\n";
    assert!(
        lines.contains(landlock) && lines.contains(filter),
        "{lines}"
    );
}
