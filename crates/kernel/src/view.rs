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
//! list of what is bound and tells whoever is inside that it is a view.
//!
//! A bind mount shows the file that was there when it was made, and goes when the file under it is
//! replaced. So whoever enters looks at each file first and binds it again where it is not the
//! right one any more, which is right for all that runs in the view then.
//!
//! Sources: mount_namespaces(7), setns(2), the kernel's fs/namespace.c (`mnt_ns_loop()`,
//! `copy_tree()`), ip-netns(8) for which files are bound.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;

use netnsctl_model::name::NetnsName;
use netnsctl_sys::namespace;
use rustix::fs::{CWD, Mode, OFlags, openat, stat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::thread::{CpuSet, LinkNameSpaceType, gettid, move_into_link_name_space};

use crate::error::{Context, Error};
use crate::presence::if_present;
use crate::run::files_of;
use crate::state_dir::make_folder;

mod content;
mod pin;
mod services;

use content::{bind_and_cover, bound, extra, is_inside, mark_inside, put_right, unbound};
pub use pin::VIEWS;
use pin::{folder_of, make_link, open_pin, pin_of, set_up_folder};
pub(crate) use pin::{remove, remove_folders_if_empty};
use services::{Service, exposed};

/// Moves this process into the view of `name`, in which `files` of `/etc/netns/NAME` stand for
/// those of /etc, and makes that right where it is not. The process must have a single thread.
/// Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
///
/// Where no view can be kept (inside another one, or without the right to pin it), the process
/// gets a mount namespace for itself.
///
/// Errors: a step that the kernel refused, upon which the process must not go on.
pub(crate) fn enter(name: &NetnsName, files: &[String]) -> Result<(), Error> {
    if is_inside() {
        return enter_own(name, files);
    }
    let outside = open_namespace("/proc/self/ns/mnt")?;
    let made = match open_pin(name)? {
        Some(pin) => Ok(pin),
        None => make(name, files),
    };
    let Ok(pin) = made else {
        return enter_own(name, files);
    };
    join(&pin, name.as_str())?;
    let before = bound();
    if extra(&before, files).is_empty() {
        return put_right(name, files, &before);
    }
    // What was bound cannot be told from what the host had mounted there: a new view.
    join(&outside, name.as_str())?;
    remove(name)?;
    join(&make(name, files)?, name.as_str())
}

/// The mounts of `name`, for a child to be started in them: its view, made right and kept, or made
/// where there is none. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
///
/// Where no view can be kept, those are mounts for that child alone.
///
/// Errors: a step that the kernel refused.
pub fn mounts(name: &NetnsName) -> Result<OwnedFd, Error> {
    let files = files_of(name)?;
    if !is_inside() {
        refresh(name)?;
        if let Ok(pin) = make(name, &files) {
            return Ok(pin);
        }
    }
    visit(|| {
        enter_own(name, &files)?;
        open_namespace("/proc/thread-self/ns/mnt")
    })
}

/// Whether this process is in a view. One that may not look below the folder of views has not got the
/// rights to manage namespaces either, and is told of that by what it tries next.
pub(crate) fn is_in_view() -> Result<bool, Error> {
    match stat(content::BOUND) {
        Err(Errno::ACCESS) => Ok(false),
        found => Ok(if_present(found)
            .context("look at", content::BOUND)?
            .is_some()),
    }
}

/// Whether process `pid` is in the view of `name` that others enter now. Needs the right to trace
/// it.
pub fn has(name: &NetnsName, pid: u32) -> bool {
    let identity = |path: String| stat(path).map(|stat| (stat.st_dev, stat.st_ino));
    let own = identity(format!("/proc/{pid}/ns/mnt"));
    own.is_ok() && identity(pin_of(name)) == own
}

/// As [`enter`], but a view that is there stays as it is, right or wrong.
pub(crate) fn enter_as_it_is(name: &NetnsName, files: &[String]) -> Result<(), Error> {
    match open_pin(name)? {
        Some(pin) if !is_inside() => join(&pin, name.as_str()),
        _ => enter(name, files),
    }
}

/// Makes the view of `name` right for what runs in it, if there is one; one in which more is bound
/// than there are files now gives way to a new one. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
pub(crate) fn refresh(name: &NetnsName) -> Result<(), Error> {
    let Some(pin) = open_pin(name)? else {
        return Ok(());
    };
    let files = files_of(name)?;
    let outdated = visit(|| {
        join(&pin, name.as_str())?;
        let before = bound();
        let outdated = !extra(&before, &files).is_empty();
        if !outdated {
            put_right(name, &files, &before)?;
        }
        Ok(outdated)
    })?;
    if outdated { remove(name) } else { Ok(()) }
}

/// The views among those of `names` that are not right, with the paths where something else shows.
/// Needs what [`refresh`] needs; without it, no view is looked at.
pub(crate) fn outdated<'a>(
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
    if pins.is_empty() {
        return Ok(BTreeMap::new());
    }
    visit(|| {
        let mut outdated = BTreeMap::new();
        for (name, pin, files) in &pins {
            join(pin, name.as_str())?;
            let before = bound();
            let mut paths: BTreeSet<String> = extra(&before, files).into_iter().collect();
            paths.extend(exposed(name, &before)?.iter().map(Service::name));
            paths.extend(unbound(name, files).into_iter().map(|(_, over)| over));
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
pub(crate) fn prepare(name: &NetnsName) -> Result<(), Error> {
    refresh(name)?;
    make(name, &files_of(name)?).map(drop)
}

/// Those of `names` that have a view.
pub(crate) fn kept<'a>(
    names: impl Iterator<Item = &'a NetnsName>,
) -> Result<BTreeSet<NetnsName>, Error> {
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

/// Does `work` on a thread that may join mount namespaces and ends afterwards.
fn visit<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            namespace::unshare_folders().context("prepare to visit", "views")?;
            work()
        });
        visitor.join().unwrap_or_else(|_| {
            let died = io::Error::other("the thread in them ended");
            Err(died).context("visit", "views")
        })
    })
}

/// Gives the process a mount namespace of its own that is as the view would be.
fn enter_own(name: &NetnsName, files: &[String]) -> Result<(), Error> {
    copy_mounts(name)?;
    bind_and_cover(name, files, &BTreeSet::new()).map(drop)
}

/// Gives the calling thread a copy of its mount namespace, from which nothing gets out and into
/// which later mounts of the host come.
fn copy_mounts(name: &NetnsName) -> Result<(), Error> {
    namespace::unshare_mounts()
        .context("create a mount namespace for", format!("netns \"{name}\""))?;
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).context("keep mounts of the command from", "the host")
}

/// Moves the calling thread into the mount namespace of netns `of` and stays in its working
/// directory, if there is one of that path.
#[expect(
    clippy::disallowed_methods,
    reason = "the process becomes a command, or the thread ends there"
)]
pub(crate) fn join(mounts: &OwnedFd, of: &str) -> Result<(), Error> {
    // By its path: the folder itself, kept open, would lead out of the view again.
    let folder = std::env::current_dir();
    move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))
        .context("enter the mounts of", format!("netns \"{of}\""))?;
    // Joining a mount namespace leads to its root directory (setns(2)).
    if let Ok(folder) = folder {
        let _ = std::env::set_current_dir(folder);
    }
    Ok(())
}

/// Opens a mount namespace.
pub(crate) fn open_namespace(path: &str) -> Result<OwnedFd, Error> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).context("open", path)
}

/// Makes the view of `name` and pins it.
fn make(name: &NetnsName, files: &[String]) -> Result<OwnedFd, Error> {
    let _lock = set_up_folder()?;
    // Somebody else may have been first.
    if let Some(pin) = open_pin(name)? {
        return Ok(pin);
    }
    let (folder, pin) = (folder_of(name), pin_of(name));
    make_folder(&folder, 0o700)?;
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(CWD, &pin, flags, Mode::empty()).context("create", &pin)?;
    make_link(name)?;
    let mut result = build(name, files, None);
    if matches!(&result, Err(Error::System { source, .. }) if is_invalid(source)) {
        // A mount namespace may be pinned only in one that is older, so that none holds itself.
        // Since Linux 6.18 ages are numbers of which each processor has a stock of its own, so a
        // new one may have a lower number than ours unless it was made on another processor.
        let usable = rustix::thread::sched_getaffinity(None).unwrap_or_default();
        for processor in (0..CpuSet::MAX_CPU).filter(|&it| usable.is_set(it)) {
            result = build(name, files, Some(processor));
            if result.is_ok() {
                break;
            }
        }
    }
    result?;
    open_namespace(&pin)
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}

/// Builds a view on a thread of its own, on one processor if that is said, and pins it.
fn build(name: &NetnsName, files: &[String], processor: Option<usize>) -> Result<(), Error> {
    let (ready, is_ready) = mpsc::channel();
    let (pinned, is_pinned) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(processor) = processor {
                let mut one = CpuSet::new();
                one.set(processor);
                // If not, the attempt is one in vain.
                let _ = rustix::thread::sched_setaffinity(None, &one);
            }
            let built = copy_mounts(name).and_then(|()| {
                mark_inside()?;
                put_right(name, files, &BTreeSet::new())
            });
            let _ = ready.send(built.map(|()| gettid()));
            // The mount namespace lives as long as this thread, until it is pinned.
            let _ = is_pinned.recv();
        });
        let thread = is_ready.recv().unwrap_or_else(|_| {
            let died = io::Error::other("the thread that builds it ended");
            Err(died).context("build the view of", format!("netns \"{name}\""))
        })?;
        let source = format!("/proc/self/task/{}/ns/mnt", thread.as_raw_nonzero());
        let result = mount_bind(source, pin_of(name)).context("mount", pin_of(name));
        drop(pinned);
        result
    })
}
