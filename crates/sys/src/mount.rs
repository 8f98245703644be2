//! Properties of mounts and of their namespaces.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Makes what is mounted at `path`, and all below it, read-only as it is seen there
/// (MOUNT_ATTR_RDONLY with AT_RECURSIVE, mount_setattr(2)); elsewhere the same files can be written
/// to as before. For all in the mount namespace of the calling thread.
///
/// Needs CAP_SYS_ADMIN over that namespace. Errors: ENOSYS before Linux 5.12, EINVAL if nothing is
/// mounted at `path`.
pub fn make_read_only(path: &CStr) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the path ends in NUL, and the structure is of the size that is told.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The type of the requests of ioctl_ns(2).
const NSIO: u8 = 0xb7;

/// NS_GET_USERNS.
const NS_GET_USERNS: libc::Ioctl = rustix::ioctl::opcode::none(NSIO, 0x1) as libc::Ioctl;

/// NS_GET_MNTNS_ID.
const NS_GET_MNTNS_ID: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u64>(NSIO, 0x5);

/// The id of a mount namespace, which the kernel gives to no other one until the next boot.
///
/// Errors: ENOTTY before Linux 6.11.
pub fn namespace_id(namespace: BorrowedFd<'_>) -> io::Result<u64> {
    // SAFETY: the request writes one u64, for which the getter has room.
    let getter = unsafe { rustix::ioctl::Getter::<NS_GET_MNTNS_ID, u64>::new() };
    // SAFETY: on a file that is no namespace the kernel refuses the request and writes nothing.
    Ok(unsafe { rustix::ioctl::ioctl(namespace, getter) }?)
}

/// The user namespace that owns a namespace.
///
/// Errors: EPERM if it is not the caller's own or one below that.
pub fn owner(namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the request takes no argument, and nothing is written.
    match unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the kernel has just opened this descriptor (with O_CLOEXEC) for the caller alone.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_mount_namespace_has_an_owner_and_an_id() {
        let own = File::open("/proc/self/ns/mnt").unwrap();
        // EPERM if an outer user namespace owns it.
        if let Ok(user) = owner(own.as_fd()) {
            let inode = File::from(user).metadata().unwrap().ino();
            assert_eq!(
                inode,
                std::fs::metadata("/proc/self/ns/user").unwrap().ino()
            );
        }
        let again = File::open("/proc/thread-self/ns/mnt").unwrap();
        match namespace_id(own.as_fd()) {
            Ok(id) => assert_eq!(namespace_id(again.as_fd()).unwrap(), id),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOTTY)),
        }
    }
}
