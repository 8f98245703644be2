//! The files that tell polkit(8) who may enter a namespace: reading what is there, writing ours,
//! removing them again.
//!
//! They matter only where polkit runs as root of the machine: in the initial user namespace.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::open_folder_nofollow;
use netnsctl_base::presence::if_present;
use netnsctl_base::user_namespace::is_initial_user_namespace;
use netnsctl_model::name::NetnsRef;
use netnsctl_model::observed::{AccessFiles, FileState, Polkit};
use netnsctl_model::polkit::{action_file, is_ours, netns_of_file, rules_file};
use rustix::fs::{
    Access, AtFlags, CWD, Dir, FileType, Mode, OFlags, accessat, mkdirat, openat, statat,
};
use rustix::io::Errno;

use crate::own_files::{OwnFiles, Removed};
use crate::own_world::Judged;

/// Where polkit of any version looks for actions.
const ACTIONS: &str = "/usr/share/polkit-1/actions";

/// Where it looks since version 126, for systems whose /usr is not to be written to.
const ACTIONS_ETC: &str = "/etc/polkit-1/actions";

/// Where it looks for an administrator's rules.
const RULES: &str = "/etc/polkit-1/rules.d";

/// The folders of this machine's polkit.
struct Folders {
    /// The folders of actions that are there.
    actions: Vec<(&'static str, OwnedFd)>,
    /// Where actions are written.
    write_actions: &'static str,
    rules: OwnedFd,
    can_write: bool,
}

/// The folders; none without a polkit that would listen to us.
///
/// Errors: whether there is one cannot be found out.
fn folders() -> Result<Option<Folders>, Error> {
    if !is_initial_user_namespace()? {
        return Ok(None);
    }
    let Some(rules) = open_folder(RULES)? else {
        return Ok(None);
    };
    let mut actions = Vec::new();
    for path in [ACTIONS, ACTIONS_ETC] {
        actions.extend(open_folder(path)?.map(|folder| (path, folder)));
    }
    let usr = actions.iter().find(|(path, _)| *path == ACTIONS);
    let write_actions = match usr {
        Some((path, folder)) if may_write(folder, path)? => ACTIONS,
        _ => ACTIONS_ETC,
    };
    let actions = actions.into_iter().map(|(path, folder)| (path, folder.fd));
    Ok(Some(Folders {
        can_write: may_write(&rules, RULES)?,
        actions: actions.collect(),
        write_actions,
        rules: rules.fd,
    }))
}

/// Whether files of ours may be made in `folder`.
fn may_write(folder: &Folder, path: &str) -> Result<bool, Error> {
    if folder.is_linked {
        return Ok(false);
    }
    match accessat(&folder.fd, ".", Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ok(false),
        Err(error) => Err(error).context("look at", path),
    }
}

/// What polkit has been told about `netns`, and if that is `whole` also about all others.
pub(crate) fn observe(
    netns: impl Iterator<Item = NetnsRef>,
    whole: bool,
) -> Result<Option<Polkit>, Error> {
    let Some(folders) = folders()? else {
        return Ok(None);
    };
    let mut polkit = Polkit {
        program: program()?,
        can_write: folders.can_write,
        ..Polkit::default()
    };
    let asked: BTreeSet<NetnsRef> = netns.collect();
    let all = if whole {
        with_files(&folders, &asked)?
    } else {
        asked
    };
    for netns in all {
        let action = match action_file(&netns) {
            Some(file) => action_state(&folders, &file)?,
            None => None,
        };
        let rules = rules_file(&netns).map(|file| own_files(&folders.rules, RULES).state(&file));
        let rules = rules.transpose()?.flatten();
        if action.is_some() || rules.is_some() {
            polkit.files.insert(netns, AccessFiles { action, rules });
        }
    }
    Ok(Some(polkit))
}

/// The state of an action: where it would be written, or of one of ours elsewhere.
fn action_state(folders: &Folders, file: &str) -> Result<Option<FileState>, Error> {
    let mut elsewhere = None;
    for (path, folder) in &folders.actions {
        let state = own_files(folder, path).state(file)?;
        match state {
            Some(_) if *path == folders.write_actions => return Ok(state),
            Some(FileState::Ours(_)) => elsewhere = state,
            Some(FileState::Foreign) | None => {}
        }
    }
    Ok(elsewhere)
}

/// The namespaces that there is a file about which has a name as ours have: `known` ones, and others if
/// the records here tell whose file it is.
fn with_files(folders: &Folders, known: &BTreeSet<NetnsRef>) -> Result<BTreeSet<NetnsRef>, Error> {
    let mut found = BTreeSet::new();
    let actions = folders.actions.iter().map(|(path, folder)| (*path, folder));
    for (path, folder) in actions.chain([(RULES, &folders.rules)]) {
        let judged = Judged::of(path)?;
        for entry in Dir::read_from(folder).context("list", path)? {
            let entry = entry.context("list", path)?;
            let Ok(file) = entry.file_name().to_str() else {
                continue;
            };
            if let Some(netns) = netns_of_file(file)
                && (known.contains(&netns) || judged.includes(folder, path, file)?)
            {
                found.insert(netns);
            }
        }
    }
    Ok(found)
}

/// Removes our files about namespaces of which `is_left` says so. Returns which those were. Goes on
/// past every failure.
pub(crate) fn remove_leftovers(
    is_left: impl Fn(&NetnsRef) -> bool,
) -> Result<Removed<NetnsRef>, Error> {
    let Some(polkit) = observe(std::iter::empty(), true)? else {
        return Ok(Vec::new());
    };
    let is_ours = |state: &Option<FileState>| matches!(state, Some(FileState::Ours(_)));
    let left = polkit.files.into_iter().filter(|(netns, files)| {
        is_left(netns) && (is_ours(&files.action) || is_ours(&files.rules))
    });
    Ok(left
        .map(|(netns, _)| (netns.clone(), remove(&netns)))
        .collect())
}

/// A folder of polkit's, if it is there.
struct Folder {
    fd: OwnedFd,
    /// Whether a link leads to it: another program manages it elsewhere, so no new file of ours is put
    /// there. Files of ours that are there already work all the same, so they are seen and removed.
    is_linked: bool,
}

fn open_folder(path: &str) -> Result<Option<Folder>, Error> {
    let opened = if_present(open_folder_nofollow(path));
    let is_linked =
        matches!(&opened, Err(error) if Errno::from_io_error(error) == Some(Errno::LOOP));
    let opened = match is_linked {
        true => {
            let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
            if_present(openat(CWD, path, flags, Mode::empty())).context("open", path)?
        }
        false => opened.context("open", path)?,
    };
    Ok(opened.map(|fd| Folder { fd, is_linked }))
}

fn own_files<'a>(folder: &'a OwnedFd, path: &'a str) -> OwnFiles<'a> {
    OwnFiles {
        folder,
        path,
        is_ours,
    }
}

/// The path of this program, if nobody but root can put another one there; none also if it is not
/// there any longer.
fn program() -> Result<Option<String>, Error> {
    const PROGRAM: &str = "/proc/self/exe";
    let path = std::fs::read_link(PROGRAM).context("read", PROGRAM)?;
    let mut so_far = PathBuf::new();
    for component in path.components() {
        so_far.push(component);
        let found = statat(CWD, &so_far, AtFlags::SYMLINK_NOFOLLOW);
        let found = if_present(found).context("look at", so_far.as_path())?;
        let Some(found) = found else {
            return Ok(None);
        };
        let mode = Mode::from_raw_mode(found.st_mode);
        // In a sticky folder nobody can replace what is root's (inode(7)).
        let is_folder = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        let keeps_others_out =
            !mode.intersects(Mode::WGRP | Mode::WOTH) || (is_folder && mode.contains(Mode::SVTX));
        if found.st_uid != 0 || !keeps_others_out {
            return Ok(None);
        }
    }
    Ok(path.to_str().map(str::to_owned))
}

/// Writes the files for `netns`; one that somebody put in the place of ours stays.
pub(crate) fn write(netns: &NetnsRef, files: &AccessFiles<String>) -> Result<(), Error> {
    let Some(folders) = folders()? else {
        return Ok(());
    };
    let actions_path = folders.write_actions;
    if actions_path == ACTIONS_ETC {
        match mkdirat(CWD, ACTIONS_ETC, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).context("create", ACTIONS_ETC),
        }
    }
    // Rules first: an action without them lets nobody in, rules without an action neither.
    let actions = open_folder_nofollow(actions_path).context("open", actions_path)?;
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
        own_files(&actions, actions_path),
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
    if let Some(file) = action_file(netns) {
        for (path, actions) in &folders.actions {
            own_files(actions, path).remove(&file)?;
        }
    }
    Ok(())
}
