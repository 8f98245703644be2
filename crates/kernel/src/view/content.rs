//! What shows in a view: files of the namespace over those of /etc, name services covered.
//!
//! All of it acts on the mount namespace of the calling thread.

use std::collections::BTreeSet;
use std::path::Path;

use netnsctl_model::etc_files::{ETC_NETNS, directory};
use netnsctl_model::name::NetnsName;
use rustix::fs::{CWD, stat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind, move_mount,
    open_tree, unmount,
};

use super::pin::VIEWS;
use super::services::{exposed, hide};
use crate::error::{Context, Error};
use crate::state_dir::lock_folder;

/// Inside a view, what is bound and covered there.
pub(super) const BOUND: &str = "/run/netnsctl/views/bound";

/// The folder of systemd-resolved, with its varlink socket and the files that /etc/resolv.conf may
/// be a link to.
pub(super) const RESOLVED: &str = "/run/systemd/resolve";

/// Those files.
pub(super) const RESOLVED_FILES: [&str; 2] = ["stub-resolv.conf", "resolv.conf"];

/// Layers over /etc that a view may have: files may go missing one after the other, but the kernel
/// allows two overlays on each other.
const LAYERS: usize = 2;

/// Whether this process is inside a view.
pub(super) fn is_inside() -> bool {
    Path::new(BOUND).exists()
}

/// Covers the folder of pins, so that whoever is inside knows it and cannot touch them.
pub(super) fn mark_inside() -> Result<(), Error> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let data = Some(c"mode=700,size=64k,nr_inodes=16");
    mount("tmpfs", VIEWS, "tmpfs", flags, data).context("cover", VIEWS)
}

/// What is bound and covered in the view this process is in, one a line; nothing outside of views.
pub(super) fn bound() -> BTreeSet<String> {
    let text = std::fs::read_to_string(BOUND).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Files that are `bound` and are not of `files`.
pub(super) fn extra(bound: &BTreeSet<String>, files: &[String]) -> Vec<String> {
    let bound = bound.iter().filter_map(|line| line.strip_prefix("file "));
    let extra = bound.filter(|file| !files.iter().any(|there| there == file));
    extra.map(|file| format!("/etc/{file}")).collect()
}

/// Makes the view this thread is in right, of which `before` says what is bound in it.
pub(super) fn put_right(
    name: &NetnsName,
    files: &[String],
    before: &BTreeSet<String>,
) -> Result<(), Error> {
    let is_noted = |file: &String| before.contains(&format!("file {file}"));
    let is_right = files.iter().all(is_noted)
        && missing(files).is_empty()
        && exposed(name, before)?.is_empty()
        && unbound(name, files).is_empty();
    if is_right {
        return Ok(());
    }
    // Others who enter now see the same, and what is mended twice lies there twice.
    let _lock = lock_folder(VIEWS, 0o700)?;
    let before = bound();
    fill(&missing(files));
    let now = bind_and_cover(name, files, &before)?;
    if now == before {
        return Ok(());
    }
    let text: String = now.into_iter().map(|line| line + "\n").collect();
    std::fs::write(BOUND, text).context("write", BOUND)
}

/// Those of `files` for which /etc has no place here.
fn missing(files: &[String]) -> Vec<&String> {
    let is_missing = |file: &&String| matches!(stat(format!("/etc/{file}")), Err(Errno::NOENT));
    files.iter().filter(is_missing).collect()
}

/// Gives the /etc of this view empty files to bind over where the host has none, or a link that
/// leads nowhere. The host's /etc stays as it is: a layer above it has them (overlayfs). A kernel
/// without overlays, or that has no right to give here, leaves the namespace without those files,
/// as ip-netns(8) does.
///
/// That /etc cannot be written to, and may go on to show a file that the host has replaced since.
fn fill(missing: &[&String]) {
    if missing.is_empty() {
        return;
    }
    let layers = (0..LAYERS).map(|number| format!("{VIEWS}/etc-{number}"));
    let Some(layer) = layers.into_iter().find(|layer| !Path::new(layer).exists()) else {
        return;
    };
    let made = || -> std::io::Result<()> {
        std::fs::create_dir(&layer)?;
        for file in missing {
            std::fs::write(format!("{layer}/{file}"), "")?;
        }
        let tree = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let netns = open_tree(CWD, ETC_NETNS, tree)?;
        let data = std::ffi::CString::new(format!("lowerdir={layer}:/etc"))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        mount("overlay", "/etc", "overlay", flags, Some(data.as_c_str()))?;
        // Where we replace files it must show the real ones.
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        Ok(move_mount(&netns, "", CWD, ETC_NETNS, whole)?)
    };
    let _ = made();
}

/// Binds and covers, in the mount namespace of this thread, what is not right. Returns what is
/// bound and covered then.
pub(super) fn bind_and_cover(
    name: &NetnsName,
    files: &[String],
    before: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Error> {
    let hidden = hide(name, before)?;
    for (own, over) in unbound(name, files) {
        bind(&own, &over, false)?;
    }
    let mut now: BTreeSet<_> = files.iter().map(|file| format!("file {file}")).collect();
    now.extend(hidden);
    Ok(now)
}

/// The files of the namespace that do not show where they should, and where that is. A host that
/// has no such file has nothing to hide.
pub(super) fn unbound(name: &NetnsName, files: &[String]) -> Vec<(String, String)> {
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

pub(super) fn name_of(path: &Path) -> String {
    path.display().to_string()
}

/// Where a file of the namespace stands: its like in /etc, and what may be read in its place.
fn places(file: &str) -> Vec<String> {
    let mut places = vec![format!("/etc/{file}")];
    if file == "resolv.conf" {
        places.extend(RESOLVED_FILES.map(|file| format!("{RESOLVED}/{file}")));
    }
    places
}

/// Binds `own` over `over`, in the place of what is mounted there if that `is_ours`.
pub(super) fn bind(own: &str, over: &str, is_ours: bool) -> Result<(), Error> {
    let bound = match is_ours {
        true => replace(own, over),
        false => match mount_bind(own, over) {
            // What shows is a file that has been replaced since; on those nothing can be mounted.
            Err(Errno::NOENT) => replace(own, over),
            result => result,
        },
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
