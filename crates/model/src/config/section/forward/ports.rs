//! What listens where, and where it leads in the end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Declared as Forward;
use super::Everywhere;
use crate::address::Endpoint;
use crate::config::diagnostic::{At, Place, Report};
use crate::config::links::Links;
use crate::config::text::quote;
use crate::desired::Protocol;
use crate::forward_address::{ForwardAddress, SocketPath};
use crate::name::NetnsRef;

/// The forwards of every forwards.
type All<'d> = Everywhere<'d, Vec<Forward>>;

/// A forward: its namespace and its number there.
type Step<'d> = (&'d NetnsRef, usize);

/// Refuses two listeners of which the second could not be bound.
pub(super) fn listeners(all: &All<'_>, report: &mut Report<'_>) {
    let mut sockets: BTreeMap<&SocketPath, Place> = BTreeMap::new();
    for (&netns, forwards) in all {
        let mut ports: BTreeMap<_, Vec<At<&Endpoint>>> = BTreeMap::new();
        for forward in *forwards {
            let Some(listen) = &forward.listen else {
                continue;
            };
            let place = listen.place;
            match &listen.value {
                ForwardAddress::Inet(endpoint) => {
                    let earlier = ports.entry((forward.protocol, endpoint.port)).or_default();
                    let value = endpoint;
                    endpoint_once(
                        netns,
                        forward.protocol,
                        At { value, place },
                        earlier,
                        report,
                    );
                    earlier.push(At { value, place });
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
                        sockets.insert(path, place);
                    }
                },
            }
        }
    }
}

/// Refuses `listen` if one of the `earlier` listeners on its port keeps it from being bound.
fn endpoint_once(
    netns: &NetnsRef,
    protocol: Protocol,
    listen: At<&Endpoint>,
    earlier: &[At<&Endpoint>],
    report: &mut Report<'_>,
) {
    let (second, netns) = (listen.value, quote(netns.as_str()));
    let clash = |at: &&At<&Endpoint>| covers(at.value, second) || covers(second, at.value);
    let Some(At {
        value: first,
        place,
    }) = earlier.iter().find(clash).copied()
    else {
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
pub(super) fn circles(all: &All<'_>, links: &Links<'_>, report: &mut Report<'_>) {
    let listening = Listening::of_all(all, links);
    let mut seen: HashSet<Step<'_>> = HashSet::new();
    for (&netns, forwards) in all {
        for n in 0..forwards.len() {
            let mut path = Vec::new();
            let mut at = Some((netns, n));
            // A forward that was passed before leads to no circle that is not reported already.
            while let Some(step) = at.filter(|step| seen.insert(*step)) {
                path.push(step);
                at = listening.next(all, step);
            }
            if let Some(start) = at.and_then(|at| path.iter().position(|step| *step == at)) {
                circle(all, &mut path[start..], report);
            }
        }
    }
}

/// Reports a circle, at the first of the forwards that make it up.
fn circle(all: &All<'_>, path: &mut [Step<'_>], report: &mut Report<'_>) {
    let first = (0..path.len()).min_by_key(|n| path[*n]).unwrap_or(0);
    path.rotate_left(first);
    let forward = |(netns, n): Step<'_>| all.get(netns)?.get(n);
    let mut forwards = path.iter().copied().filter_map(forward);
    let Some(start) = forwards.next() else {
        return;
    };
    let (Some(listen), Some(connect)) = (&start.listen, &start.connect) else {
        return;
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
    for connect in forwards.filter_map(|forward| forward.connect.as_ref()) {
        diagnostic.related(connect.place, "and goes on here");
    }
}

/// A port of a forwards.
type Port<'d> = (&'d NetnsRef, Protocol, u16);

/// Who listens, to be found by what is connected to.
struct Listening<'d> {
    ports: HashMap<Port<'d>, Vec<(usize, &'d Endpoint)>>,
    sockets: HashMap<&'d SocketPath, Step<'d>>,
    addresses: HashSet<(&'d NetnsRef, IpAddr)>,
}

impl<'d> Listening<'d> {
    fn of_all(all: &All<'d>, links: &Links<'d>) -> Self {
        let mut listening = Self {
            ports: HashMap::new(),
            sockets: HashMap::new(),
            addresses: HashSet::new(),
        };
        for (&netns, forwards) in all {
            for (n, forward) in forwards.iter().enumerate() {
                match forward.listen.as_ref().map(|listen| &listen.value) {
                    Some(ForwardAddress::Inet(endpoint)) => {
                        let port = (netns, forward.protocol, endpoint.port);
                        listening.ports.entry(port).or_default().push((n, endpoint));
                    }
                    Some(ForwardAddress::Unix(path)) => {
                        listening.sockets.entry(path).or_insert((netns, n));
                    }
                    None => {}
                }
            }
        }
        for (netns, links) in links.by_netns() {
            let addresses = links.iter().flat_map(|link| link.address);
            listening
                .addresses
                .extend(addresses.map(|a| (netns, a.value.ip())));
        }
        listening
    }

    /// The forward that takes up what another one connects.
    fn next(&self, all: &All<'d>, (netns, n): Step<'_>) -> Option<Step<'d>> {
        let forward: &Forward = all.get(netns)?.get(n)?;
        let mut connect = match &forward.connect.as_ref()?.value {
            ForwardAddress::Unix(path) => return self.sockets.get(path).copied(),
            ForwardAddress::Inet(endpoint) => endpoint.clone(),
        };
        if connect.ip.is_unspecified() {
            connect.ip = match connect.ip {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
        }
        let there = &forward.netns.as_ref()?.value;
        let (there, _) = all.get_key_value(there)?;
        // Who listens on all addresses hears only what is sent to one of this forwards.
        let own = connect.ip.is_loopback() || self.addresses.contains(&(there, connect.ip));
        let listening = self.ports.get(&(there, forward.protocol, connect.port))?;
        let takes = |(_, listen): &&(usize, &Endpoint)| {
            (own || !listen.ip.is_unspecified()) && covers(listen, &connect)
        };
        let (found, _) = listening.iter().find(takes)?;
        Some((there, *found))
    }
}
