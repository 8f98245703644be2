//! Changes of links, as the kernel tells whoever listens (RTNLGRP_LINK of rtnetlink(7)).

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkAttribute;
use rustix::io::Errno;

use crate::connection::{RECEIVE_BUFFER, answers};
use crate::error::Error;
use crate::socket::parse;

/// RTMGRP_LINK of include/uapi/linux/rtnetlink.h.
const LINKS: u32 = 1;

/// Messages that one look reads at most.
const READ_AT_ONCE: usize = 256;

/// A socket that becomes readable whenever a link comes, changes or goes in its network namespace,
/// or in another to which that one has given an id ([`crate::Batch::give_nsid`]). It keeps none of
/// the others alive.
#[derive(Debug)]
pub struct LinkEvents(netlink_sys::Socket);

impl LinkEvents {
    /// Listens in the network namespace of the calling thread, and from there in the others. Needs
    /// CAP_NET_BROADCAST in the user namespace that owns it (NETLINK_LISTEN_ALL_NSID, netlink(7)).
    ///
    /// Errors: [`Error::Open`]; EPERM without that capability, or no descriptor is free.
    pub fn open() -> Result<Self, Error> {
        let listen = || {
            let mut socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_ROUTE)?;
            socket.set_non_blocking(true)?;
            socket.set_listen_all_namespaces(true)?;
            socket.bind(&netlink_sys::SocketAddr::new(0, LINKS))?;
            Ok(socket)
        };
        listen().map(Self).map_err(Error::Open)
    }

    /// The names of the links that came, changed or went since the last call; none if that is not
    /// known: some events were lost (ENOBUFS), cannot be understood, or are more than one call reads. The
    /// bound is there because a user who may change links in one of the namespaces can cause events
    /// without end.
    pub fn changed(&self) -> Option<BTreeSet<String>> {
        let mut names = Some(BTreeSet::new());
        let mut buffer = Vec::with_capacity(RECEIVE_BUFFER);
        for _ in 0..READ_AT_ONCE {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Ok(_) => match read(&buffer) {
                    Ok(read) => names.iter_mut().for_each(|all| all.extend(read.clone())),
                    Err(_) => names = None,
                },
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return names,
                Err(error) if is(&error, Errno::NOBUFS) => names = None,
                // It will be the same the next time, so it is not asked again.
                Err(_) => return None,
            }
        }
        None
    }
}

fn is(error: &std::io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// The names of links in what was received.
fn read(bytes: &[u8]) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for answer in answers(bytes) {
        let message = parse(&answer?)?;
        let (RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link)) = message
        else {
            continue;
        };
        names.extend(link.attributes.into_iter().find_map(|one| match one {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        }));
    }
    Ok(names)
}

impl AsFd for LinkEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
