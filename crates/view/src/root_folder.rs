//! The root directory of this process, which joining a mount namespace replaces.
//!
//! setns(2) leads to the root of the mount namespace that is joined. A process in a chroot(2) has
//! another root directory, so it would leave the chroot without a word and then run other programs
//! than those it sees.

use std::os::fd::AsFd;

use netnsctl_base::error::{Context, Error};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::open_namespace;

/// The root directory of a thread.
#[derive(Debug, PartialEq, Eq)]
pub struct RootFolder {
    folder: (u32, u32, u64),
    /// The mount that shows it; 0 before Linux 5.8.
    mount: u64,
}

impl RootFolder {
    /// That of the calling thread.
    ///
    /// Errors: statx(2) failed.
    pub fn current() -> Result<Self, Error> {
        let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
        let found = statx(CWD, "/", AtFlags::empty(), wanted).context("look at", "/")?;
        Ok(Self {
            folder: (found.stx_dev_major, found.stx_dev_minor, found.stx_ino),
            mount: found.stx_mnt_id,
        })
    }

    /// Whether both are the same directory, which a copy of a mount namespace shows by a mount of
    /// its own.
    pub fn is_same_folder(&self, other: &Self) -> bool {
        self.folder == other.folder
    }
}

/// Refuses to go on towards `netns` in a chroot: joins the mount namespace that the calling thread
/// has, which changes nothing but the root directory, and that only in a chroot. The thread must
/// share its directories with no other (setns(2)). Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
///
/// Errors: [`Error::Chroot`], upon which the chroot has been left and nothing may be run.
#[expect(
    clippy::disallowed_methods,
    reason = "the thread stays in the mount namespace it has"
)]
pub fn refuse_chroot(netns: &str) -> Result<(), Error> {
    const OWN: &str = "/proc/thread-self/ns/mnt";
    let own = open_namespace(OWN)?;
    let (folder, before) = (std::env::current_dir(), RootFolder::current()?);
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Mount))
        .context("look for the root directory of", OWN)?;
    if RootFolder::current()? != before {
        return Err(Error::Chroot(netns.to_owned()));
    }
    // Joining leads to the root directory.
    if let Ok(folder) = folder {
        let _ = std::env::set_current_dir(folder);
    }
    Ok(())
}
