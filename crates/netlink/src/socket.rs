//! The family rtnetlink(7) on a [`Connection`]: dumps, look-ups and batched changes.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use netlink_packet_core::{NLM_F_DUMP, ParseableParametrized};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{RouteHeader, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;

use crate::batch::{Batch, encode};
use crate::connection::{Answer, Connection, Next, answers};
use crate::error::{Error, KernelError};
use crate::message::{Address, Link, Route, Traffic};

static CHANGE_REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Requests that change something, sent by this process so far. It proves that a second `up`
/// writes nothing.
pub fn change_requests() -> u64 {
    CHANGE_REQUESTS.load(Ordering::Relaxed)
}

/// A synchronous rtnetlink socket, bound for life to one network namespace.
#[derive(Debug)]
pub struct Socket {
    connection: Connection,
}

impl Socket {
    /// Opens a socket in the network namespace of the calling thread. Needs no capability;
    /// changing something through it needs CAP_NET_ADMIN there (netlink(7)).
    pub fn open() -> Result<Self, Error> {
        let connection = Connection::open(netlink_sys::protocols::NETLINK_ROUTE)?;
        Ok(Self { connection })
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
        let request = |sequence| encode(0, sequence, RouteNetlinkMessage::GetNsId(message.clone()));
        let mut id = None;
        self.connection.exchange(request, |answer| {
            if let RouteNetlinkMessage::NewNsId(message) = parse(answer)? {
                id = message
                    .attributes
                    .iter()
                    .find_map(|attribute| match attribute {
                        NsidAttribute::Id(id) if *id >= 0 => Some(*id),
                        _ => None,
                    });
            }
            Ok(Next::Stop)
        })?;
        Ok(id)
    }

    /// Carries out `batch` in order. One refusal does not keep later requests from being tried;
    /// the result has one entry for each request, at its place.
    ///
    /// Errors: only where the exchange itself broke, after which it is unknown what was done.
    pub fn commit(&mut self, batch: Batch) -> Result<Vec<Result<(), KernelError>>, Error> {
        CHANGE_REQUESTS.fetch_add(batch.requests.len() as u64, Ordering::Relaxed);
        self.connection.commit(&batch.requests)
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// All answers to a dump, as far as `take` takes them. `request` is asked for anew where a dump
    /// was interrupted by a change (NLM_F_DUMP_INTR).
    ///
    /// Errors: the kernel refuses, or an answer makes no sense.
    pub fn dump<T>(
        &mut self,
        request: impl Fn() -> RouteNetlinkMessage,
        take: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let request = |sequence| encode(NLM_F_DUMP, sequence, request());
        self.connection
            .dump(request, |answer| Ok(take(parse(answer)?)))
    }
}

pub(crate) fn parse(answer: &Answer<'_>) -> Result<RouteNetlinkMessage, Error> {
    RouteNetlinkMessage::parse_with_param(answer.payload, answer.kind)
        .map_err(|error| Error::Malformed(error.to_string()))
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

pub(crate) fn is_absent(error: &KernelError) -> bool {
    [Errno::NOENT, Errno::AFNOSUPPORT, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.is(*errno))
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
}
