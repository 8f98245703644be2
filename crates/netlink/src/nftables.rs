//! Which tables nf_tables has in a namespace: names only.
//!
//! Its messages have a header of their own (`struct nfgenmsg` of include/uapi/linux/netfilter/nfnetlink.h)
//! on a socket of another protocol, so the one request there is is written by hand.

use crate::error::Error;
use crate::socket::{answers, open};

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
/// where the kernel has no nf_tables or does not let the caller look, which needs CAP_NET_ADMIN.
pub fn nftables() -> Result<Vec<String>, Error> {
    let socket = open(netlink_sys::protocols::NETLINK_NETFILTER).map_err(Error::Open)?;
    let mut request = Vec::with_capacity(20);
    request.extend(20_u32.to_ne_bytes());
    request.extend(GET_TABLE.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend([0; 8]);
    // Every family, version 0, no resource.
    request.extend([0; 4]);
    if socket.send(&request, 0).is_err() {
        return Ok(Vec::new());
    }
    let mut tables = Vec::new();
    loop {
        let mut buffer = Vec::with_capacity(32 * 1024);
        match socket.recv(&mut buffer, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::Receive(error)),
        }
        for answer in answers(&buffer) {
            let answer = answer?;
            match answer.kind {
                NEW_TABLE => tables.extend(table(answer.payload)),
                // The end, or a refusal.
                _ => return Ok(tables),
            }
        }
    }
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
