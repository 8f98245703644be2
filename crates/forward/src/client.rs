//! Clients: accepting them, and turning them away.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, SocketFlags, sockopt};

use crate::address::Address;
use crate::listener::Listener;
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
///
/// Errors: those of accept(2). A client of which the kernel does not tell where it came from is
/// reset and counts as one that left (`ECONNABORTED`).
pub(crate) fn accept(listener: &Listener, with_header: bool) -> Result<Client, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let is_unix = listener.is_unix();
    if !with_header {
        let fd = net::accept_with(&listener.fd, flags)?;
        let header = Vec::new();
        return Ok(Client {
            fd,
            is_unix,
            header,
        });
    }
    // The address as it is told here is that of a client that has left already, too.
    let (fd, from) = net::acceptfrom_with(&listener.fd, flags)?;
    let header = || {
        let from = Address::read(from.ok_or(Errno::DESTADDRREQ)?)?;
        let to = Address::read(net::getsockname(&fd)?)?;
        Ok(proxy_header(&from, &to))
    };
    match header() {
        Ok(header) => Ok(Client {
            fd,
            is_unix,
            header,
        }),
        Err::<_, Errno>(_) => {
            refuse(&fd);
            Err(Errno::CONNABORTED)
        }
    }
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

/// Makes the close of `client` a reset.
pub(crate) fn refuse(client: &OwnedFd) {
    let _ = sockopt::set_socket_linger(client, Some(Duration::ZERO));
}
