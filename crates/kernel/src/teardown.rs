//! Takes namespaces away, in full, as far as that is in anybody's power.
//!
//! A namespace ends when nothing holds it any more: `down` takes its name, and the kernel does
//! the rest in its own time, about 20 ms for each (`cleanup_net()` in net/core/net_namespace.c
//! works on one queue). Deleting links one by one would make that wait synchronous for each, so
//! it is done only where a process keeps the namespace alive and its veth ends elsewhere would
//! stay. `down` waits for the kernel, so that every name is free again when it returns.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef};
use netnsctl_model::observed::{EtcFile, Record};
use netnsctl_netlink::{Batch, Socket};
use rustix::io::Errno;
use rustix::process::Signal;

use crate::error::{Error, NetlinkContext};
use crate::netns::{self, Netns, Wanderer, wander};
use crate::processes::{self, Depth, Hold, Holder};
use crate::state_dir::{self, StateDir};
use crate::{etc, names, polkit, run_folder, view};

/// How to take away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// End the processes inside: SIGTERM, then SIGKILL.
    pub kill: bool,
    /// Return as soon as the names are gone; the kernel may still be busy.
    pub no_wait: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Namespaces that have no name any more.
    pub removed: Vec<NetnsName>,
    /// Namespaces that were gone already, files and records aside.
    pub already_gone: Vec<NetnsName>,
    /// What keeps a namespace alive without its name.
    pub held: BTreeMap<NetnsName, Vec<Holder>>,
    /// Everything that could not be removed.
    pub failures: Vec<String>,
}

/// How long processes have between SIGTERM and SIGKILL.
const TERM_PATIENCE: Duration = Duration::from_secs(5);

/// How long the kernel may take to free the next link before we delete what is left ourselves.
const KERNEL_PATIENCE: Duration = Duration::from_secs(3);

/// How often to look whether something is gone.
const POLL: Duration = Duration::from_millis(5);

/// A namespace that is there and is ours.
struct Present {
    inode: u64,
    /// The veth ends elsewhere that go with it, by namespace, with their indexes there: a number
    /// that no later link of the same name will have.
    far: Vec<(NetnsRef, u32)>,
}

/// A veth end that goes with a namespace, or stays if that is held.
struct FarEnd {
    index: u32,
    held: bool,
}

/// All recorded veths by the namespaces they have an end in, whichever of the two declared them.
struct Ends<'a>(BTreeMap<&'a NetnsRef, Vec<(&'a End, &'a End)>>);

/// A veth end by its place.
type End = (NetnsRef, InterfaceName);

impl<'a> Ends<'a> {
    fn of(records: &'a BTreeMap<NetnsName, Record>) -> Self {
        let mut ends: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for pair in records.values().flat_map(|record| &record.applied.veths) {
            for (own, other) in [(&pair.near, &pair.far), (&pair.far, &pair.near)] {
                ends.entry(&own.0).or_default().push((own, other));
            }
        }
        Self(ends)
    }

    /// The ends in `name`, each with the other end of its pair.
    fn within(&self, name: &NetnsName) -> &[(&'a End, &'a End)] {
        let here = NetnsRef::Named(name.clone());
        self.0.get(&here).map_or(&[], Vec::as_slice)
    }
}

/// Takes away the namespaces `names` of which there is a record, and all that was made for them.
/// What is gone already is success. Goes on past every failure.
///
/// Errors: only if the records cannot be read at all.
pub fn down(
    names: &BTreeSet<NetnsName>,
    options: Options,
    state: &StateDir,
) -> Result<Report, Error> {
    let records = state_dir::records()?.known;
    let ours: BTreeMap<_, _> = names
        .iter()
        .filter_map(|name| Some((name, records.get(name)?)))
        .collect();
    let ends = Ends::of(&records);
    let mut report = Report::default();
    let present = present(&ours, &ends, &mut report);
    if options.kill {
        end_processes(&present, &mut report);
    }
    let mounted = find_holders(&present, &mut report);
    for name in present.keys() {
        match names::unpublish(name) {
            Ok(()) => report.removed.push((*name).clone()),
            Err(error) => report.failures.push(error.to_string()),
        }
    }
    if mounted {
        find_mounts_elsewhere(&present, &mut report);
    }
    for name in ours.keys().filter(|name| !present.contains_key(*name)) {
        // What a kill between the two steps of making or removing a name leaves.
        match names::remove_stale(name) {
            Ok(()) => report.already_gone.push((*name).clone()),
            // A namespace of that name that somebody else made, which has been said.
            Err(_) if names::open(name).is_ok() => {}
            Err(error) => report.failures.push(error.to_string()),
        }
    }
    let far = far_ends(&ours, &ends, &present, &report.held);
    match far.and_then(|far| remove_far_ends(far, options)) {
        Ok(()) => {}
        Err(error) => report.failures.push(error.to_string()),
    }
    forget_passers_by(&present, &mut report);
    for (name, record) in &ours {
        let removed = remove_files(name, record).and_then(|()| state.remove_record(name));
        report
            .failures
            .extend(removed.err().map(|error| error.to_string()));
    }
    Ok(report)
}

/// Those of `ours` that are there and are what the record speaks of.
fn present<'a>(
    ours: &BTreeMap<&'a NetnsName, &Record>,
    ends: &Ends<'_>,
    report: &mut Report,
) -> BTreeMap<&'a NetnsName, Present> {
    wander(|wanderer| {
        let mut present = BTreeMap::new();
        for (name, record) in ours {
            match look(wanderer, name, record, ends.within(name)) {
                Ok(Some(found)) => drop(present.insert(*name, found)),
                Ok(None) => report.failures.push(format!(
                    "netns \"{name}\" is not the one netnsctl made; it is left alone"
                )),
                Err(Error::NoSuchNetns(_) | Error::Stale(_)) => {}
                Err(error) => report.failures.push(error.to_string()),
            }
        }
        present
    })
}

/// The namespace called `name` if it is the one that `record` speaks of.
fn look(
    wanderer: &mut Wanderer,
    name: &NetnsName,
    record: &Record,
    ends: &[(&End, &End)],
) -> Result<Option<Present>, Error> {
    let netns = Netns::named(name)?;
    let noted = record.identity;
    if (noted.device, noted.inode) != (netns.device, netns.inode) {
        return Ok(None);
    }
    wanderer.enter(&netns, name.as_str())?;
    let mut socket = Socket::open().in_netns("open a socket in", name.as_str())?;
    let found = crate::observe::identity(&netns, &socket).cookie;
    if noted.cookie.is_some() && found.is_some() && noted.cookie != found {
        return Ok(None);
    }
    if ends.is_empty() {
        return Ok(Some(Present {
            inode: netns.inode,
            far: Vec::new(),
        }));
    }
    let links = socket
        .links()
        .in_netns("list the links of", name.as_str())?;
    let far = ends.iter().filter_map(|(own, other)| {
        let link = links.iter().find(|link| link.name == own.1.as_str())?;
        (link.kind.as_deref() == Some("veth")).then_some(())?;
        Some((other.0.clone(), link.peer_index?))
    });
    Ok(Some(Present {
        inode: netns.inode,
        far: far.collect(),
    }))
}

/// Notes who holds what goes. True if mount namespaces other than ours have mounts of it: those
/// at the name go with it, those elsewhere stay, and which they are shows when the name is gone.
fn find_holders(present: &BTreeMap<&NetnsName, Present>, report: &mut Report) -> bool {
    let (mounts, others) = holders_of(present)
        .into_iter()
        .partition::<Vec<_>, _>(|(_, holder)| holder.hold == Hold::Mount);
    for (name, holder) in others {
        report.held.entry(name).or_default().push(holder);
    }
    !mounts.is_empty()
}

/// Notes in whose mount namespace there still are mounts of what has no name any more.
fn find_mounts_elsewhere(present: &BTreeMap<&NetnsName, Present>, report: &mut Report) {
    for (name, holder) in holders_of(present) {
        if holder.hold == Hold::Mount {
            report.held.entry(name).or_default().push(holder);
        }
    }
}

/// Keeps of the holders those that hold still: a command that only looked at a namespace as it went
/// is gone by now, and would be told of in vain.
fn forget_passers_by(present: &BTreeMap<&NetnsName, Present>, report: &mut Report) {
    if report.held.is_empty() {
        return;
    }
    let still = holders_of(present);
    report.held.retain(|name, holders| {
        holders.retain(|holder| still.iter().any(|(of, now)| of == name && now == holder));
        !holders.is_empty()
    });
}

fn holders_of(present: &BTreeMap<&NetnsName, Present>) -> Vec<(NetnsName, Holder)> {
    let inodes: BTreeSet<u64> = present.values().map(|present| present.inode).collect();
    let mut holders = processes::holders(&inodes, Depth::Everything);
    let mut found = Vec::new();
    for (name, Present { inode, .. }) in present {
        let of_this = holders.remove(inode).unwrap_or_default();
        found.extend(of_this.into_iter().map(|holder| ((*name).clone(), holder)));
    }
    found
}

/// Ends the processes inside `present`: asks, waits, then does not ask.
fn end_processes(present: &BTreeMap<&NetnsName, Present>, report: &mut Report) {
    let inodes: BTreeSet<u64> = present.values().map(|present| present.inode).collect();
    for (signal, patience) in [(Signal::TERM, TERM_PATIENCE), (Signal::KILL, TERM_PATIENCE)] {
        let deadline = Instant::now() + patience;
        let mut told: BTreeSet<u32> = BTreeSet::new();
        loop {
            let holders = processes::holders(&inodes, Depth::Everything);
            let inside: Vec<_> = holders
                .into_values()
                .flatten()
                .filter(|h| h.hold == Hold::Inside)
                .collect();
            if inside.is_empty() {
                return;
            }
            for holder in inside.iter().filter(|holder| !told.contains(&holder.pid)) {
                if let Err(error) = processes::signal(holder, signal) {
                    let (pid, command) = (holder.pid, &holder.command);
                    report
                        .failures
                        .push(format!("cannot end process {pid} ({command}): {error}"));
                }
            }
            told.extend(inside.iter().map(|holder| holder.pid));
            if Instant::now() > deadline {
                break;
            }
            std::thread::sleep(POLL);
        }
    }
}

/// The veth ends outside the namespaces that go, by the namespace they are in.
fn far_ends(
    ours: &BTreeMap<&NetnsName, &Record>,
    recorded: &Ends<'_>,
    present: &BTreeMap<&NetnsName, Present>,
    held: &BTreeMap<NetnsName, Vec<Holder>>,
) -> Result<BTreeMap<NetnsRef, Vec<FarEnd>>, Error> {
    let goes = |netns: &NetnsRef| netns.name().is_some_and(|name| ours.contains_key(name));
    let mut ends: BTreeMap<NetnsRef, Vec<FarEnd>> = BTreeMap::new();
    for (name, found) in present {
        for (netns, index) in found.far.iter().filter(|(netns, _)| !goes(netns)) {
            let end = FarEnd {
                index: *index,
                held: held.contains_key(*name),
            };
            ends.entry(netns.clone()).or_default().push(end);
        }
    }
    let mut orphans: BTreeMap<&NetnsRef, BTreeSet<&InterfaceName>> = BTreeMap::new();
    for name in ours.keys().filter(|name| !present.contains_key(*name)) {
        for (_, (netns, interface)) in recorded.within(name) {
            if !goes(netns) {
                orphans.entry(netns).or_default().insert(interface);
            }
        }
    }
    for (netns, interfaces) in orphans {
        let found = nameless_veths(netns, &interfaces)?;
        ends.entry(netns.clone()).or_default().extend(found);
    }
    Ok(ends)
}

/// Veths in `netns` of one of the given names whose other end is in a namespace without a name:
/// what is left of one whose `down` was killed half-way.
fn nameless_veths(
    netns: &NetnsRef,
    interfaces: &BTreeSet<&InterfaceName>,
) -> Result<Vec<FarEnd>, Error> {
    let Some((mut socket, name)) = open_socket(netns)? else {
        return Ok(Vec::new());
    };
    let links = socket.links().in_netns("list the links of", name)?;
    let candidates = links.into_iter().filter(|link| {
        link.kind.as_deref() == Some("veth")
            && link.peer_nsid.is_some()
            && interfaces
                .iter()
                .any(|interface| interface.as_str() == link.name)
    });
    let candidates: Vec<_> = candidates.collect();
    let mut named = BTreeSet::new();
    if !candidates.is_empty() {
        for other in names::list()? {
            let Ok(other) = Netns::named(&other) else {
                continue;
            };
            let id = socket
                .nsid_of(other.as_fd())
                .in_netns("ask for the neighbours of", name)?;
            named.extend(id);
        }
    }
    let nameless = candidates
        .into_iter()
        .filter(|link| link.peer_nsid.is_some_and(|id| !named.contains(&id)));
    Ok(nameless
        .map(|link| FarEnd {
            index: link.index,
            held: false,
        })
        .collect())
}

/// A socket in `netns`, and its name; none if the namespace is gone.
fn open_socket(netns: &NetnsRef) -> Result<Option<(Socket, &str)>, Error> {
    let name = netns.as_str();
    let handle = match netns::resolve(netns) {
        Ok(handle) => handle,
        Err(Error::NoSuchNetns(_) | Error::Stale(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let socket = netns::within(&handle, name, Socket::open)?;
    Ok(Some((socket.in_netns("open a socket in", name)?, name)))
}

/// Waits until the kernel has taken the far ends, and deletes those that would stay.
fn remove_far_ends(ends: BTreeMap<NetnsRef, Vec<FarEnd>>, options: Options) -> Result<(), Error> {
    for (netns, ends) in ends.iter().filter(|(_, ends)| !ends.is_empty()) {
        let Some((mut socket, name)) = open_socket(netns)? else {
            continue;
        };
        let stay = ends.iter().filter(|end| end.held).map(|end| end.index);
        delete(&mut socket, name, stay)?;
        if !options.no_wait {
            let waiting = ends.iter().map(|end| end.index).collect();
            wait_until_gone(&mut socket, name, waiting)?;
        }
    }
    Ok(())
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

/// Takes back what polkit was told of who may come home, if nothing of ours is left besides.
pub fn forget_home_if_last(_state: &StateDir) -> Result<(), Error> {
    if state_dir::records()?.is_empty() {
        polkit::remove(&NetnsRef::Home)?;
    }
    Ok(())
}

/// Takes the view of `name` away and leaves the namespace. What runs in it keeps it; already gone is
/// success. Whoever changes views in `up` and `down` holds the lock. Needs CAP_SYS_ADMIN.
///
/// Errors: a mount or file that cannot be removed.
pub fn remove_view(name: &NetnsName, _lock: &StateDir) -> Result<(), Error> {
    view::remove(name)
}

fn remove_files(name: &NetnsName, record: &Record) -> Result<(), Error> {
    view::remove(name)?;
    polkit::remove(&NetnsRef::Named(name.clone()))?;
    run_folder::remove(name)?;
    for file in EtcFile::ALL {
        etc::remove_file(name, file)?;
    }
    etc::remove_directories(&record.applied.directories)
}
