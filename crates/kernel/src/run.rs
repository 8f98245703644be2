//! Moves a process into a namespace for good, to become a command there.
//!
//! Network names are only half of it: /etc/resolv.conf and its like must be the namespace's own
//! too. ip-netns(8) binds the files of `/etc/netns/NAME` over those of /etc in a mount namespace
//! made for the command; so does this. It also covers the socket of the host's name-service
//! cache, which answers out of the host's namespace whatever resolv.conf says. Unlike
//! ip-netns(8) it leaves /sys alone, so that cgroup, bpf and tracing mounts stay.

use std::collections::BTreeSet;

use netnsctl_model::etc_files::directory;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_sys::namespace;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;

use crate::error::{Context, Error};
use crate::netns::{Netns, Place, place};

/// Folders in which a name-service cache of the host listens.
const NSCD_FOLDERS: [&str; 2] = ["/run/nscd", "/var/run/nscd"];

/// Moves this process into `netns` and what belongs to it; home undoes that. The process must
/// have a single thread and is expected to become another program. Needs CAP_SYS_ADMIN.
///
/// Errors: [`Error::NoSuchNetns`], [`Error::Stale`], or a step that the kernel refused.
pub fn enter(netns: &NetnsRef) -> Result<(), Error> {
    match netns {
        NetnsRef::Home => leave(),
        NetnsRef::Named(name) => {
            let handle = Netns::named(name)?;
            join(&handle, LinkNameSpaceType::Network, name.as_str())?;
            bind_files(name)
        }
    }
}

/// Moves this process into the network namespace `netns` and leaves its mounts alone. The process
/// must have a single thread. Needs CAP_SYS_ADMIN.
pub fn enter_network(netns: &NetnsRef) -> Result<(), Error> {
    let handle = crate::netns::resolve(netns)?;
    join(&handle, LinkNameSpaceType::Network, netns.as_str())
}

/// Back to the network and mount namespaces the machine booted with.
fn leave() -> Result<(), Error> {
    if let Place::Home(_) = place()? {
        return Ok(());
    }
    let folder = std::env::current_dir();
    join(
        &Netns::open_path("/proc/1/ns/net")?,
        LinkNameSpaceType::Network,
        NetnsRef::HOME,
    )?;
    let path = "/proc/1/ns/mnt";
    let mounts = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    join(
        &mounts.context("open", path)?,
        LinkNameSpaceType::Mount,
        NetnsRef::HOME,
    )?;
    // Joining a mount namespace leads to its root directory (setns(2)).
    if let Ok(folder) = folder {
        let _ = std::env::set_current_dir(folder);
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process moves for good and becomes a command"
)]
fn join(handle: impl AsFd, kind: LinkNameSpaceType, name: &str) -> Result<(), Error> {
    move_into_link_name_space(handle.as_fd(), Some(kind))
        .context("enter", format!("netns \"{name}\""))
}

/// Binds every file of `/etc/netns/NAME` over its like in /etc, out of the host's sight. Without
/// such files the host's mount namespace will do.
fn bind_files(name: &NetnsName) -> Result<(), Error> {
    let files = files_of(name)?;
    if files.is_empty() {
        return Ok(());
    }
    namespace::unshare_mounts()
        .context("create a mount namespace for", format!("netns \"{name}\""))?;
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).context("keep mounts of the command from", "the host")?;
    for file in files {
        let (own, over) = (
            format!("{}/{file}", directory(name)),
            format!("/etc/{file}"),
        );
        match mount_bind(&own, &over) {
            // Nothing to hide: the host has no such file.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error).context("bind", format!("{own} over {over}")),
        }
    }
    // One is usually a link to the other.
    let folders: BTreeSet<_> = NSCD_FOLDERS
        .iter()
        .filter_map(|folder| std::fs::canonicalize(folder).ok())
        .collect();
    for folder in folders {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
        mount("tmpfs", &folder, "tmpfs", flags, Some(c"mode=755"))
            .context("cover", folder.display().to_string())?;
    }
    Ok(())
}

fn files_of(name: &NetnsName) -> Result<Vec<String>, Error> {
    let path = directory(name);
    // A link is followed, as ip-netns(8) does: /etc is root's, and nothing is written here.
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = match openat(CWD, &path, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(error) => return Err(error).context("open", path),
    };
    let mut files = Vec::new();
    for entry in rustix::fs::Dir::read_from(&folder).context("list", &path)? {
        let entry = entry.context("list", &path)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Our own temporary files begin with a dot.
        if !name.starts_with('.') {
            files.push(name);
        }
    }
    Ok(files)
}
