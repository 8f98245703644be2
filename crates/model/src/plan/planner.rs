//! The order of a plan, and what its parts share.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Netns, VethPair};
use crate::name::{InterfaceName, NetnsName, NetnsRef};
use crate::observed::{Applied, Interior, Link, Observed, Presence, Record};

use super::namespace::ends_of;
use super::{Action, LinkPlace, NetnsNameText, Part, Plan, Problem, Request, Step};

/// How a declared namespace stands before the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is there; it will be made.
    Fresh,
    /// Made by us.
    Ours,
    /// Made by somebody else, and we may take it over.
    Adoptable,
    /// Made by somebody else.
    Foreign,
}

/// A plan in the making.
pub(super) struct Planner<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) request: &'a Request,
    /// Links that this plan creates, so that nothing observed of their like-named forerunners
    /// is believed.
    pub(super) created: BTreeSet<LinkPlace>,
    /// Links that this plan deletes before it creates any.
    pub(super) deleted: BTreeSet<LinkPlace>,
    /// Folders of /etc that this plan makes.
    pub(super) directories: BTreeSet<String>,
    pub(super) plan: Plan,
}

impl<'a> Planner<'a> {
    pub(super) fn new(desired: &'a Desired, observed: &'a Observed, request: &'a Request) -> Self {
        Self {
            desired,
            observed,
            request,
            created: BTreeSet::new(),
            deleted: BTreeSet::new(),
            directories: BTreeSet::new(),
            plan: Plan::default(),
        }
    }

    pub(super) fn run(mut self) -> Plan {
        let order = self.workable();
        let whole = self.request.part.is_none();
        if whole {
            self.remove_undeclared();
            self.remove_leftovers();
        }
        let pairs = self.pairs(&order);
        let owners = pairs.iter().map(|(owner, _)| *owner);
        let involved: BTreeSet<_> = order.iter().copied().chain(owners).collect();
        let targets: BTreeMap<_, _> = involved
            .into_iter()
            .map(|name| (name, self.target(name)))
            .collect();
        // A view is in no record.
        for (name, target) in targets
            .iter()
            .filter(|_| self.request.part != Some(Part::View))
        {
            self.begin_record(name, target);
        }
        for name in order.iter().filter(|_| whole) {
            self.remove_old_veths(name, &targets[name]);
        }
        let schedule = Schedule::new(&order, &pairs);
        for (position, name) in order.iter().enumerate() {
            if self.request.makes_namespaces() {
                self.make_netns(name, &targets[name]);
            }
            for (owner, pair) in &schedule.veths[position] {
                self.veth(owner, pair, &targets[owner]);
            }
            for complete in &schedule.complete[position] {
                self.settings(complete, &targets[complete]);
                // Of what a part leaves undone the record has to go on speaking.
                if whole {
                    self.end_record(complete, &targets[complete]);
                }
            }
        }
        // Whatever is asked for: home is nobody's to ask for.
        if self.request.makes_namespaces() {
            self.access(&NetnsRef::Home, self.desired.home.run.as_ref());
        }
        self.tell_of_shared_addresses();
        self.plan
    }

    /// The end of a pair, and of nothing else.
    pub(super) fn without_veth(mut self, pair: &VethPair) -> Plan {
        if let Some(owner) = owner(pair) {
            self.remove_veth(owner, &ends_of(pair));
        }
        self.plan
    }

    /// The namespaces asked for that nothing forbids to work on, by name.
    fn workable(&mut self) -> Vec<&'a NetnsName> {
        let desired = self.desired;
        let mut order = Vec::new();
        for name in desired
            .netns
            .keys()
            .filter(|name| self.request.covers(name))
        {
            let text = || NetnsNameText(name.clone());
            match self.standing(name) {
                Standing::Foreign => {
                    let unreadable = self.observed.unreadable.get(name);
                    let unreadable =
                        unreadable.map(|reason| Problem::unreadable_record(name, reason));
                    let foreign = || Problem::Foreign { name: text() };
                    self.plan.problems.push(unreadable.unwrap_or_else(foreign));
                }
                Standing::Ours => order.push(name),
                _ if self.request.makes_namespaces() => order.push(name),
                Standing::Adoptable => self.plan.problems.push(Problem::Foreign { name: text() }),
                Standing::Fresh => self.plan.problems.push(Problem::Absent { name: text() }),
            }
        }
        order
    }

    /// The veth pairs with an end in a namespace of `order` and the other in one that is there or
    /// will be, each with the namespace it is recorded under.
    fn pairs(&mut self, order: &[&'a NetnsName]) -> Vec<(&'a NetnsName, &'a VethPair)> {
        let chosen: BTreeSet<_> = order.iter().copied().collect();
        let mut found = Vec::new();
        for pair in &self.desired.veths {
            if !self.request.makes(pair)
                || !ends(pair).any(|end| end.name().is_some_and(|name| chosen.contains(name)))
            {
                continue;
            }
            let missing = ends(pair)
                .filter_map(NetnsRef::name)
                .find(|name| !chosen.contains(name) && self.standing(name) != Standing::Ours);
            match (missing, owner(pair)) {
                (Some(missing), _) => self.plan.notes.push(format!(
                    "the veth pair {}:{} to {}:{} waits for netns \"{missing}\"; \
                     \"netnsctl up {missing}\" brings both",
                    pair.near.netns, pair.near.interface, pair.far.netns, pair.far.interface,
                )),
                (None, Some(owner)) => found.push((owner, pair)),
                (None, None) => {}
            }
        }
        found
    }

    fn remove_undeclared(&mut self) {
        let declared = &self.desired.netns;
        for (name, reason) in &self.observed.unreadable {
            if !declared.contains_key(name) && self.request.covers(name) {
                let problem = Problem::unreadable_record(name, reason);
                self.plan.problems.push(problem);
            }
        }
        for name in self
            .observed
            .records
            .keys()
            .filter(|name| !declared.contains_key(name))
        {
            if self.request.prune && self.request.covers(name) {
                self.plan.steps.push(Step {
                    of: NetnsRef::Named(name.clone()),
                    action: Action::DeleteNetns,
                });
            } else if self.request.covers(name) {
                self.plan.notes.push(format!(
                    "netns \"{name}\" was made by netnsctl and is no longer declared; \
                     \"netnsctl down {name}\" or \"up --prune\" takes it away"
                ));
            }
        }
    }

    pub(super) fn standing(&self, name: &NetnsName) -> Standing {
        if self.observed.unreadable.contains_key(name) && !self.request.adopt {
            return Standing::Foreign;
        }
        match (
            self.observed.netns.get(name),
            self.observed.records.get(name),
        ) {
            (Some(Presence::Present(interior)), Some(record))
                if record.is_of(interior.identity) =>
            {
                Standing::Ours
            }
            (Some(Presence::Present(_)), _) if self.request.adopt => Standing::Adoptable,
            (Some(Presence::Present(_)), _) => Standing::Foreign,
            _ => Standing::Fresh,
        }
    }

    /// The record that truly speaks of the namespace now called `name`.
    pub(super) fn record(&self, name: &NetnsName) -> Option<&'a Record> {
        let interior = self.observed.netns.get(name)?.interior()?;
        self.observed
            .records
            .get(name)
            .filter(|record| record.is_of(interior.identity))
    }

    pub(super) fn interior(&self, netns: &NetnsRef) -> Option<&'a Interior> {
        match netns {
            NetnsRef::Home => Some(&self.observed.home),
            NetnsRef::Named(name) => self.observed.netns.get(name)?.interior(),
        }
    }

    /// The link at `place` as the plan will find it: none if the plan deletes or makes it.
    pub(super) fn link(&self, place: &LinkPlace) -> Option<&'a Link> {
        if self.created.contains(place) || self.deleted.contains(place) {
            return None;
        }
        self.interior(&place.netns)?.links.get(&place.interface)
    }

    pub(super) fn netns(&self, name: &NetnsName) -> &'a Netns {
        &self.desired.netns[name]
    }

    pub(super) fn step(&mut self, of: &NetnsName, action: Action) {
        self.plan.steps.push(Step {
            of: NetnsRef::Named(of.clone()),
            action,
        });
    }

    pub(super) fn delete_link(&mut self, of: &NetnsName, link: LinkPlace) {
        if self.deleted.insert(link.clone()) {
            self.step(of, Action::DeleteLink { link });
        }
    }

    /// Notes, before anything is changed, all that may be in the namespace from now on.
    fn begin_record(&mut self, name: &NetnsName, target: &Applied) {
        if let Some(record) = self.record(name) {
            let before = record.applied.union(target);
            if before != record.applied {
                self.step(name, Action::WriteRecord { applied: before });
            }
        }
    }

    /// Notes, after everything is changed, what is in it.
    fn end_record(&mut self, name: &NetnsName, target: &Applied) {
        if let Some(record) = self.record(name) {
            let before = record.applied.union(target);
            if before != *target {
                self.step(
                    name,
                    Action::WriteRecord {
                        applied: target.clone(),
                    },
                );
            }
        }
    }
}

/// What becomes possible with which namespace of the order.
struct Schedule<'a> {
    /// The pairs of which both ends' namespaces exist once that namespace does.
    veths: Vec<Vec<(&'a NetnsName, &'a VethPair)>>,
    /// The namespaces that have all their links then.
    complete: Vec<Vec<&'a NetnsName>>,
}

impl<'a> Schedule<'a> {
    fn new(order: &[&'a NetnsName], pairs: &[(&'a NetnsName, &'a VethPair)]) -> Self {
        let position: BTreeMap<_, _> = order
            .iter()
            .enumerate()
            .map(|(at, name)| (*name, at))
            .collect();
        let mut ready: Vec<usize> = (0..order.len()).collect();
        let mut veths = vec![Vec::new(); order.len()];
        for (owner, pair) in pairs {
            let places: Vec<_> = ends(pair)
                .filter_map(NetnsRef::name)
                .filter_map(|name| position.get(name))
                .collect();
            let Some(&&latest) = places.iter().max() else {
                continue;
            };
            veths[latest].push((*owner, *pair));
            for place in places {
                ready[*place] = ready[*place].max(latest);
            }
        }
        let mut complete = vec![Vec::new(); order.len()];
        for (at, name) in order.iter().enumerate() {
            complete[ready[at]].push(*name);
        }
        Self { veths, complete }
    }
}

fn ends(pair: &VethPair) -> impl Iterator<Item = &NetnsRef> {
    [&pair.near.netns, &pair.far.netns].into_iter()
}

/// The namespace a pair is recorded under: the declaring one, or the other if home declares it.
pub(super) fn owner(pair: &VethPair) -> Option<&NetnsName> {
    pair.near.netns.name().or(pair.far.netns.name())
}

pub(super) fn place(netns: &NetnsRef, interface: &InterfaceName) -> LinkPlace {
    LinkPlace {
        netns: netns.clone(),
        interface: interface.clone(),
    }
}
