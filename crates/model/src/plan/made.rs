//! What is made once the namespaces that it is in are there: veth pairs, and links that stand
//! alone.

use std::collections::{BTreeSet, HashMap};

use crate::desired::{Desired, Link, VethPair};
use crate::name::{NetnsName, NetnsRef};

use crate::item;
use crate::observed::Observed;

use super::LinkPlace;

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
pub(super) fn by_place(desired: &Desired) -> HashMap<LinkPlace, Made<'_>> {
    let netns = desired.netns.iter();
    let links =
        netns.flat_map(|(name, netns)| netns.links.iter().map(move |it| Made::Link(name, it)));
    let links: Vec<_> = links.collect();
    if links.iter().all(|link| link.parent().is_none()) {
        return HashMap::new();
    }
    let pairs = desired.veths.iter().map(Made::Pair);
    let all = links.into_iter().chain(pairs);
    all.flat_map(|made| made.places().into_iter().map(move |place| (place, made)))
        .collect()
}

/// The links that are there and send by another, by that one.
pub(super) fn children(observed: &Observed) -> HashMap<LinkPlace, Vec<LinkPlace>> {
    let mut children: HashMap<_, Vec<_>> = HashMap::new();
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
