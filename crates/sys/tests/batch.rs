//! What a batch takes in by several calls, and sends to several places or in pieces.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use netnsctl_sys::datagram::{
    Batch, Destination, Message, SLOTS, can_segment, coalesce, report_losses,
};
use rustix::io::Errno;

/// How long a datagram may take to arrive before the test counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A socket, and one that is connected to it.
fn pair() -> (UdpSocket, UdpSocket) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    (receiver, sender)
}

/// Receives until `slots` slots are filled.
fn fill(batch: &mut Batch, socket: &UdpSocket, slots: usize) {
    let start = Instant::now();
    while batch.len() < slots {
        match batch.receive(socket, slots - batch.len()) {
            Ok(_) | Err(Errno::AGAIN) => assert!(start.elapsed() < PATIENCE),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A batch that holds datagrams with these payloads.
fn holding(payloads: &[&[u8]]) -> Batch {
    let (receiver, sender) = pair();
    for payload in payloads {
        sender.send(payload).unwrap();
    }
    let mut batch = Batch::new(1 << 16);
    fill(&mut batch, &receiver, payloads.len());
    batch
}

fn payloads(batch: &Batch) -> Vec<&[u8]> {
    let payload = |slot| batch.get(slot).unwrap().payload;
    (0..batch.len()).map(payload).collect()
}

#[test]
fn several_receives_fill_one_batch() {
    let (receiver, sender) = pair();
    let mut batch = Batch::new(16);
    sender.send(b"one").unwrap();
    fill(&mut batch, &receiver, 1);
    sender.send(b"").unwrap();
    sender.send(b"longer than a slot has room for").unwrap();
    sender.send(b"left").unwrap();
    fill(&mut batch, &receiver, 3);
    assert_eq!(payloads(&batch), [&b"one"[..], b"", b"longer than a sl"]);
    assert!(batch.get(2).unwrap().truncated);
    assert_eq!(batch.get(0).unwrap().source, sender.local_addr().ok());
    assert!(batch.get(3).is_none());
    batch.clear();
    fill(&mut batch, &receiver, 1);
    assert_eq!(payloads(&batch), [b"left"]);
}

#[test]
fn a_full_batch_takes_no_more() {
    let (receiver, sender) = pair();
    for _ in 0..=SLOTS {
        sender.send(b"x").unwrap();
    }
    let mut batch = Batch::new(4);
    fill(&mut batch, &receiver, SLOTS);
    assert_eq!(batch.receive(&receiver, SLOTS), Ok(0));
    assert_eq!(batch.len(), SLOTS);
}

#[test]
fn messages_go_to_different_places_by_one_call() {
    let batch = holding(&[b"first", b"", b"third"]);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let receivers = [pair().0, pair().0, pair().0];
    let messages: Vec<_> = [5, 0, 5]
        .iter()
        .zip(&receivers)
        .enumerate()
        .map(|(slot, (&length, receiver))| {
            let to = receiver.local_addr().unwrap();
            (
                Message::whole(slot, length),
                Some(Destination { to, from: None }),
            )
        })
        .collect();
    assert_eq!(batch.send(&sender, &messages), Ok(3));
    for (receiver, expected) in receivers.iter().zip([&b"first"[..], b"", b"third"]) {
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = [0; 16];
        let length = receiver.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], expected);
    }
}

#[test]
fn slots_that_hold_less_are_not_sent() {
    let batch = holding(&[b"abc"]);
    let (_receiver, sender) = pair();
    let two = Message {
        slots: 2,
        ..Message::whole(0, 3)
    };
    let none = Message {
        slots: 0,
        ..Message::whole(0, 3)
    };
    for message in [Message::whole(1, 3), Message::whole(0, 4), two, none] {
        for segment in [0, 2] {
            let message = Message { segment, ..message };
            assert_eq!(batch.send(&sender, &[(message, None)]), Err(Errno::INVAL));
        }
    }
    // Those before it are.
    let messages = [(Message::whole(0, 3), None), (two, None)];
    assert_eq!(batch.send(&sender, &messages), Ok(1));
}

#[test]
fn what_is_cut_arrives_as_datagrams_and_stays_whole_where_that_is_asked_for() {
    let batch = holding(&[b"aaaa", b"bbbb", b"cc", b"ddddee"]);
    let run = Message {
        slot: 0,
        slots: 3,
        skip: 0,
        length: 10,
        segment: 4,
    };
    let part = Message {
        slot: 3,
        slots: 1,
        skip: 1,
        length: 5,
        segment: 3,
    };
    assert_eq!((run.count(), part.count()), (3, 2));
    let (receiver, sender) = pair();
    assert!(can_segment(&sender), "Linux 4.18 is needed");
    coalesce(&receiver).unwrap();
    let messages = [(run, None), (part, None)];
    assert_eq!(batch.send(&sender, &messages), Ok(2));
    let mut whole = Batch::new(1 << 16);
    fill(&mut whole, &receiver, 2);
    assert_eq!(payloads(&whole), [&b"aaaabbbbcc"[..], b"dddee"]);
    let first = whole.get(0).unwrap();
    assert_eq!((first.segment, first.count()), (4, 3));
    assert_eq!(whole.get(1).unwrap().count(), 2);

    let (plain, sender) = pair();
    assert_eq!(batch.send(&sender, &messages), Ok(2));
    let mut apart = Batch::new(1 << 16);
    fill(&mut apart, &plain, 5);
    let expected = [&b"aaaa"[..], b"bbbb", b"cc", b"ddd", b"ee"];
    assert_eq!(payloads(&apart), expected);
    assert_eq!(apart.get(0).unwrap().segment, 0);
}

#[test]
fn losses_for_want_of_buffer_are_told() {
    let (receiver, sender) = pair();
    report_losses(&receiver).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&receiver, 4096).unwrap();
    let start = Instant::now();
    let mut batch = Batch::new(2048);
    loop {
        for _ in 0..20 {
            sender.send(&[0; 1024]).unwrap();
        }
        batch.clear();
        fill(&mut batch, &receiver, 1);
        if batch.get(0).unwrap().lost > 0 {
            return;
        }
        assert!(start.elapsed() < PATIENCE);
    }
}
