//! `/run/netns-NAME`: what a namespace has in /run besides its name. The link to its view, the
//! folder of its name-service daemon, and the sockets at which forwards that systemd started tell
//! of themselves.
//!
//! `/run` is root's, so nobody else can put a link into the path; none is followed all the same.

use std::os::fd::OwnedFd;

use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, Dir, FileType, statat, unlinkat};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::names::open_folder_nofollow;

pub(crate) fn path(name: &NetnsName) -> String {
    format!("/run/netns-{name}")
}

/// Removes the folder, and the sockets in its folders whether or not somebody listens. What else
/// is there stays, and the folder with it.
pub(crate) fn remove(name: &NetnsName) -> Result<(), Error> {
    let here = path(name);
    let folders = ["nscd", "forward"].map(|folder| format!("{here}/{folder}"));
    for folder in &folders {
        // A link, or what is no folder, is not ours.
        if let Ok(open) = open_folder_nofollow(folder) {
            remove_sockets(&open, folder)?;
        }
    }
    remove_if_empty(folders.into_iter().chain([here]))
}

fn remove_sockets(folder: &OwnedFd, path: &str) -> Result<(), Error> {
    for entry in Dir::read_from(folder).context("list", path)? {
        let entry = entry.context("list", path)?;
        let file = entry.file_name();
        let found = statat(folder, file, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket) {
            match unlinkat(folder, file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => {
                    let file = file.to_string_lossy();
                    return Err(error).context("remove", format!("{path}/{file}"));
                }
            }
        }
    }
    Ok(())
}

/// Removes those of the folders that are empty. Not there is success.
pub(crate) fn remove_if_empty(paths: impl IntoIterator<Item = String>) -> Result<(), Error> {
    for path in paths {
        match unlinkat(CWD, &path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error).context("remove", path),
        }
    }
    Ok(())
}
