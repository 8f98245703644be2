//! Bind mounts in a view.

use std::path::Path;

use netnsctl_base::error::{Context, Error};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_bind, move_mount, open_tree, unmount,
};

/// A path in words.
pub(crate) fn name_of(path: &Path) -> String {
    path.display().to_string()
}

/// Binds `own` over `over`, in the place of what is mounted there if that `is_ours`.
pub(crate) fn bind(own: &str, over: &str, is_ours: bool) -> Result<(), Error> {
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
    let slipped = match move_mount(&copy, "", CWD, &over, below) {
        Ok(()) => true,
        // An older kernel.
        Err(Errno::INVAL) => false,
        Err(error) => return Err(error),
    };
    unmount(&over, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
    if slipped {
        return Ok(());
    }
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&copy, "", CWD, &over, whole)
}
