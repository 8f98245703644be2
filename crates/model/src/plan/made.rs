//! What is made once the namespaces that it is in are there: veth pairs, and links that stand
//! alone. And what has to be there before it.

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Desired, Link, VethPair};
use crate::name::{NetnsName, NetnsRef};

use super::planner::Planner;
use super::{LinkPlace, Waiting};
use crate::item::{self, Item};
use crate::observed::Observed;

/// What brings a link that is not the base link of its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made<'a> {
    /// A veth pair.
    Pair(&'a VethPair),
    /// A link that stands alone, of that namespace.
    Link(&'a NetnsName, &'a Link),
}

impl<'a> Made<'a> {
    /// The places of its links.
    pub(super) fn places(self) -> Vec<LinkPlace> {
        match self {
            Self::Pair(pair) => [&pair.near, &pair.far]
                .map(|end| LinkPlace::new(&end.netns, &end.interface))
                .to_vec(),
            Self::Link(name, link) => {
                vec![LinkPlace::new(&name.clone().into(), &link.interface)]
            }
        }
    }

    /// The namespaces that have to be there.
    pub(super) fn netns(self) -> BTreeSet<NetnsRef> {
        match self {
            Self::Pair(pair) => [&pair.near, &pair.far].map(|end| end.netns.clone()).into(),
            Self::Link(name, link) => {
                let here = NetnsRef::Named(name.clone());
                std::iter::once(here).chain(link.birthplace()).collect()
            }
        }
    }

    /// The link that has to be there.
    pub(super) fn parent(self) -> Option<LinkPlace> {
        match self {
            Self::Pair(_) => None,
            Self::Link(_, link) => link.parent(),
        }
    }
}

/// What brings each link but base links, empty where nothing has a parent.
pub(super) fn by_place(desired: &Desired) -> BTreeMap<LinkPlace, Made<'_>> {
    let netns = desired.netns.iter();
    let links =
        netns.flat_map(|(name, netns)| netns.links.iter().map(move |it| Made::Link(name, it)));
    let links: Vec<_> = links.collect();
    if links.iter().all(|link| link.parent().is_none()) {
        return BTreeMap::new();
    }
    let pairs = desired.veths.iter().map(Made::Pair);
    let all = links.into_iter().chain(pairs);
    all.flat_map(|made| made.places().into_iter().map(move |place| (place, made)))
        .collect()
}

/// The links that are there and send by another, by that one.
pub(super) fn children(observed: &Observed) -> BTreeMap<LinkPlace, Vec<LinkPlace>> {
    let mut children: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let named = observed.netns.iter().filter_map(|(name, presence)| {
        let links = &presence.interior()?.links;
        links
            .values()
            .any(|link| !link.values.is_empty())
            .then(|| (NetnsRef::Named(name.clone()), links))
    });
    for (netns, links) in named.chain([(NetnsRef::Home, &observed.home.links)]) {
        for (interface, link) in links {
            if let Some(parent) = item::link::parent(&link.values) {
                let place = LinkPlace::new(&netns, interface);
                children.entry(parent).or_default().push(place);
            }
        }
    }
    children
}

impl<'a> Planner<'a> {
    /// The links of the namespaces `order` that stand alone, are asked for, and wait for nothing.
    /// Those that wait are noted.
    pub(super) fn links_of(
        &mut self,
        order: &[&'a NetnsName],
        pairs: &[(&'a NetnsName, Made<'a>)],
    ) -> Vec<(&'a NetnsName, Made<'a>)> {
        let mut coming: BTreeSet<LinkPlace> = BTreeSet::new();
        for (_, pair) in pairs {
            coming.extend(pair.places());
        }
        let chosen: BTreeSet<NetnsRef> = order.iter().map(|name| (*name).clone().into()).collect();
        let mut found = Vec::new();
        for name in order {
            for link in &self.netns(name).links {
                let made = Made::Link(name, link);
                if !self.request.makes(made) {
                    continue;
                }
                match self.missing(made, &chosen, &coming) {
                    Some(place) => {
                        let item = self.item_of(name, link);
                        self.waits(name, item, place);
                        let waiting = LinkPlace::new(&(*name).clone().into(), &link.interface);
                        self.done.waiting.insert(waiting);
                    }
                    None => found.push((*name, made)),
                }
            }
        }
        found
    }

    /// The link that has to come, from wherever, before `made` can be.
    fn missing(
        &self,
        made: Made<'a>,
        chosen: &BTreeSet<NetnsRef>,
        coming: &BTreeSet<LinkPlace>,
    ) -> Option<LinkPlace> {
        let mut made = made;
        // No way up is longer than there are links.
        for _ in 0..=self.by_place.len() {
            let parent = made.parent()?;
            let is_there = || self.link(&parent).is_some();
            if is_there() || coming.contains(&parent) {
                return None;
            }
            let is_base = parent.netns.name().is_some_and(|name| {
                let netns = self.desired.netns.get(name);
                netns.is_some_and(|netns| netns.holder.interface == parent.interface)
            });
            let is_chosen = chosen.contains(&parent.netns);
            match self.by_place.get(&parent) {
                _ if is_base && is_chosen && self.request.makes_namespaces() => return None,
                Some(next @ Made::Link(..)) if is_chosen && self.request.makes(*next) => {
                    made = *next;
                }
                _ => return Some(parent),
            }
        }
        made.parent()
    }

    /// Notes that `item` of `name` waits for a link.
    pub(super) fn waits(&mut self, name: &NetnsName, item: impl Into<Item>, link: LinkPlace) {
        self.plan.waiting.push(Waiting {
            of: name.clone().into(),
            item: item.into(),
            link,
        });
    }

    /// The item that `link` of `name` is.
    pub(super) fn item_of(&self, name: &NetnsName, link: &Link) -> item::Link {
        let here = NetnsRef::Named(name.clone());
        item::Link {
            kind: link.kind.word,
            end: item::End {
                place: LinkPlace::new(&here, &link.interface),
                mtu: link.mtu,
                mac: link.mac,
            },
            peer: None,
            birthplace: link.birthplace().filter(|netns| *netns != here),
            values: link.values.clone(),
        }
    }
}
