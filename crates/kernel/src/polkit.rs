//! The files that tell polkit(8) who may enter a namespace: reading what is there, writing ours,
//! removing them again.
//!
//! They matter only where polkit runs as root of the machine: in the initial user namespace.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use netnsctl_model::name::NetnsRef;
use netnsctl_model::observed::{AccessFiles, Polkit};
use netnsctl_model::polkit::{action_file, is_ours, rules_file};
use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, accessat, mkdirat, statat};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::names::open_folder_nofollow;
use crate::own_files::OwnFiles;

/// Where polkit of any version looks for actions.
const ACTIONS: &str = "/usr/share/polkit-1/actions";

/// Where it looks since version 126, for systems whose /usr is not to be written to.
const ACTIONS_ETC: &str = "/etc/polkit-1/actions";

/// Where it looks for an administrator's rules.
const RULES: &str = "/etc/polkit-1/rules.d";

/// What the initial user namespace maps (user_namespaces(7)).
const EVERY_ID: [&str; 3] = ["0", "0", "4294967295"];

/// The folders of this machine's polkit.
struct Folders {
    actions: &'static str,
    rules: OwnedFd,
}

/// The folders; none without a polkit that would listen to us.
fn folders() -> Result<Option<Folders>, Error> {
    if !is_initial_user_namespace() {
        return Ok(None);
    }
    let rules = match open_folder_nofollow(RULES) {
        Ok(rules) => rules,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error).context("open", RULES),
    };
    let may_write =
        |folder: &str| accessat(CWD, folder, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    let actions = if may_write(ACTIONS) {
        ACTIONS
    } else {
        ACTIONS_ETC
    };
    let is_writable = accessat(&rules, ".", Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    Ok(is_writable.then_some(Folders { actions, rules }))
}

fn is_initial_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(EVERY_ID)
}

/// What polkit has been told about `netns`.
pub(crate) fn observe(netns: impl Iterator<Item = NetnsRef>) -> Result<Option<Polkit>, Error> {
    let Some(folders) = folders()? else {
        return Ok(None);
    };
    let actions = open_actions(&folders)?;
    let mut polkit = Polkit {
        program: program(),
        ..Polkit::default()
    };
    for netns in netns {
        let action = match (&actions, action_file(&netns)) {
            (Some(actions), Some(file)) => own_files(actions, folders.actions).state(&file)?,
            _ => None,
        };
        let rules = rules_file(&netns).map(|file| own_files(&folders.rules, RULES).state(&file));
        let rules = rules.transpose()?.flatten();
        if action.is_some() || rules.is_some() {
            polkit.files.insert(netns, AccessFiles { action, rules });
        }
    }
    Ok(Some(polkit))
}

/// The folder of actions, if it is there.
fn open_actions(folders: &Folders) -> Result<Option<OwnedFd>, Error> {
    match open_folder_nofollow(folders.actions) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error).context("open", folders.actions),
    }
}

fn is_absent(error: &io::Error) -> bool {
    // A link on the way: somebody manages these folders elsewhere.
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

fn own_files<'a>(folder: &'a OwnedFd, path: &'a str) -> OwnFiles<'a> {
    OwnFiles {
        folder,
        path,
        is_ours,
    }
}

/// The path of this program, if nobody but root can put another one there.
fn program() -> Option<String> {
    let path = std::fs::read_link("/proc/self/exe").ok()?;
    let mut so_far = PathBuf::new();
    for component in path.components() {
        so_far.push(component);
        let found = statat(CWD, &so_far, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let mode = Mode::from_raw_mode(found.st_mode);
        // In a sticky folder nobody can replace what is root's (inode(7)).
        let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        let keeps_others_out =
            !mode.intersects(Mode::WGRP | Mode::WOTH) || (is_folder && mode.contains(Mode::SVTX));
        if found.st_uid != 0 || !keeps_others_out {
            return None;
        }
    }
    path.to_str().map(str::to_owned)
}

/// Writes the files for `netns`; one that somebody put in the place of ours stays.
pub(crate) fn write(netns: &NetnsRef, files: &AccessFiles<String>) -> Result<(), Error> {
    let Some(folders) = folders()? else {
        return Ok(());
    };
    if folders.actions == ACTIONS_ETC {
        match mkdirat(CWD, ACTIONS_ETC, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).context("create", ACTIONS_ETC),
        }
    }
    // Rules first: an action without them lets nobody in, rules without an action neither.
    let actions = open_folder_nofollow(folders.actions).context("open", folders.actions)?;
    let put =
        |files: OwnFiles<'_>, file: Option<String>, content: &Option<String>| match (file, content)
        {
            (Some(file), Some(content)) => files.write(&file, content),
            (Some(file), None) => files.remove(&file),
            (None, _) => Ok(()),
        };
    put(
        own_files(&folders.rules, RULES),
        rules_file(netns),
        &files.rules,
    )?;
    put(
        own_files(&actions, folders.actions),
        action_file(netns),
        &files.action,
    )
}

/// Removes our files for `netns`, wherever they are.
pub(crate) fn remove(netns: &NetnsRef) -> Result<(), Error> {
    let Some(folders) = folders()? else {
        return Ok(());
    };
    if let Some(file) = rules_file(netns) {
        own_files(&folders.rules, RULES).remove(&file)?;
    }
    for path in [ACTIONS, ACTIONS_ETC] {
        let file = action_file(netns);
        if let (Ok(actions), Some(file)) = (open_folder_nofollow(path), file) {
            own_files(&actions, path).remove(&file)?;
        }
    }
    Ok(())
}
