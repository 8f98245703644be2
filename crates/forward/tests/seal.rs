//! Trying what a sealed thread must not do, and what it must. Nothing is given up by `confine`
//! here, so where root runs these tests it is the seal alone that refuses.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]

#[path = "harness/mod.rs"]
mod harness;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use harness::{Forwarder, PATIENCE, echo, exchange};
use netnsctl_forward::{ConnectTarget, Options, Protocol, seal};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, listen, socket, socketpair};
use rustix::process::{Pid, PidfdFlags};
use rustix::thread::{LinkNameSpaceType, gettid};

/// Seals a thread for a target on IPv4 and runs `work` there.
fn sealed<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let target: ConnectTarget = "127.0.0.1:80".parse().unwrap();
    thread::scope(|scope| {
        let sealed = scope.spawn(|| {
            for layer in seal(&target) {
                // Without the filter nothing below is refused; Landlock has its own tests.
                assert!(!layer.to_string().contains("filter"), "{layer}");
            }
            work()
        });
        sealed.join().unwrap()
    })
}

/// Asserts that each of `tried` was refused by the filter.
fn assert_refused(tried: &[(&str, Option<i32>)]) {
    for (what, error) in tried {
        assert_eq!(*error, Some(Errno::PERM.raw_os_error()), "{what}");
    }
}

fn code<T>(result: Result<T, Error>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

fn errno<T>(result: Result<T, Errno>) -> Option<i32> {
    result.err().map(Errno::raw_os_error)
}

#[test]
fn files_stay_closed() {
    let file = std::env::temp_dir().join("netnsctl-forward-seal");
    assert_refused(&sealed(|| {
        [
            ("reading", code(File::open("/etc/passwd"))),
            ("reading what is ours", code(File::open("/proc/self/maps"))),
            ("writing", code(File::create(&file))),
            ("listing", code(std::fs::read_dir("/"))),
            ("looking", code(std::fs::metadata("/"))),
            ("removing", code(std::fs::remove_file(&file))),
            ("a folder", code(std::fs::create_dir(&file))),
            ("a socket", code(UnixListener::bind(&file))),
            (
                "a file in memory",
                errno(memfd_create(c"x", MemfdFlags::CLOEXEC)),
            ),
        ]
    }));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what must fail is tried")]
fn nothing_is_started() {
    assert_refused(&sealed(|| {
        [
            ("a thread", code(thread::Builder::new().spawn(|| ()))),
            ("a process", code(Command::new("/bin/true").spawn())),
            (
                "execve",
                Some(Command::new("/bin/true").exec()).and_then(|it| it.raw_os_error()),
            ),
        ]
    }));
}

#[test]
fn other_processes_are_out_of_reach() {
    let parent = rustix::process::getppid().unwrap_or(Pid::INIT);
    assert_refused(&sealed(|| {
        [
            (
                "a signal",
                errno(rustix::process::test_kill_process(parent)),
            ),
            (
                "a pidfd",
                errno(rustix::process::pidfd_open(parent, PidfdFlags::empty())),
            ),
            (
                "a priority",
                errno(rustix::process::getpriority_process(Some(parent))),
            ),
        ]
    }));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what must fail is tried")]
fn namespaces_and_mounts_stay_what_they_are() {
    let own = File::open("/proc/thread-self/ns/net").unwrap();
    let network = Some(LinkNameSpaceType::Network);
    assert_refused(&sealed(|| {
        [
            ("unshare", code(netnsctl_sys::namespace::unshare_network())),
            (
                "setns",
                errno(rustix::thread::move_into_link_name_space(
                    own.as_fd(),
                    network,
                )),
            ),
            ("mount", errno(rustix::mount::mount_bind("/tmp", "/tmp"))),
            ("chroot", errno(rustix::process::chroot("/"))),
        ]
    }));
}

#[test]
fn sockets_are_those_of_the_target() {
    let kinds = [
        (AddressFamily::NETLINK, SocketType::RAW),
        (AddressFamily::PACKET, SocketType::RAW),
        (AddressFamily::VSOCK, SocketType::STREAM),
        (AddressFamily::INET, SocketType::RAW),
        (AddressFamily::INET6, SocketType::STREAM),
        (AddressFamily::UNIX, SocketType::STREAM),
        (AddressFamily::UNIX, SocketType::DGRAM),
    ];
    for (family, kind) in kinds {
        let refused = sealed(|| errno(socket(family, kind, None)));
        assert_refused(&[("a socket", refused)]);
    }
    let flags = rustix::net::SocketFlags::CLOEXEC;
    assert_refused(&sealed(|| {
        let tcp = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let udp = socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        [
            ("binding TCP", errno(bind(&tcp, &any))),
            ("binding UDP", errno(bind(&udp, &any))),
            ("listening", errno(listen(&tcp, 1))),
            (
                "a pair",
                errno(socketpair(
                    AddressFamily::UNIX,
                    SocketType::STREAM,
                    flags,
                    None,
                )),
            ),
        ]
    }));
}

#[test]
fn the_thread_keeps_its_name_and_credentials() {
    let user = rustix::process::Uid::from_raw(rustix::process::getuid().as_raw());
    assert_refused(&sealed(|| {
        let sets = rustix::thread::CapabilitySets {
            effective: rustix::thread::CapabilitySet::empty(),
            permitted: rustix::thread::CapabilitySet::empty(),
            inheritable: rustix::thread::CapabilitySet::empty(),
        };
        [
            ("a name", errno(rustix::thread::set_name(c"x"))),
            ("a user", errno(rustix::thread::set_thread_uid(user))),
            (
                "capabilities",
                errno(rustix::thread::set_capabilities(None, sets)),
            ),
        ]
    }));
}

#[test]
fn the_kernel_shows_the_seal() {
    let (done, is_done) = mpsc::channel::<()>();
    let (ready, is_ready) = mpsc::channel();
    let thread = thread::spawn(move || {
        sealed(move || {
            ready.send(gettid()).unwrap();
            // Until the other end is dropped.
            let _ = is_done.recv();
        });
    });
    let id = is_ready.recv().unwrap().as_raw_pid();
    let path = format!("/proc/self/task/{id}/status");
    let status = std::fs::read_to_string(path).unwrap();
    drop(done);
    thread.join().unwrap();
    // SECCOMP_MODE_FILTER
    assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
    assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
    // This thread made that one and is not sealed.
    assert!(File::open("/proc/self/status").is_ok());
}

/// The seccomp mode of each thread of this process, by its name.
fn modes() -> BTreeMap<String, String> {
    let field = |status: &str, name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().to_owned()
    };
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread may end meanwhile.
    let statuses =
        tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok());
    statuses
        .map(|status| (field(&status, "Name:"), field(&status, "Seccomp:")))
        .collect()
}

#[test]
fn every_worker_of_a_forwarder_is_sealed() {
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.workers = NonZeroUsize::new(3).unwrap();
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let start = Instant::now();
    let is_sealed = |modes: &BTreeMap<String, String>, name: &str| {
        modes.get(name).is_some_and(|mode| mode == "2")
    };
    loop {
        let modes = modes();
        if is_sealed(&modes, "worker 1") && is_sealed(&modes, "worker 2") {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "still {modes:?}");
        thread::yield_now();
    }
    assert_eq!(exchange(&forwarder.connect(), b"sealed"), b"sealed");
}

#[test]
fn bytes_and_memory_flow() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (listener.local_addr().unwrap(), target.local_addr().unwrap());
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    sealed(|| {
        // More than any arena has left, grown twice: mmap, mremap, munmap.
        let mut bytes = vec![1u8; 4 << 20];
        bytes.resize(8 << 20, 2);
        assert_eq!(
            bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>(),
            3 * (4 << 20)
        );
        drop(bytes);
        let mut stream = TcpStream::connect(tcp).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        stream.write_all(b"tcp").unwrap();
        let mut buffer = [0; 3];
        accepted.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"tcp");
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        rustix::pipe::fcntl_setpipe_size(&writer, 256 << 10).unwrap();
        accepted.write_all(b"splice").unwrap();
        let flags = rustix::pipe::SpliceFlags::MOVE;
        let taken = rustix::pipe::splice(&stream, None, &writer, None, 6, flags).unwrap();
        rustix::pipe::splice(&reader, None, &near, None, taken, flags).unwrap();
        socket.send_to(b"udp", udp).unwrap();
        near.write_all(b"!").unwrap();
        thread::yield_now();
    });
    let mut buffer = [0; 7];
    far.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"splice!");
    assert_eq!(target.recv(&mut buffer).unwrap(), 3);
    let refused = near
        .set_nonblocking(true)
        .and_then(|()| near.read(&mut buffer));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_panic_is_still_told() {
    let told = thread::spawn(|| {
        sealed(|| {
            std::panic::catch_unwind(|| panic!("as it must"))
                .unwrap_err()
                .is::<&str>()
        })
    });
    assert!(told.join().unwrap());
}
