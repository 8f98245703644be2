//! Addresses of our links.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::address::{IPV6_MIN_MTU, InterfaceAddress};
use crate::desired::VethEnd;
use crate::item::{self, Item, Key};
use crate::name::{NetnsName, NetnsRef};
use crate::observed::{Applied, Link};

use super::planner::Planner;
use super::{LinkPlace, Verb};

impl<'a> Planner<'a> {
    /// Brings the addresses of one of our links to `wanted`, and takes away those we once put
    /// there and no longer want.
    pub(super) fn addresses(
        &mut self,
        of: &'a NetnsName,
        link: &LinkPlace,
        wanted: &[InterfaceAddress],
        target: &Applied,
    ) {
        let observed = self.link(link);
        let removed = self.outdated_addresses(of, link, target);
        for address in &removed {
            let (link, address) = (link.clone(), *address);
            if address.ip().is_ipv4() {
                self.done.lose_ipv4.insert(link.clone());
            }
            self.done.taken.insert((link.clone(), address.ip()));
            self.remove(of, item::Address { link, address });
        }
        let dropped =
            |address: &InterfaceAddress| removed.iter().any(|gone| shares_subnet(gone, address));
        for address in wanted {
            let there = observed.is_some_and(|observed| observed.has(address));
            if !there {
                self.add_address(of, link, *address, Verb::Add);
            } else if dropped(address) {
                self.add_address(of, link, *address, Verb::Restore);
            }
        }
        // What somebody else added to the same subnet must not go with ours.
        for other in observed.into_iter().flat_map(|link| &link.addresses) {
            let address = other.address;
            let is_ours = wanted.contains(&address) || removed.contains(&address);
            if !is_ours && !other.kernel_made && dropped(&address) {
                self.add_address(of, link, address, Verb::Restore);
            }
        }
    }

    fn add_address(
        &mut self,
        of: &NetnsName,
        link: &LinkPlace,
        address: InterfaceAddress,
        verb: Verb,
    ) {
        let item = item::Address {
            link: link.clone(),
            address,
        };
        let number = self.step(of, verb, item);
        let created = self.done.created.get(link).copied();
        self.needs(number, created);
        let reach = self.done.reach.entry(link.netns.clone()).or_default();
        reach.push((address.0, number));
    }

    /// Notes the links that keep an address which is added to another one of their namespace. The
    /// kernel takes that, and sends by whichever link has the narrower subnet. Links may share an
    /// address that has the whole of itself as prefix (unnumbered links).
    pub(super) fn tell_of_shared_addresses(&mut self) {
        let mut there = BTreeMap::new();
        let mut notes = Vec::new();
        for step in &self.plan.steps {
            let (Verb::Add, Item::Address(added)) = (step.verb, &step.item) else {
                continue;
            };
            let netns = &added.link.netns;
            let of_netns = there.entry(netns).or_insert_with(|| self.by_address(netns));
            if let Some(other) = self.other_with(added, of_netns) {
                notes.push(format!(
                    "address {} of \"{}\" in netns \"{netns}\" is also on \"{}\" there; only one of \
                     the two links is used for it",
                    added.address, added.link.interface, other.interface
                ));
            }
        }
        self.plan.notes.extend(notes);
    }

    /// The addresses that are in `netns`, with their links.
    fn by_address(&self, netns: &NetnsRef) -> BTreeMap<IpAddr, Vec<(LinkPlace, InterfaceAddress)>> {
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let links = self.interior(netns).into_iter().flat_map(|it| &it.links);
        for (interface, link) in links {
            for observed in &link.addresses {
                let place = LinkPlace::new(netns, interface);
                let of_ip = found.entry(observed.address.ip()).or_default();
                of_ip.push((place, observed.address));
            }
        }
        found
    }

    /// The link beside that of `added` that will have its address too.
    fn other_with<'b>(
        &self,
        added: &item::Address,
        there: &'b BTreeMap<IpAddr, Vec<(LinkPlace, InterfaceAddress)>>,
    ) -> Option<&'b LinkPlace> {
        let ip = added.address.ip();
        if added.address.is_link_local() {
            return None;
        }
        let stays = |place: &LinkPlace| {
            self.link(place).is_some() && !self.done.taken.contains(&(place.clone(), ip))
        };
        let mut others = there.get(&ip).into_iter().flatten();
        let other = others.find(|(place, it)| {
            *place != added.link && !(it.is_single() && added.address.is_single()) && stays(place)
        });
        other.map(|(place, _)| place)
    }

    /// Addresses that are there, were put there by us and are not wanted any more.
    fn outdated_addresses(
        &self,
        of: &NetnsName,
        link: &LinkPlace,
        target: &Applied,
    ) -> Vec<InterfaceAddress> {
        let (Some(observed), Some(record)) = (self.link(link), self.record(of)) else {
            return Vec::new();
        };
        let key = |address| {
            let link = link.clone();
            Key::Address(item::Address { link, address })
        };
        let recorded = record.applied.addresses_of(link);
        recorded
            .filter(|address| !target.contains(&key(*address)) && observed.has(address))
            .collect()
    }

    /// The declared addresses of a veth end and the link-local one that follows from its
    /// link-layer address. The kernel would make that one by itself, but only once there is a
    /// carrier and after a second of duplicate-address detection.
    pub(super) fn end_addresses(&self, end: &VethEnd, mtu: u32) -> Vec<InterfaceAddress> {
        let mut addresses = end.address.clone();
        let link_local = end.mac.link_local();
        if mtu >= IPV6_MIN_MTU && self.has_ipv6(end) && !addresses.contains(&link_local) {
            addresses.push(link_local);
        }
        addresses
    }

    /// Whether IPv6 will be on for a veth end: the kernel has it, and no sysctl turns it off.
    fn has_ipv6(&self, end: &VethEnd) -> bool {
        let (on_in_host, kernel_has_it) = self.host_ipv6;
        let Some(name) = end.netns.name() else {
            return on_in_host;
        };
        let interface = end.interface.as_str().replace('.', "/");
        let declared = self.desired.netns.get(name).map(|netns| &netns.sysctl);
        let off = declared.into_iter().flatten().any(|(key, value)| {
            let words: Vec<_> = key.as_str().split('.').collect();
            let turns_off = matches!(words[..], ["net", "ipv6", "conf", which, "disable_ipv6"]
                if which == "all" || which == "default" || which == interface);
            turns_off && value != "0"
        });
        kernel_has_it && !off
    }
}

/// Whether the kernel may drop `other` along with `gone`: unless `promote_secondaries` is on, all
/// IPv4 addresses of a subnet go with its first (`inet_del_ifa()` in net/ipv4/devinet.c).
fn shares_subnet(gone: &InterfaceAddress, other: &InterfaceAddress) -> bool {
    matches!(gone.ip(), IpAddr::V4(_)) && gone.0.trunc() == other.0.trunc()
}

/// Whether `ip` is in the subnet of one of the link's addresses.
pub(super) fn reaches(link: &Link, ip: IpAddr) -> bool {
    link.addresses
        .iter()
        .any(|observed| observed.address.0.contains(&ip))
}
