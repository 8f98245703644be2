//! `/run/netnsctl`: the lock that orders whoever changes something, and the records.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::{
    is_at, lock_folder, open_folder_nofollow, read_file, replace_file, temporary_name,
};
use netnsctl_base::lock;
use netnsctl_base::presence::if_present;
use netnsctl_base::state_folder::{FOLDER_MODE, RUN_NETNSCTL};
use netnsctl_model::name::NetnsName;
use netnsctl_model::observed::Record;
use netnsctl_view as view;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::record;

/// The file that says which network namespace is the host namespace: device, inode and, where the
/// kernel has them, cookie. Its name has no `.json` at its end, so it is no record's.
pub(crate) const HOST_NOTE: &str = "host-netns";

/// The folder, locked for as long as this lives: whoever changes namespaces holds it.
#[derive(Debug)]
pub struct StateDir {
    folder: OwnedFd,
}

impl StateDir {
    /// Makes the folder if need be and waits for its lock (flock(2) on the folder itself, so that
    /// no lock file is left behind). Then removes what a kill left of files that were being written.
    ///
    /// Errors: the folder cannot be made, opened, locked or read, or such a file cannot be removed.
    pub fn lock() -> Result<Self, Error> {
        let folder = lock_folder(RUN_NETNSCTL, FOLDER_MODE)?;
        let state = Self { folder };
        state.sweep()?;
        Ok(state)
    }

    /// Removes the beginnings of files: these are written under the lock, so none is still in the making.
    fn sweep(&self) -> Result<(), Error> {
        for entry in Dir::read_from(&self.folder).context("list", RUN_NETNSCTL)? {
            let entry = entry.context("list", RUN_NETNSCTL)?;
            let file = entry.file_name();
            if is_temporary(file) {
                let path = || format!("{RUN_NETNSCTL}/{}", file.to_string_lossy());
                unlinkat(&self.folder, file, AtFlags::empty()).context("remove", path())?;
            }
        }
        Ok(())
    }

    /// Writes the record of `name`, whole or not at all.
    pub fn write_record(&self, name: &NetnsName, record: &Record) -> Result<(), Error> {
        let text = record::to_json(record);
        replace_file(&self.folder, &file_name(name), text.as_bytes(), 0o644)
            .context("write", record_path(name))
    }

    /// Removes the record of `name`. Already gone is success.
    pub fn remove_record(&self, name: &NetnsName) -> Result<(), Error> {
        self.remove(&file_name(name))
    }

    /// Removes `file`, and what a kill left of writing it. Already gone is success.
    fn remove(&self, file: &str) -> Result<(), Error> {
        for entry in [file, &temporary_name(file)] {
            match unlinkat(&self.folder, entry, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => {
                    return Err(error).context("remove", format!("{RUN_NETNSCTL}/{file}"));
                }
            }
        }
        Ok(())
    }

    /// The open folder.
    pub(crate) fn folder(&self) -> &OwnedFd {
        &self.folder
    }

    /// Removes the folder if no namespace is left in it. Whoever waits for its lock makes a new one.
    ///
    /// Errors: a file or a folder of views that cannot be removed, or a folder that cannot be read.
    pub fn remove_if_empty(self) -> Result<(), Error> {
        let views = view::remove_folders_if_empty();
        if records()?.is_empty() {
            self.remove(HOST_NOTE)?;
        }
        match unlinkat(CWD, RUN_NETNSCTL, AtFlags::REMOVEDIR) {
            // Something else is kept there, such as a configuration.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => views,
            Err(error) => Err(error).context("remove", RUN_NETNSCTL),
        }
    }
}

/// A lock that keeps others from changing something while this process looks.
#[derive(Debug)]
pub struct Undisturbed {
    /// None if there is no folder, or this user may not lock it.
    _folder: Option<OwnedFd>,
    /// The process that may be changing namespaces all the same.
    pub disturbed: Option<String>,
}

/// Waits until no process changes namespaces, and keeps others from it while the result lives. A process that takes
/// long is not waited for: the result says who it is.
///
/// Errors: the folder cannot be opened or locked.
pub fn share() -> Result<Undisturbed, Error> {
    let undisturbed = |folder, disturbed| Undisturbed {
        _folder: folder,
        disturbed,
    };
    loop {
        let opened = if_present(open_folder_nofollow(RUN_NETNSCTL));
        let folder = match opened {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
            opened => opened.context("open", RUN_NETNSCTL)?,
        };
        let Some(folder) = folder else {
            return Ok(undisturbed(None, None));
        };
        match lock::lock(&folder, RUN_NETNSCTL, lock::Mode::Shared, lock::PATIENCE) {
            Ok(()) if is_at(&folder, RUN_NETNSCTL)? => return Ok(undisturbed(Some(folder), None)),
            // A `down` that had the lock before us has removed the folder.
            Ok(()) => {}
            Err(Error::Locked { holder, .. }) => return Ok(undisturbed(None, Some(holder))),
            Err(error) => return Err(error),
        }
    }
}

impl Undisturbed {
    /// Whether a change is kept off, or known.
    pub(crate) fn is_certain(&self) -> bool {
        self._folder.is_some() || self.disturbed.is_some()
    }
}

/// When the folder above that of records changed last: when one was made or removed, among others.
pub(crate) fn last_made() -> Result<(i64, i64), Error> {
    let above = statat(CWD, "/run", AtFlags::empty()).context("look at", "/run")?;
    Ok((
        above.st_mtime,
        i64::try_from(above.st_mtime_nsec).unwrap_or(0),
    ))
}

/// What is noted of namespaces, by name.
#[derive(Debug, Default)]
pub struct Records {
    /// The records.
    pub known: BTreeMap<NetnsName, Record>,
    /// Why a record cannot be understood: somebody else wrote it, or another version.
    pub unreadable: BTreeMap<NetnsName, String>,
}

impl Records {
    /// Whether nothing is noted of any namespace.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.unreadable.is_empty()
    }

    /// The namespaces of which there is a record, understood or not.
    pub fn into_names(self) -> BTreeSet<NetnsName> {
        let names = self.known.into_keys();
        names.chain(self.unreadable.into_keys()).collect()
    }
}

/// All records. A folder that is not there has none. Needs no lock: each record is replaced as a
/// whole. Errors: the folder or a file that cannot be read at all.
pub fn records() -> Result<Records, Error> {
    let mut records = Records::default();
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let folder = match openat(CWD, RUN_NETNSCTL, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(records),
        Err(error) => return Err(error).context("open", RUN_NETNSCTL),
    };
    for entry in Dir::read_from(&folder).context("list", RUN_NETNSCTL)? {
        let entry = entry.context("list", RUN_NETNSCTL)?;
        let name = entry
            .file_name()
            .to_str()
            .ok()
            .and_then(|file| file.strip_suffix(".json"));
        let Some(name) = name.and_then(|name| NetnsName::parse(name).ok()) else {
            continue;
        };
        let text = match read_file(&folder, &file_name(&name)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context("read", record_path(&name)),
        };
        match record::from_json(name.as_str(), &text) {
            Ok(record) => drop(records.known.insert(name, record)),
            Err(reason) => drop(records.unreadable.insert(name, reason)),
        }
    }
    Ok(records)
}

fn file_name(name: &NetnsName) -> String {
    format!("{name}.json")
}

fn record_path(name: &NetnsName) -> String {
    format!("{RUN_NETNSCTL}/{name}.json")
}

/// Whether `file` is the beginning of a record or of the note of the host namespace ([`temporary_name`]).
fn is_temporary(file: &CStr) -> bool {
    let whole = file.to_str().ok().and_then(|file| {
        let whole = file.strip_prefix('.')?.strip_suffix(".new")?;
        Some((whole, whole.strip_suffix(".json")))
    });
    match whole {
        Some((_, Some(name))) => NetnsName::parse(name).is_ok(),
        Some((whole, None)) => whole == HOST_NOTE,
        None => false,
    }
}
