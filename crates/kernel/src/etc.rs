//! `/etc/netns/NAME/`: reading what is there, writing our files, removing them again.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::open_folder_nofollow;
use netnsctl_model::etc_files::{ETC_NETNS, directory, is_ours};
use netnsctl_model::name::NetnsName;
use netnsctl_model::observed::{Etc, EtcFile, FileState};
use rustix::fs::{AtFlags, CWD, Dir, Mode, mkdirat, unlinkat};
use rustix::io::Errno;

use crate::own_files::{OwnFiles, Removed};
use crate::own_world::Judged;

/// What `/etc` says about `names`, if that is `whole` also which files of ours there are for others,
/// and the host's nsswitch.conf.
pub(crate) fn observe(names: &BTreeSet<NetnsName>, whole: bool) -> Result<Etc, Error> {
    let mut etc = Etc {
        host_nsswitch: host_nsswitch()?,
        ..Etc::default()
    };
    let above = match open_existing(ETC_NETNS)? {
        Existing::Folder(above) => above,
        Existing::Absent => return Ok(etc),
        Existing::Link => {
            names.iter().for_each(|name| etc_of_user(&mut etc, name));
            return Ok(etc);
        }
    };
    etc.directories.insert(ETC_NETNS.to_owned());
    if whole {
        let judged = Judged::of(ETC_NETNS)?;
        for name in entries(&above, ETC_NETNS)? {
            let name = NetnsName::parse(&name).ok();
            if let Some(name) = name.filter(|name| !names.contains(name)) {
                observe_leftover(&mut etc, &name, judged)?;
            }
        }
    }
    for name in names {
        let path = directory(name);
        let folder = match open_existing(&path)? {
            Existing::Folder(folder) => folder,
            Existing::Absent => continue,
            Existing::Link => {
                etc_of_user(&mut etc, name);
                continue;
            }
        };
        etc.directories.insert(path.clone());
        for file in EtcFile::ALL {
            let state = own_files(&folder, &path).state(file.file_name())?;
            etc.files
                .extend(state.map(|state| ((name.clone(), file), state)));
        }
    }
    Ok(etc)
}

/// Files of ours for `name`, which is neither declared nor recorded, and their folder if it has
/// nothing else.
fn observe_leftover(etc: &mut Etc, name: &NetnsName, judged: Judged) -> Result<(), Error> {
    let path = directory(name);
    let Existing::Folder(folder) = open_existing(&path)? else {
        return Ok(());
    };
    let mut has_others = false;
    let mut ours = Vec::new();
    for entry in entries(&folder, &path)? {
        let file = EtcFile::ALL
            .into_iter()
            .find(|file| file.file_name() == entry);
        let state = match file {
            Some(file) => own_files(&folder, &path)
                .state(&entry)?
                .map(|state| (file, state)),
            None => None,
        };
        match state {
            Some((file, state @ FileState::Ours(_)))
                if judged.includes(&folder, &path, &entry)? =>
            {
                ours.push((file, state));
            }
            _ => has_others = true,
        }
    }
    if ours.is_empty() {
        return Ok(());
    }
    etc.directories.insert(path.clone());
    if !has_others {
        etc.leftover_directories.insert(path);
    }
    let ours = ours
        .into_iter()
        .map(|(file, state)| ((name.clone(), file), state));
    etc.files.extend(ours);
    Ok(())
}

/// The names of what is in a folder.
fn entries(folder: &OwnedFd, path: &str) -> Result<Vec<String>, Error> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder).context("list", path)? {
        let entry = entry.context("list", path)?;
        let name = entry.file_name().to_string_lossy();
        if name != "." && name != ".." {
            entries.push(name.into_owned());
        }
    }
    Ok(entries)
}

/// Removes files of ours for namespaces of which `is_left` says so, and their folders if nothing else
/// is in them. Returns which those were. Goes on past every failure.
pub(crate) fn remove_leftovers(
    is_left: impl Fn(&NetnsName) -> bool,
) -> Result<Removed<NetnsName>, Error> {
    let etc = observe(&BTreeSet::new(), true)?;
    let files = etc.files.into_iter().filter(|((name, _), _)| is_left(name));
    let mut results = Vec::new();
    for ((name, file), _) in files {
        let removed = remove_file(&name, file);
        results.push((name, removed));
    }
    let names: BTreeSet<NetnsName> = results.iter().map(|(name, _)| name.clone()).collect();
    for name in names {
        let path = directory(&name);
        if etc.leftover_directories.contains(&path) {
            let paths = BTreeSet::from([ETC_NETNS.to_owned(), path]);
            results.push((name, remove_directories(&paths)));
        }
    }
    Ok(results)
}

/// The files of `name` are reached through a symbolic link: somebody manages them elsewhere.
fn etc_of_user(etc: &mut Etc, name: &NetnsName) {
    etc.directories
        .extend([ETC_NETNS.to_owned(), directory(name)]);
    etc.files
        .extend(EtcFile::ALL.map(|file| ((name.clone(), file), FileState::Foreign)));
}

/// What stands where a folder of ours would.
enum Existing {
    Absent,
    Folder(OwnedFd),
    /// A symbolic link, here or on the way.
    Link,
}

fn open_existing(path: &str) -> Result<Existing, Error> {
    match open_folder_nofollow(path) {
        Ok(folder) => Ok(Existing::Folder(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Existing::Absent),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            Ok(Existing::Link)
        }
        Err(error) => Err(error).context("open", path),
    }
}

fn own_files<'a>(folder: &'a OwnedFd, path: &'a str) -> OwnFiles<'a> {
    OwnFiles {
        folder,
        path,
        is_ours,
    }
}

fn host_nsswitch() -> Result<Option<String>, Error> {
    match std::fs::read("/etc/nsswitch.conf") {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("read", "/etc/nsswitch.conf"),
    }
}

/// Makes a folder of /etc/netns. One that is there is success.
pub(crate) fn make_directory(path: &str) -> Result<(), Error> {
    let make = |path: &str| match mkdirat(CWD, path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        result => result,
    };
    let made = match make(path) {
        // The namespace that was to make it failed.
        Err(Errno::NOENT) => make(ETC_NETNS).and_then(|()| make(path)),
        result => result,
    };
    made.context("create", path)
}

/// Writes one of our files, unless the user put one there meanwhile.
pub(crate) fn write_file(name: &NetnsName, file: EtcFile, content: &str) -> Result<(), Error> {
    let path = directory(name);
    let folder = open_folder_nofollow(&path).context("open", &path)?;
    own_files(&folder, &path).write(file.file_name(), content)
}

/// Removes one of our files; a user's own stays.
pub(crate) fn remove_file(name: &NetnsName, file: EtcFile) -> Result<(), Error> {
    let path = directory(name);
    match open_existing(&path)? {
        Existing::Folder(folder) => own_files(&folder, &path).remove(file.file_name()),
        Existing::Absent | Existing::Link => Ok(()),
    }
}

/// Removes those of the folders that are empty, the deepest first.
pub(crate) fn remove_directories(paths: &BTreeSet<String>) -> Result<(), Error> {
    for path in paths
        .iter()
        .rev()
        .filter(|path| path.starts_with(ETC_NETNS))
    {
        match unlinkat(CWD, path, AtFlags::REMOVEDIR) {
            // Not empty: the user put something there, or another namespace still needs it.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error).context("remove", path),
        }
    }
    Ok(())
}
