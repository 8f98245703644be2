//! Properties of mounts.

use std::ffi::CStr;
use std::io;

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
