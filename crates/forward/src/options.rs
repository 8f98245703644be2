//! What a forwarder is told: its target, its timers and its limits.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use netnsctl_daemon::Log;
use rustix::io::Errno;

/// The settings of one forwarder.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where connections and datagrams go.
    pub connect: ConnectTarget,
    /// How long a TCP connection to the target may take before its client is reset. 10 s.
    pub connect_timeout: Duration,
    /// How long a TCP connection with one direction ended may carry nothing before it is reset.
    /// 5 min: half-closed is a state programs pass through, and one that is stuck in it holds two
    /// descriptors.
    pub half_close_timeout: Duration,
    /// How dead TCP peers are found. None: not by us.
    pub keepalive: Option<Keepalive>,
    /// How long a UDP session is kept without a datagram either way. 120 s, the least RFC 4787
    /// REQ-5 allows.
    pub udp_timeout: Duration,
    /// How long a UDP session is kept that has carried one datagram each way and no more, as a
    /// question and its answer are, if that is less than `udp_timeout`. 30 s: nobody waits for more,
    /// and it is what the kernel's connection tracking gives such a flow.
    pub udp_single_timeout: Duration,
    /// Most UDP sessions at once. One more replaces the one unused for longest of those whose
    /// client has not written again after an answer, or if there are none of the others. 0 acts
    /// as 1.
    pub max_sessions: usize,
    /// Most TCP connections at once. Further clients wait in the listener's queue. None: as many
    /// as there are descriptors for.
    pub max_connections: Option<usize>,
    /// How long connections may go on after the order to stop before they are reset. 30 s.
    pub drain: Duration,
    /// Whether TCP targets are told who the client is, by a PROXY header of version 2 before its
    /// first byte. The target must expect one. Not.
    pub proxy_protocol: bool,
    /// Threads that carry connections, each with a loop of its own; 1. A UDP listener is served by
    /// one of them, so that a client's datagrams keep their order and their session.
    pub workers: NonZeroUsize,
    /// Whether each thread that forwards, the caller of [`run`](crate::run) too, is cut off for good
    /// from all that forwarding does not need, as [`seal`](crate::seal) does. False.
    pub seal: bool,
    /// What these options are called by who made them, told with the counters. Empty.
    pub label: String,
    /// Where state changes are told.
    pub log: Log,
    /// Where the beginning and the end of every TCP connection are told, for whoever looks for a
    /// fault. None: nowhere, and that costs nothing.
    pub trace: Option<Log>,
}

impl Options {
    /// The defaults, for the one setting that has none.
    pub fn new(connect: ConnectTarget) -> Self {
        Self {
            connect,
            connect_timeout: Duration::from_secs(10),
            half_close_timeout: Duration::from_secs(300),
            keepalive: Some(Keepalive::default()),
            udp_timeout: Duration::from_secs(120),
            udp_single_timeout: Duration::from_secs(30),
            max_sessions: 16_384,
            max_connections: None,
            drain: Duration::from_secs(30),
            proxy_protocol: false,
            workers: NonZeroUsize::MIN,
            seal: false,
            label: String::new(),
            log: Log::default(),
            trace: None,
        }
    }
}

/// Most threads that are started where as many are wanted as there are processors.
const MOST_WORKERS: usize = 8;

/// As many workers as this process may use processors at once (sched_getaffinity(2) and the
/// limits of its cgroup), 8 at most: beyond, they wait for the kernel and not for each other.
pub fn available_workers() -> NonZeroUsize {
    let most = NonZeroUsize::new(MOST_WORKERS).unwrap_or(NonZeroUsize::MIN);
    thread::available_parallelism().map_or(NonZeroUsize::MIN, |available| available.min(most))
}

/// TCP keepalive: a silent peer is asked after `idle` and given up after `probes` unanswered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keepalive {
    /// Silence before the first probe (TCP_KEEPIDLE, whole seconds, at least 1).
    pub idle: Duration,
    /// Time between probes (TCP_KEEPINTVL, whole seconds, at least 1).
    pub interval: Duration,
    /// Probes before the connection counts as dead (TCP_KEEPCNT, 1 to 127).
    pub probes: u32,
}

impl Default for Keepalive {
    /// 15 s, 15 s and 3: a dead peer is found within a minute.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(15),
            interval: Duration::from_secs(15),
            probes: 3,
        }
    }
}

/// Where to connect. Reads and prints as `192.0.2.1:80`, `[2001:db8::1]:80`, `[fe80::1%host]:80`,
/// `unix:/run/app.sock`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConnectTarget {
    /// A plain address; the scope of a link-local one, if any, is a fixed interface index.
    Address(SocketAddr),
    /// A link-local address with its interface by name. The name is looked up at each connect, so
    /// a link that was deleted and made again keeps working.
    LinkLocal {
        /// The address, within fe80::/10.
        address: Ipv6Addr,
        /// The port.
        port: u16,
        /// The interface's name in the namespace of the thread that connects.
        interface: String,
    },
    /// A unix stream socket, by its absolute path; for TCP and unix clients alone. A path belongs
    /// to no network namespace. After [`confine`](netnsctl_daemon::confine) the socket has to be writable,
    /// and its folders searchable, for the user nobody (65534).
    Unix(PathBuf),
}

impl ConnectTarget {
    /// Whether connecting needs an IPv6 socket.
    pub(crate) fn is_ipv6(&self) -> bool {
        match self {
            Self::Address(address) => address.is_ipv6(),
            Self::LinkLocal { .. } => true,
            Self::Unix(_) => false,
        }
    }

    /// The path, if it is a unix socket.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Address(_) | Self::LinkLocal { .. } => None,
        }
    }

    /// The port, if it has one.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Address(address) => Some(address.port()),
            Self::LinkLocal { port, .. } => Some(*port),
            Self::Unix(_) => None,
        }
    }

    /// The address to connect `socket` to now; `ENODEV` if the interface is not there,
    /// `EAFNOSUPPORT` if it is a unix socket.
    pub(crate) fn resolve(&self, socket: BorrowedFd<'_>) -> Result<SocketAddr, Errno> {
        match self {
            Self::Address(address) => Ok(*address),
            Self::LinkLocal {
                address,
                port,
                interface,
            } => {
                let scope = rustix::net::netdevice::name_to_index(socket, interface)?;
                Ok(SocketAddrV6::new(*address, *port, 0, scope).into())
            }
            Self::Unix(_) => Err(Errno::AFNOSUPPORT),
        }
    }
}

impl From<SocketAddr> for ConnectTarget {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for ConnectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::LinkLocal {
                address,
                port,
                interface,
            } => {
                write!(f, "[{address}%{interface}]:{port}")
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A text that is no address to connect to.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read target {text:?}: expected 192.0.2.1:80, [2001:db8::1]:80, \
     [fe80::1%interface]:80 or unix:/absolute/path"
)]
pub struct ParseTargetError {
    /// The text.
    pub text: String,
}

impl FromStr for ConnectTarget {
    type Err = ParseTargetError;

    fn from_str(text: &str) -> Result<Self, ParseTargetError> {
        if let Some(path) = text.strip_prefix("unix:") {
            // sun_path is 108 bytes with the final NUL.
            let fits = path.starts_with('/') && path.len() < 108 && !path.contains('\0');
            return fits
                .then(|| Self::Unix(path.into()))
                .ok_or_else(|| ParseTargetError {
                    text: text.to_owned(),
                });
        }
        let scoped = || {
            let (address, rest) = text.strip_prefix('[')?.split_once('%')?;
            let (interface, port) = rest.rsplit_once("]:")?;
            let address: Ipv6Addr = address.parse().ok()?;
            // IFNAMSIZ is 16 with the final NUL.
            let named = (1..16).contains(&interface.len()) && !interface.contains(['/', '\0']);
            if !named || !address.is_unicast_link_local() {
                return None;
            }
            let port = port.parse().ok()?;
            Some(Self::LinkLocal {
                address,
                port,
                interface: interface.to_owned(),
            })
        };
        let plain = text.parse().ok().map(Self::Address);
        plain.or_else(scoped).ok_or_else(|| ParseTargetError {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_print_as_they_were_read() {
        for text in [
            "192.0.2.1:80",
            "[2001:db8::1]:80",
            "[fe80::1%host]:80",
            "[fe80::1%3]:80",
            "unix:/run/app.sock",
        ] {
            assert_eq!(text.parse::<ConnectTarget>().unwrap().to_string(), text);
        }
        let named = "[fe80::1%host]:80".parse().unwrap();
        assert!(matches!(named, ConnectTarget::LinkLocal { .. }));
    }

    #[test]
    fn workers_are_bounded_by_the_machine_and_by_reason() {
        let available = thread::available_parallelism().unwrap();
        let workers = available_workers();
        assert!(workers.get() <= MOST_WORKERS && workers <= available);
        assert!(workers == available || workers.get() == MOST_WORKERS);
    }

    #[test]
    fn texts_that_name_no_target_are_refused() {
        for text in [
            "",
            "80",
            "localhost:80",
            "[fe80::1%]:80",
            "[2001:db8::1%host]:80",
            "[fe80::1%host]",
            "unix:app.sock",
            "unix:",
            "unix:/a\0b",
        ] {
            assert!(text.parse::<ConnectTarget>().is_err(), "{text:?}");
        }
        let long = format!("unix:/{}", "a".repeat(107));
        assert!(long.parse::<ConnectTarget>().is_err());
        assert!(long[..long.len() - 1].parse::<ConnectTarget>().is_ok());
    }
}
