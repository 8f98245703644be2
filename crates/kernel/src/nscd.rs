//! `/run/netns-NAME/nscd`: the folder in which the name-service daemon of a namespace listens.
//!
//! The view shows it at /run/nscd, where programs look for a daemon (nscd(8)), so whoever runs
//! there reaches this daemon and no other. It is the folder that is shown and not the socket, which
//! another one takes the place of when the daemon's keeper starts anew.
//!
//! `/run` is root's, so nobody else can put a link into the path; none is followed all the same.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, Dir, FileType, statat, unlinkat};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::names::open_folder_nofollow;
use crate::state_dir::{make_folder, open_to, run_folder};

/// The name of the socket, which glibc has in it.
const SOCKET: &str = "socket";

/// Anybody in the namespace may look something up.
const MODE: u32 = 0o755;

pub(crate) fn folder(name: &NetnsName) -> String {
    format!("{}/nscd", run_folder(name))
}

/// Whether the namespace has that folder, which is no link.
pub(crate) fn has_folder(name: &NetnsName) -> bool {
    let found = statat(CWD, folder(name), AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Where the daemon of `name` listens.
pub fn socket(name: &NetnsName) -> PathBuf {
    PathBuf::from(folder(name)).join(SOCKET)
}

/// Makes the folder, open to all whatever the umask. One that is there is success. Needs the right
/// to write to /run.
///
/// Errors: ENOTDIR if something else stands there.
pub fn make(name: &NetnsName) -> Result<(), Error> {
    for path in [run_folder(name), folder(name)] {
        make_folder(&path, MODE)?;
        open_to(&path, MODE)?;
    }
    Ok(())
}

/// Removes the folder if it is empty, and that of the namespace too. Not there is success, and so
/// is something else in it, which stays.
pub fn remove_if_empty(name: &NetnsName) -> Result<(), Error> {
    remove_folders([folder(name), run_folder(name)])
}

/// Removes the sockets of the namespace and their folders, whether or not somebody listens: that of
/// the daemon, and those at which forwards that systemd started tell of themselves.
pub(crate) fn remove(name: &NetnsName) -> Result<(), Error> {
    let forwards = format!("{}/forward", run_folder(name));
    let folders = [folder(name), forwards];
    for path in &folders {
        // A link, or what is no folder, is not ours.
        if let Ok(open) = open_folder_nofollow(path) {
            remove_sockets(&open, path)?;
        }
    }
    remove_folders(folders)?;
    remove_folders([run_folder(name)])
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

fn remove_folders(paths: impl IntoIterator<Item = String>) -> Result<(), Error> {
    for path in paths {
        match unlinkat(CWD, &path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error).context("remove", path),
        }
    }
    Ok(())
}
