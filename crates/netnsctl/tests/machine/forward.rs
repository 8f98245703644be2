//! `forward` by hand, and with sockets of another service manager.

use std::fs::Permissions;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::served::{is_alive, send, status};
use crate::support::{PATIENCE, Ran, command, configure, eventually, expect, netnsctl};
use crate::traffic::{
    connect, expect_answer, expect_datagram, expect_end, listen, serve_tcp, serve_udp, try_connect,
};

fn two_namespaces() {
    configure("[netns.left]\n[netns.right]\n");
    expect(0, &["up", "--quiet"]);
}

/// A running forwarder. Killed when dropped.
pub(crate) struct Forwarder(pub(crate) Child);

impl Forwarder {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// What it writes to stderr, which was asked for.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.0.stderr.take().expect("a pipe")
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_some()
    }

    pub(crate) fn exit(&mut self) -> Option<i32> {
        let ended = || self.0.try_wait().expect("it is our child");
        eventually("the forwarder's end", ended).code()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `command` and waits until it is ready.
pub(crate) fn ready(mut command: Command) -> Forwarder {
    let path = "/run/test-forward";
    // Another forwarder of the test may have had one there.
    let _ = std::fs::remove_file(path);
    let socket = UnixDatagram::bind(path).expect("/run is ours");
    std::fs::set_permissions(path, Permissions::from_mode(0o666)).expect("a mode");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let child = command.env("NOTIFY_SOCKET", path).spawn();
    let child = Forwarder(child.expect("it starts"));
    let mut buffer = [0; 100];
    let count = socket.recv(&mut buffer).expect("it is ready");
    assert_eq!(&buffer[..count], b"READY=1\n");
    child
}

#[netnsctl_machine::test]
fn by_hand_it_carries_tcp_and_udp_between_namespaces() {
    two_namespaces();
    serve_tcp("right", "[::1]:2001", "tcp ");
    serve_udp("right", "[::1]:2001", "udp ");
    let words = [
        "forward",
        "--listen",
        "tcp:127.0.0.1:1001",
        "--listen",
        "tcp:[::1]:1002",
        "--listen",
        "udp:127.0.0.1:1003",
        "--listen-netns",
        "left",
        "--connect",
        "[::1]:2001",
        "--connect-netns",
        "right",
    ];
    let mut forward = ready(netnsctl(&words));
    for address in ["127.0.0.1:1001", "[::1]:1002"] {
        expect_answer(&mut connect("left", address), "tcp ", address);
    }
    expect_datagram("left", "127.0.0.1:0", "127.0.0.1:1003", "udp ");
    assert!(try_connect("default", "127.0.0.1:1001").is_err());
    assert_eq!(status(forward.id(), "CapEff").unwrap(), "0000000000000000");
    assert_eq!(status(forward.id(), "NoNewPrivs").unwrap(), "1");
    send(forward.id(), Signal::INT);
    assert_eq!(forward.exit(), Some(0));
}

#[netnsctl_machine::test]
fn what_is_typed_wrong_is_said_with_a_hint() {
    two_namespaces();
    let good = [
        "--listen",
        "tcp:127.0.0.1:1001",
        "--connect",
        "127.0.0.1:80",
    ];
    let cases: &[(&[&str], &str)] = &[
        (&["--connect", "127.0.0.1:80"], "nothing to listen on"),
        (
            &["--listen", "127.0.0.1:80", "--connect", "127.0.0.1:80"],
            "PROTOCOL:ADDRESS:PORT",
        ),
        (
            &["--listen", "sctp:127.0.0.1:80", "--connect", "127.0.0.1:80"],
            "sctp",
        ),
        (
            &["--listen", "tcp:localhost:80", "--connect", "127.0.0.1:80"],
            "localhost",
        ),
        (
            &["--listen", "tcp:127.0.0.1:80", "--connect", "127.0.0.1"],
            "127.0.0.1",
        ),
        (&["--listen-netns", "a/b"], "a/b"),
        (&["--connect-netns", ".."], ".."),
        (&["--connect-timeout", "fast"], "fast"),
        (&["--udp-timeout", "3 moons"], "3 moons"),
    ];
    for (words, part) in cases {
        let more: &[&str] = if words.contains(&"--connect") {
            &[]
        } else {
            &good
        };
        let error = expect(2, &[&["forward"], more, words].concat()).stderr;
        assert!(error.contains(part), "{words:?}: {error}");
        let has_hint = error.contains("hint: ") || error.contains("--help");
        assert!(has_hint, "{words:?}: {error}");
    }
    let error = expect(
        1,
        &[&["forward"], &good[..], &["--listen-netns", "nowhere"]].concat(),
    );
    assert!(error.stderr.contains("\"nowhere\""), "{}", error.stderr);
    let _taken = listen("default", "127.0.0.1:1001");
    let error = expect(1, &[&["forward"], &good[..]].concat()).stderr;
    assert!(
        error.contains("127.0.0.1:1001: Address already in use (EADDRINUSE)"),
        "{error}"
    );
}

/// A forwarder that serves `listener` as a service manager passes it, into "right".
fn passed(listener: &TcpListener) -> Forwarder {
    rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::empty()).unwrap();
    // A shell knows the process id that the program will have.
    let script = format!(
        "exec 3<&{}; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" forward --connect 127.0.0.1:2001 \
         --connect-netns right",
        listener.as_raw_fd()
    );
    let mut shell = command("sh");
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_netnsctl")]);
    ready(shell)
}

#[netnsctl_machine::test]
fn a_service_manager_may_pass_the_socket() {
    two_namespaces();
    serve_tcp("right", "127.0.0.1:2001", "tcp ");
    let listener = listen("left", "127.0.0.1:1001");
    let forward = passed(&listener);
    expect_answer(&mut connect("left", "127.0.0.1:1001"), "tcp ", "hello");
    drop(forward);
    // The manager has the socket still: who connects now waits for the next one.
    assert!(try_connect("left", "127.0.0.1:1001").is_ok());

    let mut stranger = netnsctl(&["forward", "--connect", "127.0.0.1:2001"]);
    let stranger = stranger.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let ran = Ran::of(stranger.stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.status, Some(2), "{ran:?}");
}

#[netnsctl_machine::test]
fn sigterm_lets_connections_end() {
    two_namespaces();
    serve_tcp("right", "127.0.0.1:2001", "tcp ");
    let words = [
        "forward",
        "--listen",
        "tcp:127.0.0.1:1001",
        "--listen-netns",
        "left",
        "--connect",
        "127.0.0.1:2001",
        "--connect-netns",
        "right",
        "--drain",
        "1h",
    ];
    let mut forward = ready(netnsctl(&words));
    let mut client = connect("left", "127.0.0.1:1001");
    expect_answer(&mut client, "tcp ", "before");
    send(forward.id(), Signal::TERM);
    eventually("a closed port", || {
        try_connect("left", "127.0.0.1:1001").err()
    });
    expect_answer(&mut client, "tcp ", "after");
    assert!(is_alive(forward.id()));
    client.shutdown(Shutdown::Write).unwrap();
    expect_end(&mut client);
    assert_eq!(forward.exit(), Some(0));
}

/// Reads to the end, which must be a reset; gives the number of bytes before that.
#[track_caller]
fn expect_reset(stream: &mut TcpStream) -> usize {
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => panic!("an end in order after {bytes} bytes"),
            Ok(count) => bytes += count,
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    ErrorKind::ConnectionReset,
                    "after {bytes} bytes"
                );
                return bytes;
            }
        }
    }
}

/// A connection through the forward: the client's end and the target's.
fn pair(target: &TcpListener) -> (TcpStream, TcpStream) {
    let client = connect("left", "127.0.0.1:1001");
    let (served, _) = target.accept().unwrap();
    served.set_read_timeout(Some(PATIENCE)).unwrap();
    (client, served)
}

#[netnsctl_machine::test]
fn a_killed_forwarder_resets_its_connections() {
    two_namespaces();
    let target = listen("right", "127.0.0.1:2001");
    let listener = listen("left", "127.0.0.1:1001");
    // One that came before the forwarder, in the queue of the service manager's socket.
    let early = connect("left", "127.0.0.1:1001");
    let mut forward = passed(&listener);
    let (served, _) = target.accept().unwrap();
    served.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut all = vec![(early, served)];
    all.extend((0..4).map(|_| pair(&target)));
    for (number, (client, served)) in all.iter_mut().enumerate() {
        // All are known to be carried, then each is in another state.
        client.write_all(b"hello").unwrap();
        served.read_exact(&mut [0; 5]).unwrap();
        match number {
            // Half a download, with more on the way than was read.
            0 | 1 => {
                served
                    .set_write_timeout(Some(Duration::from_millis(100)))
                    .unwrap();
                while served.write(&[1; 64 << 10]).is_ok() {}
                client.read_exact(&mut [0; 1000]).unwrap();
            }
            // The client has sent all it had.
            2 => client.shutdown(Shutdown::Write).unwrap(),
            // The target has sent all it had, and the client has read it.
            3 => {
                served.shutdown(Shutdown::Write).unwrap();
                assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
            }
            // Idle.
            _ => {}
        }
    }
    assert_eq!(all[2].1.read(&mut [0; 1]).unwrap(), 0);
    forward.0.kill().unwrap();
    forward.exit();
    for (number, (client, served)) in all.iter_mut().enumerate() {
        // Who has read the end of the other direction learns of it by writing.
        for (stream, is_told) in [(client, number != 3), (served, number != 2)] {
            if is_told {
                expect_reset(stream);
            } else {
                assert!(stream.write_all(b"x").is_err(), "connection {number}");
            }
        }
    }
}

/// The number of sockets that a process has.
fn sockets_of(pid: u32) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:"));
    sockets.count()
}

#[netnsctl_machine::test]
fn an_orderly_end_survives_the_forwarder() {
    two_namespaces();
    let target = listen("right", "127.0.0.1:2001");
    let listener = listen("left", "127.0.0.1:1001");
    let mut forward = passed(&listener);
    let before = sockets_of(forward.id());
    let (mut client, mut served) = pair(&target);
    // As much as all buffers on the way hold.
    served
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut sent = 0;
    while let Ok(count) = served.write(&[1; 4096]) {
        sent += count;
    }
    client.shutdown(Shutdown::Write).unwrap();
    drop(served);
    // The client reads until the forwarder has closed, and has the rest from the kernel.
    let mut bytes = 0;
    let mut buffer = vec![0; 64 << 10];
    eventually("the end of the connection in the forwarder", || {
        let is_over = sockets_of(forward.id()) == before;
        if !is_over {
            client.set_nonblocking(true).unwrap();
            bytes += client.read(&mut buffer).unwrap_or(0);
        }
        is_over.then_some(())
    });
    forward.0.kill().unwrap();
    forward.exit();
    client.set_nonblocking(false).unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert_eq!(bytes + rest.len(), sent);
    assert!(!rest.is_empty());
}
