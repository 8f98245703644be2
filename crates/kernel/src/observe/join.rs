//! Turns the numbers that namespaces were told in into names, once all are at hand.

use std::collections::BTreeMap;

use netnsctl_model::address::{InterfaceAddress, MacAddress};
use netnsctl_model::desired::Route;
use netnsctl_model::item::Values;
use netnsctl_model::item::link::kind::{PARENT, PARENT_NETNS};
use netnsctl_model::item::link::kinds::kind;
use netnsctl_model::name::{InterfaceName, NetnsRef};
use netnsctl_model::observed::{
    Interior, Link, Observed, ObservedAddress, ObservedRoute, Peer, Presence,
};
use netnsctl_netlink as netlink;

use super::{Raw, Seen};
use crate::item;

/// Turns numbers into names, now that all namespaces are at hand.
pub(crate) fn join(found: BTreeMap<NetnsRef, Seen>, observed: &mut Observed) {
    let ends = Ends::of(&found);
    for (number, (netns, found)) in found.into_iter().enumerate() {
        let presence = match found {
            Seen::Absent => Presence::Absent,
            Seen::Stale => Presence::Stale,
            Seen::Present(raw) => Presence::Present(interior(number, raw, &ends)),
        };
        match (netns, presence) {
            (NetnsRef::Home, Presence::Present(interior)) => observed.home = interior,
            (NetnsRef::Home, _) => {}
            (NetnsRef::Named(name), presence) => drop(observed.netns.insert(name, presence)),
        }
    }
}

/// A link: the number of its namespace among those found, and its index there.
type Place = (usize, u32);

/// The links of all namespaces.
struct Ends {
    netns: Vec<NetnsRef>,
    names: BTreeMap<Place, InterfaceName>,
    /// Where the other end of a veth pair is. Both ends are in it if one of their namespaces has an id for
    /// the other.
    others: BTreeMap<Place, Place>,
}

impl Ends {
    fn of(found: &BTreeMap<NetnsRef, Seen>) -> Self {
        let mut ends = Self {
            netns: found.keys().cloned().collect(),
            names: BTreeMap::new(),
            others: BTreeMap::new(),
        };
        for (number, seen) in found.values().enumerate() {
            let Seen::Present(raw) = seen else { continue };
            for link in &raw.links {
                let place = (number, link.index);
                let name = InterfaceName::parse(&link.name).ok();
                ends.names.extend(name.map(|name| (place, name)));
                let other = ends.netns_of(number, link, raw).zip(link.peer_index);
                if let Some(other) = other.filter(|_| is_veth(link)) {
                    ends.others.insert(place, other);
                    ends.others.insert(other, place);
                }
            }
        }
        ends
    }

    /// The number of the namespace that the other end or the parent of `link` is in, if the namespace of
    /// `raw`, with number `number`, has an id for it.
    fn netns_of(&self, number: usize, link: &netlink::Link, raw: &Raw) -> Option<usize> {
        match link.peer_nsid {
            None => Some(number),
            Some(id) => self.netns.binary_search(raw.nsids.get(&id)?).ok(),
        }
    }

    /// The other end of the veth link at `place`.
    fn peer(&self, place: Place) -> Peer {
        let known = self.others.get(&place).and_then(|other| {
            let netns = self.netns.get(other.0)?.clone();
            Some(Peer::Known(netns, self.names.get(other)?.clone()))
        });
        known.unwrap_or(Peer::Elsewhere)
    }
}

pub(super) fn is_veth(link: &netlink::Link) -> bool {
    link.kind.as_deref() == Some("veth")
}

fn interior(number: usize, raw: Raw, ends: &Ends) -> Interior {
    let name_of = |index: u32| ends.names.get(&(number, index)).cloned();
    let mut links = BTreeMap::new();
    for link in &raw.links {
        let Some(name) = name_of(link.index) else {
            continue;
        };
        links.insert(
            name,
            Link {
                kind: link.kind.clone(),
                up: link.up,
                carrier: link.carrier,
                mtu: link.mtu,
                mac: link.mac.map(MacAddress),
                addresses: addresses(&raw, link.index),
                peer: is_veth(link).then(|| ends.peer((number, link.index))),
                values: values(number, link, &raw, ends),
            },
        );
    }
    let routes = raw
        .routes
        .iter()
        .filter_map(|route| observed_route(route, name_of))
        .collect();
    Interior {
        identity: raw.identity,
        links,
        routes,
        entries: raw.entries,
        sysctl: raw.sysctl,
    }
}

/// What the kind of a link has of its own, if it is a kind that can be declared. A namespace without
/// a name is told by none.
fn values(number: usize, link: &netlink::Link, raw: &Raw, ends: &Ends) -> Values {
    let word = link.kind.as_deref().unwrap_or_default();
    let Some(kind) = kind(word).filter(|kind| !kind.keys.is_empty()) else {
        return Values::new();
    };
    let wire = item::link::kinds::wire(word);
    let mut values = match (wire, &link.data) {
        (Some(wire), Some(data)) => (wire.decode)(data),
        _ => Values::new(),
    };
    let made_in = ends.netns_of(number, link, raw);
    let Some(made_in) = made_in.filter(|_| kind.key(PARENT_NETNS).is_some()) else {
        return values;
    };
    let netns = ends.netns.get(made_in);
    values.set_some(PARENT_NETNS, netns.map(|netns| netns.as_str().into()));
    let told = wire.zip(link.data.as_ref());
    let told = told.and_then(|(wire, data)| (wire.parent)(data));
    let index = told.or(link.peer_index);
    let parent = index.and_then(|index| ends.names.get(&(made_in, index)));
    values.set_some(PARENT, parent.map(|name| name.as_str().into()));
    values
}

fn addresses(raw: &Raw, index: u32) -> Vec<ObservedAddress> {
    let of_link = raw
        .addresses
        .iter()
        .filter(|address| address.index == index);
    let observed = of_link.filter_map(|address| {
        let net = ipnet::IpNet::new(address.ip, address.prefix_len).ok()?;
        let kernel_made = address.kernel_made || !address.permanent;
        Some(ObservedAddress {
            address: InterfaceAddress(net),
            kernel_made,
        })
    });
    observed.collect()
}

fn observed_route(
    route: &netlink::Route,
    name_of: impl Fn(u32) -> Option<InterfaceName>,
) -> Option<ObservedRoute> {
    let to = ipnet::IpNet::new(route.destination, route.prefix_len).ok()?;
    let interface = route.interface.and_then(name_of);
    let kernel_made = route.kernel_made;
    Some(ObservedRoute {
        route: Route {
            to,
            via: route.gateway,
            interface,
        },
        kernel_made,
    })
}
