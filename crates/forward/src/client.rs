//! Clients: accepting them.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, SocketFlags};

use crate::address::Address;
use crate::listener::{Listener, tune};
use crate::options::Options;
use crate::proxy_header::proxy_header;

/// A client that was accepted.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) fd: OwnedFd,
    pub(crate) is_unix: bool,
    /// What the target gets before the client's first byte.
    pub(crate) header: Vec<u8>,
}

/// Takes the next client of `listener`'s queue, its PROXY header written if the target wants one.
/// Closing the client is a reset.
///
/// Errors: those of accept(2). A client of which the kernel does not tell where it came from is
/// reset and counts as one that left (`ECONNABORTED`).
pub(crate) fn accept(listener: &mut Listener, options: &Options) -> Result<Client, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // The address as it is told here is that of a client that has left already, too.
    let accepted = match options.proxy_protocol {
        true => net::acceptfrom_with(&listener.fd, flags),
        false => net::accept_with(&listener.fd, flags).map(|fd| (fd, None)),
    };
    listener.passes_on |= accepted.as_ref().is_err_and(|error| *error == Errno::AGAIN);
    let (fd, from) = accepted?;
    let is_unix = listener.is_unix();
    if !listener.passes_on && !is_unix {
        // It may have come before its listener was tuned. The kernel took all of that there.
        let _ = tune(&fd, options.keepalive.as_ref());
    }
    let header = || {
        let from = Address::read(from.ok_or(Errno::DESTADDRREQ)?)?;
        let to = Address::read(net::getsockname(&fd)?)?;
        Ok::<_, Errno>(proxy_header(&from, &to))
    };
    let header = match options.proxy_protocol {
        true => header().map_err(|_| Errno::CONNABORTED)?,
        false => Vec::new(),
    };
    Ok(Client {
        fd,
        is_unix,
        header,
    })
}

/// Whether an error of accept is one of the client that would have been accepted, as accept(2)
/// lists them, so that the next one may succeed at once.
pub(crate) fn is_of_client(error: Errno) -> bool {
    matches!(
        error,
        Errno::CONNABORTED
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NONET
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
            | Errno::PERM
            | Errno::PROTO
    )
}
