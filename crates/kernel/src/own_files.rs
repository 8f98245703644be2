//! Files of ours in a folder that others write to as well: what a first line tells apart.
//!
//! A file without that line, a symbolic link and what is no text are somebody else's and stay.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use netnsctl_model::observed::FileState;
use rustix::fs::{AtFlags, unlinkat};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::state_dir::{read_file, replace_file, temporary_name};

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
    /// What `file` is; none if it is not there.
    pub(crate) fn state(&self, file: &str) -> Result<Option<FileState>, Error> {
        match read_file(self.folder, file) {
            Ok(content) if (self.is_ours)(&content) => Ok(Some(FileState::Ours(content))),
            Ok(_) => Ok(Some(FileState::Foreign)),
            Err(error) => match (error.kind(), Errno::from_io_error(&error)) {
                (io::ErrorKind::NotFound, _) => Ok(None),
                // Not text, or a symbolic link: nothing we ever write.
                (io::ErrorKind::InvalidData, _) | (_, Some(Errno::LOOP)) => {
                    Ok(Some(FileState::Foreign))
                }
                _ => Err(error).context("read", self.path_of(file)),
            },
        }
    }

    /// Writes `file`, unless somebody has put one of theirs there.
    pub(crate) fn write(&self, file: &str, content: &str) -> Result<(), Error> {
        if self.state(file)? == Some(FileState::Foreign) {
            return Ok(());
        }
        replace_file(self.folder, file, content.as_bytes(), 0o644)
            .context("write", self.path_of(file))
    }

    /// Removes `file` if it is ours, and what a kill left of writing it.
    pub(crate) fn remove(&self, file: &str) -> Result<(), Error> {
        let _ = unlinkat(self.folder, temporary_name(file), AtFlags::empty());
        if !matches!(self.state(file)?, Some(FileState::Ours(_))) {
            return Ok(());
        }
        match unlinkat(self.folder.as_fd(), file, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error).context("remove", self.path_of(file)),
        }
    }

    fn path_of(&self, file: &str) -> String {
        format!("{}/{file}", self.path)
    }
}
