//! Whether a namespace forwards packets, asked by RTM_GETNETCONF.
//!
//! The kernel shows the same numbers below /proc/sys/net. There it searches a list that has an entry
//! for each namespace of the machine at every path (`proc_sys_compare()` in fs/proc/proc_sysctl.c), so
//! that reading all namespaces takes time by the square of their number. A netlink request takes the
//! same time however many namespaces there are.

use netlink_packet_core::NLM_F_REQUEST;

use crate::error::Error;
use crate::socket::{Socket, is_absent};

/// RTM_GETNETCONF and RTM_NEWNETCONF of include/uapi/linux/rtnetlink.h.
const RTM_GETNETCONF: u16 = 82;
const RTM_NEWNETCONF: u16 = 80;

/// AF_INET and AF_INET6 of include/linux/socket.h.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Attributes and special indices of include/uapi/linux/netconf.h.
const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_FORWARDING: u16 = 2;
const NETCONFA_IFINDEX_ALL: i32 = -1;
const NETCONFA_IFINDEX_DEFAULT: i32 = -2;

/// `struct netconfmsg` is one byte, padded to the alignment of netlink.
const HEADER: usize = 4;

/// The values of `net.{ipv4,ipv6}.conf.{all,default}.forwarding` in one namespace. `None` stands for a
/// protocol that the kernel or the namespace does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// `net.ipv4.conf.all.forwarding`.
    pub ipv4_all: Option<i32>,
    /// `net.ipv4.conf.default.forwarding`.
    pub ipv4_default: Option<i32>,
    /// `net.ipv6.conf.all.forwarding`.
    pub ipv6_all: Option<i32>,
    /// `net.ipv6.conf.default.forwarding`.
    pub ipv6_default: Option<i32>,
}

impl Socket {
    /// The forwarding keys of this socket's namespace. Needs no capability.
    ///
    /// Errors: [`Error::Kernel`] if the kernel refuses for another reason than that it does not have the
    /// protocol, [`Error::Malformed`] if an answer has no value, or the exchange broke.
    pub fn forwarding(&mut self) -> Result<Forwarding, Error> {
        const ASKED: [(u8, i32); 4] = [
            (AF_INET, NETCONFA_IFINDEX_ALL),
            (AF_INET, NETCONFA_IFINDEX_DEFAULT),
            (AF_INET6, NETCONFA_IFINDEX_ALL),
            (AF_INET6, NETCONFA_IFINDEX_DEFAULT),
        ];
        let answered = self.connection().ask(
            &ASKED,
            |(family, index), sequence| request(*family, *index, sequence),
            |answer| match answer {
                Ok(answer) if answer.kind == RTM_NEWNETCONF => value(answer.payload).map(Some),
                Ok(answer) => Err(malformed(&format!("has type {}", answer.kind))),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(Error::Kernel(error)),
            },
        )?;
        let [ipv4_all, ipv4_default, ipv6_all, ipv6_default] = answered
            .try_into()
            .map_err(|_| malformed("is one of too few"))?;
        Ok(Forwarding {
            ipv4_all,
            ipv4_default,
            ipv6_all,
            ipv6_default,
        })
    }
}

fn malformed(what: &str) -> Error {
    Error::Malformed(format!("an answer to RTM_GETNETCONF {what}"))
}

/// The bytes of a request for what `index` has of `family`.
fn request(family: u8, index: i32, sequence: u32) -> Vec<u8> {
    // The header of every message, that of this family, and one attribute.
    const LENGTH: u32 = 16 + 4 + 8;
    let mut bytes = Vec::new();
    bytes.extend(LENGTH.to_ne_bytes());
    bytes.extend(RTM_GETNETCONF.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    // The kernel knows the sender by its socket.
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend([family, 0, 0, 0]);
    bytes.extend(8u16.to_ne_bytes());
    bytes.extend(NETCONFA_IFINDEX.to_ne_bytes());
    bytes.extend(index.to_ne_bytes());
    bytes
}

/// NETCONFA_FORWARDING of an answer.
fn value(payload: &[u8]) -> Result<i32, Error> {
    let mut rest = payload.get(HEADER..).unwrap_or_default();
    while let Some((header, _)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let Some(content) = rest.get(4..length) else {
            break;
        };
        if let (NETCONFA_FORWARDING, Some(value)) = (kind, content.first_chunk::<4>()) {
            return Ok(i32::from_ne_bytes(*value));
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(malformed("has no value"))
}

/// Entry for fuzzing: any bytes as the payload of an answer.
#[doc(hidden)]
pub fn fuzz_netconf(bytes: &[u8]) {
    let _ = value(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_proc() {
        let forwarding = Socket::open().unwrap().forwarding().unwrap();
        let of_proc = |key: &str| {
            let value = std::fs::read_to_string(format!("/proc/sys/net/{key}/forwarding"));
            value.ok().map(|value| value.trim().parse::<i32>().unwrap())
        };
        assert_eq!(forwarding.ipv4_all, of_proc("ipv4/conf/all"));
        assert_eq!(forwarding.ipv4_default, of_proc("ipv4/conf/default"));
        assert_eq!(forwarding.ipv6_all, of_proc("ipv6/conf/all"));
        assert_eq!(forwarding.ipv6_default, of_proc("ipv6/conf/default"));
    }

    #[test]
    fn an_answer_without_a_value_is_an_error() {
        let mut payload = vec![2, 0, 0, 0, 8, 0, 1, 0, 255, 255, 255, 255];
        assert!(value(&payload).is_err());
        payload.extend([8, 0, 2, 0, 1, 0, 0, 0]);
        assert_eq!(value(&payload).unwrap(), 1);
        // A length that lies.
        payload[12] = 64;
        assert!(value(&payload).is_err());
        payload[4] = 0;
        assert!(value(&payload).is_err());
    }
}
