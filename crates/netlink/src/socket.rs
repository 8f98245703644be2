//! A NETLINK_ROUTE socket: dumps, look-ups and batched changes.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, ParseableParametrized};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{RouteHeader, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;

use crate::batch::{Batch, encode};
use crate::error::{Error, KernelError};
use crate::extack;
use crate::message::{Address, Link, Route, Traffic};

/// Bytes of the receive buffer. The kernel fills at most 32 KiB at a time (`netlink_dump()` in
/// net/netlink/af_netlink.c), so nothing is ever cut off.
const RECEIVE_BUFFER: usize = 32 * 1024;

/// Requests sent at once. Every answer waits in the socket's receive queue until the whole send
/// was worked off; 64 refusals fit into the default queue many times over.
const REQUESTS_PER_SEND: usize = 64;

/// How often a dump is begun anew when the state changed under it (NLM_F_DUMP_INTR).
const DUMP_ATTEMPTS: usize = 20;

/// NLM_F_DUMP_INTR of include/uapi/linux/netlink.h.
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

static CHANGE_REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Requests that change something, sent by this process so far. It proves that a second `up`
/// writes nothing.
pub fn change_requests() -> u64 {
    CHANGE_REQUESTS.load(Ordering::Relaxed)
}

/// A synchronous rtnetlink socket, bound for life to one network namespace.
#[derive(Debug)]
pub struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

/// One message of an answer.
pub(crate) struct Answer<'a> {
    pub(crate) kind: u16,
    flags: u16,
    sequence: u32,
    pub(crate) payload: &'a [u8],
}

impl Socket {
    /// Opens a socket in the network namespace of the calling thread. Needs no capability;
    /// changing something through it needs CAP_NET_ADMIN there (netlink(7)).
    pub fn open() -> Result<Self, Error> {
        let inner = open(netlink_sys::protocols::NETLINK_ROUTE).map_err(Error::Open)?;
        // Older kernels lack one or the other; errors are then shorter, dumps unfiltered.
        let _ = inner.set_ext_ack(true);
        let _ = inner.set_cap_ack(true);
        let _ = inner.set_netlink_get_strict_chk(true);
        Ok(Self {
            inner,
            sequence: 0,
            buffer: Vec::with_capacity(RECEIVE_BUFFER),
        })
    }

    /// All interfaces.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let request = || {
            let mut message = LinkMessage::default();
            // Statistics are most of a link's bytes, and their size differs by kernel.
            let mask = vec![LinkExtentMask::SkipStats];
            message.attributes.push(LinkAttribute::ExtMask(mask));
            RouteNetlinkMessage::GetLink(message)
        };
        self.dump(request, |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(Link::of(link)),
            _ => None,
        })
    }

    /// What all interfaces have carried.
    pub fn traffic(&mut self) -> Result<Vec<Traffic>, Error> {
        let request = || RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.dump(request, |message| match message {
            RouteNetlinkMessage::NewLink(link) => Traffic::of(link),
            _ => None,
        })
    }

    /// All addresses of all interfaces, both families.
    pub fn addresses(&mut self) -> Result<Vec<Address>, Error> {
        let request = || RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump(request, |message| match message {
            RouteNetlinkMessage::NewAddress(address) => Address::of(address),
            _ => None,
        })
    }

    /// All unicast routes of the main table, both families.
    pub fn routes(&mut self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let request = || {
                let mut message = RouteMessage::default();
                message.header.address_family = family;
                message.header.table = RouteHeader::RT_TABLE_MAIN;
                RouteNetlinkMessage::GetRoute(message)
            };
            let dumped = self.dump(request, |message| match message {
                RouteNetlinkMessage::NewRoute(route) => Route::of(route),
                _ => None,
            });
            match dumped {
                Ok(found) => routes.extend(found),
                // A filtered dump of a table that no route ever made exist (ENOENT); a kernel
                // without IPv6 (EAFNOSUPPORT, EOPNOTSUPP).
                Err(Error::Kernel(error)) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(routes)
    }

    /// The id by which this socket's namespace knows `netns` (RTM_GETNSID), if it has given one.
    pub fn nsid_of(&mut self, netns: BorrowedFd<'_>) -> Result<Option<i32>, Error> {
        let Ok(fd) = u32::try_from(netns.as_raw_fd()) else {
            return Ok(None);
        };
        let mut message = NsidMessage::default();
        message.attributes.push(NsidAttribute::Fd(fd));
        let sequence = self.next_sequence();
        self.send(&encode(0, sequence, RouteNetlinkMessage::GetNsId(message)))?;
        let mut id = None;
        self.receive_until(sequence, |message| {
            if let RouteNetlinkMessage::NewNsId(message) = message {
                id = message
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        NsidAttribute::Id(id) if *id >= 0 => Some(*id),
                        _ => None,
                    });
            }
            true
        })?;
        Ok(id)
    }

    /// Carries out `batch` in order. One refusal does not keep later requests from being tried;
    /// the result has one entry for each request, at its place.
    ///
    /// Errors: only where the exchange itself broke, after which it is unknown what was done.
    pub fn commit(&mut self, batch: Batch) -> Result<Vec<Result<(), KernelError>>, Error> {
        let mut results = vec![Ok(()); batch.requests.len()];
        for (chunk_number, chunk) in batch.requests.chunks(REQUESTS_PER_SEND).enumerate() {
            CHANGE_REQUESTS.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            let mut bytes: Vec<u8> = Vec::with_capacity(chunk.iter().map(Vec::len).sum());
            for request in chunk {
                bytes.extend_from_slice(request);
            }
            // The kernel works through a send in order and answers a refused request without
            // being asked, so one acknowledgement, of the last request, ends them all.
            let last = bytes.len() - chunk.last().map_or(0, Vec::len);
            let flags = u16::from_ne_bytes([bytes[last + 6], bytes[last + 7]]) | NLM_F_ACK;
            bytes[last + 6..last + 8].copy_from_slice(&flags.to_ne_bytes());
            self.send(&bytes)?;
            let first_place = chunk_number * REQUESTS_PER_SEND;
            self.collect(first_place, chunk.len(), &mut results)?;
        }
        Ok(results)
    }

    /// Takes the answers to the `count` requests from place `first` on.
    fn collect(
        &mut self,
        first: usize,
        count: usize,
        results: &mut [Result<(), KernelError>],
    ) -> Result<(), Error> {
        let last = first + count - 1;
        loop {
            self.receive()?;
            for answer in answers(&self.buffer) {
                let answer = answer?;
                let place = (answer.sequence as usize).wrapping_sub(1);
                if answer.kind != NLMSG_ERROR || !(first..=last).contains(&place) {
                    continue;
                }
                results[place] = extack::parse(answer.flags, answer.payload)
                    .ok_or_else(|| Error::Malformed("an acknowledgement is too short".into()))?;
                if place == last {
                    return Ok(());
                }
            }
        }
    }

    pub(crate) fn dump<T>(
        &mut self,
        request: impl Fn() -> RouteNetlinkMessage,
        take: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..DUMP_ATTEMPTS {
            let sequence = self.next_sequence();
            self.send(&encode(NLM_F_DUMP, sequence, request()))?;
            let mut found = Vec::new();
            let whole = self.receive_until(sequence, |message| {
                found.extend(take(message));
                false
            })?;
            if whole {
                return Ok(found);
            }
        }
        Err(Error::Interrupted)
    }

    /// Hands every message that answers `sequence` to `take`, until that says true, the dump is
    /// done or the kernel refuses. False if the state changed while it was dumped.
    fn receive_until(
        &mut self,
        sequence: u32,
        mut take: impl FnMut(RouteNetlinkMessage) -> bool,
    ) -> Result<bool, Error> {
        let mut whole = true;
        loop {
            self.receive()?;
            for answer in answers(&self.buffer) {
                let answer = answer?;
                if answer.sequence != sequence {
                    continue;
                }
                whole &= answer.flags & NLM_F_DUMP_INTR == 0;
                match answer.kind {
                    // The payload of a DONE is an errno as that of an ERROR is.
                    NLMSG_DONE | NLMSG_ERROR => {
                        if let Some(refusal) = extack::parse(answer.flags, answer.payload) {
                            refusal?;
                        }
                        return Ok(whole);
                    }
                    kind => {
                        let message = RouteNetlinkMessage::parse_with_param(answer.payload, kind)
                            .map_err(|error| Error::Malformed(error.to_string()))?;
                        if take(message) {
                            return Ok(whole);
                        }
                    }
                }
            }
        }
    }

    fn next_sequence(&mut self) -> u32 {
        // The upper half, so that no late answer to a dump is taken for one to a batch.
        self.sequence = self.sequence.wrapping_add(1) | 0x8000_0000;
        self.sequence
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        loop {
            match self.inner.send(bytes, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Send(error)),
            }
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        loop {
            self.buffer.clear();
            match self.inner.recv(&mut self.buffer, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Receive(error)),
            }
        }
    }
}

/// A socket of one of netlink's protocols, connected to the kernel.
pub(crate) fn open(protocol: isize) -> std::io::Result<netlink_sys::Socket> {
    let socket = netlink_sys::Socket::new(protocol)?;
    socket.connect(&netlink_sys::SocketAddr::new(0, 0))?;
    Ok(socket)
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

pub(crate) fn is_absent(error: &KernelError) -> bool {
    [Errno::NOENT, Errno::AFNOSUPPORT, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.is(*errno))
}

/// The messages in a received buffer. A length that lies ends it with an error.
pub(crate) fn answers(buffer: &[u8]) -> impl Iterator<Item = Result<Answer<'_>, Error>> {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(answer) = split_answer(&mut rest) else {
            rest = &[];
            return Some(Err(Error::Malformed("a message's length is wrong".into())));
        };
        Some(Ok(answer))
    })
}

fn split_answer<'a>(rest: &mut &'a [u8]) -> Option<Answer<'a>> {
    let header: &[u8; 16] = rest.first_chunk()?;
    let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let payload = rest.get(16..length)?;
    let answer = Answer {
        kind: u16::from_ne_bytes([header[4], header[5]]),
        flags: u16::from_ne_bytes([header[6], header[7]]),
        sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
        payload,
    };
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some(answer)
}

/// Entry for fuzzing: any bytes as what was received.
#[doc(hidden)]
pub fn fuzz_answers(bytes: &[u8]) {
    for answer in answers(bytes).flatten() {
        if let Ok(message) = RouteNetlinkMessage::parse_with_param(answer.payload, answer.kind) {
            match message {
                RouteNetlinkMessage::NewLink(link) => {
                    drop(Traffic::of(link.clone()));
                    drop(Link::of(link));
                }
                RouteNetlinkMessage::NewAddress(address) => drop(Address::of(address)),
                RouteNetlinkMessage::NewRoute(route) => drop(Route::of(route)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed() {
        let mut socket = Socket::open().unwrap();
        let links = socket.links().unwrap();
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!((lo.index, lo.kind.as_deref()), (1, None));
        socket.addresses().unwrap();
        socket.routes().unwrap();
    }

    #[test]
    fn what_crosses_loopback_is_counted_both_ways() {
        let mut socket = Socket::open().unwrap();
        let mut of_lo = || {
            let traffic = socket.traffic().unwrap();
            let lo = traffic.into_iter().find(|link| link.name == "lo").unwrap();
            assert_eq!(lo.index, 1);
            lo
        };
        let before = of_lo();
        let here = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        here.send_to(&[0; 1000], here.local_addr().unwrap())
            .unwrap();
        here.recv(&mut [0; 1000]).unwrap();
        let after = of_lo();
        for (before, after) in [(before.sent, after.sent), (before.received, after.received)] {
            assert!(after.bytes >= before.bytes + 1000, "{before:?} {after:?}");
            assert!(after.packets > before.packets, "{before:?} {after:?}");
        }
    }

    #[test]
    fn one_refusal_does_not_stop_the_batch_and_carries_the_kernels_words() {
        let mut socket = Socket::open().unwrap();
        let mut batch = Batch::new();
        batch.delete_link("not-there-1");
        batch.set_link_up("not-there-2");
        let before = change_requests();
        let results = socket.commit(batch).unwrap();
        assert!(change_requests() >= before + 2);
        assert_eq!(results.len(), 2);
        for result in results {
            let errno = result.unwrap_err().errno;
            // Without CAP_NET_ADMIN the kernel does not even look.
            assert!(
                [Errno::NODEV, Errno::PERM]
                    .map(Errno::raw_os_error)
                    .contains(&errno)
            );
        }
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        let mut bytes = vec![0u8; 16];
        bytes[..4].copy_from_slice(&64u32.to_ne_bytes());
        assert!(answers(&bytes).next().unwrap().is_err());
        bytes[..4].copy_from_slice(&8u32.to_ne_bytes());
        assert!(answers(&bytes).next().unwrap().is_err());
        assert!(answers(&bytes[..7]).next().unwrap().is_err());
    }
}
