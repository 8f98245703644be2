//! The family generic netlink: kernel parts that have names and get numbers at boot.
//!
//! Sources: Documentation/userspace-api/netlink/intro.rst, include/uapi/linux/genetlink.h.

use rustix::io::Errno;

use crate::connection::{Answer, Connection, Next};
use crate::error::Error;

/// GENL_ID_CTRL, the one number that is known: that of the part which tells the others.
const CONTROL: u16 = 0x10;
/// CTRL_CMD_GETFAMILY, and the version of the header.
const GET_FAMILY: [u8; 2] = [3, 1];
/// CTRL_ATTR_FAMILY_ID and CTRL_ATTR_FAMILY_NAME.
const ID: u16 = 1;
const NAME: u16 = 2;
/// NLM_F_REQUEST of netlink.h.
const REQUEST: u16 = 1;
/// GENL_NAMSIZ, the closing NUL included.
const NAME_SIZE: usize = 16;

/// The number of the generic family called `name`, such as `wireguard`; none if the kernel has no
/// such family. Asking may load the module that brings it (`genl_family_find_byname()` in
/// net/netlink/genetlink.c). Needs no capability.
///
/// Errors: no socket can be had, the kernel refuses for another reason, or its answer makes no
/// sense; whether it has the family is unknown then.
pub fn generic_family(name: &str) -> Result<Option<u16>, Error> {
    if name.len() >= NAME_SIZE {
        return Ok(None);
    }
    let mut connection = Connection::open(netlink_sys::protocols::NETLINK_GENERIC)?;
    let mut id = None;
    let asked = connection.exchange(
        |sequence| request(name, sequence),
        |answer: &Answer<'_>| {
            id = attribute(answer.payload.get(4..).unwrap_or_default(), ID);
            Ok(Next::Stop)
        },
    );
    match asked {
        Err(Error::Kernel(error)) if error.is(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
        Ok(_) => {
            let id = id.and_then(|bytes| bytes.try_into().ok());
            let id = id.ok_or_else(|| Error::Malformed("a family without a number".to_owned()))?;
            Ok(Some(u16::from_ne_bytes(id)))
        }
    }
}

fn request(name: &str, sequence: u32) -> Vec<u8> {
    let attribute = [name.as_bytes(), &[0]].concat();
    let attribute_length = u16::try_from(4 + attribute.len()).unwrap_or(u16::MAX);
    let mut request = Vec::new();
    request.extend(CONTROL.to_ne_bytes());
    request.extend(REQUEST.to_ne_bytes());
    request.extend(sequence.to_ne_bytes());
    request.extend([0; 4]);
    request.extend(GET_FAMILY);
    request.extend([0; 2]);
    request.extend(attribute_length.to_ne_bytes());
    request.extend(NAME.to_ne_bytes());
    request.extend(attribute);
    let padded = request.len().next_multiple_of(4);
    request.resize(padded, 0);
    let length = u32::try_from(4 + request.len()).unwrap_or(u32::MAX);
    [length.to_ne_bytes().as_slice(), &request].concat()
}

/// The value of the attribute `wanted`.
fn attribute(mut rest: &[u8], wanted: u16) -> Option<Vec<u8>> {
    while let Some((header, value)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let bytes = value.get(..length.checked_sub(4)?)?;
        if kind == wanted {
            return Some(bytes.to_owned());
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_that_tells_of_families_has_the_known_number() {
        assert_eq!(generic_family("nlctrl").unwrap(), Some(CONTROL));
        assert_eq!(generic_family("no such thing").unwrap(), None);
        assert_eq!(generic_family("a name that is too long").unwrap(), None);
    }

    #[test]
    fn every_truncation_of_attributes_is_harmless() {
        let mut bytes = 6_u16.to_ne_bytes().to_vec();
        bytes.extend(ID.to_ne_bytes());
        bytes.extend(28_u16.to_ne_bytes());
        assert_eq!(attribute(&bytes, ID), Some(28_u16.to_ne_bytes().to_vec()));
        for length in 0..bytes.len() {
            assert_eq!(attribute(&bytes[..length], ID), None);
        }
    }
}
