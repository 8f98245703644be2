//! What only makes sense together: names that must be declared somewhere, routes beside each
//! other and beside the links they use.

use std::collections::BTreeMap;

use super::declared::{Declared, Namespace, Route};
use super::diagnostic::{At, Place, Report};
use super::links::{self, Links};
use super::ports;
use super::text::{list, nearest, quote};
use crate::name::{InterfaceName, NetnsRef};

/// Checks all that is declared against each other.
pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    references(declared, report);
    let links = links::all(declared);
    links::names(&links, report);
    links::addresses(&links, report);
    links::both_ends(declared, report);
    links::mtu(declared, report);
    ports::listeners(declared, report);
    ports::circles(declared, &links, report);
    unit_names(declared, report);
    for (name, namespace) in &declared.netns {
        routes_once(namespace, report);
        known_interfaces(name, declared, &links, report);
    }
}

/// Refuses to lead into a namespace that nobody declares.
fn references(declared: &Declared, report: &mut Report<'_>) {
    // It may be in the part that is not understood.
    if report.any_broken() {
        return;
    }
    for namespace in declared.netns.values() {
        let forwards = namespace.forwards.iter().filter_map(|f| f.netns.as_ref());
        let veths = namespace.veths.iter().filter_map(|v| v.netns.as_ref());
        for netns in forwards.chain(veths) {
            if netns.value == NetnsRef::Home || declared.netns.contains_key(&netns.value) {
                continue;
            }
            let names = || {
                declared
                    .netns
                    .keys()
                    .map(NetnsRef::as_str)
                    .filter(|n| *n != NetnsRef::HOME)
            };
            let hint = match nearest(netns.value.as_str(), names()) {
                Some(name) => format!("a similar name is declared: {}", quote(name)),
                None => format!(
                    "declared are {}",
                    list(names().take(10).chain([NetnsRef::HOME]), "and")
                ),
            };
            let message = format!("there is no namespace {}", quote(netns.value.as_str()));
            report.error(netns.place, message).hint(hint);
        }
    }
}

/// What follows a namespace's name in the names of the units of its parts. Parts that are counted
/// have their number next.
const UNIT_SUFFIXES: [(&str, bool); 4] = [
    ("-mntns", false),
    ("-nscd", false),
    ("-port-forward-", true),
    ("-extra-veth-", true),
];

/// The names of which `name` would be the unit of a part, each with the suffix that shows it.
fn bases(name: &str) -> impl Iterator<Item = (&str, &'static str)> {
    UNIT_SUFFIXES
        .into_iter()
        .flat_map(move |(suffix, is_counted)| {
            name.match_indices(suffix).filter_map(move |(at, _)| {
                let rest = &name[at + suffix.len()..];
                let is_part = match is_counted {
                    true => rest.starts_with(|next: char| next.is_ascii_digit()),
                    false => rest.is_empty(),
                };
                is_part.then_some((&name[..at], suffix))
            })
        })
}

/// Refuses names of which one is that of the other with the suffix of a part: the units of the
/// two, `netns-NAME-SUFFIX.service`, would be the same file, or be taken for each other's.
fn unit_names(declared: &Declared, report: &mut Report<'_>) {
    for (name, namespace) in &declared.netns {
        for (base, suffix) in bases(name.as_str()) {
            let Ok(base) = NetnsRef::parse(base) else {
                continue;
            };
            if let Some(other) = declared.netns.get(&base) {
                let (name, base) = (quote(name.as_str()), quote(base.as_str()));
                report
                    .error(namespace.place, format!("namespaces {base} and {name} cannot both be declared"))
                    .hint(format!("a unit of the former has the name of the latter's; choose one without {} in it", quote(suffix)))
                    .related(other.place, "the other is declared here");
            }
        }
    }
}

/// Refuses two routes to one destination: the kernel takes one per metric.
fn routes_once(namespace: &Namespace, report: &mut Report<'_>) {
    let mut seen: BTreeMap<_, Place> = BTreeMap::new();
    for to in namespace.routes.iter().filter_map(|route| route.to) {
        match seen.get(&to.value) {
            Some(first) => {
                let what = match to.value.prefix_len() {
                    0 if to.value.addr().is_ipv4() => "IPv4 default routes".to_owned(),
                    0 => "IPv6 default routes".to_owned(),
                    _ => format!("routes to {}", to.value),
                };
                report
                    .error(to.place, format!("two {what}"))
                    .hint("keep one of them")
                    .related(*first, "the first is here");
            }
            None => {
                seen.insert(to.value, to.place);
            }
        }
    }
}

/// Warns of interfaces that nothing here declares. They may come from elsewhere (a WireGuard link
/// moved in), so this is no error.
fn known_interfaces(
    here: &NetnsRef,
    declared: &Declared,
    links: &Links<'_>,
    report: &mut Report<'_>,
) {
    if report.any_broken() || *here == NetnsRef::Home {
        return;
    }
    let names: Vec<&str> = links.get(here).map_or(Vec::new(), |links| {
        links.iter().map(|link| link.name.name.as_str()).collect()
    });
    let namespace = &declared.netns[here];
    let of_routes = namespace.routes.iter().filter_map(|r| r.interface.as_ref());
    for interface in of_routes {
        known_interface(interface.place, &interface.value, here, &names, report);
    }
    for listen in namespace.forwards.iter().filter_map(|f| f.listen.as_ref()) {
        if let Some(scope) = listen.value.endpoint().and_then(|e| e.scope.as_ref()) {
            known_interface(listen.place, scope, here, &names, report);
        }
    }
    for forward in declared.netns.values().flat_map(|n| &n.forwards) {
        let there = forward.netns.as_ref().map(|netns| &netns.value);
        let connect = forward.connect.as_ref().filter(|_| there == Some(here));
        if let Some((at, scope)) =
            connect.and_then(|c| Some((c.place, c.value.endpoint()?.scope.as_ref()?)))
        {
            known_interface(at, scope, here, &names, report);
        }
    }
    for route in &namespace.routes {
        gateway_reached(route, namespace, here, links, report);
    }
}

fn known_interface(
    place: Place,
    name: &InterfaceName,
    here: &NetnsRef,
    names: &[&str],
    report: &mut Report<'_>,
) {
    if name.as_str() == "lo" || names.contains(&name.as_str()) {
        return;
    }
    let hint = match nearest(name.as_str(), names.iter().copied()) {
        Some(near) => format!("a similar name is declared: {}", quote(near)),
        None if names.is_empty() => "it has to be there when it is needed".to_owned(),
        None => format!(
            "declared are {}; another has to be there when it is needed",
            list(names.iter().copied(), "and")
        ),
    };
    let (name, here) = (quote(name.as_str()), quote(here.as_str()));
    report
        .warning(
            place,
            format!("no link {name} is declared in namespace {here}"),
        )
        .hint(hint);
}

/// Warns of a gateway that is on none of the networks at hand; the kernel would refuse the route
/// ("Nexthop has invalid gateway") unless something else puts it there.
fn gateway_reached(
    route: &Route,
    namespace: &Namespace,
    here: &NetnsRef,
    links: &Links<'_>,
    report: &mut Report<'_>,
) {
    let Some(At { value: via, place }) = route.via else {
        return;
    };
    let family = |to: At<ipnet::IpNet>| to.value.addr().is_ipv4() == via.is_ipv4();
    if !route.to.is_some_and(family) {
        return;
    }
    let mut links = links.get(here).into_iter().flatten().filter(|link| {
        let through = route.interface.as_ref();
        through.is_none_or(|through| through.value == link.name.name)
    });
    if matches!(via, std::net::IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        return;
    }
    // A link from elsewhere has addresses of its own.
    if route.interface.is_some() && links.clone().next().is_none() {
        return;
    }
    let on_link = links.any(|l| l.address.iter().any(|a| a.value.0.contains(&via)));
    let by_route = namespace
        .routes
        .iter()
        .any(|other| other.via.is_none() && other.to.is_some_and(|to| to.value.contains(&via)));
    if !on_link && !by_route {
        report
            .warning(place, format!("gateway {via} is on no network of namespace {}", quote(here.as_str())))
            .hint("the kernel takes a gateway only if an address with its prefix, or a route without gateway, leads to it");
    }
}
