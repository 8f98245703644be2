//! Resource limits of another process (prlimit(2)).

use std::io;

/// The number of resources that have limits (RLIM_NLIMITS, the same on every Linux but for what
/// the numbers mean).
const RESOURCES: libc::c_int = 16;

/// Gives the calling process the limits of the process `of`. Lowering needs nothing; raising a
/// hard limit, and looking at a process of another user, needs CAP_SYS_RESOURCE.
///
/// Errors: EPERM without it, ESRCH if there is no such process. Earlier limits stay set.
pub fn take_limits(of: u32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(of).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    for resource in 0..RESOURCES {
        let mut limit = libc::rlimit64 {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // The C libraries differ in the type of the number.
        #[allow(
            clippy::useless_conversion,
            reason = "another type with other C libraries"
        )]
        let resource = resource.unsigned_abs().try_into().unwrap_or_default();
        // SAFETY: no new limit is given, and `limit` has room for the old one.
        let read = unsafe { libc::prlimit64(pid, resource, std::ptr::null(), &raw mut limit) };
        // SAFETY: `limit` is initialised and lives through the call; the old one is not asked for.
        let done = read == 0
            && unsafe { libc::prlimit64(0, resource, &raw const limit, std::ptr::null_mut()) } == 0;
        if !done {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
