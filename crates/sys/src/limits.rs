//! Resource limits of this process and of others (prlimit(2)).

use std::io;

/// The number of resources that have limits (RLIM_NLIMITS, the same on every Linux but for what
/// the numbers mean).
const RESOURCES: libc::c_int = 16;

/// No limit (RLIM64_INFINITY).
const NONE: u64 = u64::MAX;

/// Raises the limits of the calling process, so that those of the process that started it do not
/// limit it: to none with CAP_SYS_RESOURCE, to its hard limits without. That of open files becomes
/// `files`, which the kernel allows up to fs.nr_open. How large a core file may be stays as it is.
pub fn raise_limits(files: u64) {
    for resource in 0..RESOURCES {
        let Ok(old) = get(0, resource) else {
            continue;
        };
        let most = if is_same(resource, libc::RLIMIT_NOFILE) {
            files.max(old.rlim_max)
        } else {
            NONE
        };
        for most in [most, old.rlim_max] {
            let new = libc::rlimit64 {
                rlim_cur: if is_same(resource, libc::RLIMIT_CORE) {
                    old.rlim_cur
                } else {
                    most
                },
                rlim_max: most,
            };
            if set(resource, new).is_ok() {
                break;
            }
        }
    }
}

/// Gives the calling process the limits of the process `of`, as far as its own hard limits allow.
/// Needs no capability if both processes have one user and one group.
///
/// Errors: EPERM if they do not, ESRCH if there is no such process. Some limits are then those of
/// `of` and some are not.
pub fn take_limits(of: u32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(of).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    for resource in 0..RESOURCES {
        let (theirs, own) = (get(pid, resource)?, get(0, resource)?);
        let new = libc::rlimit64 {
            rlim_cur: theirs.rlim_cur.min(own.rlim_max),
            rlim_max: theirs.rlim_max.min(own.rlim_max),
        };
        set(resource, new)?;
    }
    Ok(())
}

/// Whether `resource` is the one that the C library numbers `constant`; C libraries differ in the
/// type of the number.
fn is_same<T: TryInto<i64>>(resource: libc::c_int, constant: T) -> bool {
    constant
        .try_into()
        .is_ok_and(|it| it == i64::from(resource))
}

fn get(pid: libc::pid_t, resource: libc::c_int) -> io::Result<libc::rlimit64> {
    let mut limit = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let number = resource.unsigned_abs();
    #[allow(
        clippy::useless_conversion,
        reason = "another type with other C libraries"
    )]
    let number = number.try_into().unwrap_or_default();
    // SAFETY: no new limit is given, and `limit` has room for the old one.
    let done = unsafe { libc::prlimit64(pid, number, std::ptr::null(), &raw mut limit) };
    if done == 0 {
        Ok(limit)
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set(resource: libc::c_int, limit: libc::rlimit64) -> io::Result<()> {
    let number = resource.unsigned_abs();
    #[allow(
        clippy::useless_conversion,
        reason = "another type with other C libraries"
    )]
    let number = number.try_into().unwrap_or_default();
    // SAFETY: `limit` is initialised and lives through the call; the old one is not asked for.
    let done = unsafe { libc::prlimit64(0, number, &raw const limit, std::ptr::null_mut()) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
