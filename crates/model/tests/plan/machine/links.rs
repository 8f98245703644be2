//! What the kernel does with links, their addresses, and routes.

use netnsctl_model::address::InterfaceAddress;
use netnsctl_model::desired::Route;
use netnsctl_model::item::link::kinds::kind;
use netnsctl_model::item::{self, Value};
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};
use netnsctl_model::observed::{Link, ObservedAddress, ObservedRoute, Peer};
use netnsctl_model::plan::LinkPlace;

use super::Machine;

impl Machine {
    pub(super) fn change_link(&mut self, place: &LinkPlace, changes: &[item::Change]) {
        let link = self.link(place);
        for change in changes {
            match (change.what, &change.to) {
                ("up", Value::Flag(up)) => link.up = *up,
                ("mtu", Value::Number(mtu)) => link.mtu = *mtu,
                ("mac", Value::Mac(mac)) => link.mac = Some(*mac),
                (what, to) => {
                    let kind = link.kind.as_deref().and_then(kind);
                    let kind = kind.unwrap_or_else(|| panic!("{change:?} of {place}"));
                    assert!(kind.in_place.contains(&what), "{change:?} of {place}");
                    link.values.set(what, to.clone());
                }
            }
        }
    }

    /// Makes a link as the kernel does: down.
    pub(super) fn create(&mut self, item: &item::Link) {
        if let Some(parent) = item::link::parent(&item.values) {
            self.link(&parent);
        }
        for end in item.ends() {
            let other = item.ends().find(|other| other.place != end.place);
            let peer = other
                .map(|other| Peer::Known(other.place.netns.clone(), other.place.interface.clone()));
            let link = Link {
                kind: Some(item.kind.into()),
                mtu: end.mtu.unwrap_or(1500),
                mac: end.mac,
                peer,
                values: item.values.clone(),
                ..Link::default()
            };
            self.create_link(&end.place.netns, &end.place.interface, link);
        }
    }

    pub(super) fn create_link(&mut self, netns: &NetnsRef, interface: &InterfaceName, link: Link) {
        let before = self.interior(netns).links.insert(interface.clone(), link);
        assert_eq!(before, None, "{netns}:{interface} is there");
        self.forget_values(netns, interface);
    }

    fn forget_values(&mut self, netns: &NetnsRef, interface: &InterfaceName) {
        let gone = |of: &NetnsName, key: &SysctlKey| {
            netns.name() == Some(of) && key.interface().as_ref() == Some(interface)
        };
        self.values.retain(|(of, key), _| !gone(of, key));
    }

    pub(super) fn delete_link(&mut self, place: &LinkPlace) {
        let interior = self.interior(&place.netns);
        let link = interior.links.remove(&place.interface);
        let link = link.unwrap_or_else(|| panic!("there is no link {place}"));
        let goes = |route: &Route| route.interface.as_ref() == Some(&place.interface);
        interior.routes.retain(|observed| !goes(&observed.route));
        self.forget_values(&place.netns, &place.interface);
        while let Some(child) = self.child(place) {
            self.delete_link(&child);
        }
        if let Some(Peer::Known(netns, interface)) = link.peer {
            let other = LinkPlace { netns, interface };
            self.link(&other).peer = None;
            self.delete_link(&other);
        }
    }

    /// A link that sends by the one at `place`.
    fn child(&self, place: &LinkPlace) -> Option<LinkPlace> {
        let named = self.observed.netns.iter().filter_map(|(name, presence)| {
            let links = &presence.interior()?.links;
            Some((NetnsRef::Named(name.clone()), links))
        });
        let mut all = named.chain([(NetnsRef::Home, &self.observed.home.links)]);
        all.find_map(|(netns, links)| {
            let is_child = |link: &Link| item::link::parent(&link.values).as_ref() == Some(place);
            let (interface, _) = links.iter().find(|(_, link)| is_child(link))?;
            Some(LinkPlace::new(&netns, interface))
        })
    }

    pub(super) fn add_address(
        &mut self,
        place: &LinkPlace,
        address: InterfaceAddress,
        again: bool,
    ) {
        let link = self.link(place);
        if again && link.has(&address) {
            return;
        }
        assert!(!link.has(&address), "{address} is on {place}");
        link.addresses.push(ObservedAddress {
            address,
            kernel_made: false,
        });
    }

    /// As without `promote_secondaries`: the rest of the subnet goes too, and with any IPv4
    /// address the routes that leave by the link.
    pub(super) fn remove_address(&mut self, place: &LinkPlace, address: InterfaceAddress) {
        // It may have gone with another of its subnet (EADDRNOTAVAIL).
        let link = self.link(place);
        let before = link.clone();
        let is_v4 = address.ip().is_ipv4();
        link.addresses.retain(|observed| {
            let same_subnet = observed.address.0.trunc() == address.0.trunc();
            observed.address != address && !(is_v4 && same_subnet)
        });
        if is_v4 {
            let leaves = |route: &Route| {
                let via = route.via.is_some_and(|via| {
                    before
                        .addresses
                        .iter()
                        .any(|observed| observed.address.0.contains(&via))
                });
                via || route.interface.as_ref() == Some(&place.interface)
            };
            self.interior(&place.netns)
                .routes
                .retain(|observed| !leaves(&observed.route));
        }
    }

    pub(super) fn add_route(&mut self, netns: &NetnsRef, route: &Route, again: bool) {
        let interior = self.interior(netns);
        let same = |observed: &ObservedRoute| {
            observed.route.to == route.to && observed.route.via == route.via
        };
        if interior.routes.iter().any(same) {
            assert!(again, "{route:?} is there");
            return;
        }
        let reached = |via| {
            interior.links.iter().find(|(_, link)| {
                link.addresses
                    .iter()
                    .any(|observed| observed.address.0.contains(&via))
            })
        };
        let found = route
            .via
            .and_then(reached)
            .map(|(interface, _)| interface.clone());
        let route = Route {
            interface: route.interface.clone().or(found),
            ..route.clone()
        };
        interior.routes.push(ObservedRoute {
            route,
            kernel_made: false,
        });
    }
}
