//! Files of ours in a folder that others write to as well: what a first line tells apart.
//!
//! A file without that line, a symbolic link and what is no text are somebody else's and stay.

use std::io;
use std::os::fd::OwnedFd;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::{read_file, replace_file, temporary_name};
use netnsctl_base::presence::if_present;
use netnsctl_model::observed::FileState;
use rustix::fs::{AtFlags, statat, unlinkat};
use rustix::io::Errno;

/// What came of removing files of ours, by whose they were.
pub(crate) type Removed<T> = Vec<(T, Result<(), Error>)>;

/// Such a folder.
pub(crate) struct OwnFiles<'a> {
    /// Opened without following a link.
    pub(crate) folder: &'a OwnedFd,
    /// What it is called in errors.
    pub(crate) path: &'a str,
    /// Whether a file with this content is ours.
    pub(crate) is_ours: fn(&str) -> bool,
}

impl OwnFiles<'_> {
    /// What `file` is; none if it is not there. While there is a beginning of it that a kill left, a file of ours
    /// counts as an empty one, so that it is written again or removed, and the beginning with it.
    pub(crate) fn state(&self, file: &str) -> Result<Option<FileState>, Error> {
        let state = self.complete(file)?;
        match state {
            None | Some(FileState::Ours(_)) if self.has(&temporary_name(file))? => {
                Ok(Some(FileState::Ours(String::new())))
            }
            state => Ok(state),
        }
    }

    /// What stands at the name of `file`.
    fn complete(&self, file: &str) -> Result<Option<FileState>, Error> {
        match read_file(self.folder, file) {
            Ok(content) if (self.is_ours)(&content) => Ok(Some(FileState::Ours(content))),
            Ok(_) => Ok(Some(FileState::Foreign)),
            Err(error) => match (error.kind(), Errno::from_io_error(&error)) {
                (io::ErrorKind::NotFound, _) => Ok(None),
                // Not text, a symbolic link, a folder or a socket: nothing we ever write.
                (io::ErrorKind::InvalidData, _)
                | (_, Some(Errno::LOOP | Errno::ISDIR | Errno::NXIO)) => {
                    Ok(Some(FileState::Foreign))
                }
                _ => Err(error).context("read", self.path_of(file)),
            },
        }
    }

    /// Writes `file`, unless somebody has put one of theirs there.
    pub(crate) fn write(&self, file: &str, content: &str) -> Result<(), Error> {
        if self.complete(file)? == Some(FileState::Foreign) {
            return Ok(());
        }
        replace_file(self.folder, file, content.as_bytes(), 0o644)
            .context("write", self.path_of(file))
    }

    /// Removes `file` if it is ours, and what a kill left of writing it.
    pub(crate) fn remove(&self, file: &str) -> Result<(), Error> {
        if matches!(self.complete(file)?, Some(FileState::Ours(_))) {
            self.unlink(file)?;
        }
        // On a read-only file system unlink(2) fails with EROFS also where nothing is.
        let temporary = temporary_name(file);
        match self.has(&temporary)? {
            true => self.unlink(&temporary),
            false => Ok(()),
        }
    }

    /// Whether something has that name.
    fn has(&self, file: &str) -> Result<bool, Error> {
        let found = statat(self.folder, file, AtFlags::SYMLINK_NOFOLLOW);
        let found = if_present(found).context("look at", self.path_of(file))?;
        Ok(found.is_some())
    }

    fn unlink(&self, file: &str) -> Result<(), Error> {
        match unlinkat(self.folder, file, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error).context("remove", self.path_of(file)),
        }
    }

    fn path_of(&self, file: &str) -> String {
        format!("{}/{file}", self.path)
    }
}
