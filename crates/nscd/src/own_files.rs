//! Whether the files of the namespace still show in /etc.
//!
//! They are bound over those of the host. Such a mount goes when the host puts another file in the
//! place of the one below it (rename(2)), and it goes on to show the old one when the namespace's own
//! file is replaced. Nothing that is bound can be mended from inside, so a daemon that sees either
//! ends, for its keeper to start it anew with the files bound again.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::stat;

/// Where the files show.
const ETC: &str = "/etc";

/// Room for many events at once; what is in them does not matter.
const EVENTS: usize = 4096;

/// Files of a namespace that show in /etc, and a descriptor that tells of changes near them.
#[derive(Debug)]
pub struct OwnFiles {
    folder: PathBuf,
    names: Vec<OsString>,
    changes: OwnedFd,
}

impl OwnFiles {
    /// Watches those files of `folder` that show in /etc now, from the point of view of the calling
    /// thread. Needs no capability; the folders must be open to this user.
    ///
    /// Errors: if `folder` cannot be read or watched.
    pub fn watch(folder: &Path) -> io::Result<Self> {
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let changes = inotify::init(flags)?;
        let mut own = Self {
            folder: folder.to_owned(),
            names: Vec::new(),
            changes,
        };
        // Watched before it is looked at, so that nothing happens in between.
        let mut watched = BTreeSet::from([folder.to_owned(), PathBuf::from(ETC)]);
        let entries = std::fs::read_dir(folder)?;
        let names: Vec<_> = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        // A link of the host's, such as resolv.conf often is, has its mount where it leads to.
        let shown = names.iter().map(|name| Path::new(ETC).join(name));
        let targets = shown.filter_map(|path| std::fs::canonicalize(path).ok());
        watched.extend(targets.filter_map(|path| path.parent().map(Path::to_owned)));
        let changes = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        for path in watched {
            inotify::add_watch(&own.changes, &path, changes)?;
        }
        own.names = names.into_iter().filter(|name| own.shows(name)).collect();
        Ok(own)
    }

    /// Whether all of them still show.
    pub(crate) fn show(&self) -> bool {
        self.names.iter().all(|name| self.shows(name))
    }

    fn shows(&self, name: &OsString) -> bool {
        let identity = |path: PathBuf| stat(&path).map(|stat| (stat.st_dev, stat.st_ino));
        let own = identity(self.folder.join(name));
        own.is_ok() && own == identity(Path::new(ETC).join(name))
    }

    /// Forgets what has been told of so far.
    pub(crate) fn forget(&self) {
        let mut events: Vec<u8> = Vec::with_capacity(EVENTS);
        while rustix::io::read(&self.changes, spare_capacity(&mut events)).is_ok_and(|n| n > 0) {
            events.clear();
        }
    }
}

impl AsFd for OwnFiles {
    /// Becomes readable when something near the files has changed.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_do_not_show_are_not_watched_and_changes_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("resolv.conf"), "").unwrap();
        let own = OwnFiles::watch(folder.path()).unwrap();
        assert!(own.names.is_empty(), "{:?}", own.names);
        assert!(own.show());
        let is_told = || {
            let mut fds = [rustix::event::PollFd::new(
                &own,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap() == 1
        };
        assert!(!is_told());
        std::fs::write(folder.path().join("hosts"), "").unwrap();
        assert!(is_told());
        own.forget();
        assert!(!is_told());
    }

    #[test]
    fn a_file_of_the_host_shows_in_its_place_and_another_does_not() {
        let etc = OwnFiles::watch(Path::new(ETC)).unwrap();
        assert!(etc.names.contains(&OsString::from("passwd")));
        assert!(etc.show());
        let other = OwnFiles {
            folder: PathBuf::from("/"),
            names: vec!["passwd".into()],
            ..etc
        };
        assert!(!other.show());
    }
}
