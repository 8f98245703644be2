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
    let names: BTreeMap<(NetnsRef, u32), InterfaceName> = found
        .iter()
        .flat_map(|(netns, found)| {
            let links = match found {
                Seen::Present(raw) => raw.links.as_slice(),
                Seen::Absent | Seen::Stale => &[],
            };
            links.iter().filter_map(|link| {
                Some((
                    (netns.clone(), link.index),
                    InterfaceName::parse(&link.name).ok()?,
                ))
            })
        })
        .collect();
    for (netns, found) in found {
        let presence = match found {
            Seen::Absent => Presence::Absent,
            Seen::Stale => Presence::Stale,
            Seen::Present(raw) => Presence::Present(interior(&netns, raw, &names)),
        };
        match (netns, presence) {
            (NetnsRef::Home, Presence::Present(interior)) => observed.home = interior,
            (NetnsRef::Home, _) => {}
            (NetnsRef::Named(name), presence) => drop(observed.netns.insert(name, presence)),
        }
    }
}

fn interior(
    netns: &NetnsRef,
    raw: Raw,
    names: &BTreeMap<(NetnsRef, u32), InterfaceName>,
) -> Interior {
    let name_of = |index: u32| names.get(&(netns.clone(), index)).cloned();
    let mut links = BTreeMap::new();
    for link in &raw.links {
        let Some(name) = name_of(link.index) else {
            continue;
        };
        let peer = (link.kind.as_deref() == Some("veth")).then(|| peer(netns, link, &raw, names));
        links.insert(
            name,
            Link {
                kind: link.kind.clone(),
                up: link.up,
                carrier: link.carrier,
                mtu: link.mtu,
                mac: link.mac.map(MacAddress),
                addresses: addresses(&raw, link.index),
                peer,
                values: values(netns, link, &raw, names),
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
fn values(
    netns: &NetnsRef,
    link: &netlink::Link,
    raw: &Raw,
    names: &BTreeMap<(NetnsRef, u32), InterfaceName>,
) -> Values {
    let word = link.kind.as_deref().unwrap_or_default();
    let Some(kind) = kind(word).filter(|kind| !kind.keys.is_empty()) else {
        return Values::new();
    };
    let wire = item::link::kinds::wire(word);
    let mut values = match (wire, &link.data) {
        (Some(wire), Some(data)) => (wire.decode)(data),
        _ => Values::new(),
    };
    let made_in = match link.peer_nsid {
        None => Some(netns.clone()),
        Some(id) => raw.nsids.get(&id).cloned(),
    };
    let Some(made_in) = made_in.filter(|_| kind.key(PARENT_NETNS).is_some()) else {
        return values;
    };
    values.set(PARENT_NETNS, made_in.as_str().into());
    let told = wire.zip(link.data.as_ref());
    let told = told.and_then(|(wire, data)| (wire.parent)(data));
    let index = told.or(link.peer_index);
    let parent = index.and_then(|index| names.get(&(made_in, index)));
    values.set_some(PARENT, parent.map(|name| name.as_str().into()));
    values
}

fn peer(
    netns: &NetnsRef,
    link: &netlink::Link,
    raw: &Raw,
    names: &BTreeMap<(NetnsRef, u32), InterfaceName>,
) -> Peer {
    let other = match link.peer_nsid {
        None => Some(netns.clone()),
        Some(id) => raw.nsids.get(&id).cloned(),
    };
    let known = other.zip(link.peer_index).and_then(|place| {
        let name = names.get(&place)?.clone();
        Some(Peer::Known(place.0, name))
    });
    known.unwrap_or(Peer::Elsewhere)
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
