//! `/run/netns-NAME/nscd`: the folder in which the name-service daemon of a namespace listens.
//!
//! The view shows it at /run/nscd, where programs look for a daemon (nscd(8)), so whoever runs
//! there reaches this daemon and no other. It is the folder that is shown and not the socket, which
//! another one takes the place of when the daemon's keeper starts anew.
//!
//! `/run` is root's, so nobody else can put a link into the path; none is followed all the same.

use std::path::PathBuf;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::{make_folder, open_to};
use netnsctl_base::presence::if_present;
use netnsctl_base::run_folder;
use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, FileType, statat};

/// The name of the socket, which glibc has in it.
const SOCKET: &str = "socket";

/// Anybody in the namespace may look something up: the view shows this folder.
const MODE: u32 = 0o755;

/// The path of the folder of `name`.
pub fn folder(name: &NetnsName) -> String {
    format!("{}/nscd", run_folder::path(name))
}

/// Whether the namespace has that folder, which is no link.
///
/// Errors: a step that the kernel refused, after which this is not known.
pub fn has_folder(name: &NetnsName) -> Result<bool, Error> {
    let folder = folder(name);
    let found = if_present(statat(CWD, &folder, AtFlags::SYMLINK_NOFOLLOW));
    let found = found.context("look at", folder)?;
    Ok(found.is_some_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Directory))
}

/// Where the daemon of `name` listens.
pub fn socket(name: &NetnsName) -> PathBuf {
    PathBuf::from(folder(name)).join(SOCKET)
}

/// Whether there is a socket of a daemon, which need not answer. Needs the right to pass through
/// the folder of the namespace.
///
/// Errors: a step that the kernel refused, after which this is not known.
pub fn has_socket(name: &NetnsName) -> Result<bool, Error> {
    let path = socket(name);
    let found = if_present(statat(CWD, &path, AtFlags::SYMLINK_NOFOLLOW));
    let found = found.context("look at", path.display().to_string())?;
    Ok(found.is_some())
}

/// Makes the folder, open to all whatever the umask, in one that is closed to all but root: by its
/// path, nobody outside of the namespace reaches the daemon. Folders that are there get these modes.
/// Needs the right to write to /run.
///
/// Errors: ENOTDIR if something else stands there.
pub fn make(name: &NetnsName) -> Result<(), Error> {
    run_folder::make(name)?;
    let folder = folder(name);
    make_folder(&folder, MODE)?;
    open_to(&folder, MODE).map(drop)
}

/// Removes the folder if it is empty, and that of the namespace too. Not there is success, and so
/// is something else in it, which stays.
pub fn remove_if_empty(name: &NetnsName) -> Result<(), Error> {
    run_folder::remove_if_empty([folder(name), run_folder::path(name)])
}
