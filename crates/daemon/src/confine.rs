//! Giving up what the data path does not need.

use netnsctl_sys::errno::words;
use rustix::io::Errno;
use rustix::process::{self, DumpableBehavior, Gid, Resource, Rlimit, Uid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

/// Why privileges were not given up, or the limit of files not raised.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {}", words(errno))]
pub struct ConfineError {
    /// What failed.
    pub step: &'static str,
    /// The kernel's answer.
    pub errno: Errno,
}

/// The user and group of nobody in particular (the kernel's overflow ids, user_namespaces(7)).
/// Root without a capability would still own root's files.
const NOBODY: u32 = 65_534;

/// Gives up all privileges for good: not root any more, no capability in any set, none to be had
/// by exec, not dumpable; and raises the soft limit of open files to the hard one.
///
/// Everything but the limit and dumpability is a property of the *calling thread* and is inherited
/// by threads it makes later, so call it before any other exists. Call it after everything that
/// needs privileges: binding, entering namespaces, opening the control socket.
///
/// Root becomes nobody (65534), unless a user namespace has no such user: there, root owns nothing
/// outside. A signal asked for at the parent's death is kept, which a change of user otherwise
/// takes back.
///
/// Emptying the bounding set needs CAP_SETPCAP; without it the set stays, which grants nothing
/// any more once no_new_privs is set. Nothing else needs a capability. See capabilities(7),
/// prctl(2), getrlimit(2).
///
/// Errors: [`ConfineError`] with the step. Earlier steps stay done.
pub fn confine() -> Result<(), ConfineError> {
    let at = |step| move |errno| ConfineError { step, errno };
    raise_file_limit()?;
    thread::set_no_new_privs(true).map_err(at("set no_new_privs"))?;
    thread::clear_ambient_capability_set().map_err(at("clear the ambient capabilities"))?;
    empty_bounding_set().map_err(at("empty the capability bounding set"))?;
    become_nobody().map_err(at("become an unprivileged user"))?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    // A service manager may have done this, and have forbidden the call.
    if thread::capabilities(None) != Ok(sets) {
        thread::set_capabilities(None, sets).map_err(at("give up all capabilities"))?;
    }
    process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(at("become undumpable"))
}

fn become_nobody() -> Result<(), Errno> {
    if !process::geteuid().is_root() {
        return Ok(());
    }
    let signal = process::parent_process_death_signal()?;
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    match thread::set_thread_res_gid(group, group, group) {
        // No such group here, or no right to change it: root of a user namespace, or of nothing.
        Err(Errno::INVAL | Errno::PERM) => return Ok(()),
        result => result?,
    }
    thread::set_thread_groups(&[])?;
    thread::set_thread_res_uid(user, user, user)?;
    process::set_parent_process_death_signal(signal)
}

fn empty_bounding_set() -> Result<(), Errno> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match thread::capability_is_in_bounding_set(capability) {
            Ok(false) => {}
            // The first number this kernel has no capability for.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
            Ok(true) => match thread::remove_capability_from_bounding_set(capability) {
                // Without CAP_SETPCAP.
                Err(Errno::PERM) => break,
                result => result?,
            },
        }
    }
    Ok(())
}

/// Raises the process's soft limit of open files to its hard limit: a connection takes two
/// descriptors, and the usual soft limit is for programs that use select(2).
///
/// Needs no capability. See getrlimit(2). Errors: [`ConfineError`] if the kernel refuses.
pub fn raise_file_limit() -> Result<(), ConfineError> {
    let Rlimit { current, maximum } = process::getrlimit(Resource::Nofile);
    if current == maximum {
        return Ok(());
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let at = |errno| ConfineError {
        step: "raise the limit of open files",
        errno,
    };
    process::setrlimit(Resource::Nofile, raised).map_err(at)
}
