//! Sysctls of the network namespace the calling thread is in.
//!
//! What `/proc/sys/net` shows depends on the thread that looks (`net_ctl_header_lookup()` in
//! net/sysctl_net.c), so these run on a [`netnsctl_base::netns::Wanderer`]'s thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use netnsctl_base::error::{Context, Error, NetlinkContext, Object};
use netnsctl_base::files::read_text;
use netnsctl_model::name::SysctlKey;
use netnsctl_netlink::{Forwarding, Socket};
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

/// The values of `keys`, in the namespace of the calling thread, of which `socket` is; `None` for a key
/// that is not there. The forwarding keys are asked for by netlink, others are read from their files.
///
/// Errors: a value cannot be found out.
pub(crate) fn read_all(
    keys: &BTreeSet<SysctlKey>,
    socket: &mut Socket,
    name: &str,
) -> Result<BTreeMap<SysctlKey, Option<String>>, Error> {
    let mut values = BTreeMap::new();
    let (by_netlink, by_file): (Vec<_>, Vec<_>) =
        keys.iter().partition(|key| forwarding_of(key).is_some());
    if !by_netlink.is_empty() {
        let forwarding = socket.forwarding().in_netns("read forwarding in", name)?;
        values.extend(by_netlink.into_iter().filter_map(|key| {
            let value = forwarding_of(key)?(&forwarding).map(|value| value.to_string());
            Some((key.clone(), value))
        }));
    }
    for key in by_file {
        let object = || Object::Sysctl(format!("{key} in netns \"{name}\""));
        let value = read(key).context("read sysctl", object())?;
        values.insert(key.clone(), value);
    }
    Ok(values)
}

/// The place of a key among those that netlink tells.
fn forwarding_of(key: &SysctlKey) -> Option<fn(&Forwarding) -> Option<i32>> {
    Some(match key.as_str() {
        "net.ipv4.conf.all.forwarding" => |it| it.ipv4_all,
        "net.ipv4.conf.default.forwarding" => |it| it.ipv4_default,
        "net.ipv6.conf.all.forwarding" => |it| it.ipv6_all,
        "net.ipv6.conf.default.forwarding" => |it| it.ipv6_default,
        _ => return None,
    })
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
