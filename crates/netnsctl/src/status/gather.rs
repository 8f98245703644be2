//! Gathers what `status` shows.

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_base::error::Error;
use netnsctl_base::processes::{self, Depth, Holder};
use netnsctl_kernel::place;
use netnsctl_kernel::{names, observe};
use netnsctl_model::address::InterfaceAddress;
use netnsctl_model::desired::{self, Desired};
use netnsctl_model::item::{self, route_text};
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef};
use netnsctl_model::observed::{self, Interior, Observed, Peer, Presence};
use netnsctl_model::plan::text::waiting_of;
use netnsctl_model::plan::{self, Plan, Request};

use super::forward::Controls;
use super::wire::{Drift, Entry, Forward, Link, Netns, Process, Report, Sysctl, Veth};
use super::{nscd, services};
use crate::output::Failure;
use crate::published;

/// Looks at everything that is declared or managed, or only at `name`. Also says which process is
/// changing namespaces at the same time, if one is.
pub(crate) fn gather(
    desired: &Desired,
    name: Option<&NetnsName>,
) -> Result<(Report, Option<String>), Failure> {
    let names = name.map(|name| BTreeSet::from([name.clone()]));
    gather_of(desired, names.as_ref())
}

/// Looks at everything that is declared or managed, or only at `names`.
pub(crate) fn gather_of(
    desired: &Desired,
    names: Option<&BTreeSet<NetnsName>>,
) -> Result<(Report, Option<String>), Failure> {
    let request = Request {
        names: names.cloned(),
        ..Request::default()
    };
    let (observed, disturbed) = observe::observe_undisturbed(desired, &place::home()?, &request)?;
    let plan = plan::plan(desired, &observed, &request);
    let serve = published::running()?;
    let ends = desired.veths.iter().flat_map(|v| [&v.near, &v.far]);
    let gathered = Gathered {
        processes: processes_inside(&observed)?,
        stale_services: services::stale(&observed),
        controls: Controls::of(serve.as_ref()),
        desired,
        ends: ends
            .map(|end| ((&end.netns, &end.interface), &*end.address))
            .collect(),
        observed: &observed,
        plan: &plan,
    };
    let shown = |name: &&NetnsName| request.covers(name);
    let mut known: BTreeSet<&NetnsName> = desired.netns.keys().filter(shown).collect();
    known.extend(observed.records.keys().filter(shown));
    known.extend(observed.unreadable.keys().filter(shown));
    let unmanaged = match names {
        Some(_) => Vec::new(),
        None => unmanaged(&known)?,
    };
    let home_forwards = match names {
        Some(_) => Vec::new(),
        None => gathered.forwards(&NetnsRef::Home),
    };
    let steps = gathered.plan.steps.iter();
    let elsewhere = steps.filter(|step| step.of.name().is_none_or(|name| !known.contains(name)));
    let report = Report {
        elsewhere: elsewhere.map(drift).collect(),
        notes: gathered.plan.notes.clone(),
        serve: serve.map(|state| state.pid),
        netns: known.into_iter().map(|name| gathered.netns(name)).collect(),
        home_forwards,
        unmanaged,
    };
    Ok((report, disturbed))
}

/// Names in use that are not among `known`.
fn unmanaged(known: &BTreeSet<&NetnsName>) -> Result<Vec<String>, Failure> {
    let names = names::list_if(|name| !known.contains(name))?;
    Ok(names.iter().map(ToString::to_string).collect())
}

struct Gathered<'a> {
    desired: &'a Desired,
    /// The declared addresses of veth ends.
    ends: BTreeMap<(&'a NetnsRef, &'a InterfaceName), &'a [InterfaceAddress]>,
    observed: &'a Observed,
    plan: &'a Plan,
    processes: BTreeMap<u64, Vec<Holder>>,
    stale_services: BTreeMap<NetnsName, Vec<String>>,
    controls: Controls,
}

fn processes_inside(observed: &Observed) -> Result<BTreeMap<u64, Vec<Holder>>, Error> {
    let interiors = observed.netns.values().filter_map(Presence::interior);
    let inodes = interiors.map(|interior| interior.identity.inode).collect();
    processes::holders(&inodes, Depth::Inside)
}

fn drift(step: &plan::Step) -> Drift {
    Drift {
        change: step.verb,
        description: step.describe(),
    }
}

impl Gathered<'_> {
    fn netns(&self, name: &NetnsName) -> Netns {
        let here = NetnsRef::Named(name.clone());
        let presence = self.observed.netns.get(name);
        let interior = presence.and_then(Presence::interior);
        let declared = self.desired.netns.get(name);
        let foreign = self.plan.problems.iter().any(
            |problem| matches!(problem, plan::Problem::Foreign { name: text } if text.0 == *name),
        );
        let state = match presence {
            Some(Presence::Present(_)) if foreign => "foreign",
            Some(Presence::Present(_)) => "up",
            Some(Presence::Stale) => "stale",
            Some(Presence::Absent) | None => "absent",
        };
        let holder_name = declared.map(|netns| &netns.holder.interface);
        let links = interior.map(|interior| &interior.links);
        let link = |name: &InterfaceName, link| self.link(&here, name, link);
        let mut report = Netns {
            name: name.to_string(),
            state,
            declared: declared.is_some(),
            inode: interior.map(|interior| interior.identity.inode),
            holder: holder_name.and_then(|name| Some(link(name, links?.get(name)?))),
            veths: Vec::new(),
            links: Vec::new(),
            other_links: Vec::new(),
            routes: interior.map(routes).unwrap_or_default(),
            entries: entries(declared, interior),
            sysctl_differs: sysctl_differs(declared, interior),
            forwards: self.forwards(&here),
            nscd: nscd::state(name, declared),
            processes: interior
                .map(|interior| self.inside(interior))
                .unwrap_or_default(),
            stale_services: self.stale_services.get(name).cloned().unwrap_or_default(),
            drift: self.drift(name),
            problems: self.problems(name),
            waiting: self.waiting(&here),
        };
        for (interface, observed) in links.into_iter().flatten() {
            if Some(interface) == holder_name || interface.as_str() == "lo" {
                continue;
            }
            let shown = link(interface, observed);
            match &observed.peer {
                Some(peer) => report.veths.push(veth(shown, peer)),
                None if shown.declared => report.links.push(shown),
                None => report.other_links.push(shown),
            }
        }
        report
    }

    fn link(&self, netns: &NetnsRef, name: &InterfaceName, link: &observed::Link) -> Link {
        let declared = self.declared_addresses(netns, name);
        let addresses = link.addresses.iter().map(|observed| &observed.address);
        let extra = |address: &&InterfaceAddress| {
            let known = declared.as_ref().is_none_or(|list| list.contains(address));
            !known && !address.is_link_local()
        };
        Link {
            interface: name.to_string(),
            kind: link.kind.clone(),
            up: link.up,
            carrier: link.carrier,
            mtu: link.mtu,
            mac: link.mac.map(|mac| mac.to_string()),
            values: (link.values.iter())
                .map(|(word, value)| (word, value.to_string()))
                .collect(),
            addresses: addresses.clone().map(ToString::to_string).collect(),
            declared: declared.is_some(),
            extra_addresses: addresses.filter(extra).map(ToString::to_string).collect(),
        }
    }

    /// The addresses declared for a link; none if the link is not declared.
    fn declared_addresses(
        &self,
        netns: &NetnsRef,
        name: &InterfaceName,
    ) -> Option<&[InterfaceAddress]> {
        let holder = netns.name().and_then(|name| self.desired.netns.get(name));
        if let Some(netns) = holder.filter(|netns| netns.holder.interface == *name) {
            return Some(&netns.holder.address);
        }
        let mut own = holder.into_iter().flat_map(|netns| &netns.links);
        if let Some(link) = own.find(|link| link.interface == *name) {
            return Some(&link.address);
        }
        self.ends.get(&(netns, name)).copied()
    }

    /// What of `netns` waits.
    fn waiting(&self, netns: &NetnsRef) -> Vec<String> {
        waiting_of(self.plan.waiting.iter().filter(|one| one.of == *netns))
    }

    fn inside(&self, interior: &Interior) -> Vec<Process> {
        let holders = self
            .processes
            .get(&interior.identity.inode)
            .into_iter()
            .flatten();
        holders
            .map(|h| Process {
                pid: h.pid,
                command: h.command.clone(),
            })
            .collect()
    }

    fn drift(&self, name: &NetnsName) -> Vec<Drift> {
        // A record that lags behind is no difference anybody could feel.
        let steps = self
            .plan
            .steps
            .iter()
            .filter(|step| step.of.name() == Some(name) && !step.is_record() && !step.quiet);
        steps.map(drift).collect()
    }

    fn problems(&self, name: &NetnsName) -> Vec<String> {
        let problems = self
            .plan
            .problems
            .iter()
            .filter(|problem| problem.netns() == name.as_str());
        problems.map(ToString::to_string).collect()
    }

    fn forwards(&self, netns: &NetnsRef) -> Vec<Forward> {
        let forwards = self.desired.forwards(netns).iter().zip(1..);
        forwards
            .map(|(forward, number)| self.controls.state(netns, number, forward))
            .collect()
    }
}

fn veth(link: Link, peer: &Peer) -> Veth {
    let (peer_netns, peer_interface) = match peer {
        Peer::Known(netns, interface) => (Some(netns.to_string()), Some(interface.to_string())),
        Peer::Elsewhere => (None, None),
    };
    Veth {
        link,
        peer_netns,
        peer_interface,
    }
}

fn routes(interior: &Interior) -> Vec<String> {
    let added = interior
        .routes
        .iter()
        .filter(|observed| !observed.kernel_made);
    added.map(|observed| route_text(&observed.route)).collect()
}

fn entries(declared: Option<&desired::Netns>, interior: Option<&Interior>) -> Vec<Entry> {
    let declared = declared.into_iter().flat_map(|netns| &netns.entries);
    let entry = |entry: &item::Entry| Entry {
        kind: entry.kind.word(),
        description: (entry.kind.words)(&entry.values),
        present: interior.is_some_and(|interior| interior.entries.contains(entry)),
    };
    declared.map(entry).collect()
}

fn sysctl_differs(declared: Option<&desired::Netns>, interior: Option<&Interior>) -> Vec<Sysctl> {
    let (Some(declared), Some(interior)) = (declared, interior) else {
        return Vec::new();
    };
    let wanted = plan::declared_sysctls(declared);
    let differing = wanted.into_iter().filter_map(|(key, wanted)| {
        let value = interior.sysctl.get(&key).cloned().flatten();
        let same = value
            .as_deref()
            .is_some_and(|value| plan::same_value(value, &wanted));
        (!same).then(|| Sysctl {
            key: key.to_string(),
            declared: wanted,
            value,
        })
    });
    differing.collect()
}
