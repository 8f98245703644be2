//! The tail of an NLMSG_ERROR: errno, an echo of the request's header, and extended-ack attributes.
//!
//! netlink-packet-core leaves those attributes raw. The layout is `struct nlmsgerr` and
//! `enum nlmsgerr_attrs` in include/uapi/linux/netlink.h.

use crate::error::KernelError;

/// `enum nlmsgerr_attrs`: a string for people.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// `enum nlmsgerr_attrs`: offset of the attribute at fault.
const NLMSGERR_ATTR_OFFS: u16 = 2;
/// The request was not echoed beyond its header (NETLINK_CAP_ACK).
const NLM_F_CAPPED: u16 = 0x100;
/// Attributes follow.
const NLM_F_ACK_TLVS: u16 = 0x200;
/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// Reads the payload of an NLMSG_ERROR that carried `flags`.
///
/// `None` if it is shorter than an errno; `Some(Ok(()))` for an acknowledgement. Attributes that
/// lie about their length are ignored: the errno alone is worth reporting.
pub(crate) fn parse(flags: u16, payload: &[u8]) -> Option<Result<(), KernelError>> {
    let (code, rest) = payload.split_first_chunk::<4>()?;
    let code = i32::from_ne_bytes(*code);
    if code == 0 {
        return Some(Ok(()));
    }
    let mut error = KernelError {
        errno: code.wrapping_neg(),
        message: None,
        offset: None,
    };
    if flags & NLM_F_ACK_TLVS != 0 {
        let echoed = if flags & NLM_F_CAPPED != 0 {
            HEADER
        } else {
            echo_length(rest)
        };
        read_attributes(rest.get(align(echoed)..).unwrap_or_default(), &mut error);
    }
    Some(Err(error))
}

/// Bytes of the echoed request: its own header says.
fn echo_length(echo: &[u8]) -> usize {
    let length = echo
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    usize::try_from(length).unwrap_or(usize::MAX).max(HEADER)
}

fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn read_attributes(mut bytes: &[u8], error: &mut KernelError) {
    while let Some((header, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let Some(value) = length.checked_sub(4).and_then(|length| rest.get(..length)) else {
            return;
        };
        match kind {
            NLMSGERR_ATTR_MSG => error.message = Some(text(value)),
            NLMSGERR_ATTR_OFFS => {
                error.offset = value
                    .first_chunk::<4>()
                    .map(|bytes| u32::from_ne_bytes(*bytes));
            }
            _ => {}
        }
        bytes = rest.get(align(length) - 4..).unwrap_or_default();
    }
}

/// The string up to its NUL, with what could disturb a terminal replaced.
fn text(value: &[u8]) -> String {
    let until_nul = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(until_nul);
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Entry for fuzzing: any flags and payload. Gives the text a person would see.
#[doc(hidden)]
pub fn fuzz_error_payload(flags: u16, payload: &[u8]) -> Option<String> {
    parse(flags, payload)
        .and_then(Result::err)
        .map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a 6.18 kernel said to a veth whose name was too long, NETLINK_CAP_ACK on.
    fn too_long_name() -> Vec<u8> {
        let mut bytes = (-34i32).to_ne_bytes().to_vec();
        bytes.extend([0; HEADER]);
        let message = b"Attribute failed policy validation\0";
        bytes.extend(u16::try_from(4 + message.len()).unwrap().to_ne_bytes());
        bytes.extend(NLMSGERR_ATTR_MSG.to_ne_bytes());
        bytes.extend(message);
        bytes.push(0);
        bytes.extend([8, 0]);
        bytes.extend(NLMSGERR_ATTR_OFFS.to_ne_bytes());
        bytes.extend(32u32.to_ne_bytes());
        bytes
    }

    #[test]
    fn the_kernels_words_and_offset_are_read() {
        let error = parse(NLM_F_CAPPED | NLM_F_ACK_TLVS, &too_long_name())
            .unwrap()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "Attribute failed policy validation (ERANGE)"
        );
        assert_eq!(error.offset, Some(32));
    }

    #[test]
    fn without_words_the_errno_speaks() {
        let error = parse(0, &(-1i32).to_ne_bytes()).unwrap().unwrap_err();
        assert_eq!(error.to_string(), "Operation not permitted (EPERM)");
    }

    #[test]
    fn every_truncation_is_harmless() {
        let whole = too_long_name();
        for length in 0..whole.len() {
            let _ = parse(NLM_F_CAPPED | NLM_F_ACK_TLVS, &whole[..length]);
            let _ = parse(NLM_F_ACK_TLVS, &whole[..length]);
        }
        assert_eq!(parse(0, &[0; 4]), Some(Ok(())));
        assert_eq!(parse(0, &[0; 3]), None);
    }
}
