//! Sending what a batch holds: in as few calls as can be, and each loss counted.
//!
//! Neighbouring datagrams of one length for one receiver go out as one message that the kernel
//! cuts (UDP_SEGMENT): all of the way through it is gone once instead of many times. So does what
//! came in that way. Where that is refused they go out one by one.

use netnsctl_sys::datagram::{Batch, Destination, Message};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::counters::{UdpCounters, count};

/// Most bytes of a message: what the longest IPv4 datagram carries.
const LONGEST: usize = 65_507;

/// Most datagrams of a message (UDP_MAX_SEGMENTS before Linux 6.10).
const SEGMENTS: usize = 64;

/// A message and who gets it; the peer of the socket without one.
pub(super) type Letter = (Message, Option<Destination>);

/// What became of a run of messages.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
    /// The socket's own address or route is gone.
    pub(super) stale: bool,
    /// Why the kernel would not cut a message, if so.
    pub(super) uncut: Option<Errno>,
}

/// Appends to `letters` what sends slots `first` to `end` of `batch`; the kernel cuts messages if
/// `segments`.
pub(super) fn address(
    batch: &Batch,
    (first, end): (usize, usize),
    destination: Option<Destination>,
    segments: bool,
    letters: &mut Vec<Letter>,
) {
    let mut slot = first;
    while let Some(datagram) = batch.get(slot).filter(|_| slot < end) {
        let length = datagram.payload.len();
        if datagram.segment > 0 {
            let most = if segments { SEGMENTS } else { 1 };
            let parts = pieces(Message::whole(slot, length), datagram.segment, most);
            letters.extend(parts.map(|part| (part, destination)));
            slot += 1;
            continue;
        }
        let mut message = Message::whole(slot, length);
        if segments {
            extend(&mut message, batch, end);
        }
        letters.push((message, destination));
        slot += message.slots;
    }
}

/// Adds to `message`, the whole of one slot, those after it that can be its further segments.
fn extend(message: &mut Message, batch: &Batch, end: usize) {
    let (first, segment) = (message.slot, message.length);
    let most = end.min(first + SEGMENTS);
    for slot in first + 1..most {
        let Some(next) = batch.get(slot).filter(|next| next.segment == 0) else {
            break;
        };
        let length = next.payload.len();
        // Only the last may be shorter, and none can be empty.
        let fits = (1..=segment).contains(&length) && message.length + length <= LONGEST;
        if !fits {
            break;
        }
        message.slots += 1;
        message.length += length;
        message.segment = u16::try_from(segment).unwrap_or_default();
        if length < segment {
            break;
        }
    }
}

/// Cuts a message within one slot, datagrams of `segment` bytes, into messages of at most `most`.
fn pieces(whole: Message, segment: u16, most: usize) -> impl Iterator<Item = Message> {
    let one = usize::from(segment);
    let bytes = one * (LONGEST / one).clamp(1, most);
    (0..whole.length).step_by(bytes).map(move |offset| {
        let length = bytes.min(whole.length - offset);
        Message {
            skip: whole.skip + offset,
            length,
            segment: if length > one { segment } else { 0 },
            ..whole
        }
    })
}

/// The datagrams of `message` as messages of their own.
fn apart(batch: &Batch, message: Message) -> Vec<Message> {
    if message.slots == 1 {
        return pieces(message, message.segment, 1).collect();
    }
    let slots = message.slot..message.slot + message.slots;
    let length = |slot| batch.get(slot).map_or(0, |it| it.payload.len());
    slots.map(|it| Message::whole(it, length(it))).collect()
}

/// Sends `letters`, counting each datagram that is lost by its errno.
pub(super) fn send(
    batch: &Batch,
    socket: &OwnedFd,
    letters: &[Letter],
    counters: &mut UdpCounters,
) -> Sent {
    let mut sent = Sent::default();
    let mut left = letters;
    let mut repeated = false;
    while let Some(&(message, destination)) = left.first() {
        match batch.send(socket, left) {
            Ok(0) => break,
            Ok(done) => {
                let (gone, rest) = left.split_at(done.min(left.len()));
                for (message, _) in gone {
                    sent.datagrams += message.count() as u64;
                    sent.bytes += message.length as u64;
                }
                left = rest;
                repeated = false;
            }
            Err(Errno::INTR) => {}
            // This tells of an earlier datagram and kept this one from being sent; the error is
            // cleared by being told, so once more.
            Err(error) if is_reported(error) && !repeated => {
                count(&mut counters.dropped, error);
                repeated = true;
            }
            Err(error) if message.segment > 0 => {
                let parts = apart(batch, message).into_iter();
                let parts: Vec<Letter> = parts.map(|part| (part, destination)).collect();
                let rest = send(batch, socket, &parts, counters);
                sent.datagrams += rest.datagrams;
                sent.bytes += rest.bytes;
                sent.stale |= rest.stale;
                sent.uncut = Some(error).filter(|&it| is_uncut(it)).or(sent.uncut);
                left = &left[1..];
                repeated = false;
            }
            Err(error) => {
                count(&mut counters.dropped, error);
                sent.stale |= is_stale(error);
                left = &left[1..];
                repeated = false;
            }
        }
    }
    sent
}

/// Errors that only ICMP causes.
fn is_reported(error: Errno) -> bool {
    matches!(error, Errno::CONNREFUSED | Errno::NOPROTOOPT | Errno::PROTO)
}

/// Errors that tell that the kernel will not cut messages on this way. Where datagrams sent apart
/// fail too they do no harm: nothing but speed is lost.
fn is_uncut(error: Errno) -> bool {
    matches!(
        error,
        Errno::INVAL | Errno::IO | Errno::MSGSIZE | Errno::OPNOTSUPP
    )
}

/// Errors that last as long as the socket keeps its address or route.
fn is_stale(error: Errno) -> bool {
    matches!(
        error,
        Errno::ADDRNOTAVAIL
            | Errno::HOSTUNREACH
            | Errno::INVAL
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NODEV
            | Errno::NXIO
    )
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use netnsctl_sys::datagram::{SLOTS, coalesce};
    use proptest::prelude::*;
    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    /// A socket, and one that is connected to it.
    fn pair() -> (UdpSocket, UdpSocket) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let patience = Some(Duration::from_secs(20));
        receiver.set_read_timeout(patience).unwrap();
        (receiver, sender)
    }

    /// A payload of each length, different in every byte from its neighbours.
    fn payload(number: usize, length: usize) -> Vec<u8> {
        let bytes = (0..=u8::MAX).cycle().skip(number * 7 % 256);
        bytes.take(length).collect()
    }

    /// A batch that holds one slot for each of `slots`: a length, or the length and segment of
    /// several datagrams.
    fn holding(slots: &[(usize, u16)]) -> Batch {
        let mut batch = Batch::new(1 << 16);
        let mut one = Batch::new(1 << 16);
        let (receiver, sender) = pair();
        coalesce(&receiver).unwrap();
        let take = |batch: &mut Batch| {
            poll(&mut [PollFd::new(&receiver, PollFlags::IN)], None).unwrap();
            assert_eq!(batch.receive(&receiver, 1), Ok(1));
        };
        for (number, &(length, segment)) in slots.iter().enumerate() {
            sender.send(&payload(number, length)).unwrap();
            if segment == 0 {
                take(&mut batch);
                continue;
            }
            one.clear();
            take(&mut one);
            let message = Message {
                segment,
                ..Message::whole(0, length)
            };
            assert_eq!(one.send(&sender, &[(message, None)]), Ok(1));
            take(&mut batch);
        }
        batch
    }

    /// The datagrams in the slots, in order.
    fn datagrams(batch: &Batch) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for slot in (0..batch.len()).map(|slot| batch.get(slot).unwrap()) {
            match slot.segment {
                0 => all.push(slot.payload.to_vec()),
                segment => all.extend(slot.payload.chunks(segment.into()).map(<[u8]>::to_vec)),
            }
        }
        all
    }

    fn hear(receiver: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
        let hear = |_| {
            let mut bytes = vec![0; 1 << 16];
            let length = receiver.recv(&mut bytes).unwrap();
            bytes.truncate(length);
            bytes
        };
        (0..count).map(hear).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_arrives_is_what_was_held(
            slots in prop::collection::vec(
                prop_oneof![
                    3 => Just((100, 0)),
                    2 => (0usize..102).prop_map(|length| (length, 0)),
                    1 => (1u16..20, 2usize..300).prop_map(|(segment, length)| {
                        // More than one datagram, and no more than there may be.
                        let segment = segment.max(u16::try_from(length / 60).unwrap());
                        (length.max(usize::from(segment) + 1), segment)
                    }),
                ],
                1..12,
            ),
            segments: bool,
        ) {
            let batch = holding(&slots);
            let expected = datagrams(&batch);
            let mut letters = Vec::new();
            address(&batch, (0, batch.len()), None, segments, &mut letters);
            for (message, _) in &letters {
                prop_assert!(segments || message.segment == 0);
                prop_assert!(message.length <= LONGEST && message.count() <= SEGMENTS);
            }
            // The least there can be without cutting: every datagram is a message.
            prop_assert!(segments || letters.len() == expected.len());
            let (receiver, sender) = pair();
            let mut counters = UdpCounters::default();
            let sent = send(&batch, &sender.into(), &letters, &mut counters);
            prop_assert_eq!(sent.datagrams, expected.len() as u64);
            prop_assert_eq!(sent.bytes, expected.iter().map(Vec::len).sum::<usize>() as u64);
            prop_assert!(sent.uncut.is_none() && counters.dropped.is_empty());
            prop_assert_eq!(hear(&receiver, expected.len()), expected);
        }
    }

    #[test]
    fn equal_neighbours_are_one_message() {
        let lengths = [5, 5, 5, 3, 3, 0, 0, 4, 5, 5];
        let batch = holding(&lengths.map(|length| (length, 0)));
        let mut letters = Vec::new();
        address(&batch, (0, lengths.len()), None, true, &mut letters);
        let slots: Vec<usize> = letters.iter().map(|(message, _)| message.slots).collect();
        assert_eq!(slots, [4, 1, 1, 1, 1, 2]);
        assert_eq!((letters[0].0.segment, letters[0].0.length), (5, 18));
    }

    #[test]
    fn what_the_kernel_will_not_cut_is_sent_apart() {
        // Of one slot: more datagrams than any kernel makes of a message.
        let batch = holding(&[(300, 0), (40_000, 0), (40_000, 0), (1, 0)]);
        let many = Message {
            segment: 1,
            ..Message::whole(0, 300)
        };
        // Of several: more bytes than any message may have.
        let long = Message {
            slots: 2,
            segment: 40_000,
            ..Message::whole(1, 80_000)
        };
        for (message, count, why) in [(many, 300, Errno::INVAL), (long, 2, Errno::MSGSIZE)] {
            let (receiver, sender) = pair();
            rustix::net::sockopt::set_socket_recv_buffer_size(&receiver, 1 << 20).unwrap();
            let letters = [message, Message::whole(3, 1)].map(|it| (it, None));
            let mut counters = UdpCounters::default();
            let sent = send(&batch, &sender.into(), &letters, &mut counters);
            assert_eq!(sent.datagrams, count + 1);
            assert_eq!(sent.bytes, message.length as u64 + 1);
            assert_eq!(sent.uncut, Some(why));
            assert!(counters.dropped.is_empty() && !sent.stale);
            let first = batch.get(message.slot).unwrap().payload;
            let heard = hear(&receiver, message.count() + 1);
            assert!(first.starts_with(&heard[0]));
            assert_eq!(heard.concat().len(), message.length + 1);
        }
    }

    #[test]
    fn a_whole_batch_is_one_message_at_most_as_long_as_a_datagram() {
        let batch = holding(&[(3000, 0); SLOTS]);
        let mut letters = Vec::new();
        address(&batch, (0, SLOTS), None, true, &mut letters);
        let lengths: Vec<usize> = letters.iter().map(|(message, _)| message.length).collect();
        assert_eq!(lengths, [63_000, 33_000]);
    }
}
