//! A strict reader of the PROXY header, version 2, written from section 2.2 of the specification
//! and not from what writes it: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a header says of a connection: where it came from and where to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// TCP over IPv4 or IPv6; both of one family.
    Inet(SocketAddr, SocketAddr),
    /// A unix stream, the two sun_path.
    Unix(Box<[u8; 108]>, Box<[u8; 108]>),
}

/// Reads the header at the front of `bytes`; also gives its length.
///
/// Errors: which rule is broken. More must come if it is the length.
pub(super) fn decode(bytes: &[u8]) -> Result<(Told, usize), &'static str> {
    let head = bytes.get(..16).ok_or("less than 16 bytes")?;
    if head[..12]
        != [
            0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
        ]
    {
        return Err("no signature");
    }
    if head[12] >> 4 != 2 {
        return Err("not version 2");
    }
    if head[12] & 0xf != 1 {
        return Err("not the command PROXY");
    }
    let length = usize::from(head[14]) << 8 | usize::from(head[15]);
    let block = bytes.get(16..16 + length).ok_or("less than it announces")?;
    let port = |at: usize| u16::from(block[at]) << 8 | u16::from(block[at + 1]);
    let told = match (head[13], length) {
        (0x11, 12) => {
            let ip =
                |at: usize| Ipv4Addr::new(block[at], block[at + 1], block[at + 2], block[at + 3]);
            Told::Inet((ip(0), port(8)).into(), (ip(4), port(10)).into())
        }
        (0x21, 36) => {
            let group = |at: usize| port(at);
            let ip = |at: usize| {
                let groups: [u16; 8] = std::array::from_fn(|n| group(at + 2 * n));
                Ipv6Addr::from(groups)
            };
            Told::Inet((ip(0), port(32)).into(), (ip(16), port(34)).into())
        }
        (0x31, 216) => {
            let name = |at: usize| Box::new(std::array::from_fn(|n| block[at + n]));
            Told::Unix(name(0), name(108))
        }
        (0x11 | 0x21 | 0x31, _) => return Err("a length that is not its family's"),
        _ => return Err("a family and transport nobody uses"),
    };
    Ok((told, 16 + length))
}
