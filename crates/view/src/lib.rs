//! The view of a namespace: a mount namespace in which the files of name service are its own.
//!
//! It is made when a command first enters the namespace, and lives on for the next ones, pinned by
//! a bind mount of its nsfs file, so that entering costs the same however many mounts there are.
//!
//! | path | is |
//! |---|---|
//! | `/run/netnsctl/views/` | a private mount of itself: nothing can be pinned on a shared one |
//! | `/run/netnsctl/views/NAME/mntns` | the view |
//! | `/run/netns-NAME/mntns` | a link to it, for nsenter(1) and units |
//!
//! The pins have one folder because a mount for each would appear in every view again, as mounts
//! below /run propagate into them. Inside a view that folder is covered by a tmpfs, which holds the
//! list of what is bound. That tmpfs goes with the folder when the last view is removed; processes
//! that are still inside recognize the view by its `mark`, which lives as long as the view.
//!
//! A bind mount shows the file that was there when it was made, and goes when the file under it is
//! replaced. So whoever enters looks at each file first and binds it again where it is not the
//! right one any more, which is right for all that runs in the view then.
//!
//! Sources: mount_namespaces(7), setns(2), the kernel's fs/namespace.c (`mnt_ns_loop()`,
//! `copy_tree()`), ip-netns(8) for which files are bound.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use netnsctl_base::error::{Context, Error, NamespaceKind, Object};
use netnsctl_base::files::make_folder;
use netnsctl_base::presence::if_present;
use netnsctl_model::name::NetnsName;
use netnsctl_sys::namespace;
use rustix::fs::{CWD, Mode, OFlags, openat, stat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::etc::files_of;
use crate::root_folder::refuse_chroot;

mod bind;
mod content;
pub mod etc;
pub mod mark;
pub mod mount_namespace;
mod notes;
pub mod nscd;
mod outside;
mod pin;
pub mod root_folder;
mod services;
mod tmpfs;

use content::{bind_and_cover, cover_pins, extra, put_right, unbound};
pub use notes::VIEWS;
use notes::{bound, is_origin};
pub use outside::leave;
use pin::{folder_of, make_link, open_pin, pin_of, set_up_folder};
pub use pin::{remove, remove_folders_if_empty};
use services::{Service, exposed};

/// Moves this process into the view of `name`, in which `files` of `/etc/netns/NAME` stand for
/// those of /etc, and makes that right where it is not. The process must have a single thread and
/// be outside of views ([`leave`]). Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
///
/// Without the right to keep a view, the process gets a mount namespace for itself.
///
/// Errors: a step that the kernel refused, upon which the process must not go on.
pub fn enter(name: &NetnsName, files: &[String]) -> Result<(), Error> {
    let outside = open_namespace("/proc/self/ns/mnt")?;
    let made = match open_pin(name)? {
        Some(pin) => Made::Kept(pin),
        None => make(name, files)?,
    };
    let Made::Kept(pin) = made else {
        return enter_own(name, files);
    };
    join(&pin, name.as_str())?;
    let before = bound()?;
    if !is_outdated(&before, files) {
        return put_right(name, files, &before);
    }
    // What was bound cannot be told from what the host had mounted there: a new view.
    join(&outside, name.as_str())?;
    remove(name)?;
    match make(name, files)? {
        Made::Kept(pin) => join(&pin, name.as_str()),
        Made::Refused(_) => enter_own(name, files),
    }
}

/// Whether a view in which `before` is noted must give way to a new one: more is bound in it than
/// there are `files`, or an earlier version made it, which did not note what it was made from.
fn is_outdated(before: &BTreeSet<String>, files: &[String]) -> bool {
    !extra(before, files).is_empty() || !before.iter().any(|line| is_origin(line))
}

/// The mounts of `name`, for a child to be started in them: its view, made right and kept, or made
/// where there is none. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
///
/// Where no view can be kept (inside another one, or without the right to), those are mounts for
/// that child alone.
///
/// Errors: a step that the kernel refused.
pub fn mounts(name: &NetnsName) -> Result<OwnedFd, Error> {
    // The child that gets them would be out of a chroot that this process is in.
    refuse_chroot_for_child(name)?;
    let files = files_of(name)?;
    if !is_in_view()? {
        refresh(name)?;
        if let Made::Kept(pin) = make(name, &files)? {
            return Ok(pin);
        }
    }
    visit(name.as_str(), || {
        enter_own(name, &files)?;
        open_namespace("/proc/thread-self/ns/mnt")
    })
}

/// Refuses to start a child in the view of `name` in a chroot, as [`refuse_chroot`] refuses to go there.
/// This process stays where it is. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
///
/// Errors: [`Error::Chroot`], or a step that the kernel refused, after which it is not known.
pub fn refuse_chroot_for_child(name: &NetnsName) -> Result<(), Error> {
    visit(name.as_str(), || Ok(()))
}

/// Whether the calling thread is in a view, also in one that has been removed since.
///
/// Errors: the list of mounts cannot be read.
pub fn is_in_view() -> Result<bool, Error> {
    Ok(mark::origin()?.is_some())
}

/// Whether process `pid` is in the view of `name` that others enter now. Needs the right to trace
/// it.
///
/// Errors: a step that the kernel refused, after which this is not known.
pub fn has(name: &NetnsName, pid: u32) -> Result<bool, Error> {
    let identity = |path: String| {
        let there = if_present(stat(&path)).context("look at", path)?;
        Ok(there.map(|stat| (stat.st_dev, stat.st_ino)))
    };
    let own = identity(format!("/proc/{pid}/ns/mnt"))?;
    Ok(own.is_some() && own == identity(pin_of(name))?)
}

/// As [`enter`], but a view that is there stays as it is, right or wrong.
pub fn enter_as_it_is(name: &NetnsName, files: &[String]) -> Result<(), Error> {
    match open_pin(name)? {
        Some(pin) => join(&pin, name.as_str()),
        None => enter(name, files),
    }
}

/// Makes the view of `name` right for what runs in it, if there is one; one in which more is bound
/// than there are files now gives way to a new one. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
pub fn refresh(name: &NetnsName) -> Result<(), Error> {
    let Some(pin) = open_pin(name)? else {
        return Ok(());
    };
    let files = files_of(name)?;
    let outdated = visit(name.as_str(), || {
        move_to(&pin, name.as_str())?;
        let before = bound()?;
        let outdated = is_outdated(&before, &files);
        if !outdated {
            put_right(name, &files, &before)?;
        }
        Ok(outdated)
    })?;
    if outdated { remove(name) } else { Ok(()) }
}

/// The views among those of `names` that are not right, with the paths where something else shows.
/// Needs what [`refresh`] needs; without it, no view is looked at.
pub fn outdated<'a>(
    names: impl Iterator<Item = &'a NetnsName>,
) -> Result<BTreeMap<NetnsName, BTreeSet<String>>, Error> {
    let mut pins = Vec::new();
    for name in names {
        match open_pin(name) {
            Ok(Some(pin)) => pins.push((name, pin, files_of(name)?)),
            Ok(None) => {}
            Err(Error::System { source, .. }) if is_denied(&source) => {}
            Err(error) => return Err(error),
        }
    }
    let Some((first, ..)) = pins.first() else {
        return Ok(BTreeMap::new());
    };
    visit(first.as_str(), || {
        let mut outdated = BTreeMap::new();
        for (name, pin, files) in &pins {
            move_to(pin, name.as_str())?;
            let before = bound()?;
            let mut paths: BTreeSet<String> = extra(&before, files).into_iter().collect();
            paths.extend(exposed(name, &before)?.iter().map(Service::name));
            paths.extend(unbound(name, files)?.into_iter().map(|(_, over)| over));
            if !paths.is_empty() {
                outdated.insert((*name).clone(), paths);
            }
        }
        Ok(outdated)
    })
}

/// Makes the view of `name`, or makes the one there is right. Needs CAP_SYS_ADMIN and
/// CAP_SYS_CHROOT.
///
/// Errors: a step that the kernel refused; without the right to pin it there can be no view.
pub fn prepare(name: &NetnsName) -> Result<(), Error> {
    refresh(name)?;
    match make(name, &files_of(name)?)? {
        Made::Kept(_) => Ok(()),
        Made::Refused(error) => Err(error),
    }
}

/// Those of `names` that have a view.
pub fn kept<'a>(names: impl Iterator<Item = &'a NetnsName>) -> Result<BTreeSet<NetnsName>, Error> {
    let mut kept = BTreeSet::new();
    for name in names {
        if open_pin(name)?.is_some() {
            kept.insert(name.clone());
        }
    }
    Ok(kept)
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Does `work`, which begins with the view of netns `of`, on a thread that may join mount namespaces and
/// ends afterwards.
///
/// Errors: those of `work`; [`Error::Chroot`], where paths inside of views would be others than here.
fn visit<T: Send>(of: &str, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let visitor = start(scope, || {
            namespace::unshare_folders().context("prepare to visit", Object::other("views"))?;
            refuse_chroot(of)?;
            work()
        })?;
        visitor.join().unwrap_or_else(|_| {
            let died = io::Error::other("the thread in them ended");
            Err(died).context("visit", Object::other("views"))
        })
    })
}

/// Starts a thread that may join mount namespaces.
///
/// Errors: EAGAIN or ENOMEM if there can be no further thread.
fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Error> {
    let started = Builder::new().spawn_scoped(scope, work);
    started.context("start", Object::task("a thread that visits views"))
}

/// Gives the process a mount namespace of its own that is as the view would be.
fn enter_own(name: &NetnsName, files: &[String]) -> Result<(), Error> {
    let marked = mark::origin()?;
    let origin = outside::own()?;
    copy_mounts(name)?;
    // In a view that was made for a process alone, the mark of the outer one has come with the mounts.
    if marked.is_none() {
        mark::put(&origin)?;
    }
    bind_and_cover(name, files, &BTreeSet::new()).map(drop)
}

/// Gives the calling thread a copy of its mount namespace, from which nothing gets out and into
/// which later mounts of the host come.
fn copy_mounts(name: &NetnsName) -> Result<(), Error> {
    let object = Object::NewNamespace {
        kind: NamespaceKind::Mount,
        of: Some(name.to_string()),
    };
    namespace::unshare_mounts().context("create", object)?;
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).context("keep mounts of the command from", Object::other("the host"))
}

/// Moves the calling thread into the mount namespace of netns `of`, and to its root directory.
#[expect(
    clippy::disallowed_methods,
    reason = "the process becomes a command, or the thread ends there"
)]
fn move_to(mounts: &OwnedFd, of: &str) -> Result<(), Error> {
    move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))
        .context("enter the mounts of", Object::netns(of))
}

/// Moves this process into the mount namespace of netns `of` and stays in its working directory, if
/// there is one of that path that it may enter; else it is in the root directory.
pub fn join(mounts: &OwnedFd, of: &str) -> Result<(), Error> {
    // By its path: the folder itself, kept open, would lead out of the view again.
    let folder = reachable(std::env::current_dir())
        .context("find", Object::other("the working directory"))?;
    move_to(mounts, of)?;
    if let Some(folder) = folder {
        let entered = reachable(std::env::set_current_dir(&folder));
        entered.context("enter", folder.display().to_string())?;
    }
    Ok(())
}

/// None if a folder is not there or may not be entered.
fn reachable<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match if_present(result) {
        Err(error) if is_denied(&error) => Ok(None),
        result => result,
    }
}

/// Opens a mount namespace.
pub fn open_namespace(path: &str) -> Result<OwnedFd, Error> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).context("open", path)
}

/// A view that is to be kept.
enum Made {
    Kept(OwnedFd),
    /// The kernel does not let it be pinned: the error of the step.
    Refused(Error),
}

/// Whether `error` means that a view may not be kept here: no right to (EPERM, EACCES), or nothing
/// can be written to /run (EROFS).
fn is_refusal(error: &Error) -> bool {
    let Error::System { source, .. } = error else {
        return false;
    };
    is_denied(source) || source.kind() == io::ErrorKind::ReadOnlyFilesystem
}

/// Makes the view of `name` and pins it.
///
/// Errors: every step that the kernel refused, unless it means that no view may be kept here.
fn make(name: &NetnsName, files: &[String]) -> Result<Made, Error> {
    let _lock = match make_place(name) {
        Ok(lock) => lock,
        Err(error) if is_refusal(&error) => return Ok(Made::Refused(error)),
        Err(error) => return Err(error),
    };
    // Somebody else may have been first.
    if let Some(pin) = open_pin(name)? {
        return Ok(Made::Kept(pin));
    }
    let origin = outside::own()?;
    let pinned = mount_namespace::pin_new(
        &Object::Other(format!("the view of netns \"{name}\"")),
        &pin_of(name),
        || {
            copy_mounts(name)?;
            mark::put(&origin)?;
            cover_pins(&origin)?;
            put_right(name, files, &bound()?)
        },
    )?;
    let path = pin_of(name);
    match pinned {
        Ok(()) => open_namespace(&path).map(Made::Kept),
        Err(errno) => match Err(errno).context("mount", path) {
            // EINVAL: it is older than this one still.
            Err(error) if errno == Errno::INVAL || is_refusal(&error) => Ok(Made::Refused(error)),
            result => result,
        },
    }
}

/// Makes what the view of `name` is pinned on. Gives the lock of the folder of pins.
fn make_place(name: &NetnsName) -> Result<OwnedFd, Error> {
    let lock = set_up_folder()?;
    make_folder(&folder_of(name), 0o700)?;
    let pin = pin_of(name);
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(CWD, &pin, flags, Mode::empty()).context("create", pin)?;
    make_link(name)?;
    Ok(lock)
}
