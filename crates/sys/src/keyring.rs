//! The session keyring of this process: the keys that a program finds besides those of its user.
//!
//! Every program that the process starts or becomes inherits it, under any user
//! (session-keyring(7)). All calls act on the calling thread, whose credentials the other threads
//! do not share, so the process must have a single thread. The numbers are those of
//! include/uapi/linux/keyctl.h.

use std::io;

const KEYCTL_JOIN_SESSION_KEYRING: libc::c_ulong = 1;
const KEYCTL_DESCRIBE: libc::c_ulong = 6;
const KEYCTL_LINK: libc::c_ulong = 8;
const KEY_SPEC_SESSION_KEYRING: libc::c_long = -3;
const KEY_SPEC_USER_KEYRING: libc::c_long = -4;

/// Bytes of a description, which is some numbers and the keyring's name.
const DESCRIPTION_MOST: usize = 4096;

/// The user who owns the session keyring (KEYCTL_DESCRIBE, keyctl_describe(3)). Without a session
/// keyring it is that of the real user (user-session-keyring(7)).
///
/// Errors: EACCES if the caller may not look at it, ENOKEY, EKEYEXPIRED or EKEYREVOKED if it is
/// gone; ENOSYS from a kernel without keyrings; ENOSYS or EPERM where a container's rules forbid the
/// call.
pub fn session_keyring_owner() -> io::Result<u32> {
    let mut text = [0u8; DESCRIPTION_MOST];
    // SAFETY: the kernel writes at most the length that is given, which `text` has.
    let length = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_DESCRIBE,
            KEY_SPEC_SESSION_KEYRING,
            text.as_mut_ptr(),
            text.len(),
        )
    };
    if length < 0 {
        return Err(io::Error::last_os_error());
    }
    owner_in(&text).ok_or_else(|| io::Error::from_raw_os_error(libc::EBADMSG))
}

/// The second field of `type;user;group;permissions;name`.
fn owner_in(description: &[u8]) -> Option<u32> {
    let field = description.split(|byte| *byte == b';').nth(1)?;
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Gives the calling thread a new session keyring with nothing in it, which belongs to its user
/// and counts for that user's quota (KEYCTL_JOIN_SESSION_KEYRING, keyctl_join_session_keyring(3)).
///
/// Errors: EDQUOT beyond that quota, ENOMEM; ENOSYS and EPERM as with [`session_keyring_owner`].
pub fn join_new_session_keyring() -> io::Result<()> {
    let no_name = std::ptr::null::<libc::c_char>();
    // SAFETY: without a name nothing is read from memory.
    let id = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, no_name) };
    match id {
        ..0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Links the keyring of the real user (user-keyring(7)) into the session keyring, as
/// pam_keyinit(8) does, so that the session possesses the user's keys (KEYCTL_LINK,
/// keyctl_link(3)).
pub fn link_user_keyring() -> io::Result<()> {
    // SAFETY: plain numbers.
    let done = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_LINK,
            KEY_SPEC_USER_KEYRING,
            KEY_SPEC_SESSION_KEYRING,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_the_second_field_of_a_description() {
        assert_eq!(owner_in(b"keyring;1000;1000;3f130000;_ses\0\0"), Some(1000));
        for odd in [&b""[..], b"keyring", b"keyring;-1;0;3f130000;_ses", b";;;;"] {
            assert_eq!(owner_in(odd), None, "{odd:?}");
        }
    }
}
