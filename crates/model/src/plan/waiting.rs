//! What has to be there before a link can be made, and what waits for it.

use std::collections::BTreeSet;

use crate::desired::Link;
use crate::item::{self, Item};
use crate::name::{NetnsName, NetnsRef};

use super::made::Made;
use super::planner::Planner;
use super::{LinkPlace, Waiting};

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
                if let Some(parent) = link.parent().filter(|it| !self.is_declared(it)) {
                    self.relies_on(name, parent);
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
            let is_base = (parent.netns.name()).is_some_and(|name| self.is_base(name, &parent));
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

    /// Notes that something of `name` needs a link that nothing declared brings.
    pub(super) fn relies_on(&mut self, name: &NetnsName, link: LinkPlace) {
        let names = self.plan.relies_on.entry(link).or_default();
        names.insert(name.clone());
    }

    /// Whether something declared brings the link at `place`.
    fn is_declared(&self, place: &LinkPlace) -> bool {
        let of_netns = place.netns.name();
        of_netns.is_some_and(|name| self.is_base(name, place)) || self.by_place.contains_key(place)
    }

    fn is_base(&self, name: &NetnsName, place: &LinkPlace) -> bool {
        let netns = self.desired.netns.get(name);
        netns.is_some_and(|netns| netns.holder.interface == place.interface)
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
