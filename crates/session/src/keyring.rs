//! The keys that a process has from the process that started it (keyrings(7)).
//!
//! A process keeps its session keyring when it becomes another user. pkexec(1) and sudo(8) give
//! themselves one of root's where PAM says so (pam_keyinit(8)), with whatever keys root's session
//! has: passphrases of disks, Kerberos tickets.

use std::io;

use netnsctl_base::error::{Context, Error, Object};
use netnsctl_sys::keyring::{join_new_session_keyring, link_user_keyring, session_keyring_owner};
use rustix::io::Errno;
use rustix::process::Uid;

/// Leaves a session keyring that belongs to a user other than `user`, which this process runs as now,
/// for a new one, which has the keys of `user`. The process must have a single thread.
///
/// Where no program may ask for keys at all, because the kernel has none or a container's rules
/// forbid the system call, the command cannot ask for them either: then nothing is done.
///
/// Errors: a step that the kernel refused, such as EDQUOT where `user` has too many keys. The
/// command must not be run then.
pub(crate) fn leave_keys_of_others(user: Uid) -> Result<(), Error> {
    match session_keyring_owner() {
        Ok(owner) if owner == user.as_raw() => return Ok(()),
        Err(error) if is_out_of_reach(&error) => return Ok(()),
        // It belongs to another user, also if that user does not let this process look.
        Ok(_) | Err(_) => {}
    }
    let whose = || Object::Other(format!("user {}", user.as_raw()));
    join_new_session_keyring().context("create a session keyring for", whose())?;
    link_user_keyring().context("link the user keyring for", whose())
}

/// Whether no program that is subject to the same rules can read a key. The kernel itself refuses
/// a look at a keyring with EACCES.
fn is_out_of_reach(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::NOSYS | Errno::PERM))
}
