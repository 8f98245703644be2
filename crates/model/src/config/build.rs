//! What is declared, with nothing left open.

use super::declared::{Declared, End, Forward, Namespace, Route, Veth};
use super::keys::DEFAULT_MTU;
use crate::desired::{self, Desired, Holder, Home, Netns, VethEnd, VethPair};
use crate::name::NetnsRef;

/// The desired state; none if a value that it needs was refused.
pub(super) fn desired(declared: &Declared) -> Option<Desired> {
    let mut desired = Desired::default();
    for (name, namespace) in &declared.netns {
        let forwards = namespace
            .forwards
            .iter()
            .map(forward)
            .collect::<Option<_>>()?;
        match name {
            NetnsRef::Home => {
                desired.home = Home {
                    forwards,
                    run: namespace.run.clone(),
                };
            }
            NetnsRef::Named(name) => {
                let netns = netns(namespace, forwards)?;
                desired.netns.insert(name.clone(), netns);
            }
        }
        for veth in &namespace.veths {
            desired.veths.push(pair(name, veth)?);
        }
    }
    Some(desired)
}

fn netns(namespace: &Namespace, forwards: Vec<desired::Forward>) -> Option<Netns> {
    Some(Netns {
        holder: Holder {
            interface: namespace.holder.as_ref()?.name.clone(),
            kind: namespace.kind,
            address: namespace.address.iter().map(|a| a.value).collect(),
        },
        ipv4_forwarding: namespace.ipv4_forwarding,
        ipv6_forwarding: namespace.ipv6_forwarding,
        sysctl: namespace.sysctl.clone(),
        routes: namespace.routes.iter().map(route).collect::<Option<_>>()?,
        dns: namespace.dns.clone(),
        nscd: namespace.nscd.clone(),
        forwards,
        run: namespace.run.clone(),
    })
}

fn forward(forward: &Forward) -> Option<desired::Forward> {
    Some(desired::Forward {
        protocol: forward.protocol,
        listen: forward.listen.as_ref()?.value.clone(),
        netns: forward.netns.as_ref()?.value.clone(),
        connect: forward.connect.as_ref()?.value.clone(),
        options: forward.options,
    })
}

fn route(route: &Route) -> Option<desired::Route> {
    Some(desired::Route {
        to: route.to?.value,
        via: route.via.map(|via| via.value),
        interface: route.interface.as_ref().map(|i| i.value.clone()),
    })
}

fn pair(here: &NetnsRef, veth: &Veth) -> Option<VethPair> {
    Some(VethPair {
        near: end(here, &veth.near)?,
        far: end(&veth.netns.as_ref()?.value, &veth.far)?,
        mtu: veth.mtu.map_or(DEFAULT_MTU, |mtu| mtu.value),
    })
}

fn end(netns: &NetnsRef, end: &End) -> Option<VethEnd> {
    Some(VethEnd {
        netns: netns.clone(),
        interface: end.name.as_ref()?.name.clone(),
        mac: end.mac,
        address: end.address.iter().map(|a| a.value).collect(),
    })
}
