//! Socket names and packet-info control messages as bytes: all safe code, all bounds-checked.

use super::*;

/// Reads a sockaddr_in or sockaddr_in6 of which the kernel wrote `length` bytes.
pub(super) fn decode_name(name: &[u8; NAME], length: libc::socklen_t) -> Option<SocketAddr> {
    let name = name.get(..usize::try_from(length).ok()?.min(NAME))?;
    let port = u16::from_be_bytes(array(name, 2)?);
    match i32::from(u16::from_ne_bytes(array(name, 0)?)) {
        libc::AF_INET => {
            let address = Ipv4Addr::from(array::<4>(name, 4)?);
            Some(SocketAddr::from((address, port)))
        }
        libc::AF_INET6 => {
            let flow = u32::from_be_bytes(array(name, 4)?);
            let address = Ipv6Addr::from(array::<16>(name, 8)?);
            let scope = u32::from_ne_bytes(array(name, 24)?);
            Some(SocketAddrV6::new(address, port, flow, scope).into())
        }
        _ => None,
    }
}

/// Writes `address` as a sockaddr and returns its length.
pub(super) fn encode_name(address: SocketAddr, name: &mut [u8; NAME]) -> libc::socklen_t {
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // The address family constants are below 256 on every Linux.
    let family = libc::sa_family_t::try_from(family).unwrap_or_default();
    name[..2].copy_from_slice(&family.to_ne_bytes());
    name[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            name[4..8].copy_from_slice(&v4.ip().octets());
            // The rest of a sockaddr_in is padding.
            16
        }
        SocketAddr::V6(v6) => {
            name[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
            name[8..24].copy_from_slice(&v6.ip().octets());
            name[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
            NAME_LENGTH
        }
    }
}

/// What the control messages of one datagram tell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    pub(super) local: Option<Local>,
    pub(super) segment: u16,
    pub(super) lost: u32,
}

/// Reads the control messages in `control`, as far as they make sense.
pub(super) fn decode_controls(mut control: &[u8]) -> Told {
    let mut told = Told::default();
    while let Some(rest) = decode_control(control, &mut told) {
        control = rest;
    }
    told
}

/// Reads one control message and returns what is behind it.
///
/// For IPv4 the local address is `ipi_spec_dst`, not `ipi_addr`: they differ for a broadcast or
/// multicast, which nothing can be sent from.
fn decode_control<'a>(control: &'a [u8], told: &mut Told) -> Option<&'a [u8]> {
    // A cmsghdr is a length (header included), a level and a type.
    let length = usize::from_ne_bytes(array(control, 0)?);
    let level = i32::from_ne_bytes(array(control, size_of::<usize>())?);
    let kind = i32::from_ne_bytes(array(control, size_of::<usize>() + 4)?);
    let data = control.get(CMSG_HEADER..length)?;
    match (level, kind) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            let interface = u32::from_ne_bytes(array(data, 0)?);
            let address = Ipv4Addr::from(array::<4>(data, 4)?).into();
            told.local = Some(Local { address, interface });
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            let address = Ipv6Addr::from(array::<16>(data, 0)?).into();
            let interface = u32::from_ne_bytes(array(data, 16)?);
            told.local = Some(Local { address, interface });
        }
        (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => told.lost = u32::from_ne_bytes(array(data, 0)?),
        (libc::SOL_UDP, libc::UDP_GRO) => {
            told.segment = u16::try_from(i32::from_ne_bytes(array(data, 0)?)).ok()?;
        }
        _ => {}
    }
    // `length` is at least a header and inside the buffer, so this always moves on.
    control.get(length.next_multiple_of(size_of::<usize>())..)
}

/// Writes the packet info that pins `from` as the source and returns the bytes used.
pub(super) fn encode_local(from: Local, control: &mut [u8; CONTROL]) -> usize {
    let (level, kind, size) = match from.address {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, IN_PKTINFO),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, IN6_PKTINFO),
    };
    let word = size_of::<usize>();
    control[..word].copy_from_slice(&(CMSG_HEADER + size).to_ne_bytes());
    control[word..word + 4].copy_from_slice(&level.to_ne_bytes());
    control[word + 4..word + 8].copy_from_slice(&kind.to_ne_bytes());
    let data = &mut control[CMSG_HEADER..];
    match from.address {
        IpAddr::V4(address) => {
            data[..4].copy_from_slice(&from.interface.to_ne_bytes());
            data[4..8].copy_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            data[..16].copy_from_slice(&address.octets());
            data[16..20].copy_from_slice(&from.interface.to_ne_bytes());
        }
    }
    (CMSG_HEADER + size).next_multiple_of(word)
}

/// Writes the length of the datagrams that a message is to be cut into, unless it is 0, and
/// returns the bytes used.
pub(super) fn encode_segment(segment: u16, control: &mut [u8]) -> usize {
    const LENGTH: usize = CMSG_HEADER + size_of::<u16>();
    if segment == 0 {
        return 0;
    }
    let word = size_of::<usize>();
    control[..word].copy_from_slice(&LENGTH.to_ne_bytes());
    control[word..word + 4].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    control[word + 4..word + 8].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    control[CMSG_HEADER..LENGTH].copy_from_slice(&segment.to_ne_bytes());
    LENGTH.next_multiple_of(word)
}

/// Entry for fuzzing: any bytes as the control messages of a datagram and as its sender's name, and
/// any address, interface and segment as those that are written and read back.
#[doc(hidden)]
pub fn fuzz_wire(bytes: &[u8], length: u32, from: SocketAddr, interface: u32, segment: u16) {
    let told = decode_controls(bytes);
    // Each finding takes a header and its data.
    let found = [told.local.is_some(), told.segment != 0, told.lost != 0];
    let least = found.iter().filter(|it| **it).count() * (CMSG_HEADER + 4);
    assert!(bytes.len() >= least, "{told:?}");
    let mut name = [0; NAME];
    let kept = bytes.len().min(NAME);
    name[..kept].copy_from_slice(&bytes[..kept]);
    if let Some(address) = decode_name(&name, length) {
        assert!(length >= if address.is_ipv4() { 8 } else { NAME_LENGTH });
        let mut again = [0; NAME];
        let length = encode_name(address, &mut again);
        assert_eq!(decode_name(&again, length), Some(address));
    }
    let mut name = [0; NAME];
    let length = encode_name(from, &mut name);
    assert_eq!(decode_name(&name, length), Some(from));
    let local = Local {
        address: from.ip(),
        interface,
    };
    let mut control = [0; CONTROL];
    let used = encode_local(local, &mut control);
    let used = used + encode_segment(segment, &mut control[used..]);
    // A message of an unknown kind before it changes nothing.
    let data = bytes.len().min(4096);
    let mut all = (CMSG_HEADER + data).to_ne_bytes().to_vec();
    all.extend([0xff; CMSG_HEADER - size_of::<usize>()]);
    all.extend(&bytes[..data]);
    all.resize(all.len().next_multiple_of(size_of::<usize>()), 0);
    all.extend(&control[..used]);
    assert_eq!(decode_controls(&all).local, Some(local));
    // What was cut off is not made up.
    let cut = decode_controls(&all[..all.len() - used + usize::from(segment) % used]);
    assert!(cut.local.is_none_or(|it| it == local), "{cut:?}");
}

/// The `N` bytes at `offset`, if there are that many.
fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_survive_the_round_trip() {
        let scoped = SocketAddrV6::new("fe80::1".parse().unwrap(), 53, 7, 3).into();
        for address in [
            "192.0.2.1:80".parse().unwrap(),
            "[::ffff:1.2.3.4]:9".parse().unwrap(),
            scoped,
        ] {
            let mut name = [0; NAME];
            let length = encode_name(address, &mut name);
            assert_eq!(decode_name(&name, length), Some(address));
        }
        assert_eq!(decode_name(&[0; NAME], 0), None);
    }

    /// A control message with a level and type that nobody knows.
    fn unknown() -> Vec<u8> {
        let mut bytes = 21usize.to_ne_bytes().to_vec();
        bytes.extend([0xff; 13 + 3]);
        bytes
    }

    #[test]
    fn packet_info_survives_the_round_trip_behind_another_message() {
        for address in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            let local = Local {
                address: address.parse().unwrap(),
                interface: u32::MAX,
            };
            let mut control = [0; CONTROL];
            let used = encode_local(local, &mut control);
            assert_eq!(decode_controls(&control[..used]).local, Some(local));
            let mut two = unknown();
            two.extend(&control[..used]);
            assert_eq!(decode_controls(&two).local, Some(local));
        }
    }

    #[test]
    fn all_that_a_datagram_may_bring_is_read() {
        let message = |level: i32, kind: i32, data: [u8; 4]| {
            let mut bytes = (CMSG_HEADER + 4).to_ne_bytes().to_vec();
            bytes.extend(level.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(data);
            bytes.resize((CMSG_HEADER + 4).next_multiple_of(size_of::<usize>()), 0);
            bytes
        };
        let local = Local {
            address: "2001:db8::1".parse().unwrap(),
            interface: 7,
        };
        let mut control = [0; CONTROL];
        let used = encode_local(local, &mut control);
        let mut bytes = message(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 9u32.to_ne_bytes());
        bytes.extend(message(libc::SOL_UDP, libc::UDP_GRO, 1200i32.to_ne_bytes()));
        bytes.extend(unknown());
        bytes.extend(&control[..used]);
        let told = Told {
            local: Some(local),
            segment: 1200,
            lost: 9,
        };
        assert_eq!(decode_controls(&bytes), told);
        // No datagram is of negative length.
        let bytes = message(libc::SOL_UDP, libc::UDP_GRO, (-1i32).to_ne_bytes());
        assert_eq!(decode_controls(&bytes), Told::default());
    }

    proptest! {
        #[test]
        fn no_control_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = decode_controls(&bytes);
        }

        #[test]
        fn no_length_makes_the_parser_run_out_of_bounds(length in any::<usize>(), rest in proptest::collection::vec(0u8..3, 0..80)) {
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(rest);
            let _ = decode_controls(&bytes);
        }

        #[test]
        fn no_message_of_a_known_kind_makes_the_parser_panic(
            kind in prop::sample::select(vec![
                (libc::IPPROTO_IP, libc::IP_PKTINFO),
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO),
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL),
                (libc::SOL_UDP, libc::UDP_GRO),
            ]),
            data in proptest::collection::vec(any::<u8>(), 0..24),
            tail in proptest::collection::vec(any::<u8>(), 0..24),
        ) {
            let mut bytes = (CMSG_HEADER + data.len()).to_ne_bytes().to_vec();
            bytes.extend(kind.0.to_ne_bytes());
            bytes.extend(kind.1.to_ne_bytes());
            bytes.extend(data);
            bytes.extend(tail);
            let _ = decode_controls(&bytes);
        }
    }
}
