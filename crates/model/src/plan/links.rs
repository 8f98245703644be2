//! Links: the base link of a namespace, and veth pairs.

use crate::address::{InterfaceAddress, MacAddress};
use crate::desired::{Holder, HolderChoice, HolderKind, VethEnd, VethPair};
use crate::item::{self, Change, Key, LinkKey, Value};
use crate::name::{NetnsName, NetnsRef};
use crate::observed::{Applied, Link, Peer, kind_word};

use super::namespace::key_of;
use super::planner::Planner;
use super::{LinkPlace, Problem, Verb};

impl<'a> Planner<'a> {
    /// Removes the pairs we once made for `name` that are not declared any more, before any link is
    /// created that might need a name of theirs.
    pub(super) fn remove_old_pairs(&mut self, name: &'a NetnsName, target: &Applied) {
        let Some(record) = self.record(name) else {
            return;
        };
        for (near, far) in record.applied.pairs() {
            let key = LinkKey {
                place: near.clone(),
                peer: Some(far.clone()),
            };
            if !target.contains(&Key::Link(key)) {
                self.delete_pair(name, near, far);
            }
        }
    }

    /// Removes base links of former names, once the present one has its addresses: what uses one of
    /// them goes on.
    fn remove_old_base_links(&mut self, name: &'a NetnsName, target: &Applied) {
        let Some(record) = self.record(name) else {
            return;
        };
        for key in record.applied.links().filter(|key| key.peer.is_none()) {
            let is_there = self.link(&key.place).is_some_and(is_base_link);
            if is_there && !target.contains(&Key::Link(key.clone())) {
                self.delete_link(name, key.place.clone());
            }
        }
    }

    /// Removes a pair if it was made for `name`.
    pub(super) fn remove_veth(&mut self, name: &'a NetnsName, pair: &VethPair) {
        let LinkKey { place, peer } = key_of(pair);
        let record = self.record(name);
        let recorded = record.is_some_and(|it| it.applied.contains(&Key::Link(key_of(pair))));
        if let Some(far) = peer.filter(|_| recorded) {
            self.delete_pair(name, &place, &far);
        }
    }

    fn delete_pair(&mut self, name: &'a NetnsName, near: &LinkPlace, far: &LinkPlace) {
        let leads = |from, to| {
            self.link(from)
                .is_some_and(|link| joins_or_dangles(link, to))
        };
        if leads(near, far) {
            self.delete_link(name, near.clone());
            if let Some(number) = self.done.deleted.get(near).copied() {
                self.goes(far.clone(), number);
            }
        } else if leads(far, near) {
            self.delete_link(name, far.clone());
        }
    }

    /// The base link and its addresses; then those of former names go.
    pub(super) fn base_link(&mut self, name: &'a NetnsName, target: &Applied) {
        let base = &self.netns(name).holder;
        let here = NetnsRef::Named(name.clone());
        let link = LinkPlace::new(&here, &base.interface);
        if self.ensure_base_link(name, &link, base) {
            self.finish_link(name, &link, &base.address, target);
            self.remove_old_base_links(name, target);
        }
    }

    /// Makes the link, or leaves the one there is if it will do. False if it cannot be had.
    fn ensure_base_link(&mut self, name: &'a NetnsName, link: &LinkPlace, base: &Holder) -> bool {
        if let Some(observed) = self.link(link) {
            if fits(base.kind, observed) {
                return true;
            }
            let key = LinkKey {
                place: link.clone(),
                peer: None,
            };
            let recorded = self
                .record(name)
                .is_some_and(|record| record.applied.contains(&Key::Link(key)));
            if !recorded || !is_base_link(observed) {
                self.plan
                    .problems
                    .push(in_the_way("holder link", link, observed));
                return false;
            }
            self.delete_link(name, link.clone());
        }
        let kinds = &self.observed.holder_kinds;
        let kind = match base.kind {
            HolderChoice::Exactly(kind) => Some(kind),
            HolderChoice::Auto => HolderKind::PREFERENCE
                .into_iter()
                .find(|kind| kinds.contains(kind)),
        };
        let Some(kind) = kind else {
            self.plan.problems.push(Problem::NoHolderKind {
                netns: name.to_string(),
                interface: base.interface.to_string(),
            });
            return false;
        };
        let item = item::Link {
            kind: kind.as_str(),
            ..item::Link::at(link.clone())
        };
        self.create(name, item);
        true
    }

    /// Adds the step that creates a link, at each of its places.
    pub(super) fn create(&mut self, of: &NetnsName, item: item::Link) {
        let places: Vec<_> = item.ends().map(|end| end.place.clone()).collect();
        let number = self.step(of, Verb::Add, item);
        for place in places {
            // The name has to be free first.
            let freed = self.done.deleted.remove(&place);
            self.needs(number, freed);
            self.done.created.insert(place, number);
        }
    }

    /// What follows once a link is there: its own kernel parameters, then its addresses, then it
    /// goes up. Once it is up the kernel would make the link-local address by itself, and that
    /// cannot be used at once.
    fn finish_link(
        &mut self,
        of: &'a NetnsName,
        link: &LinkPlace,
        addresses: &[InterfaceAddress],
        target: &Applied,
    ) {
        self.sysctls_of_link(link);
        self.addresses(of, link, addresses, target);
        self.set_up(of, link);
    }

    /// Brings one pair to what is declared.
    pub(super) fn veth(&mut self, owner: &'a NetnsName, pair: &'a VethPair, target: &Applied) {
        let near = LinkPlace::new(&pair.near.netns, &pair.near.interface);
        let far = LinkPlace::new(&pair.far.netns, &pair.far.interface);
        let (near_link, far_link) = (self.link(&near), self.link(&far));
        let paired = near_link
            .zip(far_link)
            .filter(|(near_link, far_link)| joins(near_link, &far) && joins(far_link, &near));
        match paired {
            Some((near_link, far_link)) => {
                for (end, link, observed) in
                    [(&pair.near, &near, near_link), (&pair.far, &far, far_link)]
                {
                    self.adjust_end(owner, pair.mtu, link, observed, end.mac);
                }
            }
            None => {
                if !self.make_way(owner, pair, &near, &far)
                    || !self.make_way(owner, pair, &far, &near)
                {
                    return;
                }
                let end = |end: &VethEnd| item::End {
                    place: LinkPlace::new(&end.netns, &end.interface),
                    mtu: Some(pair.mtu),
                    mac: Some(end.mac),
                };
                let item = item::Link {
                    kind: "veth",
                    end: end(&pair.near),
                    peer: Some(end(&pair.far)),
                    ..item::Link::at(near.clone())
                };
                self.create(owner, item);
            }
        }
        let ends = [(&pair.near, &near), (&pair.far, &far)];
        for (end, link) in ends {
            self.sysctls_of_link(link);
            self.addresses(owner, link, &self.end_addresses(end, pair.mtu), target);
        }
        // With the second one both get a carrier: all addresses are there by then.
        for (_, link) in ends {
            self.set_up(owner, link);
        }
    }

    /// Deletes what stands at `here` if it is a veth of ours that leads elsewhere. False if it is
    /// somebody else's.
    fn make_way(
        &mut self,
        owner: &'a NetnsName,
        pair: &VethPair,
        here: &LinkPlace,
        there: &LinkPlace,
    ) -> bool {
        let Some(link) = self.link(here) else {
            return true;
        };
        // The record of a namespace that is gone is still right about our end in the host namespace.
        let record = self.observed.records.get(owner);
        let recorded =
            record.is_some_and(|record| record.applied.contains(&Key::Link(key_of(pair))));
        if recorded && joins_or_dangles(link, there) {
            self.delete_link(owner, here.clone());
            return true;
        }
        // Somebody renamed the other end. By its own address this one is still ours.
        let own = [&pair.near, &pair.far]
            .into_iter()
            .find(|end| end.netns == here.netns && end.interface == here.interface);
        if let Some(Peer::Known(netns, now)) = &link.peer
            && recorded
            && *netns == there.netns
            && own.is_some_and(|own| link.mac == Some(own.mac))
        {
            self.delete_link(owner, here.clone());
            if let Some(number) = self.done.deleted.get(here).copied() {
                self.goes(LinkPlace::new(netns, now), number);
            }
            return true;
        }
        self.plan.problems.push(in_the_way("veth", here, link));
        false
    }

    fn adjust_end(
        &mut self,
        owner: &NetnsName,
        mtu: u32,
        link: &LinkPlace,
        observed: &Link,
        mac: MacAddress,
    ) {
        let mtu = (
            observed.mtu != mtu,
            Change {
                what: "mtu",
                from: Some(Value::Number(observed.mtu)),
                to: Value::Number(mtu),
            },
        );
        let mac = (
            observed.mac != Some(mac),
            Change {
                what: "mac",
                from: observed.mac.map(Value::Mac),
                to: Value::Mac(mac),
            },
        );
        for (differs, change) in [mtu, mac] {
            if differs {
                self.change(owner, item::Link::at(link.clone()), change);
            }
        }
    }
}

pub(super) fn in_the_way(wanted: &'static str, place: &LinkPlace, observed: &Link) -> Problem {
    Problem::LinkInTheWay {
        wanted,
        netns: place.netns.to_string(),
        interface: place.interface.to_string(),
        kind: kind_word(observed.kind.as_deref()).to_owned(),
        going_away: observed.peer == Some(Peer::Elsewhere),
    }
}

/// The kind of `link`, if a base link can be of that kind.
fn base_kind(link: &Link) -> Option<HolderKind> {
    link.kind.as_deref().and_then(HolderKind::parse)
}

fn is_base_link(link: &Link) -> bool {
    base_kind(link).is_some()
}

/// Whether `link` may stay: `auto` is content with any kind, so that a module loaded later does
/// not replace a link in use.
fn fits(choice: HolderChoice, link: &Link) -> bool {
    match (choice, base_kind(link)) {
        (_, None) => false,
        (HolderChoice::Auto, Some(_)) => true,
        (HolderChoice::Exactly(wanted), Some(kind)) => wanted == kind,
    }
}

/// Whether `link` is a veth whose other end is at `there`.
fn joins(link: &Link, there: &LinkPlace) -> bool {
    matches!(&link.peer, Some(Peer::Known(netns, interface))
        if netns == &there.netns && interface == &there.interface)
}

/// Whether `link` is a veth whose other end is at `there`, or in no namespace that has a name.
fn joins_or_dangles(link: &Link, there: &LinkPlace) -> bool {
    joins(link, there) || link.peer == Some(Peer::Elsewhere)
}
