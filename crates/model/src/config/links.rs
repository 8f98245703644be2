//! Which links each namespace will have: its holder, and the ends of veth pairs wherever those
//! are declared.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::{Declared, End, LinkName, Veth};
use super::diagnostic::{At, Place, Report};
use super::text::quote;
use crate::address::InterfaceAddress;
use crate::name::{InterfaceName, NetnsRef};

/// A link that a namespace will have.
#[derive(Clone, Copy)]
pub(super) struct Link<'d> {
    pub(super) name: &'d LinkName,
    pub(super) address: &'d [At<InterfaceAddress>],
    /// The pair that it is an end of.
    pair: Option<Pair<'d>>,
}

/// Which veth pair: the namespace that declares it, its number there, and the other namespace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair<'d> {
    here: &'d NetnsRef,
    number: usize,
    there: &'d NetnsRef,
}

/// The links of every namespace.
pub(super) type Links<'d> = BTreeMap<&'d NetnsRef, Vec<Link<'d>>>;

/// All links whose namespace and name are known.
pub(super) fn all(declared: &Declared) -> Links<'_> {
    let mut links = Links::new();
    for (here, namespace) in &declared.netns {
        if let Some(name) = &namespace.holder {
            links.entry(here).or_default().push(Link {
                name,
                address: &namespace.address,
                pair: None,
            });
        }
    }
    for (here, namespace) in &declared.netns {
        for (number, veth) in namespace.veths.iter().enumerate() {
            let pair = veth.netns.as_ref().map(|netns| Pair {
                here,
                number,
                there: &netns.value,
            });
            for (netns, end) in ends(here, veth) {
                if let Some(name) = &end.name {
                    let address = &end.address;
                    let link = Link {
                        name,
                        address,
                        pair,
                    };
                    links.entry(netns).or_default().push(link);
                }
            }
        }
    }
    links
}

/// The ends of a pair and the namespaces they are in, the near one first; none if the far one is
/// not known.
pub(super) fn ends<'d>(
    here: &'d NetnsRef,
    veth: &'d Veth,
) -> impl Iterator<Item = (&'d NetnsRef, &'d End)> {
    let there = veth.netns.as_ref().map(|netns| &netns.value);
    let ends = there.map(|there| [(here, &veth.near), (there, &veth.far)]);
    ends.into_iter().flatten()
}

/// Refuses two links of one name in one namespace.
pub(super) fn names(links: &Links<'_>, report: &mut Report<'_>) {
    // Two pairs that clash at both ends are one mistake.
    let mut told = BTreeSet::new();
    for (netns, links) in links {
        let mut seen: BTreeMap<&InterfaceName, Link<'_>> = BTreeMap::new();
        for link in links {
            let Some(first) = seen.get(&link.name.name) else {
                seen.insert(&link.name.name, *link);
                continue;
            };
            let fresh = match (first.pair, link.pair) {
                (Some(a), Some(b)) => told.insert((a, b)),
                _ => true,
            };
            if fresh {
                clash(netns, first, link, report);
            }
        }
    }
}

fn clash(netns: &NetnsRef, first: &Link<'_>, second: &Link<'_>, report: &mut Report<'_>) {
    let name = quote(second.name.name.as_str());
    let netns = quote(netns.as_str());
    // Pairs that join the same namespaces, each declared where the other ends.
    let both_ends = match (first.pair, second.pair) {
        (Some(a), Some(b)) if a.here == b.there && a.there == b.here => Some((a.here, b.here)),
        _ => None,
    };
    if let Some((a, b)) = both_ends {
        let (a, b) = (quote(a.as_str()), quote(b.as_str()));
        report
            .error(second.name.place, format!("the veth pair between {a} and {b} is declared at both ends: link {name} in {netns} comes from each"))
            .hint("declare it at one end only; two pairs need names of their own at each end")
            .related(first.name.place, "declared here too");
        return;
    }
    let hint = format!("give {} a name of its own", quote(second.name.key));
    let label = match first.pair {
        None if first.name.given => "the link that holds the addresses has that name",
        None => "the link that holds the addresses is named after the namespace",
        Some(_) if first.name.given => "this end has that name",
        Some(_) => "an end of this pair has that name",
    };
    report
        .error(
            second.name.place,
            format!("two links named {name} in namespace {netns}"),
        )
        .hint(hint)
        .related(first.name.place, label);
}

/// Refuses an address on two links of a namespace. Links may share an address that has the whole
/// of itself as prefix (unnumbered links), and each link has link-local ones of its own.
pub(super) fn addresses(links: &Links<'_>, report: &mut Report<'_>) {
    for (netns, links) in links {
        let mut seen: BTreeMap<_, (At<InterfaceAddress>, usize)> = BTreeMap::new();
        let all = links.iter().enumerate();
        for (n, address) in all.flat_map(|(n, l)| l.address.iter().map(move |a| (n, a))) {
            let ip = address.value.ip();
            let single = |a: &InterfaceAddress| a.prefix_len() == a.0.max_prefix_len();
            if matches!(ip, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local()) {
                continue;
            }
            match seen.get(&ip) {
                // Twice on one link: told where the list was read.
                Some((_, link)) if *link == n => {}
                Some((first, _)) if !(single(&first.value) && single(&address.value)) => {
                    report
                        .error(
                            address.place,
                            format!(
                                "address {ip} is on two links in namespace {}",
                                quote(netns.as_str())
                            ),
                        )
                        .hint("give each link its own; only /32 and /128 may be shared")
                        .related(first.place, "first given here");
                }
                _ => {
                    seen.insert(ip, (*address, n));
                }
            }
        }
    }
}

/// Warns of a pair that has one address at both ends: the kernel takes it, and each end then takes
/// what is meant for the other for its own.
pub(super) fn both_ends(declared: &Declared, report: &mut Report<'_>) {
    for namespace in declared.netns.values() {
        for veth in &namespace.veths {
            let ip = |address: &At<InterfaceAddress>| address.value.ip();
            for far in &veth.far.address {
                let near = veth.near.address.iter().find(|near| ip(near) == ip(far));
                if let Some(near) = near {
                    report
                        .warning(
                            far.place,
                            format!("address {} is on both ends of the veth pair", ip(far)),
                        )
                        .hint("neither end reaches the other by it; give each its own")
                        .related(near.place, "the other end has it");
                }
            }
        }
    }
}

/// Warns of a pair whose packets are too small for IPv6 although one end has use for it.
pub(super) fn mtu(declared: &Declared, report: &mut Report<'_>) {
    /// RFC 8200, section 5.
    const IPV6_LEAST: u32 = 1280;
    for (here, namespace) in &declared.netns {
        for veth in &namespace.veths {
            let Some(mtu) = veth.mtu.filter(|mtu| mtu.value < IPV6_LEAST) else {
                continue;
            };
            if let Some(place) = ipv6_use(declared, here, veth) {
                report
                    .warning(
                        mtu.place,
                        format!(
                            "an MTU of {} is too small for IPv6, which this pair carries",
                            mtu.value
                        ),
                    )
                    .hint(format!(
                        "give {IPV6_LEAST} or more; the kernel has no IPv6 on a link with less"
                    ))
                    .related(place, "IPv6 is used here");
            }
        }
    }
}

fn ipv6_use(declared: &Declared, here: &NetnsRef, veth: &Veth) -> Option<Place> {
    ends(here, veth).find_map(|(netns, end)| {
        let address = end.address.iter().find(|a| a.value.ip().is_ipv6());
        let through = |route: &&super::declared::Route| {
            let name = end.name.as_ref().map(|name| &name.name);
            let ipv6 = route.to.is_some_and(|to| to.value.addr().is_ipv6());
            ipv6 && name.is_some() && route.interface.as_ref().map(|i| &i.value) == name
        };
        let routes = declared.netns.get(netns).map(|n| &n.routes);
        let route = routes.and_then(|routes| routes.iter().find(through));
        let place = route.and_then(|route| route.to).map(|to| to.place);
        address.map(|a| a.place).or(place)
    })
}
