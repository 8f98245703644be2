//! Watches in many network namespaces at once for one DNS question, to see by which link it leaves.
//!
//! A question is known by its name, which nobody else asks for, wherever that stands in a packet:
//! the header of a DNS message is the twelve bytes in front of the first name (RFC 1035, 4.1), over
//! UDP, TCP and inside tunnels that do not encrypt. Its id tells a copy that is forwarded, which
//! keeps it, from a question that somebody else asks anew.
//!
//! Sources: packet(7), RFC 1035.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use netnsctl_base::error::{Context, Error, Object};
use netnsctl_base::netns::{Netns, within};
use netnsctl_sys::packet::{Direction, Packet, PacketSocket};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;

/// Bytes of a packet that are looked at; a question is smaller.
const LOOKED_AT: usize = 4096;

/// Packets that are taken from one socket before the others have their turn.
const TURN: usize = 256;

/// Turns until the clock is looked at again, so that a flood of packets cannot stop it.
const TURNS: usize = 64;

/// The DNS header in front of the first name.
const HEADER: usize = 12;

/// A packet with the name in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// The link it passed.
    pub interface: String,
    /// Which way.
    pub direction: Direction,
    /// Where the packet is from and where it goes, where it is one of IP.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// The id of the DNS message.
    pub id: u16,
    /// None for a question; the code of an answer (RFC 1035, 4.1.1).
    pub answer: Option<u8>,
}

/// Sockets that watch, one for each namespace.
#[derive(Debug)]
pub struct Watch {
    /// As in the DNS message, in lower case.
    name: Vec<u8>,
    posts: Vec<Post>,
}

/// What is seen in one namespace.
#[derive(Debug)]
struct Post {
    socket: PacketSocket,
    seen: BTreeSet<Sighting>,
    dropped: u32,
}

/// What was seen in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Packets with the name in it, each kind once.
    pub sightings: BTreeSet<Sighting>,
    /// Packets that could not be looked at because there were too many.
    pub dropped: u32,
}

impl Watch {
    /// One for the name made of `labels`, each of 63 bytes at most, that watches nowhere yet.
    pub fn new(labels: &[&str]) -> Self {
        let mut name = Vec::new();
        for label in labels {
            name.push(u8::try_from(label.len()).unwrap_or_default());
            name.extend(label.to_ascii_lowercase().bytes());
        }
        name.push(0);
        let posts = Vec::new();
        Self { name, posts }
    }

    /// Watches in `netns` too, from now on; gives the place of what is seen there in
    /// [`seen`](Self::seen). Needs CAP_SYS_ADMIN to enter it, and CAP_NET_RAW in it.
    pub fn post(&mut self, netns: &Netns, name: &str) -> Result<usize, Error> {
        let socket = within(netns, name, PacketSocket::open)?
            .context("watch packets in", Object::netns(name))?;
        self.posts.push(Post {
            socket,
            seen: BTreeSet::new(),
            dropped: 0,
        });
        Ok(self.posts.len() - 1)
    }

    /// Watches until `done` can be read or is hung up, which it says, or `deadline` has come.
    ///
    /// Errors: what poll(2) or a socket says that has no known cause.
    pub fn until(&mut self, done: BorrowedFd<'_>, deadline: Instant) -> Result<bool, Error> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_done = self.wait(done, left)?;
            self.take()?;
            if is_done || left.is_zero() {
                return Ok(is_done);
            }
        }
    }

    /// What has been seen so far, by the order of [`post`](Self::post).
    pub fn seen(mut self) -> Result<Vec<Seen>, Error> {
        self.take()?;
        let seen = self.posts.into_iter().map(|post| Seen {
            sightings: post.seen,
            dropped: post.dropped,
        });
        Ok(seen.collect())
    }

    fn wait(&self, done: BorrowedFd<'_>, left: Duration) -> Result<bool, Error> {
        let mut fds = vec![PollFd::from_borrowed_fd(done, PollFlags::IN)];
        let sockets = self.posts.iter().map(|post| post.socket.as_fd());
        fds.extend(sockets.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        // A time too long for the kernel is none.
        let left = Timespec::try_from(left).ok();
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("wait for", Object::other("packets")),
        }
        let is_done = fds.first().is_some_and(|done| !done.revents().is_empty());
        Ok(is_done)
    }

    /// Looks at the packets that wait.
    fn take(&mut self) -> Result<(), Error> {
        let mut buffer = [0; LOOKED_AT];
        for _ in 0..TURNS {
            let mut is_more = false;
            for post in &mut self.posts {
                let taken = post.take(&self.name, &mut buffer);
                is_more |= taken.context("receive", Object::other("packets"))?;
            }
            if !is_more {
                break;
            }
        }
        for post in &mut self.posts {
            let dropped = post.socket.dropped().unwrap_or_default();
            post.dropped = post.dropped.saturating_add(dropped);
        }
        Ok(())
    }
}

impl Post {
    /// Looks at packets for one turn; false if there are no more now.
    fn take(&mut self, name: &[u8], buffer: &mut [u8; LOOKED_AT]) -> io::Result<bool> {
        for _ in 0..TURN {
            let packet = match self.socket.receive(buffer) {
                Ok(Some(packet)) => packet,
                // A link that goes down is told to those who watch it.
                Err(error) if error.raw_os_error() == Some(Errno::NETDOWN.raw_os_error()) => {
                    continue;
                }
                Ok(None) => return Ok(false),
                Err(error) => return Err(error),
            };
            let bytes = buffer.get(..packet.length).unwrap_or_default();
            if let Some((id, answer)) = find(bytes, name) {
                self.note(packet, addresses(bytes), id, answer);
            }
        }
        Ok(true)
    }

    fn note(
        &mut self,
        packet: Packet,
        addresses: Option<(IpAddr, IpAddr)>,
        id: u16,
        answer: Option<u8>,
    ) {
        let interface = index_to_name(&self.socket, packet.interface);
        self.seen.insert(Sighting {
            interface: interface.unwrap_or_else(|_| format!("link {}", packet.interface)),
            direction: packet.direction,
            addresses,
            id,
            answer,
        });
    }
}

/// Source and destination of a packet, which begins with its IP header as the socket is one of
/// SOCK_DGRAM (packet(7)): RFC 791, 3.1, and RFC 8200, 3.
fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let v4 = |at: usize| {
        let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(IpAddr::from(bytes))
    };
    let v6 = |at: usize| {
        let bytes: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::from(bytes))
    };
    match packet.first()? >> 4 {
        4 => Some((v4(12)?, v4(16)?)),
        6 => Some((v6(8)?, v6(24)?)),
        _ => None,
    }
}

/// Finds the name in a packet; gives the id of the message in front of it, and the code if that is
/// an answer.
fn find(packet: &[u8], name: &[u8]) -> Option<(u16, Option<u8>)> {
    let mut windows = packet.windows(HEADER + name.len());
    let message = windows.find(|window| {
        let (_, found) = window.split_at(HEADER);
        found.eq_ignore_ascii_case(name)
    })?;
    let &[id_high, id_low, flags, code, ..] = message else {
        return None;
    };
    let is_answer = flags & 0x80 != 0;
    let id = u16::from_be_bytes([id_high, id_low]);
    Some((id, is_answer.then_some(code & 0x0f)))
}

/// Entry for fuzzing: any bytes as a packet, in which to find the name made of `labels`. Also gives the
/// name as it is in a DNS message.
#[doc(hidden)]
pub fn fuzz_find(packet: &[u8], labels: &[&str]) -> (Vec<u8>, Option<(u16, Option<u8>)>) {
    let name = Watch::new(labels).name;
    let found = find(packet, &name);
    (name, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_found_wherever_it_stands_and_however_it_is_written() {
        let name = Watch::new(&["abc", "example"]).name;
        assert_eq!(name, b"\x03abc\x07example\0");
        let message = |flags: [u8; 2], name: &[u8]| {
            let header = [&[0x12, 0x34][..], &flags, &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
            [&header, name, &[0, 1, 0, 1]].concat()
        };
        let question = message([1, 0], &name);
        for before in [0, 8, 28, 100] {
            let packet = [&vec![7; before][..], &question].concat();
            assert_eq!(find(&packet, &name), Some((0x1234, None)), "{before}");
        }
        // Resolvers may spell a name at random, to tell answers from forgeries.
        let spelled = message([1, 0], b"\x03aBC\x07eXAMple\0");
        assert_eq!(find(&spelled, &name), Some((0x1234, None)));
        let answer = message([0x81, 0x83], &name);
        assert_eq!(find(&answer, &name), Some((0x1234, Some(3))));
        for other in [
            &message([1, 0], b"\x03abd\x07example\0")[..],
            &message([1, 0], b"\x03abc\x07example\x03com\0"),
            &question[4..],
            &question[..20],
            b"",
        ] {
            assert_eq!(find(other, &name), None, "{other:?}");
        }
    }
}
