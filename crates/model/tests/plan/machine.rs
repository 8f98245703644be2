//! A machine made of nothing but the state that plans are made from.
//!
//! It carries steps out as the kernel would, and panics where the kernel would refuse: an address
//! for a link that is not there, a name used twice, a file without its folder. Where the kernel
//! may do more than asked (addresses and routes that go with another address), it does the most.

// Another crate's tests have this file too, by its path.
#[path = "machine/links.rs"]
mod links;

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_model::address::{InterfaceAddress, MacAddress};
use netnsctl_model::desired::{Desired, HolderKind, VethPair};
use netnsctl_model::etc_files::directory;
use netnsctl_model::item::{self, Access, Item};
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};
use netnsctl_model::observed::{
    AccessFiles, Applied, EtcFile, FileState, Identity, Interior, Link, Observed, ObservedAddress,
    Polkit, Presence, Record,
};
use netnsctl_model::plan::{self, LinkPlace, Part, Request, Step, Verb, forwarding_keys};
use proptest::prelude::prop;

/// The value that every key has in a new namespace.
pub(crate) const PRISTINE: &str = "7";

pub(crate) struct Machine {
    observed: Observed,
    values: BTreeMap<(NetnsName, SysctlKey), String>,
    namespaces_made: u64,
    /// Namespaces that were made and have no name yet.
    nameless: BTreeSet<NetnsName>,
    /// Something failed before, and is done later than in its turn.
    has_failed: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let mut observed = Observed::default();
        for which in ["all", "default"] {
            let key = format!("net.ipv6.conf.{which}.disable_ipv6");
            let key = SysctlKey::parse(&key).unwrap();
            observed.home.sysctl.insert(key, Some("0".to_owned()));
        }
        observed.polkit = Some(Polkit {
            can_write: true,
            program: Some("/usr/bin/netnsctl".to_owned()),
            ..Polkit::default()
        });
        observed.holder_kinds = BTreeSet::from([HolderKind::Ifb, HolderKind::Bridge]);
        observed.etc.host_nsswitch = Some("hosts: files resolve [!UNAVAIL=return] dns\n".into());
        Self {
            observed,
            values: BTreeMap::new(),
            namespaces_made: 0,
            nameless: BTreeSet::new(),
            has_failed: false,
        }
    }

    /// What the kernel layer would tell about everything that `desired` or a record speaks of.
    pub(crate) fn observe(&self, desired: &Desired) -> Observed {
        let mut observed = self.observed.clone();
        let recorded = observed
            .records
            .values()
            .flat_map(|record| record.applied.sysctls());
        let declared = desired.netns.values().flat_map(|netns| netns.sysctl.keys());
        let forwarding = forwarding_keys();
        let keys: BTreeSet<_> = recorded
            .chain(declared)
            .chain(&forwarding)
            .cloned()
            .collect();
        for name in desired.netns.keys() {
            observed
                .netns
                .entry(name.clone())
                .or_insert(Presence::Absent);
        }
        for (name, presence) in &mut observed.netns {
            if let Presence::Present(interior) = presence {
                let value = |key: &SysctlKey| (key.clone(), self.value(name, interior, key));
                interior.sysctl = keys.iter().map(value).collect();
            }
        }
        let is_everywhere = |key: &SysctlKey| key.interface().is_none_or(|it| it.as_str() == "lo");
        let general = keys.into_iter().filter(is_everywhere);
        observed.pristine_sysctl = general.map(|key| (key, PRISTINE.to_owned())).collect();
        observed
    }

    fn value(&self, name: &NetnsName, interior: &Interior, key: &SysctlKey) -> Option<String> {
        let exists = key
            .interface()
            .is_none_or(|link| interior.links.contains_key(&link));
        let value = self.values.get(&(name.clone(), key.clone())).cloned();
        exists.then(|| value.unwrap_or_else(|| PRISTINE.to_owned()))
    }

    /// Plans and carries out the first `most` steps.
    pub(crate) fn up(&mut self, desired: &Desired, most: usize) -> plan::Plan {
        let request = Request {
            prune: true,
            ..Request::default()
        };
        let plan = plan::plan(desired, &self.observe(desired), &request);
        for (number, step) in plan.steps.iter().enumerate() {
            let later = step.needs.iter().find(|needed| **needed >= number);
            assert_eq!(later, None, "{step:?} needs a later step");
        }
        for step in plan.steps.iter().take(most) {
            self.carry_out(step);
        }
        self.forget_nameless();
        plan
    }

    /// Plans and carries out one part.
    pub(crate) fn up_part(
        &mut self,
        desired: &Desired,
        netns: &NetnsRef,
        part: Part,
    ) -> plan::Plan {
        let request = Request::for_part(netns, part);
        let plan = plan::plan(desired, &self.observe(desired), &request);
        plan.steps.iter().for_each(|step| self.carry_out(step));
        plan
    }

    /// Takes a veth pair away and nothing else.
    pub(crate) fn down_veth(&mut self, desired: &Desired, pair: &VethPair) -> plan::Plan {
        let part = Part::Veth(Box::new(pair.clone()));
        let plan = plan::without(desired, &self.observe(desired), &part);
        plan.steps.iter().for_each(|step| self.carry_out(step));
        plan
    }

    /// The value of a kernel parameter that names no link.
    pub(crate) fn general_value(&self, name: &NetnsName, key: &SysctlKey) -> &str {
        let value = self.values.get(&(name.clone(), key.clone()));
        value.map_or(PRISTINE, String::as_str)
    }

    /// The namespaces and links of home there are, for comparison.
    pub(crate) fn is_empty(&self) -> bool {
        let polkit = self.observed.polkit.as_ref();
        let polkit_files = polkit.map_or(0, |polkit| polkit.files.len());
        let gone = |presence: &Presence| *presence == Presence::Absent;
        self.observed.netns.values().all(gone)
            && self.observed.records.is_empty()
            && self.observed.home.links.is_empty()
            && self.observed.etc.files.is_empty()
            && self.observed.etc.directories.is_empty()
            && polkit_files == 0
    }

    /// Somebody adds an address by hand.
    pub(crate) fn add_by_hand(&mut self, link: &LinkPlace, address: InterfaceAddress) {
        let addresses = &mut self.link(link).addresses;
        addresses.push(ObservedAddress {
            address,
            kernel_made: false,
        });
    }

    pub(crate) fn link(&mut self, link: &LinkPlace) -> &mut Link {
        let found = self.interior(&link.netns).links.get_mut(&link.interface);
        found.unwrap_or_else(|| panic!("there is no link {link}"))
    }

    pub(crate) fn interior(&mut self, netns: &NetnsRef) -> &mut Interior {
        match netns {
            NetnsRef::Home => &mut self.observed.home,
            NetnsRef::Named(name) => match self.observed.netns.get_mut(name) {
                Some(Presence::Present(interior)) => interior,
                other => panic!("netns {name} is {other:?}"),
            },
        }
    }

    /// Has something else show in the view of `name` than should.
    pub(crate) fn outdate_view(&mut self, name: &NetnsName) {
        let paths = BTreeSet::from(["/etc/resolv.conf".to_owned()]);
        self.observed.outdated_views.insert(name.clone(), paths);
    }

    fn carry_out(&mut self, step: &Step) {
        let here = step.of.clone();
        let Some(of) = here.name() else {
            return self.tell_polkit(&here, step);
        };
        match (step.verb, &step.item) {
            (Verb::Add | Verb::Restore, Item::Netns(netns)) => {
                self.create_netns(of, &netns.applied)
            }
            (Verb::Change, Item::Netns(item::Netns { applied }))
            | (_, Item::RecordFile(item::RecordFile { applied })) => {
                let identity = self.interior(&here).identity;
                self.record(of, identity, applied);
            }
            (Verb::Remove, Item::Netns(_)) => self.delete_netns(of),
            (Verb::Remove, Item::Name(_)) => {
                assert_eq!(
                    self.observed.netns.insert(of.clone(), Presence::Absent),
                    Some(Presence::Stale)
                );
            }
            (_, Item::Name(_)) => assert!(self.nameless.remove(of), "{of} has its name"),
            (Verb::Remove, Item::Directory(item)) => {
                assert!(self.observed.etc.leftover_directories.remove(&item.path));
                assert!(self.observed.etc.directories.remove(&item.path));
            }
            (_, Item::Directory(item)) => self.make_directory(&item.path),
            (Verb::Change, Item::View(item)) => {
                let removed = self.observed.outdated_views.remove(of);
                assert_eq!(removed.as_ref(), Some(&item.outdated));
            }
            (_, Item::View(_)) => assert!(self.observed.views.insert(of.clone())),
            (_, Item::Access(_)) => self.tell_polkit(&here, step),
            (Verb::Remove, Item::File(item)) => {
                self.observed.outdated_views.remove(of);
                let removed = self.observed.etc.files.remove(&(of.clone(), item.file));
                assert!(matches!(removed, Some(FileState::Ours(_))), "{removed:?}");
            }
            (_, Item::File(item)) => {
                self.write_file(of, item.file, &item.content);
                self.observed.outdated_views.remove(of);
            }
            (_, Item::Sysctl(item)) => self.write_sysctl(of, &item.key, &item.value),
            (Verb::Remove, Item::Link(link)) => self.delete_link(&link.end.place),
            (Verb::Change, Item::Link(link)) => self.change_link(&link.end.place, &step.changes),
            (_, Item::Link(link)) => self.create(link),
            (Verb::Remove, Item::Address(item)) => self.remove_address(&item.link, item.address),
            (verb, Item::Address(item)) => {
                self.add_address(&item.link, item.address, verb == Verb::Restore);
            }
            (Verb::Remove, Item::Route(route)) => {
                // It may have gone with an address, which `up` takes for done (ESRCH).
                self.interior(&here)
                    .routes
                    .retain(|observed| observed.route != *route);
            }
            (verb, Item::Entry(entry)) => self.change_entries(&here, verb, entry),
            (verb, Item::Route(route)) => self.add_route(&here, route, verb == Verb::Restore),
        }
    }

    fn change_entries(&mut self, netns: &NetnsRef, verb: Verb, entry: &item::Entry) {
        let entries = &mut self.interior(netns).entries;
        match verb {
            Verb::Remove => assert!(entries.remove(entry), "{entry:?} is not there"),
            _ => assert!(entries.insert(entry.clone()), "{entry:?} is there"),
        }
    }

    /// What a kill leaves: a namespace that has no name yet goes with the process.
    fn forget_nameless(&mut self) {
        for name in std::mem::take(&mut self.nameless) {
            self.observed.netns.insert(name, Presence::Absent);
        }
    }

    /// Plans, and carries out all but the `failing`th steps and those that need them.
    pub(crate) fn up_failing(&mut self, desired: &Desired, failing: &[prop::sample::Index]) {
        let plan = plan::plan(desired, &self.observe(desired), &Request::default());
        let count = plan.steps.len().max(1);
        self.has_failed = true;
        let mut failed: BTreeSet<usize> = failing.iter().map(|it| it.index(count)).collect();
        for (number, step) in plan.steps.iter().enumerate() {
            if step.needs.iter().any(|needed| failed.contains(needed)) {
                failed.insert(number);
            }
            if !failed.contains(&number) {
                self.carry_out(step);
            }
        }
        self.forget_nameless();
    }

    fn record(&mut self, name: &NetnsName, identity: Identity, applied: &Applied) {
        let record = Record {
            identity,
            applied: applied.clone(),
        };
        self.observed.records.insert(name.clone(), record);
    }

    fn create_netns(&mut self, name: &NetnsName, applied: &Applied) {
        self.namespaces_made += 1;
        let identity = Identity {
            device: 4,
            inode: 100,
            cookie: Some(self.namespaces_made),
        };
        let lo = (
            InterfaceName::parse("lo").unwrap(),
            Link {
                mtu: 65_536,
                ..Link::default()
            },
        );
        let links = BTreeMap::from([lo]);
        self.record(name, identity, applied);
        let interior = Interior {
            identity,
            links,
            ..Interior::default()
        };
        let before = self
            .observed
            .netns
            .insert(name.clone(), Presence::Present(interior));
        assert!(
            matches!(before, None | Some(Presence::Absent)),
            "{before:?}"
        );
        self.values.retain(|(of, _), _| of != name);
        self.nameless.insert(name.clone());
    }

    fn delete_netns(&mut self, name: &NetnsName) {
        if let Some(Presence::Present(interior)) = self.observed.netns.get(name) {
            let here = NetnsRef::Named(name.clone());
            let links: Vec<_> = interior.links.keys().cloned().collect();
            for interface in links {
                // It may have gone with another.
                if self.interior(&here).links.contains_key(&interface) {
                    self.delete_link(&LinkPlace::new(&here, &interface));
                }
            }
        }
        self.observed.netns.insert(name.clone(), Presence::Absent);
        if let Some(polkit) = &mut self.observed.polkit {
            polkit.files.remove(&NetnsRef::Named(name.clone()));
        }
        let record = self
            .observed
            .records
            .remove(name)
            .expect("only what is recorded is deleted");
        self.observed
            .etc
            .files
            .retain(|(of, _), state| of != name || *state == FileState::Foreign);
        for path in record
            .applied
            .directories()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            let inside = format!("{path}/");
            let has_folder = self
                .observed
                .etc
                .directories
                .iter()
                .any(|p| p.starts_with(&inside));
            let has_file = self
                .observed
                .etc
                .files
                .keys()
                .any(|(of, _)| directory(of) == *path);
            if !has_folder && !has_file {
                self.observed.etc.directories.remove(path);
            }
        }
    }

    fn make_directory(&mut self, path: &str) {
        let (parent, _) = path.rsplit_once('/').expect("an absolute path");
        let directories = &mut self.observed.etc.directories;
        assert!(
            parent == "/etc" || directories.contains(parent),
            "{path} before its parent"
        );
        assert!(directories.insert(path.to_owned()), "{path} is there");
    }

    /// The only steps that home may have.
    fn tell_polkit(&mut self, netns: &NetnsRef, step: &Step) {
        let polkit = self.observed.polkit.as_mut().expect("polkit is there");
        match (step.verb, &step.item) {
            (Verb::Remove, Item::Access(_)) => assert!(polkit.files.remove(netns).is_some()),
            (verb, Item::Access(Access { files, .. })) => {
                let files = AccessFiles {
                    action: files.action.clone().map(FileState::Ours),
                    rules: files.rules.clone().map(FileState::Ours),
                };
                let before = polkit.files.insert(netns.clone(), files);
                assert_eq!(before.is_some(), verb == Verb::Change);
            }
            _ => panic!("{step:?}"),
        }
    }

    fn write_file(&mut self, name: &NetnsName, file: EtcFile, to: &str) {
        assert!(
            self.observed.etc.directories.contains(&directory(name)),
            "no folder for {name}"
        );
        let state = FileState::Ours(to.to_owned());
        let before = self.observed.etc.files.insert((name.clone(), file), state);
        assert_ne!(
            before,
            Some(FileState::Foreign),
            "a user's file was overwritten"
        );
    }

    fn write_sysctl(&mut self, name: &NetnsName, key: &SysctlKey, to: &str) {
        let interior = self.interior(&NetnsRef::Named(name.clone()));
        let exists = key
            .interface()
            .is_none_or(|link| interior.links.contains_key(&link));
        assert!(exists, "{key} in {name}");
        if forwarding_keys().contains(key)
            && !self.values.contains_key(&(name.clone(), key.clone()))
        {
            let links = self.interior(&NetnsRef::Named(name.clone())).links.len();
            assert!(
                links == 1 || self.has_failed,
                "forwarding is written before any link exists"
            );
        }
        self.values
            .insert((name.clone(), key.clone()), to.to_owned());
    }
}

/// A link-layer address nobody declares.
pub(crate) fn odd_mac() -> MacAddress {
    MacAddress([0x02, 0xff, 0, 0, 0, 0x77])
}
