//! `/run/netns-NAME/nscd`: the folder in which the name-service daemon of a namespace listens.
//!
//! The view shows it at /run/nscd, where programs look for a daemon (nscd(8)), so whoever runs
//! there reaches this daemon and no other. It is the folder that is shown and not the socket, which
//! another one takes the place of when the daemon's keeper starts anew.
//!
//! `/run` is root's, so nobody else can put a link into the path; none is followed all the same.

use std::os::fd::AsFd;
use std::path::PathBuf;

use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, FileType, statat, unlinkat};
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
    for path in [folder(name), run_folder(name)] {
        match unlinkat(CWD, &path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error).context("remove", path),
        }
    }
    Ok(())
}

/// Removes the socket and the folder, whether or not somebody listens.
pub(crate) fn remove(name: &NetnsName) -> Result<(), Error> {
    // A link, or what is no folder, is not ours.
    if let Ok(open) = open_folder_nofollow(&folder(name)) {
        let found = statat(open.as_fd(), SOCKET, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Socket) {
            match unlinkat(open.as_fd(), SOCKET, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => {
                    return Err(error).context("remove", format!("{}/{SOCKET}", folder(name)));
                }
            }
        }
    }
    remove_if_empty(name)
}
