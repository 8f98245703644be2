//! Sockets for the target, and beginning to connect them.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, ipproto};

use crate::listener::tune;
use crate::options::Options;

/// How far a connect has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attempt {
    /// Connected.
    Done,
    /// An event will tell.
    Begun,
    /// The queue of a unix socket is full. Nothing was begun and no event will tell of room
    /// (connect(2), EAGAIN), so it has to be tried again.
    Full,
}

/// Makes a socket of the target's family.
pub(crate) fn make_socket(options: &Options) -> Result<OwnedFd, Errno> {
    let (family, protocol) = match &options.connect {
        target if target.path().is_some() => (AddressFamily::UNIX, None),
        target if target.is_ipv6() => (AddressFamily::INET6, Some(ipproto::TCP)),
        _ => (AddressFamily::INET, Some(ipproto::TCP)),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(family, SocketType::STREAM, flags, protocol)
}

/// Begins to connect `socket` to the target.
///
/// Errors: what the kernel says at once. Of a unix socket that is all it ever says: `ECONNREFUSED`
/// when nobody listens, `ENOENT` without a file, `EACCES` if it may not be written.
pub(crate) fn connect(socket: &OwnedFd, options: &Options) -> Result<Attempt, Errno> {
    if let Some(path) = options.connect.path() {
        return match net::connect(socket, &SocketAddrUnix::new(path)?) {
            Ok(()) => Ok(Attempt::Done),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Attempt::Full),
            Err(error) => Err(error),
        };
    }
    tune(socket, options.keepalive.as_ref())?;
    let address = options.connect.resolve(socket.as_fd())?;
    match net::connect(socket, &address) {
        Ok(()) => Ok(Attempt::Done),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Attempt::Begun),
        Err(error) => Err(error),
    }
}

/// Whether `socket` is connected to itself, at the target's `port`. The kernel may choose the very
/// port that is connected to as the source; if nothing listens there, TCP's simultaneous open makes
/// the socket its own peer, and it would keep the real target from binding. Only a matching port
/// costs a second look.
pub(crate) fn is_self(socket: &OwnedFd, port: u16) -> bool {
    let local = net::getsockname(socket).and_then(SocketAddr::try_from);
    let Some(local) = local.ok().filter(|local| local.port() == port) else {
        return false;
    };
    let peer = net::getpeername(socket).ok().flatten();
    peer.and_then(|peer| SocketAddr::try_from(peer).ok()) == Some(local)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_socket_that_is_its_own_peer_is_recognised() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(!is_self(&stream.into(), port));
        let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = SocketAddr::try_from(net::getsockname(&socket).unwrap()).unwrap();
        net::connect(&socket, &address).unwrap();
        assert!(is_self(&socket, address.port()));
    }
}
