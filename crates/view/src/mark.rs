//! The mark of a view, by which processes inside recognize it.
//!
//! The mark is a mount, and so belongs to the view alone. A mount goes when its mount point is
//! removed, also from outside, so the mount point must be a folder that is never removed: /etc. An
//! empty tmpfs lies there, and a bind mount of the real /etc on top of it, so that nothing changes
//! for programs. The source of that tmpfs, which /proc/self/mountinfo shows, says that this is a view
//! and from which mounts it was made.
//!
//! The bind mount is `nosuid` and `nodev`, which the /etc of hardly any host is. So one system call
//! shows most processes that they are in no view. Where both are set, the list of mounts decides.
//!
//! Only a process that may mount in a mount namespace can put a mark there or hide it.
//!
//! Sources: mount_namespaces(7), the kernel's fs/namespace.c (`detach_mounts()`), statfs(2),
//! proc_pid_mountinfo(5).

use std::path::Path;

use rustix::fs::{CWD, StatVfsMountFlags, statvfs};
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, mount_remount, move_mount, open_tree,
};

use netnsctl_base::error::{Context, Error};

use crate::tmpfs::Tmpfs;

/// Where the mark is.
const PLACE: &str = "/etc";

/// What the source of the tmpfs begins with; the rest is the origin of the view.
const SOURCE: &str = "netnsctl-view:";

const MOUNTINFO: &str = "/proc/thread-self/mountinfo";

/// Whether this process can be in a view; only `origin` says that it is. Uses no heap.
#[inline(always)]
pub fn is_possible() -> bool {
    let both = StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV;
    // An error is not taken for absence.
    statvfs(c"/etc").map_or(true, |found| found.f_flag.contains(both))
}

/// The origin of the view that the calling thread is in, as [`put`] got it; none outside of views.
///
/// Errors: the list of mounts cannot be read.
pub(crate) fn origin() -> Result<Option<String>, Error> {
    if !is_possible() {
        return Ok(None);
    }
    let text = std::fs::read(MOUNTINFO).context("read", MOUNTINFO)?;
    Ok(origin_in(&String::from_utf8_lossy(&text)))
}

fn origin_in(mountinfo: &str) -> Option<String> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let source = file_system.strip_prefix("tmpfs ")?.split(' ').next()?;
        let origin = source.strip_prefix(SOURCE)?;
        (mount.split(' ').nth(4) == Some(PLACE)).then(|| origin.to_owned())
    })
}

/// Marks the mounts of the calling thread as a view made from `origin`, which has neither spaces nor
/// control characters. Needs CAP_SYS_ADMIN.
///
/// Errors: a step that the kernel refused, after which these mounts must not be used.
pub(crate) fn put(origin: &str) -> Result<(), Error> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let etc = open_tree(CWD, PLACE, flags).context("open", PLACE)?;
    let tmpfs = Tmpfs::new(&format!("{SOURCE}{origin}"), &[("mode", "755")]);
    let shown = tmpfs.and_then(|tmpfs| tmpfs.show(Path::new(PLACE)));
    shown.context("mark the view at", PLACE)?;
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&etc, "", CWD, PLACE, whole).context("bind", PLACE)?;
    // What is not repeated here would be lost, times of access aside.
    let has = statvfs(PLACE).context("look at", PLACE)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
    for (has_it, flag) in [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
    ] {
        flags.set(flag, has.contains(has_it));
    }
    mount_remount(PLACE, flags, "").context("mark the view at", PLACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_only_where_views_have_theirs() {
        let line = |point: &str, source: &str| {
            format!(
                "22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                 40 22 0:30 / {point} rw,nosuid - tmpfs {source} rw,mode=755\n"
            )
        };
        let found = |point, source| origin_in(&line(point, source));
        assert_eq!(
            found("/etc", "netnsctl-view:4:7:9").as_deref(),
            Some("4:7:9")
        );
        assert_eq!(found("/tmp/etc", "netnsctl-view:4:7:9"), None);
        assert_eq!(found("/etc", "tmpfs"), None);
        assert_eq!(origin_in(""), None);
    }
}
