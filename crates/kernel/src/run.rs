//! Moves a process into a namespace for good, to become a command there.
//!
//! Network names are only half of it: /etc/resolv.conf and its like must be the namespace's own
//! too, and the host's name services out of reach. ip-netns(8) makes a mount namespace for each
//! command to that end; here they share one, the `view`. Unlike ip-netns(8) it leaves /sys
//! alone, so that cgroup, bpf and tracing mounts stay.

use netnsctl_model::etc_files::directory;
use netnsctl_model::name::{NetnsName, NetnsRef};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;

use crate::error::{Context, Error};
use crate::netns::{Netns, Place, named_when_settled, place};
use crate::root_folder::refuse_chroot;
use crate::{nscd, view};

mod bare;

pub use bare::enter_bare;

/// Moves this process into `netns` and what belongs to it; home undoes that. The process must
/// have a single thread and is expected to become another program. Needs CAP_SYS_ADMIN.
///
/// Errors: [`Error::NoSuchNetns`], [`Error::Stale`], [`Error::Chroot`] where the namespace has
/// files of its own, or a step that the kernel refused.
pub fn enter(netns: &NetnsRef) -> Result<(), Error> {
    match netns {
        NetnsRef::Home => leave(),
        NetnsRef::Named(name) => {
            let handle = named_when_settled(name)?;
            join(&handle, name.as_str())?;
            // What shows in the view that this process is in belongs to another namespace.
            view::leave(name.as_str())?;
            // With nothing of its own the host's mount namespace will do.
            match files_of(name)? {
                files if files.is_empty() && !nscd::has_folder(name)? => Ok(()),
                files => {
                    refuse_chroot(name.as_str())?;
                    view::enter(name, &files)
                }
            }
        }
    }
}

/// Moves this process into the network namespace that the file `path` is, such as
/// `/proc/PID/ns/net`. It has no view: whose files would be its own is not known. The process must
/// have a single thread. Needs CAP_SYS_ADMIN, and the right to look at the process (ptrace(2)).
pub fn enter_path(path: &str) -> Result<(), Error> {
    join(&Netns::open_path(path)?, path)?;
    view::leave(path)
}

/// As [`enter`] for the namespace `name`, but its view, if there is one, is left as it is: to see
/// what those see who are in it already.
pub fn enter_as_it_is(name: &NetnsName) -> Result<(), Error> {
    join(&Netns::named(name)?, name.as_str())?;
    view::leave(name.as_str())?;
    match files_of(name)? {
        files if files.is_empty() && !nscd::has_folder(name)? => Ok(()),
        files => {
            refuse_chroot(name.as_str())?;
            view::enter_as_it_is(name, &files)
        }
    }
}

/// Moves this process into the network namespace `netns` and leaves its mounts alone. The process
/// must have a single thread. Needs CAP_SYS_ADMIN.
pub fn enter_network(netns: &NetnsRef) -> Result<(), Error> {
    let handle = crate::netns::resolve(netns)?;
    join(&handle, netns.as_str())
}

/// Back to the network and mount namespaces the machine booted with.
fn leave() -> Result<(), Error> {
    match place()? {
        Place::Home(_) => return Ok(()),
        // The namespace of process 1 is not the host namespace here.
        Place::Elsewhere(process) if process.pid != 1 => return Err(Error::OtherHost(process)),
        Place::Lost => return Err(Error::UnknownHost),
        Place::Elsewhere(_) | Place::Inside(_) | Place::View => {}
    }
    refuse_chroot(NetnsRef::HOME)?;
    join(&Netns::open_path("/proc/1/ns/net")?, NetnsRef::HOME)?;
    view::join(&view::open_namespace("/proc/1/ns/mnt")?, NetnsRef::HOME)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process moves for good and becomes a command"
)]
fn join(handle: &Netns, name: &str) -> Result<(), Error> {
    move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))
        .context("enter", format!("netns \"{name}\""))
}

/// The files of `/etc/netns/NAME`, which stand for those of /etc in its view; none if there is no
/// such folder.
///
/// Errors: if it cannot be read.
pub fn files_of(name: &NetnsName) -> Result<Vec<String>, Error> {
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
