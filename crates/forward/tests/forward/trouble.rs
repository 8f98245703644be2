//! Targets that do not answer, and limits.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use netnsctl_forward::{ConnectTarget, Options, Protocol};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::harness::{Forwarder, abort, assert_reset, echo, exchange};

/// A port nothing listens on. It stays bound, so nothing will.
fn refusing(address: &str) -> (SocketAddr, OwnedFd) {
    let family = if address.starts_with('[') {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let socket = rustix::net::socket(family, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &address.parse::<SocketAddr>().unwrap()).unwrap();
    let at = rustix::net::getsockname(&socket)
        .unwrap()
        .try_into()
        .unwrap();
    (at, socket)
}

/// A target that answers no further SYN: its queue is full, so the kernel drops them.
struct Silent {
    at: SocketAddr,
    listener: TcpListener,
    queued: Vec<OwnedFd>,
}

impl Silent {
    fn new() -> Self {
        let flags = SocketFlags::CLOEXEC;
        let family = AddressFamily::INET;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let listener = TcpListener::from(socket);
        let at = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        // Loopback answers within the call or not at all; a few more make sure.
        for _ in 0..4 {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let client = rustix::net::socket_with(family, SocketType::STREAM, flags, None).unwrap();
            let _ = rustix::net::connect(&client, &at);
            queued.push(client);
        }
        Self {
            at,
            listener,
            queued,
        }
    }
}

#[test]
fn a_refused_client_is_reset_and_the_errno_counted() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (target, _bound) = refusing(address);
        let forwarder = Forwarder::tcp("127.0.0.1:0", target);
        for _ in 0..3 {
            assert_reset(&forwarder.connect());
        }
        let counters = forwarder.until(|it| it.tcp.connections_now == 0);
        assert_eq!(counters.tcp.connect_errors["ECONNREFUSED"], 3);
        assert_eq!(counters.tcp.connections_ever, 3);
    }
}

#[test]
fn a_target_that_appears_later_is_reached() {
    let (target, bound) = refusing("127.0.0.1:0");
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    assert_reset(&forwarder.connect());
    rustix::net::listen(&bound, 4).unwrap();
    let listener = TcpListener::from(bound);
    let mut client = forwarder.connect();
    let (mut served, _) = listener.accept().unwrap();
    served.write_all(b"here").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
}

#[test]
fn a_silent_target_holds_no_other_client_up() {
    let silent = Silent::new();
    let mut options = Options::new(silent.at.into());
    options.connect_timeout = Duration::from_secs(3600);
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let waiting: Vec<TcpStream> = (0..20).map(|_| forwarder.connect()).collect();
    // All are accepted though none is connected.
    forwarder.until(|it| it.tcp.connections_now == 20 && it.tcp.connecting_now == 20);
    // One that gives up does not stay.
    let mut waiting = waiting.into_iter();
    waiting.next().map(abort).unwrap();
    forwarder.until(|it| it.tcp.connections_now == 19);
    // Those who stay are served once the target answers; their bytes have waited for it.
    let mut waiting: Vec<TcpStream> = waiting.collect();
    for stream in &mut waiting {
        stream.write_all(b"patient").unwrap();
    }
    drop(silent.queued);
    let mut served = 0;
    while served < 3 {
        let (mut stream, _) = silent.listener.accept().unwrap();
        let mut text = String::new();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut seven = [0; 7];
        // The connections that filled the queue come first, and empty.
        if stream.read_exact(&mut seven).is_ok() {
            text.push_str(std::str::from_utf8(&seven).unwrap());
            assert_eq!(text, "patient");
            served += 1;
        }
    }
}

#[test]
fn a_client_of_a_silent_target_is_reset_at_the_timeout() {
    let silent = Silent::new();
    let mut options = Options::new(silent.at.into());
    options.connect_timeout = Duration::from_millis(50);
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let clients: Vec<TcpStream> = (0..5).map(|_| forwarder.connect()).collect();
    clients.iter().for_each(assert_reset);
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.connect_errors["ETIMEDOUT"], 5);
}

#[test]
fn a_half_closed_connection_that_carries_nothing_is_reset() {
    let target = crate::harness::serve("127.0.0.1:0", |mut stream| {
        // Never answers, never ends.
        let _ = stream.read(&mut [0; 1]);
        let _ = stream.set_read_timeout(None);
        std::thread::park();
    });
    let mut options = Options::new(target.into());
    options.half_close_timeout = Duration::from_millis(50);
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let stream = forwarder.connect();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_reset(&stream);
    assert_eq!(
        forwarder.until(|it| it.tcp.connections_now == 0).tcp.resets,
        1
    );
}

#[test]
fn clients_beyond_the_limit_wait_for_a_place() {
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.max_connections = Some(2);
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let first = forwarder.connect();
    let second = forwarder.connect();
    forwarder.until(|it| it.tcp.connections_now == 2);
    let mut third = forwarder.connect();
    third.write_all(b"third").unwrap();
    assert_eq!(exchange(&first, b"first"), b"first");
    assert_eq!(exchange(&third, b" now"), b"third now");
    assert_eq!(forwarder.counters().tcp.connections_ever, 3);
    assert_eq!(exchange(&second, b"second"), b"second");
}

#[test]
fn an_interface_that_is_not_there_is_counted_and_a_real_one_is_used() {
    let absent = ConnectTarget::LinkLocal {
        address: "fe80::1".parse().unwrap(),
        port: 9,
        interface: "no-such-link".to_owned(),
    };
    let listen = [(Protocol::Tcp, "127.0.0.1:0")];
    let forwarder = Forwarder::start(&listen, Options::new(absent));
    assert_reset(&forwarder.connect());
    assert_eq!(forwarder.counters().tcp.connect_errors["ENODEV"], 1);
    // The kernel ignores the scope of an address that is not link-local, so ::1 does for a test.
    let port = echo("[::1]:0").port();
    let address = "::1".parse().unwrap();
    let present = ConnectTarget::LinkLocal {
        address,
        port,
        interface: "lo".to_owned(),
    };
    let forwarder = Forwarder::start(&listen, Options::new(present));
    assert_eq!(exchange(&forwarder.connect(), b"scoped"), b"scoped");
}
