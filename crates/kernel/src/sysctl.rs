//! Sysctls of the network namespace the calling thread is in.
//!
//! What `/proc/sys/net` shows depends on the thread that looks (`net_ctl_header_lookup()` in
//! net/sysctl_net.c), so these run on a [`netnsctl_base::netns::Wanderer`]'s thread.

use std::io;
use std::os::fd::OwnedFd;

use netnsctl_base::files::read_text;
use netnsctl_model::name::SysctlKey;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

/// The file of a key.
fn path(key: &SysctlKey) -> String {
    let parts: Vec<_> = key.parts().collect();
    format!("/proc/sys/{}", parts.join("/"))
}

fn open(key: &SysctlKey, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS;
    Ok(openat2(CWD, path(key), flags, Mode::empty(), resolve)?)
}

/// The value, without the line's end; `None` if there is no such key here.
pub(crate) fn read(key: &SysctlKey) -> io::Result<Option<String>> {
    let file = match open(key, OFlags::RDONLY) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    match read_text(&file) {
        Ok(value) => Ok(Some(value.trim_end().to_owned())),
        // Some keys can be written only.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the value in one write(2), as the kernel wants it (proc_sys(5)).
pub(crate) fn write(key: &SysctlKey, value: &str) -> io::Result<()> {
    let file = open(key, OFlags::WRONLY)?;
    if rustix::io::write(&file, value.as_bytes())? == value.len() {
        return Ok(());
    }
    Err(io::ErrorKind::WriteZero.into())
}

fn is_absent(error: &io::Error) -> bool {
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    absent.contains(&error.kind())
}
