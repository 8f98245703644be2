//! A tmpfs that is filled before it shows.
//!
//! It becomes visible only when it is complete, so an error or a limit of the caller (umask,
//! RLIMIT_FSIZE) can never leave an incomplete one in a view that others use.
//!
//! Sources: fsopen(2), fsmount(2) and move_mount(2), all since Linux 5.2.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, fchmod, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create,
    fsconfig_reconfigure, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
};

/// The mode of its files: everybody may read them, whatever the umask is.
const FILE_MODE: u32 = 0o644;

/// A tmpfs that shows nowhere yet.
pub(crate) struct Tmpfs {
    /// The file system's configuration.
    context: OwnedFd,
    mount: OwnedFd,
}

impl Tmpfs {
    /// Makes one with these `options`, such as `("mode", "755")`. Lists of mounts show its `source`.
    /// Needs CAP_SYS_ADMIN.
    pub(crate) fn new(source: &str, options: &[(&str, &str)]) -> Result<Self, Errno> {
        let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, value) in [("source", source)].iter().chain(options) {
            fsconfig_set_string(&context, *key, *value)?;
        }
        fsconfig_create(&context)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        Ok(Self { context, mount })
    }

    /// Writes a new file in it.
    pub(crate) fn write(&self, file: &str, content: &[u8]) -> io::Result<()> {
        create_file(&self.mount, file, content)
    }

    /// Makes it read-only. No file in it may be open for writing.
    pub(crate) fn close(&self) -> Result<(), Errno> {
        fsconfig_set_flag(&self.context, "ro")?;
        fsconfig_reconfigure(&self.context)
    }

    /// Mounts it on `place`.
    pub(crate) fn show(&self, place: &Path) -> Result<(), Errno> {
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&self.mount, "", CWD, place, whole)
    }
}

/// Writes a new file that everybody may read.
///
/// Errors: also if not all of `content` could be written (EFBIG, ENOSPC).
pub(crate) fn create_file(folder: &OwnedFd, file: &str, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(FILE_MODE);
    let file = openat(folder, file, flags, mode)?;
    fchmod(&file, mode)?;
    File::from(file).write_all(content)
}
