//! What a kernel has, as a declaration.
//!
//! One link of a namespace becomes its holder, veth pairs between namespaces that have a name (or
//! home) become `veth`, each declared at one end, and routes that leave by these links become
//! `route`. All else is told in comments.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use netnsctl_model::desired::{Dns, HolderKind};
use netnsctl_model::etc_files::is_ours;
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef};
use netnsctl_model::observed::{Link, Peer, kind_word};
use netnsctl_model::surveyed::{Found, Surveyed};

use crate::draft::{Draft, Route, Said, Space, Veth};
use crate::{sysctl, tables};

/// Links that some modules put into every new namespace.
const FALLBACKS: [&str; 9] = [
    "erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "tunl0",
];

/// The MTU that holder links are made with, in bytes (`ether_setup()` in net/ethernet/eth.c).
const HOLDER_MTU: u32 = 1500;

/// A configuration file for the namespaces called `chosen`, or, if that is empty, for all that
/// netnsctl does not manage yet.
///
/// Taken over by `netnsctl up --adopt` on the same machine it changes no link, address, route or
/// sysctl that it speaks of, but for what its comments say.
pub fn of_survey(surveyed: &Surveyed, chosen: &BTreeSet<NetnsName>) -> String {
    let mut draft = Draft {
        head: vec![
            "What the kernel has of these network namespaces, as \"netnsctl import\" found it."
                .into(),
            "Lines with \"not expressed\" say what a declaration cannot hold; it stays as it is."
                .into(),
        ],
        ..Draft::default()
    };
    if chosen.is_empty() {
        for words in &surveyed.passed_over {
            draft.not_expressed(None, words);
        }
    }
    let mut importer = Importer {
        surveyed,
        included: BTreeSet::new(),
        links: BTreeMap::new(),
    };
    for (name, found) in &surveyed.netns {
        if !chosen.is_empty() && !chosen.contains(name) {
            continue;
        }
        if name.as_str() == NetnsRef::HOME {
            let words = "netns default: that is what configuration calls home";
            draft.not_expressed(None, words);
        } else if found.managed && chosen.is_empty() {
            let words = format!(
                "netns {name} is left out: netnsctl manages it already (name it to have it)"
            );
            draft.head.push(words);
        } else {
            importer.included.insert(name.clone());
        }
    }
    if importer.included.is_empty() {
        draft.head.push("There is no namespace to declare.".into());
    }
    for name in importer.included.clone() {
        let space = Space::default();
        draft.netns.insert(name.to_string(), space);
        importer.holder(&mut draft, &name);
    }
    importer.veths(&mut draft);
    for name in importer.included.clone() {
        importer.tables(&mut draft, &name);
    }
    for name in importer.included.clone() {
        importer.rest(&mut draft, &name);
    }
    draft.settle()
}

struct Importer<'a> {
    surveyed: &'a Surveyed,
    included: BTreeSet<NetnsName>,
    /// The links that the draft speaks of, with their kinds.
    links: BTreeMap<NetnsName, BTreeMap<InterfaceName, String>>,
}

/// The addresses that somebody put on a link, without the one that follows from `implied`.
fn addresses(link: &Link, implied: bool) -> Vec<Said> {
    let own = link.mac.filter(|_| implied).map(|mac| mac.link_local());
    let by_hand = link.addresses.iter().filter(|one| !one.kernel_made);
    by_hand
        .filter(|one| Some(one.address) != own)
        .map(|one| Said::new(one.address))
        .collect()
}

fn listed(addresses: &[Said]) -> String {
    let texts: Vec<_> = addresses.iter().map(|said| said.text.as_str()).collect();
    match texts.is_empty() {
        true => String::new(),
        false => format!(" with {}", texts.join(", ")),
    }
}

fn down(link: &Link) -> &'static str {
    if link.up { "" } else { ", which is down" }
}

impl<'a> Importer<'a> {
    fn found(&self, name: &NetnsName) -> Option<&'a Found> {
        self.surveyed.netns.get(name)
    }

    fn link(&self, netns: &NetnsRef, interface: &InterfaceName) -> Option<&'a Link> {
        let interior = match netns {
            NetnsRef::Home => &self.surveyed.home,
            NetnsRef::Named(name) => &self.found(name)?.interior,
        };
        interior.links.get(interface)
    }

    fn note_link(&mut self, name: &NetnsName, interface: &InterfaceName, kind: String) {
        let links = self.links.entry(name.clone()).or_default();
        links.insert(interface.clone(), kind);
    }

    /// Chooses the link that holds the namespace's addresses: one of its name, or else one that is
    /// up, or else one that has addresses, or else the plainest.
    fn holder(&mut self, draft: &mut Draft, name: &NetnsName) {
        let Some(found) = self.surveyed.netns.get(name) else {
            return;
        };
        let rank = |(interface, link): &(&InterfaceName, &Link)| {
            let kind = link.kind.as_deref().and_then(HolderKind::parse)?;
            let preference = HolderKind::PREFERENCE.iter().position(|one| *one == kind);
            let is_named = interface.as_str() == name.as_str();
            let has_none = addresses(link, false).is_empty();
            let free = !found.in_use.contains(*interface);
            free.then_some((!is_named, !link.up, has_none, preference, kind))
        };
        let links = found.interior.links.iter();
        let ranked = links.filter_map(|entry| Some((rank(&entry)?, entry)));
        let chosen = ranked.min_by_key(|((named, down, none, preference, _), (interface, _))| {
            (*named, *down, *none, *preference, (*interface).clone())
        });
        let Some(space) = draft.netns.get_mut(name.as_str()) else {
            return;
        };
        let Some(((.., kind), (interface, link))) = chosen else {
            let free = free_name(name, found);
            space.notes.push(format!(
                "netns {name} has no link that could hold addresses: up makes {free}, without any"
            ));
            space.interface = Some(free);
            return;
        };
        space.interface = Some(interface.to_string());
        space.kind = (kind == HolderKind::Bridge).then(|| kind.as_str().to_owned());
        space.address = addresses(link, false);
        let mut lost = Vec::new();
        if link.mtu != HOLDER_MTU {
            lost.push(format!("mtu {} of {interface}", link.mtu));
        }
        if !link.up {
            lost.push(format!("{interface} is down; up sets it up"));
        }
        for words in lost {
            draft.not_expressed(Some(name.as_str()), words);
        }
        self.note_link(name, interface, kind.as_str().to_owned());
    }

    /// The pairs, each at the end that comes first.
    fn veths(&mut self, draft: &mut Draft) {
        let mut done = BTreeSet::new();
        for name in self.included.clone() {
            let here = NetnsRef::Named(name.clone());
            let links: Vec<_> = match self.found(&name) {
                Some(found) => found.interior.links.clone().into_iter().collect(),
                None => continue,
            };
            for (interface, link) in links {
                let Some(peer) = &link.peer else { continue };
                if done.contains(&(here.clone(), interface.clone())) {
                    continue;
                }
                match self.pair(draft, &name, &interface, &link, peer) {
                    Ok(far) => done.extend(far),
                    Err(why) => {
                        let with = listed(&addresses(&link, true));
                        let words = format!("veth {interface}{with}{}: {why}", down(&link));
                        draft.not_expressed(Some(name.as_str()), words);
                    }
                }
            }
        }
    }

    /// Declares a pair; the place of its far end.
    fn pair(
        &mut self,
        draft: &mut Draft,
        name: &NetnsName,
        interface: &InterfaceName,
        near: &Link,
        peer: &Peer,
    ) -> Result<Option<(NetnsRef, InterfaceName)>, String> {
        let (there, far_name, far) = self.far_end(name, peer)?;
        let mut lost = Vec::new();
        if near.mtu != far.mtu {
            lost.push(format!(
                "mtu {} of {far_name} in netns {there}, the other end of {interface}: a pair has one",
                far.mtu
            ));
        }
        for (link, interface, netns) in [
            (near, interface, name.as_str()),
            (far, far_name, there.as_str()),
        ] {
            if !link.up {
                let words = format!("{interface} in netns {netns} is down; up sets it up");
                lost.push(words);
            }
        }
        let space = draft.netns.get_mut(name.as_str());
        let mac = |link: &Link| link.mac.map(|mac| mac.to_string());
        space.into_iter().for_each(|space| {
            space.veths.push(Veth {
                origin: None,
                netns: there.to_string(),
                interface: interface.to_string(),
                peer_interface: far_name.to_string(),
                mtu: Some(near.mtu),
                mac: mac(near),
                peer_mac: mac(far),
                address: addresses(near, true),
                peer_address: addresses(far, true),
            });
        });
        for words in lost {
            draft.not_expressed(Some(name.as_str()), words);
        }
        self.note_link(name, interface, "veth".to_owned());
        if let Some(other) = there.name() {
            self.note_link(&other.clone(), far_name, "veth".to_owned());
        }
        Ok(Some((there.clone(), far_name.clone())))
    }

    /// Where the far end of a pair is, if it can be declared.
    fn far_end<'p>(
        &self,
        name: &NetnsName,
        peer: &'p Peer,
    ) -> Result<(&'p NetnsRef, &'p InterfaceName, &'a Link), String> {
        let Peer::Known(there, far_name) = peer else {
            return Err("its other end is in a namespace without a name".into());
        };
        let Some(far) = self.link(there, far_name) else {
            return Err("its other end was not found".into());
        };
        match there.name() {
            Some(other) if other == name => {
                return Err(format!(
                    "its other end, {far_name}, is in the same namespace"
                ));
            }
            Some(other) if !self.included.contains(other) => {
                return Err(format!(
                    "its other end is {far_name} in netns {other}, which is not declared here"
                ));
            }
            _ => {}
        }
        Ok((there, far_name, far))
    }

    /// Links that stand alone besides the base link, and entries of the kernel's tables.
    fn tables(&mut self, draft: &mut Draft, name: &NetnsName) {
        let Some(found) = self.found(name) else {
            return;
        };
        let is_noted = |links: &BTreeMap<_, _>, link| links.contains_key(link);
        let noted = self.links.get(name).cloned().unwrap_or_default();
        let rest = found.interior.links.iter();
        let rest = rest.filter(|(it, _)| !is_noted(&noted, *it) && !found.in_use.contains(*it));
        let mut tables = Vec::new();
        for (interface, link) in rest {
            let own = addresses(link, true);
            let table = tables::link(interface, link, &own);
            if let (Some(table), Some(kind)) = (table, link.kind.clone()) {
                tables.push(table);
                self.note_link(name, interface, kind);
            }
        }
        tables.extend(found.interior.entries.iter().map(tables::entry));
        if let Some(space) = draft.netns.get_mut(name.as_str()) {
            space.tables = tables;
        }
    }

    /// Routes, sysctls, files, and what cannot be declared.
    fn rest(&self, draft: &mut Draft, name: &NetnsName) {
        let Some(found) = self.found(name) else {
            return;
        };
        let mut links = self.links.get(name).cloned().unwrap_or_default();
        for (interface, link) in &found.interior.links {
            if let Some(words) = lost_link(interface, link, links.contains_key(interface)) {
                draft.not_expressed(Some(name.as_str()), words);
            }
        }
        if let Ok(lo) = InterfaceName::parse("lo") {
            links.insert(lo, "lo".to_owned());
        }
        self.routes(draft, name, found, &links);
        let interior = &found.interior.sysctl;
        for words in found.left.iter() {
            draft.not_expressed(Some(name.as_str()), words);
        }
        if let Some(space) = draft.netns.get_mut(name.as_str()) {
            sysctl::declare(space, interior, &self.surveyed.fresh_sysctl, &links);
            resolv_conf(space, name, found.resolv_conf.as_deref());
        }
    }

    fn routes(
        &self,
        draft: &mut Draft,
        name: &NetnsName,
        found: &Found,
        links: &BTreeMap<InterfaceName, String>,
    ) {
        let by_hand = found.interior.routes.iter().filter(|one| !one.kernel_made);
        let mut routes: Vec<_> = by_hand.map(|one| &one.route).collect();
        // A gateway has to be reached before a route can go by it.
        routes.sort_by_key(|route| (route.via.is_some(), Reverse(route.to.prefix_len())));
        for route in routes {
            let is_default = route.to.prefix_len() == 0;
            let plain = route.to.addr().is_ipv4() || route.via.is_some();
            let declared = Route {
                origin: None,
                to: match is_default && plain {
                    true => "default".to_owned(),
                    false => route.to.to_string(),
                },
                via: route.via.map(|via| via.to_string()),
                interface: route.interface.as_ref().map(ToString::to_string),
            };
            let unknown = route
                .interface
                .as_ref()
                .filter(|link| !links.contains_key(*link));
            match (unknown, draft.netns.get_mut(name.as_str())) {
                (None, Some(space)) => space.routes.push(declared),
                (unknown, _) => {
                    let link = unknown.map(|link| format!(": {link} is not declared"));
                    let words = declared.words() + &link.unwrap_or_default();
                    draft.not_expressed(Some(name.as_str()), words);
                }
            }
        }
    }
}

/// A name for a link that nothing in the namespace has.
fn free_name(name: &NetnsName, found: &Found) -> String {
    let fits = |text: &str| {
        let parsed = InterfaceName::parse(text);
        let reserved = ["lo", "all", "default"].contains(&text);
        parsed.is_ok_and(|parsed| !reserved && !found.interior.links.contains_key(&parsed))
    };
    let numbered = (0..1000).map(|number| format!("own{number}"));
    let mut names = std::iter::once(name.to_string()).chain(numbered);
    names
        .find(|text| fits(text))
        .unwrap_or_else(|| name.to_string())
}

/// What is not declared of a link.
fn lost_link(interface: &InterfaceName, link: &Link, declared: bool) -> Option<String> {
    let mut own = addresses(link, false);
    if interface.as_str() == "lo" {
        own.retain(|said| !["127.0.0.1/8", "::1/128"].contains(&said.text.as_str()));
        return (!own.is_empty()).then(|| format!("link lo{}", listed(&own)));
    }
    let is_fallback = FALLBACKS.contains(&interface.as_str()) && !link.up && own.is_empty();
    // Of a veth that is not declared it has been said why.
    if declared || is_fallback || link.peer.is_some() {
        return None;
    }
    let kind = kind_word(link.kind.as_deref());
    let words = format!("{kind} {interface}{}{}", listed(&own), down(link));
    Some(words)
}

/// What the namespace's resolv.conf(5) says.
fn resolv_conf(space: &mut Space, name: &NetnsName, text: Option<&str>) {
    let path = format!("/etc/netns/{name}/resolv.conf");
    let Some(text) = text else {
        space.notes.push(format!(
            "there is no {path}: up writes one with the nameservers of [netns.{name}.dns], the \
             default ones if none are given; without it the host's holds"
        ));
        return;
    };
    let mut dns = Dns {
        nameservers: Vec::new(),
        search: Vec::new(),
        options: Vec::new(),
    };
    for line in text.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => dns.nameservers.extend(words.next()),
            Some("search" | "domain") => dns.search = words.collect(),
            Some("options") => dns.options.extend(words),
            None => {}
            Some(word) if word.starts_with(['#', ';']) => {}
            Some(_) => space.notes.push(format!("not expressed: {path}: {line}")),
        }
    }
    if !is_ours(text) {
        space.notes.push(format!(
            "{path} is your own: it stays, and holds in place of [netns.{name}.dns]"
        ));
    }
    space.dns = (!dns.nameservers.is_empty()).then_some(dns);
}
