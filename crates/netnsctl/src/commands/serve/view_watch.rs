//! Tells when a view was taken away: another command found that it had to give way to a new one,
//! and a daemon that stays behind in it would answer with files that show nowhere else any more.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netnsctl_view as view;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// Bytes of events taken at once; which they are does not matter.
const EVENTS: usize = 4096;

/// A watch of the folder of views (inotify(7)).
#[derive(Debug)]
pub(super) struct ViewWatch {
    /// None where the system has no more of them: daemons follow at a reload then.
    fd: Option<OwnedFd>,
}

impl ViewWatch {
    pub(super) fn new() -> Self {
        Self {
            fd: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok(),
        }
    }

    /// To be called when a view may have been made: the folder comes with the first of them and
    /// goes with the last. A folder that is watched already stays so.
    pub(super) fn renew(&self) {
        let flags = WatchFlags::DELETE | WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW;
        if let Some(fd) = &self.fd {
            // Where no view can be kept there is no folder either.
            let _ = inotify::add_watch(fd, view::VIEWS, flags);
        }
    }

    /// What becomes readable when something has changed.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Whether something has changed since the last call.
    pub(super) fn has_changed(&self) -> bool {
        let Some(fd) = &self.fd else {
            return false;
        };
        let mut changed = false;
        let mut events = [0; EVENTS];
        while rustix::io::read(fd, &mut events).is_ok_and(|count| count > 0) {
            changed = true;
        }
        changed
    }
}
