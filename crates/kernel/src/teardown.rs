//! Takes namespaces away, in full, as far as that is in anybody's power.
//!
//! A namespace ends when nothing holds it any more: `down` takes its name, and the kernel does
//! the rest in its own time, about 20 ms for each (`cleanup_net()` in net/core/net_namespace.c
//! works on one queue). Deleting links one by one would make that wait synchronous for each, so
//! it is done only where a process keeps the namespace alive and its veth ends elsewhere would
//! stay. `down` waits for the kernel, so that every name is free again when it returns.
//!
//! Every failure belongs to the namespaces whose removal it left incomplete, and such a namespace
//! keeps its record: the next `down` finds the rest by it.

mod far_ends;
mod processes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use netnsctl_base::error::{Error, Failure, NetlinkContext};
use netnsctl_base::netns::{Wanderer, wander};
use netnsctl_base::processes::Holder;
use netnsctl_base::run_folder;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::observed::{EtcFile, Record};
use netnsctl_model::plan::LinkPlace;
use netnsctl_netlink::Socket;
use netnsctl_view as view;

use crate::state_dir::{self, StateDir};
use crate::{etc, names, polkit};

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
    /// Names that belong to a namespace that netnsctl did not make, which stays. Ours of that name is
    /// gone.
    pub foreign: Vec<NetnsName>,
    /// What keeps a namespace alive without its name.
    pub held: BTreeMap<NetnsName, Vec<Holder>>,
    /// Everything that could not be removed. The namespaces concerned keep their records.
    pub failures: Vec<Failure>,
}

impl Report {
    fn fail(&mut self, name: &NetnsName, error: impl Into<Arc<Error>>) {
        let of = NetnsRef::Named(name.clone());
        self.failures.push(Failure::new(of, error));
    }

    fn fail_each<'a>(&mut self, names: impl IntoIterator<Item = &'a NetnsName>, error: Error) {
        let error = Arc::new(error);
        for name in names {
            self.fail(name, Arc::clone(&error));
        }
    }

    fn has_failed(&self, name: &NetnsName) -> bool {
        let mut failures = self.failures.iter();
        failures.any(|failure| failure.of.name() == Some(name))
    }
}

/// How often to look whether something is gone.
const POLL: Duration = Duration::from_millis(5);

/// What stands at a name of which there is a record.
enum Found {
    /// No namespace: it has gone, or a kill came between the two steps of making or removing a name.
    Gone,
    /// A namespace that the record does not speak of.
    Foreign,
    /// The namespace that the record speaks of.
    Present(Present),
}

/// A namespace that is there and is ours.
struct Present {
    inode: u64,
    /// The veth ends elsewhere that go with it, by namespace, with their indexes there: a number
    /// that no later link of the same name will have.
    far: Vec<(NetnsRef, u32)>,
}

/// All recorded veths by the namespaces they have an end in, whichever of the two declared them.
struct Ends<'a>(BTreeMap<&'a NetnsRef, Vec<(&'a LinkPlace, &'a LinkPlace)>>);

impl<'a> Ends<'a> {
    fn of(records: &'a BTreeMap<NetnsName, Record>) -> Self {
        let mut ends: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (near, far) in records.values().flat_map(|record| record.applied.pairs()) {
            for (own, other) in [(near, far), (far, near)] {
                ends.entry(&own.netns).or_default().push((own, other));
            }
        }
        Self(ends)
    }

    /// The ends in `name`, each with the other end of its pair.
    fn within(&self, name: &NetnsName) -> &[(&'a LinkPlace, &'a LinkPlace)] {
        let here = NetnsRef::Named(name.clone());
        self.0.get(&here).map_or(&[], Vec::as_slice)
    }
}

/// Takes away the namespaces `names` of which there is a record, and all that was made for them.
/// What is gone already is success. Goes on past every failure; a namespace with any failure keeps
/// its record, and its files as long as it may still have its name.
///
/// Errors: the records cannot be read or no thread can be started; nothing was changed then.
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
    let found = look_at_all(&ours, &ends, &mut report)?;
    let (mut present, gone) = sort(found, &mut report);
    let mut nameless = take_names(&mut present, options, &mut report);
    for name in gone {
        if report.foreign.contains(name) {
            nameless.insert(name);
            continue;
        }
        match names::remove_stale(name) {
            Ok(()) => {
                report.already_gone.push(name.clone());
                nameless.insert(name);
            }
            Err(error) => report.fail(name, error),
        }
    }
    let far = far_ends::find(&nameless, &ends, &present, &mut report);
    far_ends::remove(far, options, &mut report);
    processes::forget_passers_by(&present, &mut report);
    for name in nameless {
        remove_files(name, ours[name], &mut report);
        if !report.has_failed(name)
            && let Err(error) = state.remove_record(name)
        {
            report.fail(name, error);
        }
    }
    Ok(report)
}

/// Looks at each of `ours`. One that could not be looked at is a failure, and not among the results.
fn look_at_all<'a>(
    ours: &BTreeMap<&'a NetnsName, &Record>,
    ends: &Ends<'_>,
    report: &mut Report,
) -> Result<BTreeMap<&'a NetnsName, Found>, Error> {
    wander(|wanderer| {
        let mut all = BTreeMap::new();
        for (name, record) in ours {
            match look(wanderer, name, record, ends.within(name)) {
                Ok(found) => drop(all.insert(*name, found)),
                Err(error) => report.fail(name, error),
            }
        }
        all
    })
}

/// What stands at `name`, of which `record` speaks.
fn look(
    wanderer: &mut Wanderer,
    name: &NetnsName,
    record: &Record,
    ends: &[(&LinkPlace, &LinkPlace)],
) -> Result<Found, Error> {
    let netns = match names::open(name) {
        Ok(netns) => netns,
        Err(Error::NoSuchNetns(_) | Error::Stale(_)) => return Ok(Found::Gone),
        Err(error) => return Err(error),
    };
    wanderer.enter(&netns, name.as_str())?;
    let mut socket = Socket::open().in_netns("open a socket in", name.as_str())?;
    if !record.is_of(crate::observe::identity(&netns, name.as_str(), &socket)?) {
        return Ok(Found::Foreign);
    }
    let mut present = Present {
        inode: netns.inode,
        far: Vec::new(),
    };
    if ends.is_empty() {
        return Ok(Found::Present(present));
    }
    let links = socket
        .links()
        .in_netns("list the links of", name.as_str())?;
    let far = ends.iter().filter_map(|(own, other)| {
        let link = links
            .iter()
            .find(|link| link.name == own.interface.as_str())?;
        (link.kind.as_deref() == Some("veth")).then_some(())?;
        Some((other.netns.clone(), link.peer_index?))
    });
    present.far.extend(far);
    Ok(Found::Present(present))
}

/// Those of `found` that are there, and those that are not.
fn sort<'a>(
    found: BTreeMap<&'a NetnsName, Found>,
    report: &mut Report,
) -> (BTreeMap<&'a NetnsName, Present>, Vec<&'a NetnsName>) {
    let (mut there, mut gone) = (BTreeMap::new(), Vec::new());
    for (name, found) in found {
        match found {
            Found::Present(present) => drop(there.insert(name, present)),
            Found::Gone => gone.push(name),
            Found::Foreign => {
                report.foreign.push(name.clone());
                gone.push(name);
            }
        }
    }
    (there, gone)
}

/// Takes their names from the namespaces in `present`, of which only those stay there that have none
/// any more. Returns the same ones by name.
fn take_names<'a>(
    present: &mut BTreeMap<&'a NetnsName, Present>,
    options: Options,
    report: &mut Report,
) -> BTreeSet<&'a NetnsName> {
    if options.kill {
        processes::end(present, report);
        present.retain(|name, _| !report.has_failed(name));
    }
    let mounted = processes::find(present, report);
    present.retain(|name, _| !report.has_failed(name));
    present.retain(|name, _| match names::unpublish(name) {
        Ok(()) => {
            report.removed.push((*name).clone());
            true
        }
        Err(error) => {
            report.fail(name, error);
            false
        }
    });
    if mounted {
        processes::find_mounts(present, report);
    }
    present.keys().copied().collect()
}

/// Removes the polkit files about the host namespace if there are no records.
///
/// Errors: the records cannot be read, or a file of ours cannot be removed.
pub fn forget_home_if_last(_state: &StateDir) -> Result<(), Error> {
    if state_dir::records()?.is_empty() {
        polkit::remove(&NetnsRef::Home)?;
    }
    Ok(())
}

/// Removes what lies outside /run for namespaces of which there is no record, as after a power cut:
/// of those called `names`, or of all. What was removed and what could not be is added to `report`.
///
/// Errors: the records cannot be read, or what there is cannot be found out.
pub fn remove_leftovers(
    names: Option<&BTreeSet<NetnsName>>,
    _state: &StateDir,
    report: &mut Report,
) -> Result<(), Error> {
    let recorded = state_dir::records()?.into_names();
    let is_left = |name: &NetnsName| {
        names.is_none_or(|names| names.contains(name)) && !recorded.contains(name)
    };
    let access = polkit::remove_leftovers(|netns| netns.name().is_some_and(is_left))?;
    let files = etc::remove_leftovers(is_left)?;
    let files = files
        .into_iter()
        .map(|(name, result)| (name.into(), result));
    for (of, result) in access.into_iter().chain(files) {
        match result {
            Ok(()) => report.already_gone.extend(of.name().cloned()),
            Err(error) => report.failures.push(Failure::new(of, error)),
        }
    }
    report.already_gone.sort();
    report.already_gone.dedup();
    Ok(())
}

/// Takes the view of `name` away and leaves the namespace. What runs in it keeps it; already gone is
/// success. Whoever changes views in `up` and `down` holds the lock. Needs CAP_SYS_ADMIN.
///
/// Errors: a mount or file that cannot be removed.
pub fn remove_view(name: &NetnsName, _lock: &StateDir) -> Result<(), Error> {
    view::remove(name)
}

/// Removes what was made for `name` outside of it. Goes on past every failure: access that stays is
/// worse than a folder that stays.
fn remove_files(name: &NetnsName, record: &Record, report: &mut Report) {
    let here = NetnsRef::Named(name.clone());
    let mut results = vec![
        polkit::remove(&here),
        view::remove(name),
        run_folder::remove(name),
    ];
    results.extend(EtcFile::ALL.map(|file| etc::remove_file(name, file)));
    let directories = record.applied.directories().cloned().collect();
    results.push(etc::remove_directories(&directories));
    for error in results.into_iter().filter_map(Result::err) {
        report.fail(name, error);
    }
}
