//! Entering a sandbox that is running.
//!
//! A sandbox has mounts that its owner chose, so every program that starts inside is the owner's.
//! Joining a user namespace does not change the user id (setns(2)): without the checks here,
//! root's `--sandbox` would run programs of another user as root. So the sandbox must belong to
//! the caller, and the caller becomes the sandbox's root, as nsenter(1) does.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use netnsctl_base::error::{Context, Error, Object};
use netnsctl_sys::namespace::{owner_of_user_namespace, user_namespace_of};
use netnsctl_view::root_folder::RootFolder;
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid, getgid, getuid};
use rustix::thread::{
    LinkNameSpaceType, move_into_link_name_space, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use crate::keyring;

/// Moves this process into the sandbox of process `pid` as the root user there, and back to the
/// working directory it had, if the sandbox has that. It must have a single thread.
///
/// Errors: [`Error::NoSandbox`] unless the user namespace of the process belongs to the calling
/// user, and its mounts and its network belong to that user namespace; a step that the kernel
/// refused. The process must then not go on.
pub fn join(pid: u32) -> Result<(), Error> {
    let object = Object::Other(format!("the sandbox of process {pid}"));
    let namespaces = Namespaces::of_process(pid, &object)?;
    namespaces.check(pid, &object)?;
    let folder = std::env::current_dir();
    let root = RootFolder::current()?;
    enter(&namespaces, &object)?;
    if !RootFolder::current()?.is_same_folder(&root) {
        let reason = "its root directory is not that of this process, which may be in a chroot";
        return Err(no_sandbox(pid, reason));
    }
    become_root(&object)?;
    if let Ok(folder) = folder {
        let _ = std::env::set_current_dir(folder);
    }
    Ok(())
}

/// The namespaces of a sandbox. What was checked is what is joined: the process may move to other
/// namespaces meanwhile, or end.
struct Namespaces {
    user: OwnedFd,
    mounts: OwnedFd,
    network: OwnedFd,
}

impl Namespaces {
    fn of_process(pid: u32, object: &Object) -> Result<Self, Error> {
        // One process, even if its id is given to another one meanwhile.
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, format!("/proc/{pid}/ns"), flags, Mode::empty());
        let folder = folder.map_err(|error| match error {
            Errno::NOENT => Errno::SRCH,
            error => error,
        });
        let folder = folder.context("find", object.clone())?;
        let open = |name: &str| {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            openat(&folder, name, flags, Mode::empty()).context("open", object.clone())
        };
        Ok(Self {
            user: open("user")?,
            mounts: open("mnt")?,
            network: open("net")?,
        })
    }

    fn check(&self, pid: u32, object: &Object) -> Result<(), Error> {
        let own = netnsctl_view::open_namespace("/proc/self/ns/user")?;
        if is_same(&own, &self.user).context("look at", object.clone())? {
            return Err(no_sandbox(
                pid,
                "its user namespace is that of this process",
            ));
        }
        let owner =
            owner_of_user_namespace(self.user.as_fd()).context("look at", object.clone())?;
        if owner != geteuid().as_raw() {
            let reason = "its user namespace belongs to another user";
            return Err(no_sandbox(pid, reason));
        }
        for (namespace, reason) in [
            (
                &self.mounts,
                "its mounts do not belong to its user namespace",
            ),
            (
                &self.network,
                "its network does not belong to its user namespace",
            ),
        ] {
            let is_its = match user_namespace_of(namespace.as_fd()) {
                Ok(user) => is_same(&user, &self.user).context("look at", object.clone())?,
                // That of this host, for a caller in a user namespace.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => false,
                Err(error) => return Err(error).context("look at", object.clone()),
            };
            if !is_its {
                return Err(no_sandbox(pid, reason));
            }
        }
        Ok(())
    }
}

fn no_sandbox(pid: u32, reason: &'static str) -> Error {
    Error::NoSandbox { pid, reason }
}

/// Whether both are one namespace.
fn is_same(one: &OwnedFd, other: &OwnedFd) -> io::Result<bool> {
    let (one, other) = (fstat(one)?, fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process moves for good, before it has a second thread"
)]
fn enter(namespaces: &Namespaces, object: &Object) -> Result<(), Error> {
    for (namespace, kind) in [
        // The right to join the others comes with this one.
        (&namespaces.user, LinkNameSpaceType::User),
        (&namespaces.mounts, LinkNameSpaceType::Mount),
        (&namespaces.network, LinkNameSpaceType::Network),
    ] {
        move_into_link_name_space(namespace.as_fd(), Some(kind))
            .context("enter", object.clone())?;
    }
    Ok(())
}

/// Takes the ids of the sandbox's root. Where these are other ids than before, nothing of the
/// caller is kept: neither groups nor keys.
fn become_root(object: &Object) -> Result<(), Error> {
    const STEP: &str = "become root of";
    let is_root = getuid().is_root() && geteuid().is_root() && getgid().is_root();
    match set_thread_groups(&[]) {
        // Forbidden in user namespaces that their user may make without help (user_namespaces(7),
        // /proc/PID/setgroups). There, root is the caller, with the caller's groups.
        Err(Errno::PERM) if is_root => {}
        result => result.context(STEP, object.clone())?,
    }
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).context(STEP, object.clone())?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).context(STEP, object.clone())?;
    if !is_root {
        keyring::leave_keys_of_others(Uid::ROOT)?;
    }
    Ok(())
}
