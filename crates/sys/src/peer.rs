//! Who is at the other end of a unix socket: SO_PEERCRED of unix(7).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The process that connected, or the one that called listen(2), as it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id; none if it is in a process namespace that cannot be seen from here.
    pub pid: Option<u32>,
    /// Its user.
    pub uid: u32,
}

/// Who is at the other end of `socket`. Needs no capability.
///
/// Not by rustix, whose type for an id has no room for the 0 that the kernel gives for a process of
/// a foreign process namespace.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: libc::gid_t::MAX,
    };
    let mut length: libc::socklen_t = 12;
    // SAFETY: `credentials` has the twelve bytes that `length` says, both live through the call,
    // and every pattern of them is a valid ucred.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Peer {
        pid: u32::try_from(credentials.pid).ok().filter(|pid| *pid > 0),
        uid: credentials.uid,
    })
}

const _: () = assert!(size_of::<libc::ucred>() == 12);

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn the_other_end_of_a_pair_is_this_process() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let peer = peer(one.as_fd()).unwrap();
        assert_eq!(peer.pid, Some(std::process::id()));
        assert_eq!(peer.uid, rustix::process::getuid().as_raw());
    }
}
