//! `/run/netns-NAME`: what a namespace has in /run besides its name. The link to its view, the
//! folder of its name-service daemon, and the sockets at which forwards that systemd started tell
//! of themselves.
//!
//! Only root may pass through it: from other namespaces, the daemon's socket is out of reach.
//! Those inside find the daemon's folder at /run/nscd, for which they need no right to this path.
//!
//! `/run` is root's, so nobody else can put a link into the path; none is followed all the same.

use std::os::fd::OwnedFd;

use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, Dir, FileType, statat, unlinkat};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::files::{make_folder, open_folder_nofollow, open_to};
use crate::presence::if_present;

/// The mode of the folder.
const MODE: u32 = 0o700;

/// The path of the folder of `name`.
pub fn path(name: &NetnsName) -> String {
    format!("/run/netns-{name}")
}

/// Makes the folder, or gives that mode to the one that is there.
///
/// Errors: ENOTDIR if something else stands there.
pub fn make(name: &NetnsName) -> Result<(), Error> {
    let path = path(name);
    make_folder(&path, MODE)?;
    open_to(&path, MODE).map(drop)
}

/// Removes the folder, and the sockets in its folders whether or not somebody listens. What else
/// is there stays, and the folder with it.
pub fn remove(name: &NetnsName) -> Result<(), Error> {
    let here = path(name);
    let folders = ["nscd", "forward"].map(|folder| format!("{here}/{folder}"));
    for folder in &folders {
        match if_present(open_folder_nofollow(folder)) {
            Ok(Some(open)) => remove_sockets(&open, folder)?,
            // A link, or what is no folder, is not ours.
            Ok(None) => {}
            Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {}
            Err(error) => return Err(error).context("open", folder),
        }
    }
    remove_if_empty(folders.into_iter().chain([here]))
}

fn remove_sockets(folder: &OwnedFd, path: &str) -> Result<(), Error> {
    for entry in Dir::read_from(folder).context("list", path)? {
        let entry = entry.context("list", path)?;
        let file = entry.file_name();
        let object = || format!("{path}/{}", file.to_string_lossy());
        let found = if_present(statat(folder, file, AtFlags::SYMLINK_NOFOLLOW));
        let found = found.context("look at", object())?;
        if found.is_some_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Socket) {
            let removed = if_present(unlinkat(folder, file, AtFlags::empty()));
            removed.context("remove", object())?;
        }
    }
    Ok(())
}

/// Removes those of the folders that are empty. Not there is success.
pub fn remove_if_empty(paths: impl IntoIterator<Item = String>) -> Result<(), Error> {
    for path in paths {
        match unlinkat(CWD, &path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error).context("remove", path),
        }
    }
    Ok(())
}
