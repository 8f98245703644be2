//! Makes a topology of a declaration, and of what is there if that was looked at.

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_model::address::InterfaceAddress;
use netnsctl_model::desired::{self, Desired, VethEnd, VethPair};
use netnsctl_model::item::{Entry, Item, route_text};
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef};
use netnsctl_model::observed::{self, Interior, Observed, Peer, Presence};
use netnsctl_model::plan::text::shown;
use netnsctl_model::plan::{Plan, Problem};

use crate::topology::{End, Forward, Link, Mark, Marked, Namespace, Topology, Veth};

/// Other differences of one namespace that are listed.
const DIFFERENCES_SHOWN: usize = 5;

/// What is there.
#[derive(Debug, Clone, Copy)]
pub struct Live<'a> {
    /// The kernel's state.
    pub observed: &'a Observed,
    /// What would be done about it.
    pub plan: &'a Plan,
    /// What each forward that runs has carried, in words, by the namespace it listens in and its
    /// number there, counted from 1.
    pub traffic: &'a BTreeMap<(NetnsRef, usize), String>,
    /// Namespaces that are neither declared nor managed.
    pub unmanaged: &'a [NetnsName],
}

impl Topology {
    /// What is declared, or what is there if that is given; of all namespaces, or of those in
    /// `only` and what they are joined to.
    pub fn new(
        desired: &Desired,
        live: Option<&Live<'_>>,
        only: Option<&BTreeSet<NetnsRef>>,
    ) -> Self {
        Builder {
            desired,
            live,
            only,
            places: BTreeMap::new(),
        }
        .build()
    }
}

/// A forward with the namespace it listens in and its number there.
type Numbered<'a> = (NetnsRef, usize, &'a desired::Forward);

struct Builder<'a> {
    desired: &'a Desired,
    live: Option<&'a Live<'a>>,
    only: Option<&'a BTreeSet<NetnsRef>>,
    places: BTreeMap<NetnsRef, usize>,
}

impl<'a> Builder<'a> {
    fn build(mut self) -> Topology {
        let joined = |one: &NetnsRef, other: &NetnsRef| self.wants(one) || self.wants(other);
        let veths: Vec<&VethPair> = self.desired.veths.iter().collect();
        let veths: Vec<_> = veths
            .into_iter()
            .filter(|pair| joined(&pair.near.netns, &pair.far.netns))
            .collect();
        let extra = self.extra_veths();
        let forwards = self.desired.all_forwards();
        let forwards: Vec<Numbered<'_>> = forwards
            .filter(|(netns, _, forward)| joined(netns, &forward.netns))
            .collect();
        let mut drawn: BTreeSet<NetnsRef> = self.known().into_iter().collect();
        for pair in &veths {
            drawn.extend([pair.near.netns.clone(), pair.far.netns.clone()]);
        }
        for ends in &extra {
            drawn.extend(ends.iter().map(|(netns, _)| netns.clone()));
        }
        for (netns, _, forward) in &forwards {
            drawn.extend([netns.clone(), forward.netns.clone()]);
        }
        self.places = drawn.iter().cloned().zip(0..).collect();
        let declared = veths.iter().map(|pair| self.veth(pair));
        Topology {
            live: self.live.is_some(),
            namespaces: drawn.iter().map(|netns| self.namespace(netns)).collect(),
            veths: declared
                .chain(extra.iter().map(|ends| self.extra_veth(ends)))
                .collect(),
            forwards: forwards.iter().map(|f| self.forward(f)).collect(),
        }
    }

    fn wants(&self, netns: &NetnsRef) -> bool {
        self.only.is_none_or(|only| only.contains(netns))
    }

    /// The namespaces to be drawn whether or not they are joined to any.
    fn known(&self) -> Vec<NetnsRef> {
        let mut known: BTreeSet<&NetnsName> = self.desired.netns.keys().collect();
        if let Some(live) = self.live {
            known.extend(live.observed.records.keys());
            known.extend(live.unmanaged);
        }
        let named = known.into_iter().cloned().map(NetnsRef::Named);
        let mut known: Vec<_> = named.filter(|netns| self.wants(netns)).collect();
        if self.only.is_some_and(|only| only.contains(&NetnsRef::Home)) {
            known.push(NetnsRef::Home);
        }
        known
    }

    /// The inside of a namespace that is there.
    fn interior(&self, netns: &NetnsRef) -> Option<&'a Interior> {
        let observed = self.live?.observed;
        match netns {
            NetnsRef::Home => Some(&observed.home),
            NetnsRef::Named(name) => observed.netns.get(name).and_then(Presence::interior),
        }
    }

    fn observed_link(
        &self,
        netns: &NetnsRef,
        interface: &InterfaceName,
    ) -> Option<&'a observed::Link> {
        self.interior(netns)?.links.get(interface)
    }

    /// The ends of veth pairs between namespaces that can be named and that nobody declared.
    fn extra_veths(&self) -> Vec<[(NetnsRef, InterfaceName); 2]> {
        let Some(live) = self.live else {
            return Vec::new();
        };
        let mut found = BTreeSet::new();
        for name in live.observed.netns.keys() {
            let netns = NetnsRef::Named(name.clone());
            let links = self.interior(&netns).map(|interior| &interior.links);
            for (interface, link) in links.into_iter().flatten() {
                let Some(Peer::Known(other, other_interface)) = &link.peer else {
                    continue;
                };
                let mut ends = [
                    (netns.clone(), interface.clone()),
                    (other.clone(), other_interface.clone()),
                ];
                ends.sort();
                let wanted = self.wants(&netns) || self.wants(other);
                if wanted
                    && !self
                        .desired
                        .veths
                        .iter()
                        .any(|pair| is_between(pair, &ends))
                {
                    found.insert(ends);
                }
            }
        }
        found.into_iter().collect()
    }

    fn namespace(&self, netns: &NetnsRef) -> Namespace {
        let declared = netns.name().and_then(|name| self.desired.netns.get(name));
        let declared = declared.filter(|_| self.wants(netns));
        let interior = self.interior(netns).filter(|_| self.wants(netns));
        let mark = self.presence(netns);
        let is_there = !matches!(mark, Mark::Missing(_));
        let interior = interior.filter(|_| is_there);
        let mut links = Vec::new();
        if let Some(declared) = declared {
            let holder = &declared.holder;
            let observed = interior.and_then(|interior| interior.links.get(&holder.interface));
            links.push(self.link(&holder.interface, &holder.address, observed, is_there));
            links.extend(declared.links.iter().map(|link| {
                let observed = interior.and_then(|interior| interior.links.get(&link.interface));
                self.own_link(netns, link, observed, is_there)
            }));
        }
        links.extend(self.lonely_links(netns, interior));
        let mut routes = Vec::new();
        if let Some(declared) = declared {
            routes.extend(declared.routes.iter().map(|route| {
                let missing = interior.is_some_and(|interior| !has_route(interior, route));
                Marked {
                    text: route_text(route),
                    mark: if missing {
                        Mark::MISSING
                    } else {
                        Mark::AsDeclared
                    },
                }
            }));
        }
        if let (Some(interior), NetnsRef::Named(_)) = (interior, netns) {
            let wanted = declared.map_or(&[][..], |declared| &declared.routes);
            let extra = interior.routes.iter().filter(|route| {
                !route.kernel_made && !wanted.iter().any(|wanted| wanted.is(&route.route))
            });
            routes.extend(extra.map(|route| Marked {
                text: route_text(&route.route),
                mark: Mark::EXTRA,
            }));
        }
        let flags = declared.map(|declared| [declared.ipv4_forwarding, declared.ipv6_forwarding]);
        let flags = flags.unwrap_or_default().into_iter().zip(["IPv4", "IPv6"]);
        Namespace {
            netns: netns.clone(),
            mark,
            links,
            forwarding: flags.filter_map(|(on, word)| on.then_some(word)).collect(),
            routes,
            entries: Self::entries(declared, interior),
            differences: match is_there && self.wants(netns) {
                true => self.differences(netns),
                false => Vec::new(),
            },
        }
    }

    /// Whether a namespace is there, and ours.
    fn presence(&self, netns: &NetnsRef) -> Mark {
        let (Some(live), NetnsRef::Named(name)) = (self.live, netns) else {
            return Mark::AsDeclared;
        };
        let is_declared = self.desired.netns.contains_key(name);
        if live.unmanaged.contains(name) && !is_declared {
            return Mark::Extra("not managed");
        }
        let foreign = |problem: &Problem| matches!(problem, Problem::Foreign { name: text } if text.0 == *name);
        match live.observed.netns.get(name) {
            Some(Presence::Present(_)) if live.plan.problems.iter().any(foreign) => {
                Mark::Differs("not made by netnsctl".to_owned())
            }
            Some(Presence::Present(_)) if is_declared => Mark::AsDeclared,
            Some(Presence::Present(_)) => Mark::Extra("no longer declared"),
            // Only namespaces asked for are looked at.
            None if !self.wants(netns) => Mark::AsDeclared,
            _ if is_declared => Mark::MISSING,
            _ => Mark::Extra("gone, but for a record"),
        }
    }

    /// A declared link, beside what there is of it where that was looked at.
    fn link(
        &self,
        interface: &InterfaceName,
        declared: &[InterfaceAddress],
        observed: Option<&observed::Link>,
        is_there: bool,
    ) -> Link {
        let live = self.live.is_some() && is_there;
        let mark = match observed {
            None if live => Mark::MISSING,
            _ => Mark::AsDeclared,
        };
        let missing = |address| observed.is_some_and(|link| !link.has(address));
        let mut addresses: Vec<_> = declared
            .iter()
            .map(|address| Marked {
                text: address.to_string(),
                mark: if missing(address) {
                    Mark::MISSING
                } else {
                    Mark::AsDeclared
                },
            })
            .collect();
        let observed_addresses = observed.map_or(&[][..], |link| &link.addresses);
        let extra = observed_addresses
            .iter()
            .map(|observed| &observed.address)
            .filter(|address| !declared.contains(address) && !address.is_link_local());
        addresses.extend(extra.map(|address| Marked {
            text: address.to_string(),
            mark: Mark::EXTRA,
        }));
        let down = observed.is_some_and(|link| !link.up);
        Link {
            interface: interface.to_string(),
            mark,
            addresses,
            details: None,
            differences: down.then(|| "down".to_owned()).into_iter().collect(),
        }
    }

    /// A declared link that stands alone.
    fn own_link(
        &self,
        netns: &NetnsRef,
        link: &desired::Link,
        observed: Option<&observed::Link>,
        is_there: bool,
    ) -> Link {
        let parent = link.parent().map(|parent| parent.within(netns));
        let parent = parent.map(|parent| format!(" on {parent}"));
        let drawn = self.link(&link.interface, &link.address, observed, is_there);
        Link {
            details: Some(format!("{}{}", link.kind.word, parent.unwrap_or_default())),
            // It may be declared to be down.
            differences: drawn.differences.into_iter().filter(|_| link.up).collect(),
            ..drawn
        }
    }

    /// The entries of a namespace that are declared, and those of their kinds that are not.
    fn entries(
        declared: Option<&desired::Netns>,
        interior: Option<&Interior>,
    ) -> Vec<(&'static str, Marked)> {
        let declared = declared.map(|netns| &netns.entries);
        let there = interior.map(|interior| &interior.entries);
        let all: BTreeSet<&Entry> = declared.into_iter().chain(there).flatten().collect();
        let entry = |entry: &Entry| {
            let has = |set: Option<&BTreeSet<Entry>>| set.map(|it| it.contains(entry));
            let mark = match (has(declared).unwrap_or(false), has(there)) {
                (true, Some(false)) => Mark::MISSING,
                (true, _) => Mark::AsDeclared,
                (false, _) => Mark::EXTRA,
            };
            let text = (entry.kind.words)(&entry.values);
            (entry.kind.word(), Marked { text, mark })
        };
        all.into_iter().map(entry).collect()
    }

    /// Links of a namespace that nobody declared and that lead to no namespace with a name. Of
    /// home's own links nobody asks.
    fn lonely_links(&self, netns: &NetnsRef, interior: Option<&Interior>) -> Vec<Link> {
        let (Some(interior), Some(name)) = (interior, netns.name()) else {
            return Vec::new();
        };
        let declared = self.desired.netns.get(name);
        let is_declared = |interface: &InterfaceName| {
            declared.is_some_and(|netns| {
                let own = netns.links.iter().map(|link| &link.interface);
                own.chain([&netns.holder.interface])
                    .any(|it| it == interface)
            })
        };
        let is_lonely = |(interface, link): &(&InterfaceName, &observed::Link)| {
            let leads_somewhere = matches!(link.peer, Some(Peer::Known(..)));
            interface.as_str() != "lo" && !is_declared(interface) && !leads_somewhere
        };
        let links = interior.links.iter().filter(is_lonely);
        links
            .map(|(interface, link)| Link {
                mark: Mark::EXTRA,
                // Nobody declared that it should be up.
                differences: Vec::new(),
                ..self.link(interface, &[], Some(link), true)
            })
            .collect()
    }

    fn veth(&self, pair: &VethPair) -> Veth {
        let near = self.observed_link(&pair.near.netns, &pair.near.interface);
        let far = (pair.far.netns.clone(), pair.far.interface.clone());
        let is_there = near.is_some_and(|link| {
            matches!(&link.peer, Some(Peer::Known(netns, interface)) if (netns, interface) == (&far.0, &far.1))
        });
        let end = |end: &VethEnd| {
            let observed = self
                .observed_link(&end.netns, &end.interface)
                .filter(|_| is_there);
            let mut link = self.link(&end.interface, &end.address, observed, is_there);
            if let Some(observed) = observed {
                if observed.mtu != pair.mtu {
                    let words = format!("mtu {}, declared {}", observed.mtu, pair.mtu);
                    link.differences.push(words);
                }
                if let Some(mac) = observed.mac.filter(|mac| *mac != end.mac) {
                    link.differences.push(format!("mac {mac}"));
                    link.differences.push(format!("declared {}", end.mac));
                }
            }
            End {
                namespace: self.places[&end.netns],
                link,
            }
        };
        Veth {
            ends: [end(&pair.near), end(&pair.far)],
            mtu: pair.mtu,
            mark: if self.live.is_none() || is_there {
                Mark::AsDeclared
            } else {
                Mark::MISSING
            },
        }
    }

    fn extra_veth(&self, ends: &[(NetnsRef, InterfaceName); 2]) -> Veth {
        let end = |(netns, interface): &(NetnsRef, InterfaceName)| End {
            namespace: self.places[netns],
            link: Link {
                differences: Vec::new(),
                ..self.link(interface, &[], self.observed_link(netns, interface), false)
            },
        };
        let [near, far] = ends;
        let observed = [near, far]
            .into_iter()
            .find_map(|(netns, i)| self.observed_link(netns, i));
        Veth {
            ends: [end(near), end(far)],
            mtu: observed.map_or(0, |link| link.mtu),
            mark: Mark::EXTRA,
        }
    }

    fn forward(&self, (netns, number, forward): &Numbered<'_>) -> Forward {
        let traffic = self
            .live
            .map(|live| live.traffic.get(&(netns.clone(), *number)));
        Forward {
            protocol: forward.protocol,
            listens_in: self.places[netns],
            listen: forward.listen.to_string(),
            connects_in: self.places[&forward.netns],
            connect: forward.connect.to_string(),
            mark: match traffic {
                Some(None) => Mark::Missing("not running"),
                _ => Mark::AsDeclared,
            },
            traffic: traffic.flatten().cloned(),
        }
    }

    /// What a plan would change in a namespace that no link, address or route shows.
    fn differences(&self, netns: &NetnsRef) -> Vec<String> {
        let Some(live) = self.live else {
            return Vec::new();
        };
        let steps = shown(live.plan).filter(|step| step.of == *netns && !is_drawn(&step.item));
        let of = netns.as_str();
        let mut lines: Vec<_> = steps
            .map(|step| {
                let described = step.describe();
                let first = described.lines().next().unwrap_or_default();
                format!("{} {first}", step.verb.sign())
            })
            .collect();
        let problems = live.plan.problems.iter().filter(|problem| {
            problem.netns() == of
                && !matches!(problem, Problem::Foreign { .. } | Problem::Absent { .. })
        });
        lines.extend(problems.map(ToString::to_string));
        let more = lines.len().saturating_sub(DIFFERENCES_SHOWN);
        if more > 1 {
            lines.truncate(DIFFERENCES_SHOWN);
            lines.push(format!("and {more} more"));
        }
        lines
    }
}

/// Whether a change shows as the mark of a namespace, link, address or route; or as nothing, as
/// netnsctl's notes.
fn is_drawn(item: &Item) -> bool {
    match item {
        Item::Address(_)
        | Item::Entry(_)
        | Item::Link(_)
        | Item::Name(_)
        | Item::Netns(_)
        | Item::RecordFile(_)
        | Item::Route(_) => true,
        Item::Access(_) | Item::Directory(_) | Item::File(_) | Item::Sysctl(_) | Item::View(_) => {
            false
        }
    }
}

/// Whether a pair has these ends, in either order.
fn is_between(pair: &VethPair, ends: &[(NetnsRef, InterfaceName); 2]) -> bool {
    let is_end = |end: &VethEnd, at: &(NetnsRef, InterfaceName)| {
        (&end.netns, &end.interface) == (&at.0, &at.1)
    };
    let [one, other] = ends;
    (is_end(&pair.near, one) && is_end(&pair.far, other))
        || (is_end(&pair.near, other) && is_end(&pair.far, one))
}

fn has_route(interior: &Interior, wanted: &desired::Route) -> bool {
    interior
        .routes
        .iter()
        .any(|observed| wanted.is(&observed.route))
}
