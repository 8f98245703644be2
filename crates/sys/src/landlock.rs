//! Which Landlock the kernel has: landlock_create_ruleset(2).

use std::io;

/// LANDLOCK_CREATE_RULESET_VERSION of include/uapi/linux/landlock.h.
const VERSION: libc::c_uint = 1;

/// The version of the kernel's Landlock, from 1 on. Needs no capability and restricts nothing.
///
/// Errors: ENOSYS if the kernel was built without it, EOPNOTSUPP if it was started without.
pub fn landlock_version() -> io::Result<u32> {
    let nothing = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel wants no attributes, which a null pointer and the size 0
    // say, and makes no descriptor; it returns a number.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0usize, VERSION) };
    u32::try_from(version).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_has_a_version_or_says_why_not() {
        match landlock_version() {
            Ok(version) => assert!(version >= 1),
            Err(error) => assert!(
                [libc::ENOSYS, libc::EOPNOTSUPP, libc::EPERM]
                    .contains(&error.raw_os_error().unwrap())
            ),
        }
    }
}
