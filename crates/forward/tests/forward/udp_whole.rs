//! Datagrams arrive as they were sent, however they travel together on the way.

use std::net::{SocketAddr, UdpSocket};

use netnsctl_forward::Options;
use netnsctl_sys::datagram::{Batch, Message};
use rustix::event::{PollFd, PollFlags, poll};

use crate::harness::{Forwarder, PATIENCE, noise};
use crate::udp::{client, echo, forward};

/// Lengths of datagrams sent in one go: runs of equal ones, shorter ones after them, empty ones,
/// and single ones. Few enough bytes for the buffers of the ends.
const BURSTS: &[&[usize]] = &[
    &[64; 30],
    &[0; 20],
    &[700, 700, 700, 1, 700, 700, 0, 700, 700, 701, 701, 2, 2, 2],
    &[1, 2, 3, 4, 4, 4, 3, 3, 2, 1, 0, 0, 1, 1, 0],
    &[1200; 32],
    &[20_000, 20_000, 20_000, 5],
    &[40_000, 40_000],
    &[9, 65_507],
];

/// The bursts come back through a chain of forwarders as they were sent.
fn keeps_bounds(listen: &str, to: &str, middle: &str, target: &str) {
    let second = forward(middle, echo(target));
    let first = forward(listen, second.at[0]);
    let client = client(SocketAddr::new(to.parse().unwrap(), first.at[0].port()));
    let mut sent = 0;
    for (seed, lengths) in (1..).zip(BURSTS) {
        let burst: Vec<Vec<u8>> = (1..)
            .zip(*lengths)
            .map(|(number, &length)| noise(length, seed * 100 + number))
            .collect();
        for datagram in &burst {
            client.send(datagram).unwrap();
        }
        let mut answer = vec![0; 65_536];
        for (number, datagram) in burst.iter().enumerate() {
            let length = client.recv(&mut answer).unwrap();
            assert!(
                answer[..length] == *datagram,
                "{length} bytes for datagram {number} of {lengths:?}"
            );
        }
        sent += burst.len() as u64;
    }
    for forwarder in [first, second] {
        let udp = forwarder.until(|it| it.udp.datagrams_to_client == sent).udp;
        assert_eq!(udp.datagrams_to_target, sent);
        assert_eq!(udp.bytes_to_target, udp.bytes_to_client);
        assert!(udp.dropped.is_empty(), "{udp:?}");
    }
}

#[test]
fn bursts_keep_their_bounds_over_ipv4() {
    keeps_bounds("127.0.0.1:0", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:0");
}

#[test]
fn bursts_keep_their_bounds_over_ipv6() {
    keeps_bounds("[::1]:0", "::1", "[::1]:0", "[::1]:0");
}

#[test]
fn bursts_keep_their_bounds_across_families() {
    keeps_bounds("127.0.0.1:0", "127.0.0.1", "[::1]:0", "127.0.0.1:0");
    keeps_bounds("[::]:0", "127.0.0.2", "127.0.0.1:0", "[::1]:0");
}

/// What the kernel hands over as one message of many datagrams reaches a target that wants them
/// apart, and one that is a forwarder too.
#[test]
fn what_a_client_sends_as_one_message_arrives_as_its_datagrams() {
    let payload = noise(64_350, 7);
    let (source, filled) = {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = client(receiver.local_addr().unwrap());
        sender.send(&payload).unwrap();
        poll(&mut [PollFd::new(&receiver, PollFlags::IN)], None).unwrap();
        let mut batch = Batch::new(1 << 16);
        (batch.receive(&receiver, 1).unwrap(), batch)
    };
    assert_eq!(source, 1);
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let last = forward("127.0.0.1:0", target.local_addr().unwrap());
    let first = forward("[::1]:0", last.at[0]);
    let client = client(first.at[0]);
    let mut sent = 0;
    for (segment, length) in [
        (1300, 64_350),
        (100, 6_400),
        (1, 5),
        (7, 64),
        (30_000, 64_000),
    ] {
        let message = Message {
            segment,
            ..Message::whole(0, length)
        };
        assert_eq!(filled.send(&client, &[(message, None)]).unwrap(), 1);
        for expected in payload[..length].chunks(segment.into()) {
            let mut bytes = vec![0; 65_536];
            let got = target.recv(&mut bytes).unwrap();
            assert!(bytes[..got] == *expected, "{got} bytes of {segment}");
            sent += 1;
        }
    }
    for forwarder in [first, last] {
        let udp = forwarder.until(|it| it.udp.datagrams_to_target == sent).udp;
        assert_eq!(udp.sessions_ever, 1);
        assert!(udp.dropped.is_empty(), "{udp:?}");
    }
}

#[test]
fn the_longest_ipv6_datagram_passes_between_ipv6_ends() {
    let forwarder = forward("[::1]:0", echo("[::1]:0"));
    // 20 bytes more than IPv4 can carry, whose header counts itself.
    crate::udp::ask(&client(forwarder.at[0]), &noise(65_527, 1));
}

#[test]
fn many_sessions_of_two_listeners_get_each_its_own() {
    let target = echo("127.0.0.1:0");
    let protocol = netnsctl_forward::Protocol::Udp;
    let listen = [(protocol, "127.0.0.1:0"), (protocol, "[::1]:0")];
    let forwarder = Forwarder::start(&listen, Options::new(target.into()));
    let clients: Vec<UdpSocket> = (0..60).map(|it| client(forwarder.at[it % 2])).collect();
    for round in 0..5_u8 {
        for (number, client) in (0_u8..).zip(&clients) {
            for again in 0..3 {
                client.send(&[round, number, again]).unwrap();
            }
        }
        for (number, client) in (0_u8..).zip(&clients) {
            for again in 0..3 {
                let mut answer = [0; 8];
                assert_eq!(client.recv(&mut answer).unwrap(), 3);
                assert_eq!(answer[..3], [round, number, again]);
            }
        }
    }
    let udp = forwarder.until(|it| it.udp.datagrams_to_client == 900).udp;
    assert_eq!((udp.sessions_ever, udp.datagrams_to_target), (60, 900));
}
