//! The PROXY header, version 2: what a target is told about the client before the first byte.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2. Only what
//! every receiver has to understand is sent: no extensions (TLV), no checksum.

use std::net::{IpAddr, SocketAddr};

use rustix::net::SocketAddrUnix;

use crate::address::{Address, path};

/// What no other protocol begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2, command PROXY: the connection is another's.
const VERSION_AND_COMMAND: u8 = 0x21;

/// Family and transport: the high half is the family, the low half 1 for a stream.
const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;

/// Bytes for the name of a unix socket, as in sun_path of unix(7).
const UNIX_NAME: usize = 108;

/// The header for a connection that came from `client` to `local`, as accept(2) and getsockname(2)
/// told them.
///
/// IPv4 addresses that an IPv6 socket shows mapped (`::ffff:192.0.2.1`) are sent as IPv4. Names of
/// unix sockets are sent as such; a client without one, as most are, is all zeros. The interface
/// of a link-local address has no place in the header.
pub fn proxy_header(client: &Address, local: &Address) -> Vec<u8> {
    let (family, addresses) = match (client, local) {
        (Address::Inet(client), Address::Inet(local)) => inet(*client, *local),
        (Address::Unix(client), Address::Unix(local)) => {
            (UNIX_STREAM, [name(client), name(local)].concat())
        }
        // No socket has addresses of two kinds.
        (Address::Inet(_), Address::Unix(_)) | (Address::Unix(_), Address::Inet(_)) => {
            (UNSPECIFIED, Vec::new())
        }
    };
    let length = u16::try_from(addresses.len()).unwrap_or_default();
    let mut header = SIGNATURE.to_vec();
    header.extend([VERSION_AND_COMMAND, family]);
    header.extend(length.to_be_bytes());
    header.extend(addresses);
    header
}

fn inet(client: SocketAddr, local: SocketAddr) -> (u8, Vec<u8>) {
    let (from, to) = (client.ip().to_canonical(), local.ip().to_canonical());
    let (family, mut addresses) = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            (TCP_OVER_IPV4, [from.octets(), to.octets()].concat())
        }
        (from, to) => (TCP_OVER_IPV6, [ipv6(from), ipv6(to)].concat()),
    };
    addresses.extend(client.port().to_be_bytes());
    addresses.extend(local.port().to_be_bytes());
    (family, addresses)
}

fn ipv6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn name(name: &SocketAddrUnix) -> [u8; UNIX_NAME] {
    let mut field = [0; UNIX_NAME];
    // An abstract name begins with a zero.
    let (start, bytes) = match (path(name), name.abstract_name()) {
        (Some(path), _) => (0, path),
        (None, Some(name)) => (1, name),
        (None, None) => (0, &[][..]),
    };
    field[start..start + bytes.len()].copy_from_slice(bytes);
    field
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn header(client: &str, local: &str) -> Vec<u8> {
        let address = |text: &str| Address::from(text.parse::<SocketAddr>().unwrap());
        proxy_header(&address(client), &address(local))
    }

    #[test]
    fn ipv4_is_what_the_specification_shows() {
        let expected =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x02\x12\x34\x01\xbb";
        assert_eq!(header("192.0.2.1:4660", "10.0.0.2:443"), expected);
    }

    #[test]
    fn mapped_addresses_are_sent_as_ipv4() {
        let mapped = header("[::ffff:192.0.2.1]:4660", "[::ffff:10.0.0.2]:443");
        assert_eq!(mapped, header("192.0.2.1:4660", "10.0.0.2:443"));
    }

    #[test]
    fn unix_names_fill_their_fields() {
        let path = Address::unix(Path::new("/run/a")).unwrap();
        let client = Address::Unix(SocketAddrUnix::new_abstract_name(&[7; 107]).unwrap());
        let header = proxy_header(&client, &path);
        assert_eq!(header[12..16], [0x21, 0x31, 0, 216]);
        assert_eq!((header[16], &header[17..124]), (0, &[7; 107][..]));
        assert_eq!(&header[124..131], b"/run/a\0");
        assert_eq!(header.len(), 16 + 216);
    }
}
