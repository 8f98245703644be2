//! Listening sockets: making them, and recognising those that were handed over.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use netnsctl_daemon::{BACKLOG, BindError};
use netnsctl_sys::datagram;
use netnsctl_sys::errno::words;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use crate::address::Address;
use crate::options::Keepalive;

/// Bytes of receive buffer asked for on UDP sockets; net.core.rmem_max may allow fewer. The
/// default of 208 KiB holds some 90 datagrams of 1,200 bytes, less than one burst.
const UDP_BUFFER: usize = 4 << 20;

/// The transport protocol of a listener.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Protocol {
    /// Connections. Those of a unix stream socket count as such.
    Tcp,
    /// Datagrams.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// A socket that [`run`](crate::run) can serve.
#[derive(Debug)]
pub struct Listener {
    pub(crate) fd: OwnedFd,
    protocol: Protocol,
    /// In a box: it is large, and listeners are handed around.
    address: Box<Address>,
    dual_stack: bool,
    /// Whether it has a turn coming.
    pub(crate) queued: bool,
    /// Whether all sockets of its queue have inherited what [`tune`] set on it: its queue was empty
    /// once since then.
    pub(crate) passes_on: bool,
}

/// Why a descriptor cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenerError {
    /// The descriptor is no socket, or the kernel refused a step of preparing it.
    #[error("cannot {step} on a listener: {}", words(errno))]
    Prepare {
        /// What failed.
        step: &'static str,
        /// The kernel's answer; `ENOTSOCK` for what is no socket.
        errno: Errno,
    },
    /// A socket of another family or type than TCP and UDP over IPv4 and IPv6 or unix streams.
    #[error(
        "cannot serve a socket of family {family} and type {kind}: expected TCP, UDP or a unix stream"
    )]
    Unsupported {
        /// The address family's number.
        family: u16,
        /// The socket type's number.
        kind: u32,
    },
    /// A stream socket that does not listen.
    #[error("cannot serve socket {address}: it is not listening")]
    NotListening {
        /// The address it is bound to.
        address: Address,
    },
}

impl Listener {
    /// Recognises a listening TCP or unix stream socket or a bound UDP socket and prepares it:
    /// non-blocking, and for UDP told to report where datagrams were sent to (IP_PKTINFO,
    /// IPV6_RECVPKTINFO; only where that is not the socket's own address) and how many were lost
    /// (SO_RXQ_OVFL), to keep coalesced ones whole (UDP_GRO), and given a larger receive buffer. A
    /// flag set here is shared with whoever else holds the socket.
    ///
    /// Needs no capability, and works from any network namespace. See socket(7), udp(7).
    ///
    /// Errors: [`ListenerError::Unsupported`] and [`ListenerError::NotListening`] for sockets that
    /// cannot be served, [`ListenerError::Prepare`] with the step that failed otherwise. The
    /// descriptor is closed then.
    pub fn from_fd(fd: OwnedFd) -> Result<Self, ListenerError> {
        let step = |step| move |errno| ListenerError::Prepare { step, errno };
        let kind = sockopt::socket_type(&fd).map_err(step("read SO_TYPE"))?;
        let family = sockopt::socket_domain(&fd).map_err(step("read SO_DOMAIN"))?;
        let transport = sockopt::socket_protocol(&fd).map_err(step("read SO_PROTOCOL"))?;
        let ipv6 = family == AddressFamily::INET6;
        let inet = ipv6 || family == AddressFamily::INET;
        let protocol = match kind {
            SocketType::STREAM if inet && transport == Some(ipproto::TCP) => Protocol::Tcp,
            SocketType::DGRAM if inet && transport == Some(ipproto::UDP) => Protocol::Udp,
            SocketType::STREAM if family == AddressFamily::UNIX => Protocol::Tcp,
            _ => return Err(unsupported(family, kind)),
        };
        let address = net::getsockname(&fd).and_then(Address::read);
        let address = address.map_err(step("read the address"))?;
        let dual_stack = ipv6 && !sockopt::ipv6_v6only(&fd).map_err(step("read IPV6_V6ONLY"))?;
        rustix::io::ioctl_fionbio(&fd, true).map_err(step("set O_NONBLOCK"))?;
        match protocol {
            Protocol::Tcp => {
                if !sockopt::socket_acceptconn(&fd).map_err(step("read SO_ACCEPTCONN"))? {
                    return Err(ListenerError::NotListening { address });
                }
            }
            Protocol::Udp => {
                let wildcard = address.inet().is_some_and(|it| it.ip().is_unspecified());
                if wildcard {
                    datagram::report_destination(&fd, ipv6).map_err(step("set IP_PKTINFO"))?;
                }
                datagram::report_losses(&fd).map_err(step("set SO_RXQ_OVFL"))?;
                // Without it, datagrams come one by one.
                let _ = datagram::coalesce(&fd);
                grow_buffer(&fd);
            }
        }
        Ok(Self {
            fd,
            protocol,
            address: address.into(),
            dual_stack,
            queued: false,
            passes_on: false,
        })
    }

    /// The same socket for another loop.
    ///
    /// Errors: `EMFILE` when there are no more descriptors.
    pub(crate) fn duplicate(&self) -> Result<Self, Errno> {
        Ok(Self {
            fd: rustix::io::fcntl_dupfd_cloexec(&self.fd, 0)?,
            protocol: self.protocol,
            address: self.address.clone(),
            dual_stack: self.dual_stack,
            queued: false,
            passes_on: false,
        })
    }

    /// The protocol it serves.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The address it is bound to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether it is a unix socket.
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.address(), Address::Unix(_))
    }

    /// Whether it is an IPv6 socket that serves IPv4 clients too (IPV6_V6ONLY off).
    pub fn is_dual_stack(&self) -> bool {
        self.dual_stack
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Address::Inet(address) => write!(f, "{} {address}", self.protocol),
            Address::Unix(_) => self.address.fmt(f),
        }
    }
}

fn unsupported(family: AddressFamily, kind: SocketType) -> ListenerError {
    ListenerError::Unsupported {
        family: family.as_raw(),
        kind: kind.as_raw(),
    }
}

/// Asks for a receive buffer that holds a burst. Less is no error: it only loses datagrams sooner.
pub(crate) fn grow_buffer(socket: &OwnedFd) {
    if sockopt::socket_recv_buffer_size(socket).is_ok_and(|size| size < UDP_BUFFER) {
        let _ = sockopt::set_socket_recv_buffer_size(socket, UDP_BUFFER);
    }
}

/// Sets what both sockets of a connection want: no delay for small writes, keepalive, urgent bytes
/// in line, since a byte sent as urgent would otherwise be lost on the way, and that a close is a
/// reset (SO_LINGER of zero), until [`end_in_order`] takes that back: so the sockets of a forwarder
/// that is killed do not look like the end of the data.
///
/// On a listener these are inherited by every socket that comes to its queue afterwards (the kernel
/// clones it).
pub(crate) fn tune(socket: &OwnedFd, keepalive: Option<&Keepalive>) -> Result<(), Errno> {
    let second = Duration::from_secs(1);
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_oobinline(socket, true)?;
    sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
    let Some(keepalive) = keepalive else {
        // A service manager may have switched it on.
        return sockopt::set_socket_keepalive(socket, false);
    };
    sockopt::set_tcp_keepidle(socket, keepalive.idle.max(second))?;
    sockopt::set_tcp_keepintvl(socket, keepalive.interval.max(second))?;
    sockopt::set_tcp_keepcnt(socket, keepalive.probes.clamp(1, 127))?;
    sockopt::set_socket_keepalive(socket, true)
}

/// Makes the close of a socket an orderly end: the kernel still delivers what the socket was given.
pub(crate) fn end_in_order(socket: &OwnedFd) {
    // It was set the same way, so the kernel knows it.
    let _ = sockopt::set_socket_linger(socket, None);
}

/// Makes a socket for [`Listener::from_fd`] in the calling thread's network namespace.
///
/// It may be bound before the address exists (IP_FREEBIND, IPV6_FREEBIND). A TCP port can be taken
/// again while old connections linger (SO_REUSEADDR), and the queue of connections not yet accepted
/// is 4,096 long, or as long as net.core.somaxconn allows. `[::]` serves IPv4 too, whatever
/// net.ipv6.bindv6only says (IPV6_V6ONLY off); any other IPv6 address serves IPv6 only.
///
/// Needs CAP_NET_BIND_SERVICE for ports below net.ipv4.ip_unprivileged_port_start. See ip(7),
/// ipv6(7), listen(2).
///
/// Errors: [`BindError`] with the step; `EADDRINUSE` when another socket has the address.
pub fn bind_listener(protocol: Protocol, address: SocketAddr) -> Result<OwnedFd, BindError> {
    let at = |step| {
        move |errno| BindError {
            step,
            what: format!("{protocol} {address}"),
            errno,
        }
    };
    let (family, ipv6) = match address {
        SocketAddr::V4(_) => (AddressFamily::INET, false),
        SocketAddr::V6(_) => (AddressFamily::INET6, true),
    };
    let (kind, transport) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd =
        net::socket_with(family, kind, flags, Some(transport)).map_err(at("create a socket"))?;
    if ipv6 {
        let only = !address.ip().is_unspecified();
        sockopt::set_ipv6_v6only(&fd, only).map_err(at("set IPV6_V6ONLY"))?;
        sockopt::set_ipv6_freebind(&fd, true).map_err(at("set IPV6_FREEBIND"))?;
    }
    // Also on an IPv6 socket: it covers the IPv4 half of `[::]` and mapped addresses.
    sockopt::set_ip_freebind(&fd, true).map_err(at("set IP_FREEBIND"))?;
    if protocol == Protocol::Tcp {
        sockopt::set_socket_reuseaddr(&fd, true).map_err(at("set SO_REUSEADDR"))?;
    }
    net::bind(&fd, &address).map_err(at("bind"))?;
    if protocol == Protocol::Tcp {
        net::listen(&fd, BACKLOG).map_err(at("listen"))?;
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(
            Listener::from_fd(tcp.into()).unwrap().protocol(),
            Protocol::Tcp
        );
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        assert_eq!(
            Listener::from_fd(udp.into()).unwrap().protocol(),
            Protocol::Udp
        );
        let unix = UnixDatagram::unbound().unwrap();
        let refused = Listener::from_fd(unix.into());
        assert!(matches!(refused, Err(ListenerError::Unsupported { .. })));
        let file = std::fs::File::open("/dev/null").unwrap();
        let refused = Listener::from_fd(file.into()).unwrap_err();
        assert!(matches!(
            refused,
            ListenerError::Prepare {
                errno: Errno::NOTSOCK,
                ..
            }
        ));
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        let refused = Listener::from_fd(stream.into());
        assert!(matches!(refused, Err(ListenerError::NotListening { .. })));
    }

    #[test]
    fn an_address_that_does_not_exist_yet_can_be_bound() {
        for address in ["192.0.2.7:0", "[2001:db8::7]:0"] {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let listener = bind_listener(protocol, address.parse().unwrap()).unwrap();
                assert!(Listener::from_fd(listener).is_ok());
            }
        }
    }

    #[test]
    fn a_taken_address_is_named_with_the_reason() {
        let first = bind_listener(Protocol::Tcp, "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = Listener::from_fd(first)
            .map(|it| (it.address().inet().unwrap(), it))
            .unwrap();
        let error = bind_listener(Protocol::Tcp, address.0)
            .unwrap_err()
            .to_string();
        let expected = format!("cannot bind for TCP {}: Address already in use", address.0);
        assert!(error.starts_with(&expected), "{error}");
    }

    #[test]
    fn only_the_ipv6_wildcard_is_dual_stack() {
        for (address, dual) in [("[::]:0", true), ("[::1]:0", false), ("0.0.0.0:0", false)] {
            let fd = bind_listener(Protocol::Udp, address.parse().unwrap()).unwrap();
            assert_eq!(
                Listener::from_fd(fd).unwrap().is_dual_stack(),
                dual,
                "{address}"
            );
        }
    }

    #[test]
    fn accepted_sockets_inherit_what_was_set_on_the_listener() {
        let fd = bind_listener(Protocol::Tcp, "127.0.0.1:0".parse().unwrap()).unwrap();
        tune(&fd, Some(&Keepalive::default())).unwrap();
        let listener = TcpListener::from(fd);
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        };
        assert!(sockopt::tcp_nodelay(&accepted).unwrap());
        assert!(sockopt::socket_keepalive(&accepted).unwrap());
        assert!(sockopt::socket_oobinline(&accepted).unwrap());
        let linger = sockopt::socket_linger(&accepted).unwrap();
        assert_eq!(linger, Some(Duration::ZERO));
        assert_eq!(
            sockopt::tcp_keepidle(&accepted).unwrap(),
            Duration::from_secs(15)
        );
        let accepted = accepted.into();
        end_in_order(&accepted);
        assert_eq!(sockopt::socket_linger(&accepted).unwrap(), None);
    }
}
