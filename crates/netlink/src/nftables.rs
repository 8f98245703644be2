//! Which tables nf_tables has in a namespace: names only.
//!
//! Its messages have a header of their own (`struct nfgenmsg` of
//! include/uapi/linux/netfilter/nfnetlink.h), so the one request there is is written by hand.

use rustix::io::Errno;

use crate::connection::{Answer, Connection};
use crate::error::Error;

/// NFNL_SUBSYS_NFTABLES of nfnetlink.h, in the upper byte of a message's type.
const SUBSYSTEM: u16 = 10 << 8;
/// NFT_MSG_NEWTABLE and NFT_MSG_GETTABLE of nf_tables.h.
const NEW_TABLE: u16 = SUBSYSTEM;
const GET_TABLE: u16 = SUBSYSTEM | 1;
/// NFTA_TABLE_NAME of nf_tables.h.
const NAME: u16 = 1;
/// NLM_F_REQUEST and NLM_F_DUMP of netlink.h.
const DUMP: u16 = 0x301;

/// The tables of the namespace of the calling thread, as nft(8) writes them: `inet filter`. None
/// where the kernel has no nf_tables. Needs CAP_NET_ADMIN there.
///
/// Errors: the kernel refuses to list them, or the exchange broke; whether there are tables is
/// unknown then.
pub fn nftables() -> Result<Vec<String>, Error> {
    let connection = Connection::open(netlink_sys::protocols::NETLINK_NETFILTER);
    let mut connection = match connection {
        Err(Error::Open(error)) if Errno::from_io_error(&error) == Some(Errno::PROTONOSUPPORT) => {
            return Ok(Vec::new());
        }
        connection => connection?,
    };
    let dumped = connection.dump(request, |answer: &Answer<'_>| {
        Ok((answer.kind == NEW_TABLE)
            .then(|| table(answer.payload))
            .flatten())
    });
    match dumped {
        // netfilter without nf_tables: no subsystem of that number (`nfnetlink_rcv_msg()` in
        // net/netfilter/nfnetlink.c).
        Err(Error::Kernel(error)) if error.is(Errno::INVAL) => Ok(Vec::new()),
        dumped => dumped,
    }
}

fn request(sequence: u32) -> Vec<u8> {
    let mut request = Vec::with_capacity(20);
    request.extend(20_u32.to_ne_bytes());
    request.extend(GET_TABLE.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend(sequence.to_ne_bytes());
    request.extend([0; 4]);
    // Every family, version 0, no resource.
    request.extend([0; 4]);
    request
}

/// The words for one table.
fn table(payload: &[u8]) -> Option<String> {
    let family = match payload.first()? {
        1 => "inet",
        2 => "ip",
        3 => "arp",
        5 => "netdev",
        7 => "bridge",
        10 => "ip6",
        _ => "other",
    };
    let mut rest = payload.get(4..)?;
    while let Some((header, value)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let name = value.get(..length.checked_sub(4)?)?;
        if kind == NAME {
            let name = name.split(|byte| *byte == 0).next()?;
            return Some(format!("{family} {}", String::from_utf8_lossy(name)));
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_taken_for_a_namespace_without_tables() {
        match nftables() {
            // With CAP_NET_ADMIN, or on a kernel without nf_tables.
            Ok(_) => {}
            Err(Error::Kernel(error)) => assert!(error.is(Errno::PERM), "{error}"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_table_is_named_and_every_truncation_is_harmless() {
        let mut message = vec![1, 0, 0, 0];
        message.extend(11_u16.to_ne_bytes());
        message.extend(NAME.to_ne_bytes());
        message.extend(b"filter\0");
        assert_eq!(table(&message).as_deref(), Some("inet filter"));
        for length in 0..message.len() {
            assert_eq!(table(&message[..length]), None);
        }
    }
}
