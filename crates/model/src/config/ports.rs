//! What listens where, and where it leads in the end.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::declared::{Declared, Forward};
use super::diagnostic::{At, Place, Report};
use super::links::Links;
use super::text::quote;
use crate::address::Endpoint;
use crate::desired::Protocol;
use crate::forward_address::{ForwardAddress, SocketPath};
use crate::name::NetnsRef;

/// Refuses two listeners of which the second could not be bound.
pub(super) fn listeners(declared: &Declared, report: &mut Report<'_>) {
    let mut sockets: BTreeMap<&SocketPath, Place> = BTreeMap::new();
    for (netns, namespace) in &declared.netns {
        for (n, second) in namespace.forwards.iter().enumerate() {
            let Some(listen) = &second.listen else {
                continue;
            };
            match &listen.value {
                ForwardAddress::Inet(endpoint) => {
                    let earlier = &namespace.forwards[..n];
                    let endpoint = At {
                        value: endpoint,
                        place: listen.place,
                    };
                    endpoint_once(netns, second.protocol, endpoint, earlier, report);
                }
                ForwardAddress::Unix(path) => match sockets.get(path) {
                    Some(before) => {
                        report
                            .error(
                                listen.place,
                                format!("{} is listened on twice", listen.value),
                            )
                            .hint("its path is the same in every network namespace; take another")
                            .related(*before, "already taken here");
                    }
                    None => {
                        sockets.insert(path, listen.place);
                    }
                },
            }
        }
    }
}

/// Refuses `listen` if one of the `earlier` forwards of its namespace keeps it from being bound.
fn endpoint_once(
    netns: &NetnsRef,
    protocol: Protocol,
    listen: At<&Endpoint>,
    earlier: &[Forward],
    report: &mut Report<'_>,
) {
    let (second, netns) = (listen.value, quote(netns.as_str()));
    let clash = earlier.iter().find_map(|forward| {
        let at = forward.listen.as_ref()?;
        let first = at.value.endpoint()?;
        let clash = covers(first, second) || covers(second, first);
        (forward.protocol == protocol && clash).then_some((first, at.place))
    });
    let Some((first, place)) = clash else {
        return;
    };
    let message = if first == second {
        format!("{protocol} {second} is listened on twice in namespace {netns}")
    } else {
        format!("{protocol} {first} and {second} cannot both be listened on in namespace {netns}")
    };
    let hint = if first == second {
        "take another port or another address"
    } else {
        "one of them takes the port on all addresses (\"[::]\" those of IPv4 too); take another port or single addresses"
    };
    report
        .error(listen.place, message)
        .hint(hint)
        .related(place, "already taken here");
}

/// Whether what is sent to `to` reaches who listens on `listen`. A socket on `[::]` takes IPv4 as
/// well (ipv6(7), IPV6_V6ONLY).
fn covers(listen: &Endpoint, to: &Endpoint) -> bool {
    if listen.port != to.port {
        return false;
    }
    let same = listen.ip.to_canonical() == to.ip.to_canonical() && listen.scope == to.scope;
    let all = listen.ip.is_unspecified();
    same || all && (listen.ip.is_ipv6() || to.ip.to_canonical().is_ipv4())
}

/// Refuses forwards that lead back to where they start: a single connection would run until there
/// are no descriptors left.
pub(super) fn circles(declared: &Declared, links: &Links<'_>, report: &mut Report<'_>) {
    for (netns, namespace) in &declared.netns {
        for (n, forward) in namespace.forwards.iter().enumerate() {
            let start = (netns, n);
            let Some(path) = circle(declared, links, start) else {
                continue;
            };
            // Told once, at the first of those that make it up.
            if path.iter().any(|step| *step < start) {
                continue;
            }
            let (Some(listen), Some(connect)) = (&forward.listen, &forward.connect) else {
                continue;
            };
            let message = match path.len() {
                1 => format!(
                    "this forward connects to itself: {} is where it listens",
                    connect.value
                ),
                _ => format!("{} forwards lead in a circle", path.len()),
            };
            let diagnostic = report.error(connect.place, message);
            diagnostic.hint("connect to where something else listens");
            diagnostic.related(listen.place, "it starts here");
            for (netns, n) in path.iter().filter(|step| **step != start) {
                if let Some(connect) = &declared.netns[*netns].forwards[*n].connect {
                    diagnostic.related(connect.place, "and goes on here");
                }
            }
        }
    }
}

/// The forwards that are passed on the way from `start` back to it, if there is one.
fn circle<'d>(
    declared: &'d Declared,
    links: &Links<'_>,
    start: (&'d NetnsRef, usize),
) -> Option<Vec<(&'d NetnsRef, usize)>> {
    let mut path = vec![start];
    let mut at = start;
    loop {
        at = next(declared, links, at)?;
        if at == start {
            return Some(path);
        }
        // A circle further on, told by those who are in it.
        if path.contains(&at) {
            return None;
        }
        path.push(at);
    }
}

/// The forward that takes up what another one connects.
fn next<'d>(
    declared: &'d Declared,
    links: &Links<'_>,
    (netns, n): (&NetnsRef, usize),
) -> Option<(&'d NetnsRef, usize)> {
    let forward = declared.netns.get(netns)?.forwards.get(n)?;
    let connect = &forward.connect.as_ref()?.value;
    let Some(endpoint) = connect.endpoint() else {
        return listens_at(declared, connect);
    };
    let mut connect = endpoint.clone();
    let there = &forward.netns.as_ref()?.value;
    if connect.ip.is_unspecified() {
        connect.ip = match connect.ip {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
    }
    let (there, namespace) = declared.netns.get_key_value(there)?;
    // Who listens on all addresses hears only what is sent to one of this namespace.
    let mut addresses = links
        .get(there)
        .into_iter()
        .flatten()
        .flat_map(|l| l.address);
    let own = connect.ip.is_loopback() || addresses.any(|a| a.value.ip() == connect.ip);
    let takes = |forward_there: &Forward| {
        let listen = forward_there.listen.as_ref();
        let Some(listen) = listen.and_then(|listen| listen.value.endpoint()) else {
            return false;
        };
        let reached = own || !listen.ip.is_unspecified();
        forward_there.protocol == forward.protocol && reached && covers(listen, &connect)
    };
    let found = namespace.forwards.iter().position(takes)?;
    Some((there, found))
}

/// The forward that listens at the unix socket `socket`, in whichever namespace it is declared.
fn listens_at<'d>(
    declared: &'d Declared,
    socket: &ForwardAddress,
) -> Option<(&'d NetnsRef, usize)> {
    declared.netns.iter().find_map(|(netns, namespace)| {
        let here = |forward: &Forward| {
            let listen = forward.listen.as_ref();
            listen.is_some_and(|listen| listen.value == *socket)
        };
        Some((netns, namespace.forwards.iter().position(here)?))
    })
}
