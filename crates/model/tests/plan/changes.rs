//! Changes that somebody might make to a declaration, several at once.

use std::collections::BTreeSet;

use netnsctl_model::address::{InterfaceAddress, MacAddress};
use netnsctl_model::desired::{Desired, Dns, HolderChoice, HolderKind, Link};
use netnsctl_model::item::link::kind::{PARENT, PARENT_NETNS};
use netnsctl_model::item::link::kinds::KINDS;
use netnsctl_model::item::{Entry, LinkPlace, Values};
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef};
use netnsctl_model::testing::{entries, link_values};
use proptest::prelude::*;
use proptest::sample::Index;

/// One change.
#[derive(Debug, Clone)]
enum Change {
    AddAddress(Index, u8),
    Dns(Index),
    DropAddress(Index, Index),
    DropRoute(Index, Index),
    DropSysctl(Index, Index),
    DropLink(Index, Index),
    DropVeth(Index),
    Entries(Index, Vec<Entry>),
    Forwarding(Index),
    HolderKind(Index),
    LinkValues(Index, Index, Vec<Values>),
    Mac(Index),
    Mtu(Index, u32),
    RenameHolder(Index),
    RenameVeth(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..250u8).prop_map(|(netns, last)| Change::AddAddress(netns, last)),
        at().prop_map(Change::Dns),
        (at(), at()).prop_map(|(netns, which)| Change::DropAddress(netns, which)),
        (at(), at()).prop_map(|(netns, which)| Change::DropRoute(netns, which)),
        (at(), at()).prop_map(|(netns, which)| Change::DropSysctl(netns, which)),
        (at(), at()).prop_map(|(netns, which)| Change::DropLink(netns, which)),
        at().prop_map(Change::DropVeth),
        (at(), entries()).prop_map(|(netns, all)| Change::Entries(netns, all)),
        at().prop_map(Change::Forwarding),
        at().prop_map(Change::HolderKind),
        (at(), at(), link_values())
            .prop_map(|(netns, which, values)| Change::LinkValues(netns, which, values)),
        at().prop_map(Change::Mac),
        (at(), 1280..9000u32).prop_map(|(pair, mtu)| Change::Mtu(pair, mtu)),
        at().prop_map(Change::RenameHolder),
        at().prop_map(Change::RenameVeth),
    ]
}

/// `old` after a few changes; the namespaces stay.
pub(crate) fn changed(old: Desired) -> impl Strategy<Value = Desired> {
    prop::collection::vec(change(), 1..6).prop_map(move |changes| {
        let mut desired = old.clone();
        for (number, change) in changes.iter().enumerate() {
            apply(&mut desired, change, number);
        }
        while drop_orphan(&mut desired) {}
        desired
    })
}

fn pick(desired: &Desired, index: &Index) -> Option<NetnsName> {
    let names: Vec<_> = desired.netns.keys().collect();
    (!names.is_empty()).then(|| names[index.index(names.len())].clone())
}

fn apply(desired: &mut Desired, change: &Change, number: usize) {
    match change {
        Change::DropVeth(at) | Change::Mac(at) | Change::Mtu(at, _) | Change::RenameVeth(at) => {
            if !desired.veths.is_empty() {
                let at = at.index(desired.veths.len());
                change_veth(desired, change, at, number);
            }
        }
        Change::AddAddress(at, _)
        | Change::Dns(at)
        | Change::DropAddress(at, _)
        | Change::DropLink(at, _)
        | Change::Entries(at, _)
        | Change::LinkValues(at, ..)
        | Change::DropRoute(at, _)
        | Change::DropSysctl(at, _)
        | Change::Forwarding(at)
        | Change::HolderKind(at)
        | Change::RenameHolder(at) => {
            if let Some(name) = pick(desired, at) {
                change_netns(desired, change, &name);
            }
        }
    }
}

/// Drops a link or a route that would wait for a link that is not declared any more.
fn drop_orphan(desired: &mut Desired) -> bool {
    let mut declared = BTreeSet::new();
    for (name, netns) in &desired.netns {
        let own = netns.links.iter().map(|link| &link.interface);
        let all = own.chain([&netns.holder.interface]);
        declared.extend(all.map(|it| LinkPlace::new(&name.clone().into(), it)));
    }
    let ends = desired.veths.iter().flat_map(|it| [&it.near, &it.far]);
    declared.extend(ends.map(|end| LinkPlace::new(&end.netns, &end.interface)));
    let mut dropped = false;
    for (name, netns) in &mut desired.netns {
        let before = (netns.links.len(), netns.routes.len());
        let is_declared = |place: Option<LinkPlace>| place.is_none_or(|it| declared.contains(&it));
        netns.links.retain(|link| is_declared(link.parent()));
        netns.routes.retain(|route| {
            let interface = route.interface.as_ref();
            is_declared(interface.map(|it| LinkPlace::new(&name.clone().into(), it)))
        });
        dropped |= before != (netns.links.len(), netns.routes.len());
    }
    dropped
}

fn change_veth(desired: &mut Desired, change: &Change, at: usize, number: usize) {
    match change {
        Change::DropVeth(_) => drop(desired.veths.remove(at)),
        Change::Mac(_) => desired.veths[at].near.mac = MacAddress([2, 1, 1, 1, 1, 9]),
        Change::Mtu(_, mtu) => desired.veths[at].mtu = *mtu,
        Change::RenameVeth(_) => {
            desired.veths[at].far.interface = unused(&format!("moved{number}"))
        }
        _ => unreachable!("not about a veth"),
    }
}

fn unused(name: &str) -> InterfaceName {
    InterfaceName::parse(name).unwrap()
}

/// Gives a link other values, those of its kind among `values`, and leaves it its parent.
fn change_values(link: &mut Link, values: &[Values]) {
    let number = KINDS.iter().position(|kind| *kind == link.kind).unwrap();
    let mut new = values[number].clone();
    for word in [PARENT, PARENT_NETNS] {
        if let (Some(key), Some(value)) = (link.kind.key(word), link.values.get(word)) {
            new.set(key.name, value.clone());
        }
    }
    link.values = new;
}

fn change_netns(desired: &mut Desired, change: &Change, name: &NetnsName) {
    let taken = |name: &InterfaceName, netns: &NetnsName, desired: &Desired| {
        let here = NetnsRef::Named(netns.clone());
        let mut ends = desired
            .veths
            .iter()
            .flat_map(|pair| [&pair.near, &pair.far]);
        ends.any(|end| end.netns == here && end.interface == *name)
    };
    let rename = unused("renamed");
    let can_rename = !taken(&rename, name, desired);
    let Some(netns) = desired.netns.get_mut(name) else {
        return;
    };
    match change {
        Change::AddAddress(_, last) => {
            let address = InterfaceAddress(format!("198.51.100.{last}/24").parse().unwrap());
            if !netns.holder.address.contains(&address) {
                netns.holder.address.push(address);
            }
        }
        Change::Dns(_) => {
            netns.dns = Dns {
                search: vec!["changed".into()],
                ..Dns::default()
            }
        }
        Change::DropAddress(_, which) if !netns.holder.address.is_empty() => {
            let at = which.index(netns.holder.address.len());
            netns.holder.address.remove(at);
        }
        Change::DropRoute(_, which) if !netns.routes.is_empty() => {
            let at = which.index(netns.routes.len());
            netns.routes.remove(at);
        }
        Change::DropLink(_, which) if !netns.links.is_empty() => {
            netns.links.remove(which.index(netns.links.len()));
        }
        Change::Entries(_, entries) => netns.entries = entries.iter().cloned().collect(),
        Change::LinkValues(_, which, values) if !netns.links.is_empty() => {
            let at = which.index(netns.links.len());
            change_values(&mut netns.links[at], values);
        }
        Change::DropSysctl(_, which) if !netns.sysctl.is_empty() => {
            let keys: Vec<_> = netns.sysctl.keys().cloned().collect();
            netns.sysctl.remove(&keys[which.index(keys.len())]);
        }
        Change::Forwarding(_) => netns.ipv4_forwarding ^= true,
        Change::HolderKind(_) => netns.holder.kind = HolderChoice::Exactly(HolderKind::Bridge),
        Change::RenameHolder(_) if can_rename => netns.holder.interface = rename,
        _ => {}
    }
}
