//! What listens where, and where it leads in the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::declared::{Declared, Forward};
use super::diagnostic::Report;
use super::links::Links;
use super::text::quote;
use crate::address::Endpoint;
use crate::name::NetnsRef;

/// Refuses two listeners of which the second could not be bound.
pub(super) fn listeners(declared: &Declared, report: &mut Report<'_>) {
    for (netns, namespace) in &declared.netns {
        for (n, second) in namespace.forwards.iter().enumerate() {
            let clash = (namespace.forwards[..n].iter()).find(|first| clash(first, second));
            let (Some(first), Some(listen)) = (clash, &second.listen) else {
                continue;
            };
            let Some(before) = &first.listen else {
                continue;
            };
            let (protocol, netns) = (second.protocol, quote(netns.as_str()));
            let message = if before.value == listen.value {
                format!(
                    "{protocol} {} is listened on twice in namespace {netns}",
                    listen.value
                )
            } else {
                format!(
                    "{protocol} {} and {} cannot both be listened on in namespace {netns}",
                    before.value, listen.value
                )
            };
            let hint = match (
                before.value.ip.is_unspecified(),
                before.value == listen.value,
            ) {
                (_, true) => "take another port or another address",
                _ => {
                    "one of them takes the port on all addresses (\"[::]\" those of IPv4 too); take another port or single addresses"
                }
            };
            report
                .error(listen.place, message)
                .hint(hint)
                .related(before.place, "already taken here");
        }
    }
}

fn clash(a: &Forward, b: &Forward) -> bool {
    let (Some(x), Some(y)) = (&a.listen, &b.listen) else {
        return false;
    };
    a.protocol == b.protocol && (covers(&x.value, &y.value) || covers(&y.value, &x.value))
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
    let there = &forward.netns.as_ref()?.value;
    let mut connect = forward.connect.as_ref()?.value.clone();
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
        let Some(listen) = &forward_there.listen else {
            return false;
        };
        let reached = own || !listen.value.ip.is_unspecified();
        forward_there.protocol == forward.protocol && reached && covers(&listen.value, &connect)
    };
    let found = namespace.forwards.iter().position(takes)?;
    Some((there, found))
}
