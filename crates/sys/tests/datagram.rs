//! Batches on real sockets of each family, over loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::{IpAddr, SocketAddr, UdpSocket};

use netnsctl_sys::datagram::{Batch, Destination, Local, Message, SLOTS, report_destination};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

const SLOT: usize = 65_536;

fn wait(socket: &UdpSocket) {
    poll(&mut [PollFd::new(socket, PollFlags::IN)], None).unwrap();
}

/// A server on `bind` learns that it was reached at `reached` and answers from there.
fn reached_at(bind: &str, reached: &str, seen: &str) {
    let server = UdpSocket::bind(bind).unwrap();
    report_destination(&server, server.local_addr().unwrap().is_ipv6()).unwrap();
    let target = SocketAddr::new(
        reached.parse().unwrap(),
        server.local_addr().unwrap().port(),
    );
    let any = if target.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let client = UdpSocket::bind(any).unwrap();
    client.connect(target).unwrap();
    let mut batch = Batch::new(SLOT);
    for length in [0, 1, 1200, 65_507] {
        let payload: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        client.send(&payload).unwrap();
        wait(&server);
        batch.clear();
        assert_eq!(batch.receive(&server, 2).unwrap(), 1);
        let datagram = batch.get(0).unwrap();
        assert_eq!(datagram.payload, payload);
        assert!(!datagram.truncated);
        let local = datagram.local.unwrap();
        assert_eq!(local.address, seen.parse::<IpAddr>().unwrap());
        assert_ne!(local.interface, 0);
        let to = datagram.source.unwrap();
        let from = Some(Local {
            interface: 0,
            ..local
        });
        let message = (Message::whole(0, length), Some(Destination { to, from }));
        assert_eq!(batch.send(&server, &[message]).unwrap(), 1);
        // A connected socket only hears its peer, so hearing anything proves the source.
        let mut answer = vec![0; SLOT];
        assert_eq!(client.recv(&mut answer).unwrap(), length);
        assert_eq!(&answer[..length], payload);
    }
}

#[test]
fn ipv4_wildcard_answers_from_the_address_written_to() {
    reached_at("0.0.0.0:0", "127.0.0.2", "127.0.0.2");
}

#[test]
fn ipv6_answers_from_the_address_written_to() {
    reached_at("[::]:0", "::1", "::1");
}

#[test]
fn dual_stack_answers_a_mapped_client_from_the_address_written_to() {
    reached_at("[::]:0", "127.0.0.3", "::ffff:127.0.0.3");
}

#[test]
fn a_datagram_longer_than_a_slot_is_marked() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client
        .send_to(b"123456789", server.local_addr().unwrap())
        .unwrap();
    wait(&server);
    let mut batch = Batch::new(4);
    assert_eq!(batch.receive(&server, SLOTS).unwrap(), 1);
    let datagram = batch.get(0).unwrap();
    assert_eq!(
        (datagram.payload, datagram.truncated, datagram.local),
        (&b"1234"[..], true, None)
    );
    assert_eq!(batch.receive(&server, SLOTS), Err(Errno::AGAIN));
    assert!(batch.get(1).is_none());
}

#[test]
fn a_whole_batch_goes_through_a_connected_pair_in_order() {
    let left = UdpSocket::bind("127.0.0.1:0").unwrap();
    let right = UdpSocket::bind("127.0.0.1:0").unwrap();
    left.connect(right.local_addr().unwrap()).unwrap();
    right.connect(left.local_addr().unwrap()).unwrap();
    let count = u8::try_from(SLOTS).unwrap();
    for number in 0..=count {
        left.send(&[number; 3]).unwrap();
    }
    let mut batch = Batch::new(SLOT);
    wait(&right);
    assert_eq!(batch.receive_connected(&right, SLOTS).unwrap(), SLOTS);
    assert_eq!(batch.get(0).unwrap().source, None);
    let messages: Vec<_> = (0..SLOTS)
        .map(|slot| (Message::whole(slot, 3), None))
        .collect();
    assert_eq!(batch.send(&right, &messages).unwrap(), SLOTS);
    assert_eq!(batch.send(&right, &[]).unwrap(), 0);
    for number in 0..count {
        let mut payload = [0; 8];
        assert_eq!(left.recv(&mut payload).unwrap(), 3);
        assert_eq!(payload[0], number);
    }
}
