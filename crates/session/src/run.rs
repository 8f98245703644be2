//! Moves a process into a namespace for good, to become a command there.
//!
//! Network names are only half of it: /etc/resolv.conf and its like must be the namespace's own
//! too, and the host's name services out of reach. ip-netns(8) makes a mount namespace for each
//! command to that end; here they share one, the `view`. Unlike ip-netns(8) it leaves /sys
//! alone, so that cgroup, bpf and tracing mounts stay.

use std::os::fd::AsFd;

use netnsctl_base::error::{Context, Error, Object};
use netnsctl_base::netns::Netns;
use netnsctl_kernel::names;
use netnsctl_kernel::place::{Place, named_when_settled, place, resolve};
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_view::etc::files_of;
use netnsctl_view::root_folder::refuse_chroot;
use netnsctl_view::{self as view, nscd};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

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
    join(&names::open(name)?, name.as_str())?;
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
    let handle = resolve(netns)?;
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
        .context("enter", Object::netns(name))
}
