//! Where views are kept: files that their nsfs files are mounted on, below one private mount.

use std::os::fd::OwnedFd;
use std::path::Path;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::lock_folder;
use netnsctl_base::presence::if_present;
use netnsctl_base::run_folder;
use netnsctl_base::state_folder;
use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, statat, symlinkat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};

use crate::notes::VIEWS;
use crate::{mark, services};

pub(crate) fn folder_of(name: &NetnsName) -> String {
    format!("{VIEWS}/{name}")
}

pub(crate) fn pin_of(name: &NetnsName) -> String {
    format!("{VIEWS}/{name}/mntns")
}

/// The view of `name`, if there is one.
pub(crate) fn open_pin(name: &NetnsName) -> Result<Option<OwnedFd>, Error> {
    let path = pin_of(name);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = if_present(openat(CWD, &path, flags, Mode::empty())).context("open", &path)?;
    let Some(file) = file else {
        return Ok(None);
    };
    // A file that nothing is mounted on is what a kill leaves.
    Ok(is_mounted(&path)?.then_some(file))
}

/// Whether something is mounted on `path`: it is on another device than its folder. Nothing is
/// where it went just now.
fn is_mounted(path: &str) -> Result<bool, Error> {
    let device = |path: &Path| {
        let there = if_present(statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW));
        let there = there.context("look at", path.display().to_string())?;
        Ok(there.map(|stat| stat.st_dev))
    };
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    let (own, above) = (device(Path::new(path))?, device(folder)?);
    Ok(own.is_some() && above.is_some() && own != above)
}

/// Makes the folder of pins a private mount of itself, and locks it.
pub(crate) fn set_up_folder() -> Result<OwnedFd, Error> {
    state_folder::make()?;
    let folder = lock_folder(VIEWS, 0o700)?;
    let private = || mount_change(VIEWS, MountPropagationFlags::PRIVATE);
    match private() {
        // It is no mount point. Only then is it bound to itself, so never twice.
        Err(Errno::INVAL) => {
            mount_bind(VIEWS, VIEWS).context("bind", VIEWS)?;
            private().context("make private", VIEWS)?;
        }
        result => result.context("make private", VIEWS)?,
    }
    Ok(folder)
}

/// Makes the link by which others find the view.
pub(crate) fn make_link(name: &NetnsName) -> Result<(), Error> {
    run_folder::make(name)?;
    let link = format!("{}/mntns", run_folder::path(name));
    match symlinkat(pin_of(name), CWD, &link) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).context("create", link),
    }
}

/// Takes the view of `name` away. What runs in it keeps it. Already gone is success.
pub fn remove(name: &NetnsName) -> Result<(), Error> {
    let pin = pin_of(name);
    loop {
        match unmount(&pin, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => break,
            Err(error) => return Err(error).context("unmount", pin),
        }
    }
    let link = format!("{}/mntns", run_folder::path(name));
    for (path, flags) in [
        (pin, AtFlags::empty()),
        (folder_of(name), AtFlags::REMOVEDIR),
        (link, AtFlags::empty()),
        (run_folder::path(name), AtFlags::REMOVEDIR),
    ] {
        match unlinkat(CWD, &path, flags) {
            // What else is in a folder is not ours.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error).context("remove", path),
        }
    }
    Ok(())
}

/// Removes the folder of pins if it is empty, and then what was made on the host for views. What is in
/// use stays, and its notes with it, for the next `down`.
///
/// Errors: it cannot be found out what is there, or it cannot be removed though it is not in use.
pub fn remove_folders_if_empty() -> Result<(), Error> {
    if mark::origin()?.is_some() {
        return Ok(());
    }
    if is_there(VIEWS)? {
        remove_folder_if_empty()?;
    }
    match is_there(VIEWS)? {
        true => Ok(()),
        false => services::remove_places(),
    }
}

fn is_there(path: &str) -> Result<bool, Error> {
    let there = if_present(statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW));
    Ok(there.context("look at", path)?.is_some())
}

fn remove_folder_if_empty() -> Result<(), Error> {
    // Whoever makes a view holds this lock; who waits for it makes the folder anew.
    let folder = set_up_folder()?;
    for entry in Dir::read_from(&folder).context("list", VIEWS)? {
        let entry = entry.context("list", VIEWS)?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            return Ok(());
        }
    }
    let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
    if is_in_use(unmount(VIEWS, flags)).context("unmount", VIEWS)? {
        return Ok(());
    }
    let removed = unlinkat(CWD, VIEWS, AtFlags::REMOVEDIR);
    is_in_use(removed).context("remove", VIEWS).map(drop)
}

/// Whether something could not be removed because it is in use. What is gone already is not.
fn is_in_use(removed: Result<(), Errno>) -> Result<bool, Errno> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(false),
        Err(Errno::BUSY | Errno::NOTEMPTY | Errno::EXIST) => Ok(true),
        Err(error) => Err(error),
    }
}
