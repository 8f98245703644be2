//! `/run/netns`: the names of namespaces, shared with ip-netns(8).
//!
//! A name is a file with the namespace's nsfs file bind-mounted over it. The folder itself is a
//! shared mount, so that a name removed in one mount namespace goes in all and the network
//! namespace can be freed. iproute2 sets that up under a lock on the folder (`netns_add()` in
//! ip/ipnetns.c) and so do we, with the same lock, so that both can start at once on a machine
//! that has no `/run/netns` yet.

use std::io;
use std::time::Duration;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::netns::Netns;
use netnsctl_base::presence::if_present;
use netnsctl_model::name::NetnsName;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, fstatfs, mkdirat, openat, stat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{
    MountPropagationFlags, UnmountFlags, mount_bind, mount_bind_recursive, mount_change, unmount,
};

use crate::mountinfo;
use netnsctl_base::lock;

/// The folder of names.
pub const RUN_NETNS: &str = "/run/netns";

/// NSFS_MAGIC of include/uapi/linux/magic.h.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// The path of a name.
pub fn path(name: &NetnsName) -> String {
    format!("{RUN_NETNS}/{name}")
}

/// All names that have a namespace, sorted. A folder that is not there has none.
pub fn list() -> Result<Vec<NetnsName>, Error> {
    list_if(|_| true)
}

/// As [`list`], of the names that are `wanted`. The others are not opened.
pub fn list_if(wanted: impl Fn(&NetnsName) -> bool) -> Result<Vec<NetnsName>, Error> {
    let mut present = Vec::new();
    for name in entries()?.into_iter().filter(wanted) {
        match open(&name) {
            Ok(_) => present.push(name),
            // A file without a namespace is what a killed `ip netns add` leaves. It has mode 000; a
            // namespace can be opened by everybody (`ns_prune_dentry()` and `nsfs_init_inode()` in
            // fs/nsfs.c: mode 0444).
            Err(Error::NoSuchNetns(_) | Error::Stale(_)) => {}
            Err(Error::System { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(present)
}

/// All names, sorted, whether or not a namespace is behind them.
pub fn entries() -> Result<Vec<NetnsName>, Error> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = match openat(CWD, RUN_NETNS, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(error) => return Err(error).context("open", RUN_NETNS),
    };
    let mut names = Vec::new();
    for entry in Dir::read_from(&folder).context("list", RUN_NETNS)? {
        let entry = entry.context("list", RUN_NETNS)?;
        let name = entry.file_name().to_str().ok();
        names.extend(name.and_then(|name| NetnsName::parse(name).ok()));
    }
    names.sort();
    Ok(names)
}

/// Opens the namespace called `name`.
///
/// Errors: [`Error::NoSuchNetns`] if nothing is there, [`Error::Stale`] if a file is there on
/// which no namespace is mounted.
pub fn open(name: &NetnsName) -> Result<Netns, Error> {
    // O_NONBLOCK: should somebody have put a FIFO there. A symbolic link to /proc/PID/ns/net is
    // legitimate (ip-netns(8) follows it too).
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = match openat(CWD, path(name), flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Err(Error::NoSuchNetns(name.to_string())),
        // What `ip netns add` leaves without a mount has mode 000, which root can open; others
        // cannot tell.
        Err(error) => return Err(error).context("open", path(name)),
    };
    let statfs = fstatfs(&fd).context("look at", path(name))?;
    if u64::try_from(statfs.f_type) != Ok(NSFS_MAGIC) {
        return Err(Error::Stale(name.to_string()));
    }
    Netns::from_fd(fd).context("look at", path(name))
}

/// The name of the namespace `netns`, if it has one; the first of several.
///
/// Errors: whether a name is one of its names cannot be found out.
pub(crate) fn name_of(netns: &Netns) -> Result<Option<NetnsName>, Error> {
    for name in entries()? {
        // A device and an inode number are enough while `netns` is held: no other namespace has them.
        let there = if_present(stat(path(&name))).context("look at", path(&name))?;
        if there.is_some_and(|there| (there.st_dev, there.st_ino) == (netns.device, netns.inode)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Makes `/run/netns` if it is not there, and a shared mount of it, as iproute2 does and under
/// iproute2's lock. Needs CAP_SYS_ADMIN.
///
/// Every user can open the folder, and so keep its lock. Where it is a shared mount already there is
/// nothing to be done that would need the lock.
///
/// Errors: [`Error::Locked`] names a process of root's that still keeps the lock after `patience`.
pub fn set_up_folder(patience: Duration) -> Result<(), Error> {
    if mountinfo::is_shared(RUN_NETNS)? {
        return Ok(());
    }
    match mkdirat(CWD, RUN_NETNS, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error).context("create", RUN_NETNS),
    }
    let folder = openat(
        CWD,
        RUN_NETNS,
        OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .context("open", RUN_NETNS)?;
    let lock = |patience| lock::lock(&folder, RUN_NETNS, lock::Mode::Exclusive, patience);
    match lock(Duration::ZERO) {
        Err(Error::Locked { is_root: true, .. }) => lock(patience)?,
        // Only root makes names, so another user's lock protects nothing.
        Ok(()) | Err(Error::Locked { .. }) => {}
        Err(error) => return Err(error),
    }
    let share = || {
        let flags = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
        mount_change(RUN_NETNS, flags)
    };
    // EINVAL: it is no mount point. Only then is it bound to itself, so never twice.
    match share() {
        Err(Errno::INVAL) => {
            mount_bind_recursive(RUN_NETNS, RUN_NETNS).context("bind", RUN_NETNS)?;
            share().context("share the mount", RUN_NETNS)
        }
        result => result.context("share the mount", RUN_NETNS),
    }
    // The lock goes with the descriptor.
}

/// Gives the network namespace of the calling thread the name `name`.
///
/// Errors: EEXIST if something stands there already. A failure leaves no file behind.
pub(crate) fn publish(name: &NetnsName) -> Result<(), Error> {
    let path = path(name);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
    openat(CWD, &path, flags, Mode::empty()).context("create", &path)?;
    mount_bind("/proc/thread-self/ns/net", &path)
        .context("mount", &path)
        .inspect_err(|_| {
            let _ = unlinkat(CWD, &path, AtFlags::empty());
        })
}

/// Takes the name away: every mount on the file, then the file. Already gone is success. The
/// namespace itself lives on for as long as something holds it.
pub(crate) fn unpublish(name: &NetnsName) -> Result<(), Error> {
    let path = path(name);
    loop {
        let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        match unmount(&path, flags) {
            // Namespaces can be stacked; so can two mounts of one.
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => break,
            Err(error) => return Err(error).context("unmount", path),
        }
    }
    remove_file(&path)
}

/// Removes a file at a name if no namespace is mounted on it (EBUSY would tell).
pub(crate) fn remove_stale(name: &NetnsName) -> Result<(), Error> {
    remove_file(&path(name))
}

fn remove_file(path: &str) -> Result<(), Error> {
    match unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error).context("remove", path),
    }
}
