//! What shows in a view: files of the namespace over those of /etc, name services covered.
//!
//! All of it acts on the mount namespace of the calling thread.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::path::Path;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::lock_folder;
use netnsctl_base::files::open_folder_nofollow;
use netnsctl_base::presence::if_present;
use netnsctl_model::etc_files::{ETC_NETNS, directory};
use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, Mode, fchmod, mkdirat, stat, statat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount,
};

use crate::bind::bind;
use crate::notes::{BOUND, FROM, NOTES, VIEWS, bound, is_origin, note};
use crate::services::{RESOLVED, RESOLVED_FILES, exposed, hide};
use crate::tmpfs::{Tmpfs, create_file};

/// Layers over /etc that a view may have: files may go missing one after the other, but the kernel
/// allows two overlays on each other.
const LAYERS: usize = 2;

/// Covers the folder of pins, so that processes inside cannot change the pins, and notes `origin`, from
/// which the view is made.
pub(crate) fn cover_pins(origin: &str) -> Result<(), Error> {
    let options = [("mode", "700"), ("size", "1m"), ("nr_inodes", "4096")];
    let tmpfs = Tmpfs::new("tmpfs", &options).context("cover", VIEWS)?;
    let written = tmpfs.write(NOTES, format!("{FROM}{origin}\n").as_bytes());
    written.context("write", BOUND)?;
    tmpfs.show(Path::new(VIEWS)).context("cover", VIEWS)
}

/// Files that are `bound` and are not of `files`.
pub(crate) fn extra(bound: &BTreeSet<String>, files: &[String]) -> Vec<String> {
    let bound = bound.iter().filter_map(|line| line.strip_prefix("file "));
    let extra = bound.filter(|file| !files.iter().any(|there| there == file));
    extra.map(|file| format!("/etc/{file}")).collect()
}

/// Makes the view this thread is in right, of which `before` says what is bound in it.
pub(crate) fn put_right(
    name: &NetnsName,
    files: &[String],
    before: &BTreeSet<String>,
) -> Result<(), Error> {
    let is_noted = |file: &String| before.contains(&format!("file {file}"));
    let is_right = files.iter().all(is_noted)
        && missing(files)?.is_empty()
        && exposed(name, before)?.is_empty()
        && unbound(name, files)?.is_empty();
    if is_right {
        return Ok(());
    }
    // Others who enter now see the same, and what is mended twice lies there twice.
    let _lock = lock_folder(VIEWS, 0o700)?;
    let before = bound()?;
    fill(&missing(files)?)?;
    let mut now = bind_and_cover(name, files, &before)?;
    now.extend(before.iter().filter(|line| is_origin(line)).cloned());
    if now == before {
        return Ok(());
    }
    note(&now)
}

/// Those of `files` for which /etc has no place here.
fn missing(files: &[String]) -> Result<Vec<&String>, Error> {
    let mut missing = Vec::new();
    for file in files {
        let path = format!("/etc/{file}");
        if if_present(stat(&path)).context("look at", path)?.is_none() {
            missing.push(file);
        }
    }
    Ok(missing)
}

/// Gives the /etc of this view empty files to bind over where the host has none, or a link that
/// leads nowhere. The host's /etc stays as it is: a layer above it has them (overlayfs). A kernel
/// without overlays, or that has no right to give here, leaves the namespace without those files,
/// as ip-netns(8) does.
///
/// That /etc cannot be written to, and may go on to show a file that the host has replaced since.
///
/// Errors: any other; then there is no layer.
fn fill(missing: &[&String]) -> Result<(), Error> {
    if missing.is_empty() {
        return Ok(());
    }
    let Some(layer) = free_layer()? else {
        return Ok(());
    };
    let laid = make_layer(&layer, missing)
        .context("create", &layer)
        .and_then(|()| lay_over_etc(&layer));
    if laid.is_err() {
        let _ = std::fs::remove_dir_all(&layer);
    }
    laid
}

/// The folder of the next layer, if there may be another one.
fn free_layer() -> Result<Option<String>, Error> {
    for number in 0..LAYERS {
        let layer = format!("{VIEWS}/etc-{number}");
        let there = if_present(statat(CWD, &layer, AtFlags::SYMLINK_NOFOLLOW));
        if there.context("look at", &layer)?.is_none() {
            return Ok(Some(layer));
        }
    }
    Ok(None)
}

/// Makes a folder of empty files that has the mode of /etc, which it will show in its place.
fn make_layer(layer: &str, files: &[&String]) -> io::Result<()> {
    let mode = Mode::from_raw_mode(stat("/etc")?.st_mode & 0o7777);
    mkdirat(CWD, layer, mode)?;
    let folder = open_folder_nofollow(layer)?;
    fchmod(&folder, mode)?;
    files
        .iter()
        .try_for_each(|file| create_file(&folder, file, &[]))
}

/// Mounts an overlay with `layer` on top over /etc, if the kernel has overlays.
fn lay_over_etc(layer: &str) -> Result<(), Error> {
    let whole = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let netns = open_tree(CWD, ETC_NETNS, whole).context("open", ETC_NETNS)?;
    let data = CString::new(format!("lowerdir={layer}:/etc"))
        .map_err(io::Error::from)
        .context("cover", "/etc")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    match mount("overlay", "/etc", "overlay", flags, Some(data.as_c_str())) {
        Ok(()) => {}
        // No overlays, not here, or too many on each other.
        Err(Errno::NODEV | Errno::PERM | Errno::ACCESS | Errno::INVAL | Errno::OPNOTSUPP) => {
            return Ok(());
        }
        Err(error) => return Err(error).context("cover", "/etc"),
    }
    // Where we replace files it must show the real ones.
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&netns, "", CWD, ETC_NETNS, whole)
        .inspect_err(|_| {
            let _ = unmount("/etc", UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        })
        .context("bind", ETC_NETNS)
}

/// Binds and covers, in the mount namespace of this thread, what is not right. Returns what is
/// bound and covered then.
pub(crate) fn bind_and_cover(
    name: &NetnsName,
    files: &[String],
    before: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Error> {
    let hidden = hide(name, before)?;
    for (own, over) in unbound(name, files)? {
        bind(&own, &over, false)?;
    }
    let mut now: BTreeSet<_> = files.iter().map(|file| format!("file {file}")).collect();
    now.extend(hidden);
    Ok(now)
}

/// The files of the namespace that do not show where they should, and where that is. A host that
/// has no such file has nothing to hide.
pub(crate) fn unbound(name: &NetnsName, files: &[String]) -> Result<Vec<(String, String)>, Error> {
    let identity = |path: &str| {
        let there = if_present(stat(path)).context("look at", path)?;
        Ok(there.map(|stat| (stat.st_dev, stat.st_ino)))
    };
    let mut pairs = Vec::new();
    for file in files {
        let own = format!("{}/{file}", directory(name));
        let there = identity(&own)?;
        for over in places(file) {
            let shows = identity(&over)?;
            if shows.is_some() && shows != there {
                pairs.push((own.clone(), over));
            }
        }
    }
    Ok(pairs)
}

/// Where a file of the namespace stands: its like in /etc, and what may be read in its place.
fn places(file: &str) -> Vec<String> {
    let mut places = vec![format!("/etc/{file}")];
    if file == "resolv.conf" {
        places.extend(RESOLVED_FILES.map(|file| format!("{RESOLVED}/{file}")));
    }
    places
}
