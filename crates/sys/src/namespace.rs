//! Namespaces of the calling thread or process: leaving the ones it has for new ones.
//!
//! Joining an existing namespace (setns(2)) is safe and in rustix.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::thread::UnshareFlags;

/// Moves the calling thread, and it alone, into a new, empty network namespace.
///
/// Needs CAP_SYS_ADMIN (unshare(2)).
pub fn unshare_network() -> io::Result<()> {
    // SAFETY: CLONE_NEWNET changes only which namespace the thread's later sockets are made in;
    // no memory or descriptor is shared or unshared by it, so no safe code can be surprised.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.map_err(io::Error::from)
}

/// Moves the calling thread into a copy of its mount namespace, and gives it a root and working
/// directory of its own (CLONE_FS is implied, unshare(2)).
///
/// Needs CAP_SYS_ADMIN. Mounts still propagate as they are marked until they are made private or
/// slave.
pub fn unshare_mounts() -> io::Result<()> {
    // SAFETY: CLONE_NEWNS and the implied CLONE_FS change how this thread resolves paths. Open
    // descriptors stay what they are, and no memory is affected.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }.map_err(io::Error::from)
}

/// Gives the calling thread a root and working directory of its own (CLONE_FS), which a thread must
/// have to join a mount namespace (setns(2)). Needs no capability.
pub fn unshare_folders() -> io::Result<()> {
    // SAFETY: CLONE_FS only stops later chdir, chroot and umask calls of this thread from being
    // felt by others. Open descriptors stay what they are, and no memory is affected.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }.map_err(io::Error::from)
}

/// Moves the process into a new user namespace together with new mount and network namespaces
/// that belong to it. Needs no capability where the kernel lets users do so.
///
/// The process must have a single thread: EINVAL otherwise (unshare(2)).
pub fn unshare_user_mounts_network() -> io::Result<()> {
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWNET;
    // SAFETY: the kernel refuses CLONE_NEWUSER to a process with several threads, so no other
    // thread can be left behind with other credentials; descriptors and memory are unaffected.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(io::Error::from)
}

/// The user who owns the user namespace `namespace`: the one who created it (NS_GET_OWNER_UID,
/// ioctl_nsfs(2)), as the caller's user namespace numbers users. Needs no capability.
///
/// Errors: EINVAL if it is a namespace of another kind, ENOTTY if it is none.
pub fn owner_of_user_namespace(namespace: BorrowedFd<'_>) -> io::Result<u32> {
    let mut owner: libc::uid_t = 0;
    // SAFETY: the request writes one uid_t, for which `owner` has room and which lives through the
    // call.
    let done = unsafe {
        libc::ioctl(
            namespace.as_raw_fd(),
            libc::NS_GET_OWNER_UID,
            &raw mut owner,
        )
    };
    match done {
        0 => Ok(owner),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The user namespace that owns `namespace`, which is of another kind (NS_GET_USERNS,
/// ioctl_nsfs(2)). Needs no capability.
///
/// Errors: EPERM if that user namespace is neither the caller's nor below it.
pub fn user_namespace_of(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the request takes no argument and changes nothing of the descriptor.
    let fd = unsafe { libc::ioctl(namespace.as_raw_fd(), libc::NS_GET_USERNS) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nothing else knows its number. It
    // is closed at exec (O_CLOEXEC, fs/nsfs.c).
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// SO_NETNS_COOKIE of include/uapi/asm-generic/socket.h.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// The cookie of the network namespace a socket belongs to: a number the kernel gives to no other
/// until the next boot (socket(7)); `None` before Linux 5.14, which has none.
pub fn netns_cookie(socket: BorrowedFd<'_>) -> io::Result<Option<u64>> {
    let mut cookie = 0u64;
    let mut length: libc::socklen_t = 8;
    // SAFETY: `cookie` has the eight bytes that `length` says, both live through the call, and
    // the kernel writes at most `length` bytes, all patterns of which are valid u64s.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        return Ok(Some(cookie));
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENOPROTOOPT) {
        return Ok(None);
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_namespace_has_an_owner_and_an_owning_user_namespace() {
        let open = |name: &str| std::fs::File::open(format!("/proc/self/ns/{name}")).unwrap();
        let (user, network) = (open("user"), open("net"));
        // The network namespace is ours or that of a user namespace above, which is not shown.
        match user_namespace_of(network.as_fd()) {
            Ok(owner) => assert!(owner_of_user_namespace(owner.as_fd()).is_ok()),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        }
        assert!(owner_of_user_namespace(user.as_fd()).is_ok());
        let error = owner_of_user_namespace(network.as_fd()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn two_sockets_of_one_namespace_have_one_cookie() {
        let socket = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (one, other) = (socket(), socket());
        let cookie = netns_cookie(one.as_fd()).unwrap();
        assert_eq!(cookie, netns_cookie(other.as_fd()).unwrap());
    }
}
