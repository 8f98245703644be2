//! The order of a plan, and what its parts share.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ipnet::IpNet;

use crate::desired::{Desired, Netns, VethEnd, VethPair};
use crate::item::{self, Change, Item};
use crate::name::{NetnsName, NetnsRef};
use crate::observed::{Applied, Interior, Link, Observed, Presence, Record};

use super::made::{self, Made};
use super::schedule::Schedule;
use super::{LinkPlace, NetnsNameText, Part, Plan, Problem, Request, Step, Verb};

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
    /// The ends of all declared veth pairs, by the namespace they are in.
    pub(super) ends: HashMap<&'a NetnsRef, Vec<(&'a VethPair, &'a VethEnd)>>,
    /// What brings each link that can be a parent, base links aside.
    pub(super) by_place: HashMap<LinkPlace, Made<'a>>,
    /// The links that are there and send by another, by that one: with it they go.
    children: HashMap<LinkPlace, Vec<LinkPlace>>,
    /// The folders of /etc of which a record says that they are ours.
    pub(super) recorded_directories: BTreeSet<&'a String>,
    /// Whether IPv6 will be on for a link of the host namespace, and whether the kernel has it.
    pub(super) host_ipv6: (bool, bool),
    pub(super) done: Done<'a>,
    pub(super) plan: Plan,
}

/// What the steps so far do, so that later ones know it without looking at each of them. Nothing
/// here is ever gone through, so the order of the steps does not depend on that of a map.
#[derive(Default)]
pub(super) struct Done<'a> {
    /// The step that creates a link, so that nothing observed of its like-named forerunner is
    /// believed.
    pub(super) created: HashMap<LinkPlace, usize>,
    /// The step that deletes a link.
    pub(super) deleted: HashMap<LinkPlace, usize>,
    /// The step that sets a link up.
    pub(super) up: HashMap<LinkPlace, usize>,
    /// The steps that take back something of a namespace.
    pub(super) removals: HashMap<&'a NetnsName, Vec<usize>>,
    /// The step after which a namespace can be worked in: it exists and has its record.
    pub(super) recorded: HashMap<NetnsRef, usize>,
    /// The step after which there may be links in a namespace: it has its files and its name.
    pub(super) named: HashMap<NetnsRef, usize>,
    /// The steps that make what a gateway may be reached by, with the prefix.
    pub(super) reach: HashMap<NetnsRef, Vec<(IpNet, usize)>>,
    /// Folders of /etc, and the step that makes each.
    pub(super) directories: HashMap<String, usize>,
    /// Namespaces with a step about a file.
    pub(super) changes_file: HashSet<&'a NetnsName>,
    /// Links that lose an IPv4 address, and with it, maybe, routes (`fib_del_ifaddr()` in
    /// net/ipv4/fib_frontend.c).
    pub(super) lose_ipv4: HashSet<LinkPlace>,
    /// The links that wait for another.
    pub(super) waiting: HashSet<LinkPlace>,
    /// Addresses that are taken from a link.
    pub(super) taken: HashSet<(LinkPlace, std::net::IpAddr)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(desired: &'a Desired, observed: &'a Observed, request: &'a Request) -> Self {
        let mut ends: HashMap<_, Vec<_>> = HashMap::new();
        for pair in &desired.veths {
            for end in [&pair.near, &pair.far] {
                ends.entry(&end.netns).or_default().push((pair, end));
            }
        }
        let records = observed.records.values();
        Self {
            desired,
            observed,
            request,
            ends,
            by_place: made::by_place(desired),
            children: made::children(observed),
            recorded_directories: records
                .flat_map(|record| record.applied.directories())
                .collect(),
            host_ipv6: observed.host_ipv6(),
            done: Done::default(),
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
        let mut made = self.pairs(&order);
        made.extend(self.links_of(&order, &made));
        let owners = made.iter().map(|(owner, _)| *owner);
        let involved: BTreeSet<_> = order.iter().copied().chain(owners).collect();
        let targets: HashMap<_, _> = (involved.iter())
            .map(|name| (*name, self.target(name)))
            .collect();
        // A view is in no record.
        for name in (involved.iter()).filter(|_| self.request.part != Some(Part::View)) {
            self.begin_record(name, &targets[name]);
        }
        for name in order.iter().filter(|_| whole) {
            self.remove_old_pairs(name, &targets[name]);
            self.remove_old_links(name, &targets[name]);
        }
        let schedule = Schedule::new(&order, &made);
        for (position, name) in order.iter().enumerate() {
            if self.request.makes_namespaces() {
                self.make_netns(name, &targets[name]);
            }
            for (owner, made) in &schedule.made[position] {
                match made {
                    Made::Pair(pair) => self.veth(owner, pair, &targets[owner]),
                    Made::Link(name, link) => self.own_link(name, link, &targets[owner]),
                }
            }
            for complete in &schedule.complete[position] {
                self.settings(complete, &targets[complete]);
                // Of what a part leaves undone the record has to go on speaking.
                if whole {
                    self.end_record(complete, &targets[complete]);
                }
            }
        }
        // Whatever is asked for: the host namespace is nobody's to ask for.
        if self.request.makes_namespaces() {
            self.access(&NetnsRef::Home, self.desired.home.run.as_ref());
        }
        self.tell_of_shared_addresses();
        self.plan
    }

    /// The end of a pair or a link, and of nothing else.
    pub(super) fn without(mut self, part: &Part) -> Plan {
        match part {
            Part::Veth(pair) => {
                if let Some(owner) = owner(&self.desired.netns, pair) {
                    self.remove_veth(owner, pair);
                }
            }
            Part::Link(name, link) => self.remove_own_link(name, link),
            Part::Namespace | Part::View => {}
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
    fn pairs(&mut self, order: &[&'a NetnsName]) -> Vec<(&'a NetnsName, Made<'a>)> {
        let chosen: HashSet<_> = order.iter().copied().collect();
        let mut found = Vec::new();
        for pair in &self.desired.veths {
            if !self.request.makes(Made::Pair(pair))
                || !ends(pair).any(|end| end.name().is_some_and(|name| chosen.contains(name)))
            {
                continue;
            }
            let missing = ends(pair)
                .filter_map(NetnsRef::name)
                .find(|name| !chosen.contains(name) && self.standing(name) != Standing::Ours);
            match (missing, owner(&self.desired.netns, pair)) {
                (Some(missing), _) => self.plan.notes.push(format!(
                    "the veth pair {}:{} to {}:{} waits for netns \"{missing}\"; \
                     \"netnsctl up {missing}\" brings both",
                    pair.near.netns, pair.near.interface, pair.far.netns, pair.far.interface,
                )),
                (None, Some(owner)) => found.push((owner, Made::Pair(pair))),
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
                self.step(name, Verb::Remove, item::Netns::default());
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
        if self.done.created.contains_key(place) || self.done.deleted.contains_key(place) {
            return None;
        }
        self.interior(&place.netns)?.links.get(&place.interface)
    }

    pub(super) fn netns(&self, name: &NetnsName) -> &'a Netns {
        // Only declared namespaces are ever worked on.
        &self.desired.netns[name]
    }

    /// Adds a step; its place in the plan.
    pub(super) fn step(&mut self, of: &NetnsName, verb: Verb, item: impl Into<Item>) -> usize {
        self.add(of, verb, item.into(), Vec::new())
    }

    /// Adds a step that changes one value; its place in the plan.
    pub(super) fn change(
        &mut self,
        of: &NetnsName,
        item: impl Into<Item>,
        change: Change,
    ) -> usize {
        self.add(of, Verb::Change, item.into(), vec![change])
    }

    fn add(&mut self, of: &NetnsName, verb: Verb, item: Item, changes: Vec<Change>) -> usize {
        let of = NetnsRef::Named(of.clone());
        let recorded = |netns| self.done.recorded.get(netns).copied();
        let mut needs: Vec<_> = recorded(&of).into_iter().collect();
        for netns in item.places() {
            let named = self.done.named.get(netns).copied();
            needs.extend(named.or_else(|| recorded(netns)));
        }
        needs.sort_unstable();
        needs.dedup();
        self.plan.steps.push(Step {
            of,
            verb,
            item,
            changes,
            quiet: false,
            needs,
        });
        self.plan.steps.len() - 1
    }

    /// Has step `number` need `needed` too.
    pub(super) fn needs(&mut self, number: usize, needed: impl IntoIterator<Item = usize>) {
        if let Some(step) = self.plan.steps.get_mut(number) {
            for needed in needed {
                if !step.needs.contains(&needed) {
                    step.needs.push(needed);
                }
            }
        }
    }

    /// Makes step `number` the second half of one that is shown.
    pub(super) fn quiet(&mut self, number: usize) {
        if let Some(step) = self.plan.steps.get_mut(number) {
            step.quiet = true;
        }
    }

    /// Adds a step that removes something of `of`, of which the record speaks until it is gone.
    pub(super) fn remove(&mut self, of: &'a NetnsName, item: impl Into<Item>) -> usize {
        let number = self.step(of, Verb::Remove, item);
        self.removes(of, number);
        number
    }

    /// Has the record of `of` speak of what step `number` takes back until that is done.
    pub(super) fn removes(&mut self, of: &'a NetnsName, number: usize) {
        self.done.removals.entry(of).or_default().push(number);
    }

    pub(super) fn delete_link(&mut self, of: &'a NetnsName, link: LinkPlace) {
        if !self.done.deleted.contains_key(&link) {
            let number = self.remove(of, item::Link::at(link.clone()));
            self.goes(link, number);
        }
    }

    /// Notes that `link` goes by step `number`, and with it those that send by it.
    pub(super) fn goes(&mut self, link: LinkPlace, number: usize) {
        let mut going = vec![link];
        while let Some(link) = going.pop() {
            if !self.done.deleted.contains_key(&link) {
                let children = self.children.get(&link).into_iter().flatten();
                going.extend(children.cloned());
                self.done.deleted.insert(link, number);
            }
        }
    }

    /// Notes, before anything is changed, all that may be in the namespace from now on.
    fn begin_record(&mut self, name: &NetnsName, target: &Applied) {
        if let Some(record) = self.record(name) {
            let applied = record.applied.union(target);
            if applied != record.applied {
                let number = self.step(name, Verb::Change, item::RecordFile { applied });
                let here = NetnsRef::Named(name.clone());
                self.done.recorded.insert(here, number);
            }
        }
    }

    /// Notes, after everything is changed, what is in it: once all is removed that is to go.
    fn end_record(&mut self, name: &NetnsName, target: &Applied) {
        if let Some(record) = self.record(name)
            && record.applied.union(target) != *target
        {
            let applied = target.clone();
            let number = self.step(name, Verb::Change, item::RecordFile { applied });
            let removals = self.done.removals.get(name).cloned();
            self.needs(number, removals.into_iter().flatten());
        }
    }
}

fn ends(pair: &VethPair) -> impl Iterator<Item = &NetnsRef> {
    [&pair.near.netns, &pair.far.netns].into_iter()
}

/// The namespace a pair is recorded under: the declaring one, or the other if the host namespace
/// declares it.
fn owner<'a>(declared: &'a BTreeMap<NetnsName, Netns>, pair: &VethPair) -> Option<&'a NetnsName> {
    let name = pair.near.netns.name().or(pair.far.netns.name())?;
    declared.get_key_value(name).map(|(name, _)| name)
}

/// Whether `pair` is recorded under `name`.
pub(super) fn is_owned(pair: &VethPair, name: &NetnsName) -> bool {
    pair.near.netns.name().or(pair.far.netns.name()) == Some(name)
}
