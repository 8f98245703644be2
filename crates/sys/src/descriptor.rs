//! Descriptors of this process as a whole.

use std::io;

/// Has every descriptor from number `first` on closed when this process becomes another program
/// (CLOSE_RANGE_CLOEXEC, close_range(2)). None is closed now, so that whoever owns one keeps it.
/// For the whole process.
///
/// Errors: EINVAL before Linux 5.11, ENOSYS before 5.9 or where a container's rules forbid it.
pub fn close_at_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: plain numbers; marking a descriptor invalidates none.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
