//! What becomes of datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use netnsctl_forward::{Options, Protocol};

use crate::harness::{Forwarder, PATIENCE, noise};

/// A target that sends each datagram back to where it came from.
pub(crate) fn echo(address: &str) -> SocketAddr {
    let socket = UdpSocket::bind(address).unwrap();
    let at = socket.local_addr().unwrap();
    thread::spawn(move || reflect(&socket));
    at
}

fn reflect(socket: &UdpSocket) {
    let mut datagram = vec![0; 65_536];
    while let Ok((length, from)) = socket.recv_from(&mut datagram) {
        let _ = socket.send_to(&datagram[..length], from);
    }
}

pub(crate) fn forward(listen: &str, target: SocketAddr) -> Forwarder {
    Forwarder::start(&[(Protocol::Udp, listen)], Options::new(target.into()))
}

/// A client connected to `to`: it hears answers from there and from nowhere else.
pub(crate) fn client(to: SocketAddr) -> UdpSocket {
    let any = if to.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub(crate) fn ask(client: &UdpSocket, payload: &[u8]) {
    client.send(payload).unwrap();
    let mut answer = vec![0; 65_536];
    let length = client.recv(&mut answer).unwrap();
    assert!(
        answer[..length] == *payload,
        "{length} bytes for {}",
        payload.len()
    );
}

fn carries(listen: &str, to: &str, target: &str) {
    let forwarder = forward(listen, echo(target));
    let client = client(SocketAddr::new(to.parse().unwrap(), forwarder.at[0].port()));
    for length in [0, 1, 1200, 65_507] {
        ask(&client, &noise(length, 1));
    }
    let counters = forwarder.counters().udp;
    assert_eq!(
        (counters.datagrams_to_target, counters.datagrams_to_client),
        (4, 4)
    );
    assert_eq!(
        (counters.bytes_to_target, counters.bytes_to_client),
        (66_708, 66_708)
    );
    assert_eq!((counters.sessions_now, counters.sessions_ever), (1, 1));
    assert!(counters.dropped.is_empty(), "{counters:?}");
}

#[test]
fn datagrams_of_every_size_pass_ipv4_to_ipv4() {
    carries("127.0.0.1:0", "127.0.0.1", "127.0.0.1:0");
}

#[test]
fn datagrams_of_every_size_pass_ipv4_to_ipv6() {
    carries("127.0.0.1:0", "127.0.0.1", "[::1]:0");
}

#[test]
fn datagrams_of_every_size_pass_ipv6_to_ipv4() {
    carries("[::1]:0", "::1", "127.0.0.1:0");
}

#[test]
fn datagrams_of_every_size_pass_ipv6_to_ipv6() {
    carries("[::1]:0", "::1", "[::1]:0");
}

#[test]
fn answers_leave_from_the_address_written_to() {
    carries("0.0.0.0:0", "127.0.0.2", "127.0.0.1:0");
    carries("[::]:0", "127.0.0.2", "127.0.0.1:0");
    carries("[::]:0", "::1", "127.0.0.1:0");
}

#[test]
fn each_client_and_each_address_written_to_is_its_own_session() {
    let forwarder = forward("0.0.0.0:0", echo("127.0.0.1:0"));
    let port = forwarder.at[0].port();
    let clients: Vec<UdpSocket> = (0..50_u8)
        .map(|number| client(SocketAddr::from(([127, 0, 0, 1 + number % 2], port))))
        .collect();
    for round in 0..3_u8 {
        for (number, client) in (0_u8..).zip(&clients) {
            client.send(&[round, number]).unwrap();
        }
        for (number, client) in (0_u8..).zip(&clients) {
            let mut answer = [0; 8];
            assert_eq!(client.recv(&mut answer).unwrap(), 2);
            assert_eq!(answer[..2], [round, number]);
        }
    }
    // One socket that writes to two addresses is two sessions.
    let roaming = UdpSocket::bind("127.0.0.1:0").unwrap();
    roaming.set_read_timeout(Some(PATIENCE)).unwrap();
    for last in [1, 2] {
        let to = SocketAddr::from(([127, 0, 0, last], port));
        roaming.send_to(b"x", to).unwrap();
        assert_eq!(roaming.recv_from(&mut [0; 4]).unwrap(), (1, to));
    }
    assert_eq!(forwarder.counters().udp.sessions_now, 52);
}

#[test]
fn a_refused_target_is_reached_once_it_appears() {
    // Bound, so that no other test gets the port, but connected elsewhere, so that what the
    // forwarder sends there is refused.
    let socket = std::iter::repeat_with(|| {
        // Only a port asked for by number outlives the end of a connection.
        let chosen = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        UdpSocket::bind(chosen)
    });
    let socket = socket.flatten().next().unwrap();
    let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(elsewhere.local_addr().unwrap()).unwrap();
    let target = socket.local_addr().unwrap();
    let forwarder = forward("127.0.0.1:0", target);
    let client = client(forwarder.at[0]);
    for sent in 1..=3 {
        client.send(b"anyone?").unwrap();
        forwarder.until(|it| it.udp.datagrams_to_target == sent);
    }
    let refused = |it: &netnsctl_forward::Counters| it.udp.dropped.contains_key("ECONNREFUSED");
    let counters = forwarder.until(refused);
    assert_eq!(counters.udp.sessions_ever, 1);
    rustix::net::connect_unspec(&socket).unwrap();
    thread::spawn(move || reflect(&socket));
    ask(&client, b"here");
    assert_eq!(forwarder.counters().udp.sessions_ever, 1);
}

#[test]
fn the_session_unused_for_longest_gives_way() {
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.max_sessions = 3;
    let forwarder = Forwarder::start(&[(Protocol::Udp, "127.0.0.1:0")], options);
    let clients: Vec<UdpSocket> = (0..4).map(|_| client(forwarder.at[0])).collect();
    for number in [0, 1, 2, 0, 3] {
        ask(&clients[number], b"session");
    }
    let counters = forwarder.counters().udp;
    assert_eq!(
        (
            counters.sessions_now,
            counters.sessions_ever,
            counters.sessions_evicted
        ),
        (3, 4, 1)
    );
    // 1 had to go, so 0, 2 and 3 are still there, and 1 is served again.
    for number in [0, 2, 3] {
        ask(&clients[number], b"still");
    }
    assert_eq!(forwarder.counters().udp.sessions_ever, 4);
    ask(&clients[1], b"again");
    assert_eq!(forwarder.counters().udp.sessions_ever, 5);
}

#[test]
fn an_unused_session_ends() {
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.udp_timeout = Duration::from_millis(20);
    let forwarder = Forwarder::start(&[(Protocol::Udp, "127.0.0.1:0")], options);
    let client = client(forwarder.at[0]);
    ask(&client, b"one");
    let counters = forwarder.until(|it| it.udp.sessions_now == 0).udp;
    assert_eq!((counters.sessions_ever, counters.sessions_evicted), (1, 0));
    ask(&client, b"two");
}

#[test]
fn traffic_from_the_target_alone_keeps_a_session() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut options = Options::new(target.local_addr().unwrap().into());
    options.udp_timeout = Duration::from_secs(2);
    let forwarder = Forwarder::start(&[(Protocol::Udp, "127.0.0.1:0")], options);
    let client = client(forwarder.at[0]);
    client.send(b"subscribe").unwrap();
    let (_, session) = target.recv_from(&mut [0; 16]).unwrap();
    let start = Instant::now();
    // Well beyond the timeout; each gap is far below it even on a busy machine.
    while start.elapsed() < Duration::from_millis(3000) {
        target.send_to(b"news", session).unwrap();
        assert_eq!(client.recv(&mut [0; 16]).unwrap(), 4);
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(forwarder.counters().udp.sessions_ever, 1);
}

#[test]
fn tcp_and_udp_share_one_forwarder() {
    let target = crate::harness::echo("127.0.0.1:0");
    let socket = UdpSocket::bind(target).unwrap();
    thread::spawn(move || reflect(&socket));
    let listen = [(Protocol::Tcp, "[::1]:0"), (Protocol::Udp, "127.0.0.1:0")];
    let forwarder = Forwarder::start(&listen, Options::new(target.into()));
    assert_eq!(
        crate::harness::exchange(&forwarder.connect(), b"tcp"),
        b"tcp"
    );
    ask(&client(forwarder.at[1]), b"udp");
}
