//! Addresses as configuration writes them and rtnetlink(7) carries them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::name::InterfaceName;

/// The smallest MTU with which a link has IPv6, in bytes (RFC 8200, section 5). With less the kernel
/// turns IPv6 off (`addrconf_notify()` in net/ipv6/addrconf.c).
pub const IPV6_MIN_MTU: u32 = 1280;

/// Whether `ip` is an IPv6 link-local address, which has a meaning only together with a link.
pub fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// An interface address: host bits and the length of its prefix (`10.20.0.1/24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress(pub IpNet);

impl InterfaceAddress {
    /// The address without the prefix length.
    pub fn ip(&self) -> IpAddr {
        self.0.addr()
    }

    /// Bits of the prefix.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether it is an IPv6 link-local address, which the kernel makes by itself as well.
    pub fn is_link_local(&self) -> bool {
        is_link_local(self.ip())
    }

    /// Whether the prefix is the whole address. Only such an address may be on several links of a
    /// namespace (unnumbered links).
    pub fn is_single(&self) -> bool {
        self.0.prefix_len() == self.0.max_prefix_len()
    }
}

impl FromStr for InterfaceAddress {
    type Err = ipnet::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A link-layer address of six bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Reads `02:00:00:00:00:01`. The kernel takes neither multicast nor all-zero addresses for a
    /// link (`is_valid_ether_addr()`), so neither is taken here.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next()?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        let valid = parts.next().is_none() && bytes[0] & 1 == 0 && bytes != [0; 6];
        valid.then_some(Self(bytes))
    }

    /// The IPv6 link-local address the kernel makes of it (modified EUI-64, RFC 4291 appendix A),
    /// with the prefix length the kernel gives it.
    pub fn link_local(&self) -> InterfaceAddress {
        let [a, b, c, d, e, f] = self.0;
        let octets = [
            0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            a ^ 2,
            b,
            c,
            0xff,
            0xfe,
            d,
            e,
            f,
        ];
        InterfaceAddress(IpNet::new_assert(IpAddr::V6(octets.into()), 64))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// Where a socket listens or connects: an address, a port and, for IPv6 link-local addresses, the
/// interface that gives them a meaning (`[fe80::1%host]:80`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub ip: IpAddr,
    /// The interface of a link-local address.
    pub scope: Option<InterfaceName>,
    /// The port; never 0.
    pub port: u16,
}

/// Why an endpoint was refused. The text is meant to stand behind the quoted endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not `address:port` at all.
    #[error("is not ADDRESS:PORT, such as \"127.0.0.1:80\" or \"[::1]:80\"")]
    Form,
    /// The port is 0 or beyond 65535.
    #[error("has no port between 1 and 65535")]
    Port,
    /// A name where an address belongs: nothing is resolved here.
    #[error("has a host name where an IP address belongs")]
    HostName,
    /// fe80::/10 without `%interface`.
    #[error(
        "is a link-local address without its interface; write it as \"[fe80::1%INTERFACE]:PORT\""
    )]
    NoScope,
    /// `%interface` on an address that needs none.
    #[error("has an interface (\"%…\") on an address that is not link-local")]
    NeedlessScope,
    /// The interface is no interface name.
    #[error("has a bad interface name: it {0}")]
    Scope(crate::name::NameError),
}

impl Endpoint {
    /// Reads `ADDRESS:PORT`, with brackets around IPv6.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let (host, port) = text.rsplit_once(':').ok_or(EndpointError::Form)?;
        if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(EndpointError::Form);
        }
        let port = port
            .parse()
            .ok()
            .filter(|p| *p != 0)
            .ok_or(EndpointError::Port)?;
        let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let Some(inner) = bracketed else {
            return match host.parse::<IpAddr>() {
                Ok(ip @ IpAddr::V4(_)) => Ok(Self {
                    ip,
                    scope: None,
                    port,
                }),
                // Without brackets the last group of the address and the port look alike.
                Ok(IpAddr::V6(_)) => Err(EndpointError::Form),
                Err(_) if host.is_empty() || host.contains(':') => Err(EndpointError::Form),
                Err(_) => Err(EndpointError::HostName),
            };
        };
        let (address, scope) = match inner.split_once('%') {
            Some((address, scope)) => (
                address,
                Some(InterfaceName::parse(scope).map_err(EndpointError::Scope)?),
            ),
            None => (inner, None),
        };
        let ip = match address.parse::<std::net::Ipv6Addr>() {
            Ok(ip) => ip,
            Err(_) => return Err(EndpointError::Form),
        };
        match (ip.is_unicast_link_local(), &scope) {
            (true, None) => Err(EndpointError::NoScope),
            (false, Some(_)) => Err(EndpointError::NeedlessScope),
            _ => Ok(Self {
                ip: IpAddr::V6(ip),
                scope,
                port,
            }),
        }
    }

    /// The address and port, the scope left at 0 for whoever knows the interface's index.
    pub fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, &self.scope) {
            (IpAddr::V6(ip), Some(scope)) => write!(f, "[{ip}%{scope}]:{}", self.port),
            (IpAddr::V6(ip), None) => write!(f, "[{ip}]:{}", self.port),
            (IpAddr::V4(ip), _) => write!(f, "{ip}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_round_trip() {
        for text in ["127.0.0.1:80", "[::]:53", "[fe80::1%host]:8080"] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_endpoints_say_why() {
        let cases = [
            ("127.0.0.1", EndpointError::Form),
            ("127.0.0.1:0", EndpointError::Port),
            ("127.0.0.1:65536", EndpointError::Port),
            ("localhost:80", EndpointError::HostName),
            ("::1:80", EndpointError::Form),
            ("[fe80::1]:80", EndpointError::NoScope),
            ("[::1%host]:80", EndpointError::NeedlessScope),
            ("[127.0.0.1]:80", EndpointError::Form),
        ];
        for (text, error) in cases {
            assert_eq!(Endpoint::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn mac_addresses_make_the_link_local_of_the_manual() {
        let mac = MacAddress::parse("02:00:00:00:00:01").unwrap();
        assert_eq!(mac.link_local().to_string(), "fe80::ff:fe00:1/64");
        for bad in [
            "01:00:00:00:00:01",
            "00:00:00:00:00:00",
            "2:0:0:0:0:1",
            "02-00-00-00-00-01",
        ] {
            assert_eq!(MacAddress::parse(bad), None, "{bad}");
        }
    }
}
