//! The veth ends in other namespaces: waiting until the kernel has removed them, or deleting them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netnsctl_base::error::{Error, NetlinkContext};
use netnsctl_base::netns;
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef};
use netnsctl_netlink::{Batch, Socket};
use rustix::io::Errno;

use super::{Ends, Options, Present, Report};
use crate::{names, place};

/// How long the kernel may take to free the next link before we delete what is left ourselves.
const KERNEL_PATIENCE: Duration = Duration::from_secs(3);

/// A veth end that goes with a namespace, or stays if that is held.
pub(super) struct FarEnd<'a> {
    /// The namespaces that it goes with: one, or all whose pairs had an end of that name.
    of: BTreeSet<&'a NetnsName>,
    index: u32,
    held: bool,
}

type FarEnds<'a> = BTreeMap<NetnsRef, Vec<FarEnd<'a>>>;

/// The veth ends outside the namespaces that have lost their names, `nameless`, by the namespace they
/// are in. What could not be looked at is a failure of the namespaces that have ends there.
pub(super) fn find<'a>(
    nameless: &BTreeSet<&'a NetnsName>,
    recorded: &Ends<'_>,
    present: &BTreeMap<&'a NetnsName, Present>,
    report: &mut Report,
) -> FarEnds<'a> {
    let goes = |netns: &NetnsRef| netns.name().is_some_and(|name| nameless.contains(name));
    let mut ends = FarEnds::new();
    for (name, found) in present {
        for (netns, index) in found.far.iter().filter(|(netns, _)| !goes(netns)) {
            let end = FarEnd {
                of: BTreeSet::from([*name]),
                index: *index,
                held: report.held.contains_key(*name),
            };
            ends.entry(netns.clone()).or_default().push(end);
        }
    }
    let mut orphans: BTreeMap<&NetnsRef, BTreeMap<&InterfaceName, BTreeSet<&'a NetnsName>>> =
        BTreeMap::new();
    for name in nameless.iter().filter(|name| !present.contains_key(*name)) {
        for (_, other) in recorded.within(name) {
            if !goes(&other.netns) {
                let here = orphans.entry(&other.netns).or_default();
                here.entry(&other.interface).or_default().insert(name);
            }
        }
    }
    for (netns, interfaces) in orphans {
        match nameless_veths(netns, &interfaces) {
            Ok(found) => ends.entry(netns.clone()).or_default().extend(found),
            Err(error) => report.fail_each(interfaces.into_values().flatten(), error),
        }
    }
    ends
}

/// Veths in `netns` of one of the given names whose other end is in a namespace without a name:
/// what is left of one whose `down` was killed half-way.
fn nameless_veths<'a>(
    netns: &NetnsRef,
    interfaces: &BTreeMap<&InterfaceName, BTreeSet<&'a NetnsName>>,
) -> Result<Vec<FarEnd<'a>>, Error> {
    let Some((mut socket, name)) = open_socket(netns)? else {
        return Ok(Vec::new());
    };
    let mut candidates = Vec::new();
    for link in socket.links().in_netns("list the links of", name)? {
        let found = interfaces
            .iter()
            .find(|(interface, _)| interface.as_str() == link.name);
        if let (Some((_, of)), Some("veth"), Some(peer)) =
            (found, link.kind.as_deref(), link.peer_nsid)
        {
            let (of, index, held) = (of.clone(), link.index, false);
            candidates.push((peer, FarEnd { of, index, held }));
        }
    }
    let mut named = BTreeSet::new();
    if !candidates.is_empty() {
        for other in names::entries()? {
            let other = match names::open(&other) {
                Ok(other) => other,
                Err(Error::NoSuchNetns(_) | Error::Stale(_)) => continue,
                Err(error) => return Err(error),
            };
            let id = socket
                .nsid_of(other.as_fd())
                .in_netns("look up namespace ids in", name)?;
            named.extend(id);
        }
    }
    candidates.retain(|(peer, _)| !named.contains(peer));
    Ok(candidates.into_iter().map(|(_, end)| end).collect())
}

/// A socket in `netns`, and its name; none if the namespace is gone.
fn open_socket(netns: &NetnsRef) -> Result<Option<(Socket, &str)>, Error> {
    let name = netns.as_str();
    let handle = match place::resolve(netns) {
        Ok(handle) => handle,
        Err(Error::NoSuchNetns(_) | Error::Stale(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let socket = netns::within(&handle, name, Socket::open)?;
    Ok(Some((socket.in_netns("open a socket in", name)?, name)))
}

/// Waits until the kernel has taken the far ends, and deletes those that would stay. An end that
/// stays is a failure of the namespaces that it goes with.
pub(super) fn remove(ends: FarEnds<'_>, options: Options, report: &mut Report) {
    for (netns, ends) in ends.iter().filter(|(_, ends)| !ends.is_empty()) {
        if let Err(error) = remove_in(netns, ends, options) {
            let of: BTreeSet<_> = ends.iter().flat_map(|end| &end.of).copied().collect();
            report.fail_each(of, error);
        }
    }
}

fn remove_in(netns: &NetnsRef, ends: &[FarEnd<'_>], options: Options) -> Result<(), Error> {
    let Some((mut socket, name)) = open_socket(netns)? else {
        return Ok(());
    };
    let stay = ends.iter().filter(|end| end.held).map(|end| end.index);
    delete(&mut socket, name, stay)?;
    if options.no_wait {
        return Ok(());
    }
    let waiting = ends.iter().map(|end| end.index).collect();
    wait_until_gone(&mut socket, name, waiting)
}

fn delete(
    socket: &mut Socket,
    netns: &str,
    indexes: impl Iterator<Item = u32>,
) -> Result<(), Error> {
    let mut batch = Batch::new();
    for index in indexes {
        batch.delete_link_by_index(index);
    }
    if batch.is_empty() {
        return Ok(());
    }
    for result in socket.commit(batch).in_netns("delete links in", netns)? {
        match result {
            Err(error) if !error.is(Errno::NODEV) => {
                return Err(netnsctl_netlink::Error::from(error))
                    .in_netns("delete links in", netns);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Waits for as long as the kernel keeps freeing links, then deletes what it does not free: the
/// namespace is held by something that no process shows, such as a mount or a socket in flight.
fn wait_until_gone(
    socket: &mut Socket,
    netns: &str,
    mut waiting: BTreeSet<u32>,
) -> Result<(), Error> {
    let mut progress = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let links = socket.links().in_netns("list the links of", netns)?;
        let there: BTreeSet<_> = links.into_iter().map(|link| link.index).collect();
        let left: BTreeSet<_> = waiting.intersection(&there).copied().collect();
        if left.is_empty() {
            return Ok(());
        }
        if left.len() < waiting.len() {
            progress = Instant::now();
        } else if progress.elapsed() > KERNEL_PATIENCE {
            return delete(socket, netns, left.into_iter());
        }
        waiting = left;
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
