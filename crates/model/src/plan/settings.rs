//! What a namespace has besides links: files, kernel parameters, routes.

use crate::desired::Route;
use crate::etc_files::{ETC_NETNS, directory, nsswitch_conf, resolv_conf};
use crate::item::{self, Change, Item, Key, Value};
use crate::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};
use crate::observed::{Applied, EtcFile, FileState, ObservedRoute};

use super::address::reaches;
use super::namespace::forwarding;
use super::planner::{Planner, Standing};
use super::{LinkPlace, Part, Problem, Verb, same_value};

impl<'a> Planner<'a> {
    /// What needs all links of a namespace: its routes. Then who may enter, and the view.
    pub(super) fn settings(&mut self, name: &'a NetnsName, target: &Applied) {
        self.routes(name, target);
        if self.request.makes_namespaces() {
            self.entries(name, target);
            self.restore_sysctls(name, target, true);
            let here = NetnsRef::Named(name.clone());
            self.access(&here, self.netns(name).run.as_ref());
        }
        match self.request.part {
            Some(Part::View) if !self.observed.views.contains(name) => {
                self.step(name, Verb::Add, item::View::default());
            }
            None | Some(Part::View) => self.view(name),
            Some(Part::Namespace | Part::Veth(_) | Part::Link(..)) => {}
        }
    }

    /// The view, if it is out of date for another reason than a file that this plan changes, which
    /// brings it up to date.
    fn view(&mut self, name: &NetnsName) {
        let changes_file = self.done.changes_file.contains(name);
        let outdated = self.observed.outdated_views.get(name);
        if let Some(outdated) = outdated.filter(|_| !changes_file) {
            let outdated = outdated.clone();
            self.step(name, Verb::Change, item::View { outdated });
        }
    }

    /// The forwarding keys, zeros too. In a namespace still to be made nobody asks whether they
    /// are there: they are, wherever their family is.
    pub(super) fn forwarding(&mut self, name: &NetnsName) {
        let netns = self.netns(name);
        let fresh = self.standing(name) == Standing::Fresh;
        for (key, value) in forwarding(netns.ipv4_forwarding, netns.ipv6_forwarding) {
            self.sysctl(name, &key, &value, fresh);
        }
    }

    /// Kernel parameters that name no declared link: before the first link, as a link copies
    /// `conf.default` when it is made.
    pub(super) fn sysctls_before_links(&mut self, name: &'a NetnsName, target: &Applied) {
        for (key, value) in &self.netns(name).sysctl {
            let of_link = key
                .interface()
                .filter(|link| self.declares_link(name, link));
            if of_link.is_none() {
                if let Some(other) = key.interface() {
                    let here = NetnsRef::Named(name.clone());
                    self.relies_on(name, LinkPlace::new(&here, &other));
                }
                self.sysctl(name, key, value, false);
            }
        }
        self.restore_sysctls(name, target, false);
    }

    /// Kernel parameters of `link`, before it has addresses and goes up.
    pub(super) fn sysctls_of_link(&mut self, link: &LinkPlace) {
        let Some((name, netns)) = link
            .netns
            .name()
            .and_then(|name| self.desired.netns.get_key_value(name))
        else {
            return;
        };
        for (key, value) in &netns.sysctl {
            if key.interface().as_ref() == Some(&link.interface) {
                self.sysctl(name, key, value, false);
            }
        }
    }

    /// Whether `interface` is a link that the declaration of `name` brings, or `lo`.
    fn declares_link(&self, name: &NetnsName, interface: &InterfaceName) -> bool {
        let here = NetnsRef::Named(name.clone());
        let mut ends = self.ends.get(&here).into_iter().flatten();
        interface.as_str() == "lo"
            || self.netns(name).holder.interface == *interface
            || ends.any(|(_, end)| end.interface == *interface)
            || (self.netns(name).links.iter()).any(|link| link.interface == *interface)
    }

    fn routes(&mut self, name: &'a NetnsName, target: &Applied) {
        let here = NetnsRef::Named(name.clone());
        let observed: &[ObservedRoute] = match self.standing(name) {
            Standing::Ours | Standing::Adoptable => self
                .interior(&here)
                .map_or(&[], |interior| &interior.routes),
            Standing::Fresh | Standing::Foreign => &[],
        };
        let wanted = &self.netns(name).routes;
        let mut chosen: Vec<_> = wanted
            .iter()
            .filter(|route| self.chooses_route(name, route))
            .collect();
        // A gateway may be reached by a route without one, wherever that is in the file.
        chosen.sort_by_key(|route| route.via.is_some());
        let whole = self.request.part.is_none();
        let recorded = self.record(name).filter(|_| whole);
        let outdated: Vec<_> = recorded
            .into_iter()
            .flat_map(|record| record.applied.routes())
            .filter(|route| !target.contains(&Key::Route((*route).clone())))
            .collect();
        for ObservedRoute { route, .. } in observed.iter().filter(|observed| !observed.kernel_made)
        {
            let is_wanted = wanted.iter().any(|wanted| wanted.is(route));
            let same_place = chosen.iter().any(|chosen| chosen.to == route.to);
            let was_ours = outdated.iter().any(|old| old.is(route));
            if !is_wanted && (same_place || was_ours) {
                self.remove(name, route.clone());
            }
        }
        for route in chosen {
            let interface = route.interface.as_ref();
            if let Some(other) = interface.filter(|it| !self.declares_link(name, it)) {
                self.relies_on(name, LinkPlace::new(&here, other));
            }
            if let Some(place) = self.awaited(&here, route.interface.as_ref()) {
                self.waits(name, route.clone(), place);
                continue;
            }
            let there = observed.iter().any(|observed| route.is(&observed.route));
            let verb = match there {
                false if self.comes_with_an_address(&here, route) => continue,
                false => Verb::Add,
                true if self.may_lose(&here, route) => Verb::Restore,
                true => continue,
            };
            self.add_route(name, &here, route, verb);
        }
    }

    /// The link `interface` of `here`, if it is not there and no step makes it.
    fn awaited(&self, here: &NetnsRef, interface: Option<&InterfaceName>) -> Option<LinkPlace> {
        let place = LinkPlace::new(here, interface?);
        let is_coming = self.link(&place).is_some()
            || self.done.created.contains_key(&place)
            || place.interface.as_str() == "lo";
        (!is_coming).then_some(place)
    }

    fn add_route(&mut self, name: &NetnsName, here: &NetnsRef, route: &Route, verb: Verb) {
        let number = self.step(name, verb, route.clone());
        if let Some(interface) = &route.interface {
            let link = LinkPlace::new(here, interface);
            let up = self.done.up.get(&link).copied();
            let created = self.done.created.get(&link).copied();
            self.needs(number, up.or(created));
        }
        let reach = self.done.reach.entry(here.clone()).or_default();
        let by = route.via.and_then(|via| {
            let reaching = reach.iter().filter(|(net, _)| net.contains(&via));
            reaching.max_by_key(|(net, _)| net.prefix_len()).copied()
        });
        if route.via.is_none() {
            reach.push((route.to, number));
        }
        self.needs(number, by.map(|(_, step)| step));
    }

    /// Whether this plan adds an address along with which the kernel makes `route`: that to its subnet
    /// (`fib_add_ifaddr()` in net/ipv4/fib_frontend.c, `addrconf_prefix_route()` in
    /// net/ipv6/addrconf.c).
    fn comes_with_an_address(&self, here: &NetnsRef, route: &Route) -> bool {
        let mut reach = self.done.reach.get(here).into_iter().flatten();
        let makes = |number: &usize| {
            let step = self.plan.steps.get(*number);
            let item = step.map(|step| &step.item);
            matches!(item, Some(Item::Address(added)) if Some(&added.link.interface) == route.interface.as_ref())
        };
        route.via.is_none()
            && reach.any(|(net, number)| net.trunc() == route.to.trunc() && makes(number))
    }

    /// Whether a link that `route` leaves by is made anew or loses an IPv4 address by this plan.
    fn may_lose(&self, here: &NetnsRef, route: &Route) -> bool {
        let Some(interior) = self.interior(here) else {
            return false;
        };
        interior.links.iter().any(|(interface, link)| {
            let link_place = LinkPlace::new(here, interface);
            let is_disturbed = self.done.created.contains_key(&link_place)
                || self.done.deleted.contains_key(&link_place)
                || self.done.lose_ipv4.contains(&link_place);
            is_disturbed
                && (route.interface.as_ref() == Some(interface)
                    || route.via.is_some_and(|via| reaches(link, via)))
        })
    }

    /// Writes a sysctl unless it has that value; never believes what was read of a link that this
    /// plan makes anew.
    fn sysctl(&mut self, name: &NetnsName, key: &SysctlKey, value: &str, surely_there: bool) {
        let here = NetnsRef::Named(name.clone());
        let created = key.interface().and_then(|interface| {
            let place = LinkPlace::new(&here, &interface);
            self.done.created.get(&place).copied()
        });
        let fresh = self.standing(name) == Standing::Fresh;
        let from = match (created.is_some(), fresh) {
            (true, _) => None,
            (false, true) => self.observed.pristine_sysctl.get(key).cloned(),
            (false, false) => {
                let observed = self
                    .interior(&here)
                    .and_then(|interior| interior.sysctl.get(key));
                observed.cloned().flatten()
            }
        };
        let known = created.is_some() || from.is_some() || surely_there;
        let awaited = self.awaited(&here, key.interface().as_ref());
        if let Some(place) = awaited.filter(|_| !known) {
            let item = item::Sysctl {
                key: key.clone(),
                value: value.to_owned(),
            };
            self.waits(name, item, place);
        } else if !known {
            self.plan.problems.push(Problem::NoSuchSysctl {
                netns: name.to_string(),
                key: key.to_string(),
            });
        } else if fresh || !from.as_deref().is_some_and(|from| same_value(from, value)) {
            let number = self.write_sysctl(name, key, from, value);
            self.needs(number, created);
        }
    }

    fn write_sysctl(
        &mut self,
        name: &NetnsName,
        key: &SysctlKey,
        from: Option<String>,
        to: &str,
    ) -> usize {
        let item = item::Sysctl {
            key: key.clone(),
            value: to.to_owned(),
        };
        let change = Change {
            what: "value",
            from: from.map(Value::Text),
            to: to.into(),
        };
        self.change(name, item, change)
    }

    /// Gives the keys that are no longer declared the value a new namespace has: those that name a
    /// link, or the others.
    fn restore_sysctls(&mut self, name: &'a NetnsName, target: &Applied, of_links: bool) {
        let here = NetnsRef::Named(name.clone());
        let Some(record) = self.record(name) else {
            return;
        };
        let outdated = record.applied.sysctls().filter(|key| {
            key.interface().is_some() == of_links && !target.contains(&Key::Sysctl((*key).clone()))
        });
        for key in outdated {
            let interior = self.interior(&here);
            let now = interior.and_then(|interior| interior.sysctl.get(key).cloned().flatten());
            match (now, self.observed.pristine_sysctl.get(key)) {
                (Some(now), Some(pristine)) if !same_value(&now, pristine) => {
                    let number = self.write_sysctl(name, key, Some(now), pristine);
                    self.removes(name, number);
                }
                (Some(now), None) => self.plan.notes.push(format!(
                    "sysctl {key} of netns \"{name}\" is no longer declared and stays {now}"
                )),
                _ => {}
            }
        }
    }

    /// The files of `/etc/netns/NAME` and the folders they are in; the places of the steps.
    pub(super) fn files(&mut self, name: &'a NetnsName) -> Vec<usize> {
        let mut steps = Vec::new();
        for file in EtcFile::ALL {
            let wanted = match file {
                EtcFile::Resolv => Some(resolv_conf(name, &self.netns(name).dns)),
                EtcFile::Nsswitch => {
                    let host = self.observed.etc.host_nsswitch.as_deref();
                    host.map(|host| nsswitch_conf(name, host))
                }
            };
            let number = match (wanted, self.observed.etc.files.get(&(name.clone(), file))) {
                (_, Some(FileState::Foreign)) | (None, None) => continue,
                (Some(to), Some(FileState::Ours(from))) if to == *from => continue,
                (Some(content), Some(FileState::Ours(from))) => {
                    let change = Change {
                        what: "content",
                        from: Some(from.as_str().into()),
                        to: content.as_str().into(),
                    };
                    self.change(name, item::File { file, content }, change)
                }
                (Some(content), None) => {
                    let folders = self.make_directories(name);
                    let number = self.step(name, Verb::Add, item::File { file, content });
                    self.needs(number, folders);
                    number
                }
                (None, Some(FileState::Ours(_))) => {
                    let content = String::new();
                    self.remove(name, item::File { file, content })
                }
            };
            self.done.changes_file.insert(name);
            steps.push(number);
        }
        steps
    }

    /// The folders that files of `name` are in; the places of the steps that make them.
    fn make_directories(&mut self, name: &NetnsName) -> Vec<usize> {
        let mut steps: Vec<usize> = Vec::new();
        for path in [ETC_NETNS.to_owned(), directory(name)] {
            if self.observed.etc.directories.contains(&path) {
                continue;
            }
            let made = self.done.directories.get(&path).copied();
            let number = made.unwrap_or_else(|| {
                let directory = item::Directory { path: path.clone() };
                let number = self.step(name, Verb::Add, directory);
                self.needs(number, steps.last().copied());
                self.done.directories.insert(path, number);
                number
            });
            steps.push(number);
        }
        steps
    }
}
