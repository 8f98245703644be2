//! The way out of a view: back to the mounts that it was made from.
//!
//! A command that runs in one view and enters another namespace must not see the files of the
//! first one there. So `run` leaves the view that it was started in before it enters.
//!
//! The mark of a view says which mount namespace the view was made from. It cannot hold that
//! namespace (a mount namespace may be pinned only in an older one), so a process that is in it is looked for: process
//! 1, which on a whole machine is in it, and then all others, since a sandbox or a test has mounts
//! of its own. If there is none the command ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use netnsctl_base::error::{Context, Error};
use netnsctl_model::name::NetnsRef;
use netnsctl_sys::mount;
use rustix::fs::{CWD, Mode, OFlags, Stat, fstat, openat, stat};
use rustix::io::Errno;

use crate::mark;
use crate::root_folder::refuse_chroot;
use crate::{join, open_namespace};

/// Moves this process, on its way to netns `to`, out of the view that it is in, if it is in one. It stays in its working
/// directory. The process must have a single thread. Needs CAP_SYS_ADMIN, CAP_SYS_CHROOT and
/// CAP_SYS_PTRACE.
///
/// Errors: [`Error::NoWayOut`] if no process is in the mounts that the view was made from.
pub fn leave(to: &str) -> Result<(), Error> {
    if let Some(origin) = mark::origin()? {
        refuse_chroot(to)?;
        join(&find(&origin)?, NetnsRef::HOME)?;
    }
    Ok(())
}

/// The mount namespace of the calling thread, as the origin of a view that is made from it.
pub(crate) fn own() -> Result<String, Error> {
    let own = "/proc/thread-self/ns/mnt";
    origin_of(&open_namespace(own)?).context("look at", own)
}

/// The mount namespace by device and inode, and by its id where the kernel has that: the numbers of
/// inodes are used again.
fn origin_of(namespace: &OwnedFd) -> io::Result<String> {
    let stat = fstat(namespace)?;
    let id = match mount::namespace_id(namespace.as_fd()) {
        Ok(id) => id,
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOTTY) => 0,
        Err(error) => return Err(error),
    };
    Ok(format!("{}:{}:{id}", stat.st_dev, stat.st_ino))
}

/// The mount namespace `origin` that a view was made from.
fn find(origin: &str) -> Result<OwnedFd, Error> {
    let user = stat("/proc/self/ns/user").context("look at", "/proc/self/ns/user")?;
    let mut pids = vec![1];
    for entry in std::fs::read_dir("/proc").context("list", "/proc")? {
        let name = entry.context("list", "/proc")?.file_name();
        pids.extend(name.to_str().and_then(|it| it.parse::<u32>().ok()));
    }
    for pid in pids {
        let path = format!("/proc/{pid}/ns/mnt");
        if let Some(namespace) = open_if_allowed(&path).context("open", &path)?
            && origin_of(&namespace).context("look at", &path)? == origin
            && is_owned_by(&namespace, &user).context("look at", path)?
        {
            return Ok(namespace);
        }
    }
    Err(Error::NoWayOut)
}

/// The mount namespace of a process, unless that has ended or may not be looked at.
fn open_if_allowed(path: &str) -> Result<Option<OwnedFd>, Errno> {
    match openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(namespace) => Ok(Some(namespace)),
        Err(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a mount namespace belongs to the user namespace `user`. What is mounted in one of
/// another user namespace is not root's choice.
fn is_owned_by(namespace: &OwnedFd, user: &Stat) -> io::Result<bool> {
    let owner = fstat(mount::owner(namespace.as_fd())?)?;
    Ok((owner.st_dev, owner.st_ino) == (user.st_dev, user.st_ino))
}
