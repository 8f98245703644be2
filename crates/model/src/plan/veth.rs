//! Veth pairs.

use crate::address::MacAddress;
use crate::desired::VethPair;
use crate::name::NetnsName;
use crate::observed::{Applied, Link, Peer, VethEnds};

use super::namespace::ends_of;
use super::planner::{Planner, place};
use super::{Action, LinkPlace, Problem};

impl Planner<'_> {
    /// Takes away the pairs we once made for `name` that are not wanted any more, before any link
    /// is created that might need a name of theirs.
    pub(super) fn remove_old_veths(&mut self, name: &NetnsName, target: &Applied) {
        let Some(record) = self.record(name) else {
            return;
        };
        for ends in record.applied.veths.difference(&target.veths) {
            self.delete_pair(name, ends);
        }
    }

    /// Takes a pair away if it was made for `name`.
    pub(super) fn remove_veth(&mut self, name: &NetnsName, ends: &VethEnds) {
        let record = self.record(name);
        if record.is_some_and(|record| record.applied.veths.contains(ends)) {
            self.delete_pair(name, ends);
        }
    }

    fn delete_pair(&mut self, name: &NetnsName, ends: &VethEnds) {
        let near = place(&ends.near.0, &ends.near.1);
        let far = place(&ends.far.0, &ends.far.1);
        if self
            .link(&near)
            .is_some_and(|link| joins_or_dangles(link, &far))
        {
            self.deleted.insert(far);
            self.delete_link(name, near);
        } else if self
            .link(&far)
            .is_some_and(|link| joins_or_dangles(link, &near))
        {
            self.delete_link(name, far);
        }
    }

    /// Brings one pair to what is declared.
    pub(super) fn veth(&mut self, owner: &NetnsName, pair: &VethPair, target: &Applied) {
        let near = place(&pair.near.netns, &pair.near.interface);
        let far = place(&pair.far.netns, &pair.far.interface);
        let (near_link, far_link) = (self.link(&near), self.link(&far));
        let paired = near_link
            .zip(far_link)
            .filter(|(near_link, far_link)| joins(near_link, &far) && joins(far_link, &near));
        let Some((near_link, far_link)) = paired else {
            if self.make_way(owner, pair, &near, &far) && self.make_way(owner, pair, &far, &near) {
                self.create_veth(owner, pair, near, far);
            }
            return;
        };
        for (end, link, observed) in [(&pair.near, &near, near_link), (&pair.far, &far, far_link)] {
            self.adjust_end(owner, pair.mtu, link, observed, end.mac);
            self.addresses(owner, link, &self.end_addresses(end, pair.mtu), target);
            // Once it is up the kernel would make the link-local address itself, and that cannot
            // be used at once.
            self.set_up(owner, link.clone());
        }
    }

    fn create_veth(&mut self, owner: &NetnsName, pair: &VethPair, near: LinkPlace, far: LinkPlace) {
        self.step(owner, Action::CreateVeth { pair: pair.clone() });
        for (end, link) in [(&pair.near, near), (&pair.far, far)] {
            self.created.insert(link.clone());
            self.deleted.remove(&link);
            for address in self.end_addresses(end, pair.mtu) {
                let action = Action::AddAddress {
                    link: link.clone(),
                    address,
                    again: false,
                };
                self.step(owner, action);
            }
        }
    }

    /// Deletes what stands at `here` if it is a veth of ours that leads elsewhere. False if it is
    /// somebody else's.
    fn make_way(
        &mut self,
        owner: &NetnsName,
        pair: &VethPair,
        here: &LinkPlace,
        there: &LinkPlace,
    ) -> bool {
        let Some(link) = self.link(here) else {
            return true;
        };
        // The record of a namespace that is gone is still right about our end at home.
        let record = self.observed.records.get(owner);
        let recorded = record.is_some_and(|record| record.applied.veths.contains(&ends_of(pair)));
        if recorded && joins_or_dangles(link, there) {
            self.delete_link(owner, here.clone());
            return true;
        }
        if let Some(Peer::Known(netns, now)) = &link.peer
            && recorded
            && *netns == there.netns
        {
            self.plan.problems.push(Problem::RenamedEnd {
                netns: there.netns.to_string(),
                interface: there.interface.to_string(),
                now: now.to_string(),
            });
            return false;
        }
        self.plan.problems.push(Problem::LinkInTheWay {
            wanted: "veth",
            netns: here.netns.to_string(),
            interface: here.interface.to_string(),
            kind: link.kind.clone().unwrap_or_else(|| "hardware".to_owned()),
            going_away: link.peer == Some(Peer::Elsewhere),
        });
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
        if observed.mtu != mtu {
            let action = Action::SetMtu {
                link: link.clone(),
                from: observed.mtu,
                to: mtu,
            };
            self.step(owner, action);
        }
        if observed.mac != Some(mac) {
            let action = Action::SetMac {
                link: link.clone(),
                from: observed.mac,
                to: mac,
            };
            self.step(owner, action);
        }
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
