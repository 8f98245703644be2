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
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use netnsctl_model::etc_files::directory;
use netnsctl_model::name::NetnsName;
use netnsctl_sys::namespace;
use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fstat, mkdirat, openat, stat, statat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_bind, mount_change, move_mount, open_tree, unmount,
};
use rustix::thread::{CpuSet, LinkNameSpaceType, gettid, move_into_link_name_space};

use crate::error::{Context, Error};
use crate::run::files_of;
use crate::state_dir::RUN_NETNSCTL;

/// The folder of pins.
const VIEWS: &str = "/run/netnsctl/views";

/// Inside a view, what is bound and covered there.
const BOUND: &str = "/run/netnsctl/views/bound";

/// Folders in which a name service of the host listens: whatever resolv.conf says, it would answer
/// out of the host's namespace. One is usually a link to another.
const SERVICES: [&str; 3] = ["/run/nscd", "/var/run/nscd", RESOLVED];

/// The folder of systemd-resolved, with its varlink socket and the files that /etc/resolv.conf may
/// be a link to.
const RESOLVED: &str = "/run/systemd/resolve";

/// Those files.
const RESOLVED_FILES: [&str; 2] = ["stub-resolv.conf", "resolv.conf"];

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
    join(&pin, name)?;
    let before = bound();
    if extra(&before, files).is_empty() {
        return put_right(name, files, &before);
    }
    // What was bound cannot be told from what the host had mounted there: a new view.
    join(&outside, name)?;
    remove(name)?;
    join(&make(name, files)?, name)
}

/// Makes the view of `name` right for what runs in it, if there is one; one in which more is bound
/// than there are files now gives way to a new one. Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT.
pub(crate) fn refresh(name: &NetnsName) -> Result<(), Error> {
    let Some(pin) = open_pin(name)? else {
        return Ok(());
    };
    let files = files_of(name)?;
    let outdated = visit(|| {
        join(&pin, name)?;
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
            join(pin, name)?;
            let before = bound();
            let mut paths: BTreeSet<String> = extra(&before, files).into_iter().collect();
            paths.extend(uncovered(&before)?.iter().map(|folder| name_of(folder)));
            paths.extend(unbound(name, files).into_iter().map(|(_, over)| over));
            if !paths.is_empty() {
                outdated.insert((*name).clone(), paths);
            }
        }
        Ok(outdated)
    })
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

/// Whether this process is inside a view.
fn is_inside() -> bool {
    Path::new(BOUND).exists()
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

/// Moves the calling thread into a mount namespace and stays in its working directory.
#[expect(
    clippy::disallowed_methods,
    reason = "the process becomes a command, or the thread ends there"
)]
fn join(mounts: &OwnedFd, name: &NetnsName) -> Result<(), Error> {
    // By its path: the folder itself, kept open, would lead out of the view again.
    let folder = std::env::current_dir();
    move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))
        .context("enter the view of", format!("netns \"{name}\""))?;
    // Joining a mount namespace leads to its root directory (setns(2)).
    if let Ok(folder) = folder {
        let _ = std::env::set_current_dir(folder);
    }
    Ok(())
}

fn open_namespace(path: &str) -> Result<OwnedFd, Error> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).context("open", path)
}

fn folder_of(name: &NetnsName) -> String {
    format!("{VIEWS}/{name}")
}

fn pin_of(name: &NetnsName) -> String {
    format!("{VIEWS}/{name}/mntns")
}

/// The folder for what a namespace has in /run, by its name.
fn run_folder_of(name: &NetnsName) -> String {
    format!("/run/netns-{name}")
}

/// The view of `name`, if there is one.
fn open_pin(name: &NetnsName) -> Result<Option<OwnedFd>, Error> {
    let path = pin_of(name);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    match openat(CWD, &path, flags, Mode::empty()) {
        // A file that nothing is mounted on is what a kill leaves.
        Ok(file) => Ok(is_mounted(&path)?.then_some(file)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error).context("open", path),
    }
}

/// Whether something is mounted on `path`: it is on another device than its folder.
fn is_mounted(path: &str) -> Result<bool, Error> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    let own = statat(CWD, path, flags).context("look at", path)?;
    let above = statat(CWD, folder, flags).context("look at", path)?;
    Ok(own.st_dev != above.st_dev)
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

/// Covers the folder of pins, so that whoever is inside knows it and cannot touch them.
fn mark_inside() -> Result<(), Error> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let data = Some(c"mode=700,size=64k,nr_inodes=16");
    mount("tmpfs", VIEWS, "tmpfs", flags, data).context("cover", VIEWS)
}

/// What is bound and covered in the view this process is in, one a line; nothing outside of views.
fn bound() -> BTreeSet<String> {
    let text = std::fs::read_to_string(BOUND).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Files that are `bound` and are not of `files`.
fn extra(bound: &BTreeSet<String>, files: &[String]) -> Vec<String> {
    let bound = bound.iter().filter_map(|line| line.strip_prefix("file "));
    let extra = bound.filter(|file| !files.iter().any(|there| there == file));
    extra.map(|file| format!("/etc/{file}")).collect()
}

/// Makes the view this thread is in right, of which `before` says what is bound in it.
fn put_right(name: &NetnsName, files: &[String], before: &BTreeSet<String>) -> Result<(), Error> {
    let now = bind_and_cover(name, files, before)?;
    if now == *before {
        return Ok(());
    }
    let text: String = now.into_iter().map(|line| line + "\n").collect();
    std::fs::write(BOUND, text).context("write", BOUND)
}

/// Binds and covers, in the mount namespace of this thread, what is not right. Returns what is
/// bound and covered then.
fn bind_and_cover(
    name: &NetnsName,
    files: &[String],
    before: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Error> {
    for folder in uncovered(before)? {
        cover(&folder)?;
    }
    for (own, over) in unbound(name, files) {
        bind(&own, &over)?;
    }
    let mut now: BTreeSet<_> = files.iter().map(|file| format!("file {file}")).collect();
    for folder in services() {
        now.insert(covered(&folder)?);
    }
    Ok(now)
}

/// The folders of name services that the host has.
fn services() -> BTreeSet<PathBuf> {
    let folders = SERVICES.iter();
    folders
        .filter_map(|folder| std::fs::canonicalize(folder).ok())
        .collect()
}

/// The line that says that what shows at `folder` now covers it.
fn covered(folder: &Path) -> Result<String, Error> {
    let device = stat(folder).context("look at", name_of(folder))?.st_dev;
    Ok(format!("folder {device} {}", folder.display()))
}

/// The folders of name services that show here and of which `before` does not say that this is
/// what covers them.
fn uncovered(before: &BTreeSet<String>) -> Result<Vec<PathBuf>, Error> {
    let mut folders = Vec::new();
    for folder in services() {
        if !before.contains(&covered(&folder)?) {
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// The files of the namespace that do not show where they should, and where that is. A host that
/// has no such file has nothing to hide.
fn unbound(name: &NetnsName, files: &[String]) -> Vec<(String, String)> {
    let identity = |path: &str| stat(path).map(|stat| (stat.st_dev, stat.st_ino));
    let mut pairs = Vec::new();
    for file in files {
        let own = format!("{}/{file}", directory(name));
        let there = identity(&own);
        for over in places(file) {
            match (there, identity(&over)) {
                (Ok(own), Ok(over)) if own == over => {}
                (_, Err(Errno::NOENT)) => {}
                _ => pairs.push((own.clone(), over)),
            }
        }
    }
    pairs
}

fn name_of(path: &Path) -> String {
    path.display().to_string()
}

/// Puts an empty folder over one of the host's. The files that /etc/resolv.conf may be a link to
/// stay as they are now, for a namespace that has none of its own.
fn cover(folder: &Path) -> Result<(), Error> {
    let mut files = Vec::new();
    if folder == Path::new(RESOLVED) {
        let paths = RESOLVED_FILES.map(|file| folder.join(file));
        files.extend(paths.map(|path| (std::fs::read(&path).unwrap_or_default(), path)));
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", folder, "tmpfs", flags, Some(c"mode=755")).context("cover", name_of(folder))?;
    for (content, path) in files {
        std::fs::write(&path, content).context("create", name_of(&path))?;
    }
    let flags = flags | MountFlags::RDONLY;
    rustix::mount::mount_remount(folder, flags, "").context("close", name_of(folder))
}

/// Where a file of the namespace stands: its like in /etc, and what may be read in its place.
fn places(file: &str) -> Vec<String> {
    let mut places = vec![format!("/etc/{file}")];
    if file == "resolv.conf" {
        places.extend(RESOLVED_FILES.map(|file| format!("{RESOLVED}/{file}")));
    }
    places
}

/// Binds `own` over `over`.
fn bind(own: &str, over: &str) -> Result<(), Error> {
    let bound = match mount_bind(own, over) {
        // What shows is a file that has been replaced since; on those nothing can be mounted.
        Err(Errno::NOENT) => replace(own, over),
        result => result,
    };
    bound.context("bind", format!("{own} over {over}"))
}

/// Puts a bind mount of `own` in the place of the mount on `over`. Since Linux 6.5 it slips in
/// below, so that nothing of the host's shows in between.
fn replace(own: &str, over: &str) -> Result<(), Errno> {
    let over = std::fs::canonicalize(over)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let copy = open_tree(
        CWD,
        own,
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    )?;
    let below = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_BENEATH;
    let slipped = move_mount(&copy, "", CWD, &over, below);
    unmount(&over, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    match slipped {
        Ok(()) => Ok(()),
        Err(_) => mount_bind(own, &over),
    }
}

/// Makes the folder of pins a private mount of itself, and locks it.
fn set_up_folder() -> Result<OwnedFd, Error> {
    make_folder(RUN_NETNSCTL, 0o711)?;
    loop {
        make_folder(VIEWS, 0o700)?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = openat(CWD, VIEWS, flags, Mode::empty()).context("open", VIEWS)?;
        flock(&folder, FlockOperation::LockExclusive).context("lock", VIEWS)?;
        let locked = fstat(&folder).context("look at", VIEWS)?;
        let private = || mount_change(VIEWS, MountPropagationFlags::PRIVATE);
        match statat(CWD, VIEWS, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if (there.st_dev, there.st_ino) == (locked.st_dev, locked.st_ino) => {
                // EINVAL: it is no mount point. Only then is it bound to itself, so never twice.
                if private() == Err(Errno::INVAL) {
                    mount_bind(VIEWS, VIEWS).context("bind", VIEWS)?;
                    private().context("make private", VIEWS)?;
                }
                return Ok(folder);
            }
            // A `down` that had the lock before us removed the folder we waited for.
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error).context("look at", VIEWS),
        }
    }
}

fn make_folder(path: &str, mode: u32) -> Result<(), Error> {
    match mkdirat(CWD, path, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).context("create", path),
    }
}

/// Makes the link by which others find the view.
fn make_link(name: &NetnsName) -> Result<(), Error> {
    make_folder(&run_folder_of(name), 0o755)?;
    let link = format!("{}/mntns", run_folder_of(name));
    match symlinkat(pin_of(name), CWD, &link) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).context("create", link),
    }
}

/// Takes the view of `name` away. What runs in it keeps it. Already gone is success.
pub(crate) fn remove(name: &NetnsName) -> Result<(), Error> {
    let pin = pin_of(name);
    loop {
        match unmount(&pin, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => break,
            Err(error) => return Err(error).context("unmount", pin),
        }
    }
    let link = format!("{}/mntns", run_folder_of(name));
    for (path, flags) in [
        (pin, AtFlags::empty()),
        (folder_of(name), AtFlags::REMOVEDIR),
        (link, AtFlags::empty()),
        (run_folder_of(name), AtFlags::REMOVEDIR),
    ] {
        match unlinkat(CWD, &path, flags) {
            // What else is in a folder is not ours.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error).context("remove", path),
        }
    }
    Ok(())
}

/// Removes the folder of pins if it is empty.
pub(crate) fn remove_folder_if_empty() {
    if !Path::new(VIEWS).is_dir() || is_inside() {
        return;
    }
    // Whoever makes a view holds this lock; who waits for it makes the folder anew.
    let Ok(_lock) = set_up_folder() else { return };
    let empty = std::fs::read_dir(VIEWS).is_ok_and(|mut entries| entries.next().is_none());
    if empty && unmount(VIEWS, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {
        let _ = unlinkat(CWD, VIEWS, AtFlags::REMOVEDIR);
    }
}
