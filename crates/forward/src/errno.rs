//! Kinds of errno values.

use rustix::io::Errno;

/// Whether the system ran out of something that others give back in time.
pub(crate) fn is_shortage(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM
    )
}
