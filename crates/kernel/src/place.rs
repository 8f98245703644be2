//! In which network namespace this process is, and the namespaces that its words mean.

use netnsctl_base::error::{Error, HostProcess};
use netnsctl_base::netns::Netns;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_view as view;

use crate::host_identity::{self, Host};
use crate::{names, state_dir};

/// Where this process stands.
#[derive(Debug)]
pub enum Place {
    /// At home: in the namespace that named ones are to be joined with.
    Home(Netns),
    /// In a namespace that has a name.
    Inside(NetnsName),
    /// In the view of a namespace.
    View,
    /// In a namespace without a name that is not the host namespace of the records.
    Elsewhere(HostProcess),
    /// As that, and no process of the host namespace can be seen.
    Lost,
}

/// Finds out where this process stands: home is the namespace the machine booted in, or, for
/// those who made themselves a world of their own with unshare(1), the one they are in, as long
/// as it has no name and the records do not belong to another.
pub fn place() -> Result<Place, Error> {
    let here = Netns::current()?;
    // Others' processes may not be looked at; then only names tell.
    let boot = Netns::open_path("/proc/1/ns/net");
    if !boot.is_ok_and(|boot| boot == here)
        && let Some(name) = names::name_of(&here)?
    {
        return Ok(Place::Inside(name));
    }
    if view::is_in_view()? {
        return Ok(Place::View);
    }
    Ok(match host_identity::find(&here)? {
        Host::Here => Place::Home(here),
        Host::With(process) => Place::Elsewhere(process),
        Host::Unknown => Place::Lost,
    })
}

/// The home namespace, for commands that manage others.
///
/// Errors: [`Error::Inside`], [`Error::InView`], [`Error::OtherHost`] if this process is not there:
/// what it would make would hang off another namespace.
pub fn home() -> Result<Netns, Error> {
    match place()? {
        Place::Home(netns) => Ok(netns),
        Place::Inside(name) => Err(Error::Inside(name.to_string())),
        Place::View => Err(Error::InView),
        Place::Elsewhere(process) => Err(Error::OtherHost(process)),
        Place::Lost => Err(Error::UnknownHost),
    }
}

/// The namespace called `name`, as the next command finds it: where its name is just being made, this
/// waits until it is there.
///
/// Errors: those of [`names::open`].
pub fn named_when_settled(name: &NetnsName) -> Result<Netns, Error> {
    match names::open(name) {
        // A name is a file first, and then the namespace is mounted on it.
        Err(Error::Stale(_)) => {
            drop(state_dir::share()?);
            names::open(name)
        }
        found => found,
    }
}

/// Home or a named namespace, seen from home.
pub fn resolve(netns: &NetnsRef) -> Result<Netns, Error> {
    match netns {
        NetnsRef::Home => home(),
        NetnsRef::Named(name) => names::open(name),
    }
}

/// Whether `netns` is still the namespace `known`, for a process that works in it: an error while
/// finding out is no reason to stop working.
pub fn is_still(netns: &NetnsRef, known: &Netns) -> bool {
    match resolve(netns) {
        Ok(now) => now == *known,
        Err(Error::NoSuchNetns(_) | Error::Stale(_)) => false,
        Err(_) => true,
    }
}
