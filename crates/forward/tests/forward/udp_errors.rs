//! Errors stay with the datagram they are of.

use std::net::{SocketAddr, UdpSocket};

use netnsctl_forward::{Counters, Options, Protocol};

use crate::harness::{Forwarder, PATIENCE, noise};
use crate::udp::{ask, client, echo, forward};

fn dropped(counters: &Counters, reason: &str) -> u64 {
    counters.udp.dropped.get(reason).copied().unwrap_or(0)
}

/// 20 bytes more than IPv4 can carry.
const TOO_LONG: usize = 65_527;

#[test]
fn a_request_too_long_for_the_target_is_counted_and_nothing_else() {
    let forwarder = forward("[::1]:0", echo("127.0.0.1:0"));
    let (one, other) = (client(forwarder.at[0]), client(forwarder.at[0]));
    ask(&one, b"before");
    ask(&other, b"before");
    one.send(&noise(TOO_LONG, 1)).unwrap();
    forwarder.until(|it| dropped(it, "EMSGSIZE") == 1);
    ask(&one, b"after");
    ask(&other, b"after");
    let udp = forwarder.counters().udp;
    assert_eq!((udp.sessions_ever, udp.sessions_now), (2, 2));
    assert_eq!(udp.datagrams_to_client, 4);
}

#[test]
fn an_answer_too_long_for_the_client_is_counted_and_nothing_else() {
    let target = UdpSocket::bind("[::1]:0").unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let forwarder = forward("127.0.0.1:0", target.local_addr().unwrap());
    let clients = [client(forwarder.at[0]), client(forwarder.at[0])];
    let sessions = clients.each_ref().map(|client| {
        client.send(b"hello").unwrap();
        target.recv_from(&mut [0; 8]).unwrap().1
    });
    // The long one is between others, for its own client and another.
    let long = noise(TOO_LONG, 1);
    for (session, answer) in [
        (sessions[0], &b"one"[..]),
        (sessions[0], &long),
        (sessions[1], b"two"),
        (sessions[0], b"three"),
    ] {
        target.send_to(answer, session).unwrap();
    }
    forwarder.until(|it| dropped(it, "EMSGSIZE") == 1);
    let hear = |client: &UdpSocket| {
        let mut answer = [0; 8];
        let length = client.recv(&mut answer).unwrap();
        answer[..length].to_vec()
    };
    assert_eq!(hear(&clients[0]), b"one");
    assert_eq!(hear(&clients[0]), b"three");
    assert_eq!(hear(&clients[1]), b"two");
    assert_eq!(forwarder.counters().udp.sessions_now, 2);
}

#[test]
fn a_refusal_of_one_session_leaves_the_others_alone() {
    // A target that hears one session only: a datagram from another is refused.
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let forwarder = forward("127.0.0.1:0", target.local_addr().unwrap());
    let (heard, refused) = (client(forwarder.at[0]), client(forwarder.at[0]));
    heard.send(b"first").unwrap();
    let (_, session) = target.recv_from(&mut [0; 8]).unwrap();
    target.connect(session).unwrap();
    for number in 1..=10 {
        refused.send(b"anyone?").unwrap();
        forwarder.until(|it| dropped(it, "ECONNREFUSED") == number);
        heard.send(b"hello").unwrap();
        assert_eq!(target.recv(&mut [0; 8]).unwrap(), 5);
        target.send(b"welcome").unwrap();
        assert_eq!(heard.recv(&mut [0; 8]).unwrap(), 7);
    }
    assert_eq!(forwarder.counters().udp.sessions_ever, 2);
}

/// Sends to a forwarder whose target cannot be connected to, for `reason`.
fn never_connects(target: &str, reason: &str) {
    let listen = [(Protocol::Udp, "127.0.0.1:0")];
    let forwarder = Forwarder::start(&listen, Options::new(target.parse().unwrap()));
    let client = client(forwarder.at[0]);
    for number in 1..=3 {
        client.send(b"x").unwrap();
        forwarder.until(|it| dropped(it, reason) == number);
    }
    let udp = forwarder.counters().udp;
    assert_eq!((udp.sessions_now, udp.sessions_ever), (0, 0));
}

#[test]
fn a_target_that_may_not_be_connected_to_is_counted_for_each_datagram() {
    // A broadcast address: that takes a permission nobody asked for.
    never_connects("255.255.255.255:9", "EACCES");
}

#[test]
fn a_target_behind_no_interface_is_counted_for_each_datagram() {
    never_connects("[fe80::1%absent]:9", "ENODEV");
}

#[test]
fn a_client_that_is_gone_does_no_harm() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let forwarder = forward("127.0.0.1:0", target.local_addr().unwrap());
    let stays = client(forwarder.at[0]);
    let session = |from: &UdpSocket| -> SocketAddr {
        from.send(b"hello").unwrap();
        target.recv_from(&mut [0; 8]).unwrap().1
    };
    let (kept, left) = (session(&stays), session(&client(forwarder.at[0])));
    for number in 1..=20 {
        target.send_to(b"late", left).unwrap();
        target.send_to(b"here", kept).unwrap();
        assert_eq!(stays.recv(&mut [0; 8]).unwrap(), 4);
        forwarder.until(|it| it.udp.datagrams_to_client == 2 * number);
    }
}
