//! Entering a namespace that has nothing but its network: the way of most commands, and as short as
//! it can be.
//!
//! Between the start of the program and that of the command, each page of memory that is touched
//! first costs more than most system calls. So this works without the heap, formats nothing, and
//! leaves whatever is not as it mostly is to [`enter`](super::enter), errors included.

use std::ffi::CStr;
use std::os::fd::AsFd;

use netnsctl_model::name::NetnsRef;
use rustix::fs::{CWD, Mode, OFlags, openat, stat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use netnsctl_view::mark;

/// Bytes of a path below: longer names are left to [`enter`](super::enter).
const PATH_MOST: usize = 128;

/// Moves this process into the namespace called `name`, if the name is a plain one, the namespace
/// has no files of its own and no name-service daemon, and this process is certainly in no view. The process
/// must have a single thread. Needs CAP_SYS_ADMIN.
///
/// Otherwise nothing is done, and [`enter`](super::enter) is to do it or to say why it cannot.
#[inline(always)]
#[expect(
    clippy::disallowed_methods,
    reason = "the process moves for good and becomes a command"
)]
pub fn enter_bare(name: &CStr) -> bool {
    let name = name.to_bytes();
    let mut space = [0; PATH_MOST];
    let is_bare = is_plain(name)
        && !mark::is_possible()
        && is_absent(path(&mut space, b"/etc/netns/", name, b""))
        && is_absent(path(&mut space, b"/run/netns-", name, b"/nscd"));
    let Some(path) = path(&mut space, b"/run/netns/", name, b"").filter(|_| is_bare) else {
        return false;
    };
    // As `names::open` does it.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(netns) = openat(CWD, path, flags, Mode::empty()) else {
        return false;
    };
    // Fails for a file that is no network namespace.
    move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network)).is_ok()
}

/// Whether a name is one that needs no closer look: no path, no option, not the host namespace.
#[inline(always)]
fn is_plain(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty()
        && !name.starts_with(b"-")
        && name.iter().all(is_plain)
        && name != NetnsRef::HOME.as_bytes()
}

/// Whether nothing is there for certain; an error of any other kind is not taken for that.
#[inline(always)]
fn is_absent(path: Option<&CStr>) -> bool {
    path.is_some_and(|path| matches!(stat(path), Err(Errno::NOENT)))
}

/// A path of three parts, in `space`; none if it has no room for them.
#[inline(always)]
fn path<'a>(
    space: &'a mut [u8; PATH_MOST],
    before: &[u8],
    name: &[u8],
    after: &[u8],
) -> Option<&'a CStr> {
    let mut end = 0;
    for part in [before, name, after] {
        space.get_mut(end..end + part.len())?.copy_from_slice(part);
        end += part.len();
    }
    *space.get_mut(end)? = 0;
    CStr::from_bytes_with_nul(space.get(..=end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_take_the_short_way() {
        for name in ["office", "a-b_c", "0"] {
            assert!(is_plain(name.as_bytes()), "{name}");
        }
        for name in [
            "", "-x", ".", "..", "a/b", "a.b", "a b", "default", "\u{e4}",
        ] {
            assert!(!is_plain(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_path_has_room_or_is_none() {
        let mut space = [0xff; PATH_MOST];
        let made = path(&mut space, b"/run/netns-", b"a", b"/nscd");
        assert_eq!(made, Some(c"/run/netns-a/nscd"));
        let long = |bytes| vec![b'a'; bytes];
        assert!(path(&mut space, b"", &long(PATH_MOST - 1), b"").is_some());
        assert!(path(&mut space, b"", &long(PATH_MOST), b"").is_none());
        assert!(path(&mut space, &long(PATH_MOST + 1), b"", b"").is_none());
    }
}
