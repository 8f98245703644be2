//! `/run/netnsctl`: the lock that orders whoever changes something, and the records.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;

use netnsctl_model::name::NetnsName;
use netnsctl_model::observed::Record;
use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, fchmod, flock, fstat, mkdirat, openat,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::names::open_folder_nofollow;
use crate::netns::Netns;
use crate::presence::if_present;
use crate::{host_identity, lock, record, view};

/// The folder.
pub const RUN_NETNSCTL: &str = "/run/netnsctl";

/// Its mode: others may pass through, to `conf`, but not open it, for whoever can open it can lock
/// it, and so keep everybody from changing anything.
const FOLDER_MODE: u32 = 0o711;

/// The folder, locked for as long as this lives: whoever changes namespaces holds it.
#[derive(Debug)]
pub struct StateDir {
    folder: OwnedFd,
}

impl StateDir {
    /// Makes the folder if need be and waits for its lock (flock(2) on the folder itself, so that
    /// no lock file is left behind).
    pub fn lock() -> Result<Self, Error> {
        let folder = lock_folder(RUN_NETNSCTL, FOLDER_MODE)?;
        Ok(Self { folder })
    }

    /// Writes the record of `name`, whole or not at all.
    pub fn write_record(&self, name: &NetnsName, record: &Record) -> Result<(), Error> {
        let text = record::to_json(record);
        replace_file(&self.folder, &file_name(name), text.as_bytes(), 0o644)
            .context("write", record_path(name))
    }

    /// Removes the record of `name`. Already gone is success.
    pub fn remove_record(&self, name: &NetnsName) -> Result<(), Error> {
        for file in [file_name(name), temporary_name(&file_name(name))] {
            match unlinkat(&self.folder, &file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error).context("remove", record_path(name)),
            }
        }
        Ok(())
    }

    /// Notes that `home`, the namespace of the calling thread, is the host namespace of the records.
    pub(crate) fn note_host(&self, home: &Netns) -> Result<(), Error> {
        host_identity::note(&self.folder, home)
    }

    /// Removes the folder if nothing is left in it but what a kill left of records that were being
    /// written. Whoever waits for its lock makes a new one.
    ///
    /// Errors: a file that cannot be removed, or a folder that cannot be read.
    pub fn remove_if_empty(self) -> Result<(), Error> {
        for entry in Dir::read_from(&self.folder).context("list", RUN_NETNSCTL)? {
            let entry = entry.context("list", RUN_NETNSCTL)?;
            let file = entry.file_name();
            // Records are written under the lock, so none of them is still in the making.
            if is_temporary_record(file) {
                let path = || format!("{RUN_NETNSCTL}/{}", file.to_string_lossy());
                unlinkat(&self.folder, file, AtFlags::empty()).context("remove", path())?;
            }
        }
        view::remove_folders_if_empty();
        if records()?.is_empty() {
            host_identity::forget(&self.folder)?;
        }
        match unlinkat(CWD, RUN_NETNSCTL, AtFlags::REMOVEDIR) {
            // Something else is kept there, such as a configuration.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
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

/// Whether `folder` is what stands at `path`.
fn is_at(folder: &OwnedFd, path: &str) -> Result<bool, Error> {
    let own = fstat(folder).context("look at", path)?;
    let there = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    let there = if_present(there).context("look at", path)?;
    Ok(there.is_some_and(|there| (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)))
}

/// Makes the folder of records if need be, for what else is kept there.
pub(crate) fn make() -> Result<(), Error> {
    make_folder(RUN_NETNSCTL, FOLDER_MODE)
}

/// Makes a folder. One that is there is success.
pub(crate) fn make_folder(path: &str, mode: u32) -> Result<(), Error> {
    match mkdirat(CWD, path, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).context("create", path),
    }
}

/// Opens a folder that was made and gives it `mode`, whatever the umask was.
pub(crate) fn open_to(path: &str, mode: u32) -> Result<OwnedFd, Error> {
    let folder = open_folder_nofollow(path).context("open", path)?;
    set_mode(&folder, path, mode)?;
    Ok(folder)
}

fn set_mode(folder: &OwnedFd, path: &str, mode: u32) -> Result<(), Error> {
    if fstat(folder).context("look at", path)?.st_mode & 0o7777 == mode {
        return Ok(());
    }
    fchmod(folder, Mode::from_raw_mode(mode)).context("change the mode of", path)
}

/// Makes a folder if need be, gives it `mode` whatever the umask, and waits for its lock, which goes
/// with the descriptor.
pub(crate) fn lock_folder(path: &str, mode: u32) -> Result<OwnedFd, Error> {
    loop {
        make_folder(path, mode)?;
        let folder = match open_folder_nofollow(path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context("open", path),
        };
        set_mode(&folder, path, mode)?;
        flock(&folder, FlockOperation::LockExclusive).context("lock", path)?;
        // A `down` that had the lock before us may have removed the folder we waited for.
        if is_at(&folder, path)? {
            return Ok(folder);
        }
    }
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
        match record::from_json(&text) {
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

fn is_temporary_record(file: &CStr) -> bool {
    let name = file.to_str().ok().and_then(|file| {
        let record = file.strip_prefix('.')?.strip_suffix(".new")?;
        record.strip_suffix(".json")
    });
    name.is_some_and(|name| NetnsName::parse(name).is_ok())
}

/// The name a file has while it is being written.
pub(crate) fn temporary_name(file: &str) -> String {
    format!(".{file}.new")
}

/// Replaces a file by one with `content`: whoever reads sees the old or the new one whole.
/// No fsync: what is replaced here lives in memory or can be made anew.
pub(crate) fn replace_file(
    folder: &OwnedFd,
    file: &str,
    content: &[u8],
    mode: u32,
) -> io::Result<()> {
    let temporary = temporary_name(file);
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(folder, &temporary, flags, Mode::from_raw_mode(mode))?;
    let written = io::Write::write_all(&mut std::fs::File::from(fd), content)
        .and_then(|()| Ok(renameat(folder, &temporary, folder, file)?));
    if written.is_err() {
        let _ = unlinkat(folder, &temporary, AtFlags::empty());
    }
    written
}

/// Reads a plain file in `folder`; ELOOP for a symbolic link.
pub(crate) fn read_file(folder: &OwnedFd, file: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = openat(folder, file, flags, Mode::empty())?;
    read_text(&fd)
}

/// Bytes fetched at once: more than any file of ours has, so that one call gets it all.
const READ_AT_ONCE: usize = 16 * 1024;

/// The text of an open file, from where it stands to its end. `InvalidData` if it is not UTF-8.
///
/// The standard library asks for the size and the position first, which is half of the work for
/// files as small as these.
pub(crate) fn read_text(fd: &OwnedFd) -> io::Result<String> {
    let mut bytes = Vec::with_capacity(READ_AT_ONCE);
    loop {
        bytes.reserve(READ_AT_ONCE);
        let before = bytes.len();
        rustix::io::read(fd, rustix::buffer::spare_capacity(&mut bytes))?;
        if bytes.len() == before {
            return String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into());
        }
    }
}
