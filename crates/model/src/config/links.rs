//! Which links each namespace will have, whichever sections make them.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{At, Place, Report};
use super::shared::LinkName;
use super::text::{list, nearest, quote};
use crate::address::InterfaceAddress;
use crate::name::{InterfaceName, NetnsRef};

/// A link that a namespace will have.
#[derive(Clone, Copy)]
pub(super) struct Link<'d> {
    pub(super) name: &'d LinkName,
    pub(super) address: &'d [At<InterfaceAddress>],
    /// The pair that it is an end of.
    pub(super) pair: Option<Pair<'d>>,
    /// What has its name, for a message that another link has it too.
    pub(super) label: &'static str,
}

/// Which veth pair: the namespace that declares it, its number there, and the other namespace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair<'d> {
    pub(super) here: &'d NetnsRef,
    pub(super) number: usize,
    pub(super) there: &'d NetnsRef,
}

/// The links of every namespace.
#[derive(Default)]
pub(super) struct Links<'d> {
    /// Those of each namespace, in the order in which the sections add them.
    all: BTreeMap<&'d NetnsRef, Vec<Link<'d>>>,
}

impl<'d> Links<'d> {
    /// Adds a link of `netns`.
    pub(super) fn add(&mut self, netns: &'d NetnsRef, link: Link<'d>) {
        self.all.entry(netns).or_default().push(link);
    }

    /// Those of `netns`.
    pub(super) fn of(&self, netns: &NetnsRef) -> &[Link<'d>] {
        self.all.get(netns).map_or(&[], Vec::as_slice)
    }

    /// The namespaces that have links, with those.
    pub(super) fn by_netns(&self) -> impl Iterator<Item = (&'d NetnsRef, &[Link<'d>])> {
        self.all
            .iter()
            .map(|(netns, links)| (*netns, links.as_slice()))
    }

    /// Warns if nothing here declares the link `name` of the namespace `here`. It may come from
    /// elsewhere (a WireGuard link moved in), so this is no error; the host namespace has others
    /// in any case.
    pub(super) fn expect(
        &self,
        place: Place,
        name: &InterfaceName,
        here: &NetnsRef,
        report: &mut Report<'_>,
    ) {
        let links = self.of(here);
        let is_declared = || links.iter().any(|link| link.name.name == *name);
        if report.any_broken() || *here == NetnsRef::Home || name.as_str() == "lo" || is_declared()
        {
            return;
        }
        let names: Vec<&str> = match report.may_suggest() {
            true => links.iter().map(|link| link.name.name.as_str()).collect(),
            false => Vec::new(),
        };
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
}

/// Refuses two links of one name in one namespace.
pub(super) fn names(links: &Links<'_>, report: &mut Report<'_>) {
    // Two pairs that clash at both ends are one mistake.
    let mut told = BTreeSet::new();
    for (netns, links) in &links.all {
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
    report
        .error(
            second.name.place,
            format!("two links named {name} in namespace {netns}"),
        )
        .hint(hint)
        .related(first.name.place, first.label);
}

/// Refuses an address on two links of a namespace. Links may share an address that has the whole
/// of itself as prefix (unnumbered links), and each link has link-local ones of its own.
pub(super) fn addresses(links: &Links<'_>, report: &mut Report<'_>) {
    for (netns, links) in &links.all {
        let mut seen: BTreeMap<_, (At<InterfaceAddress>, usize)> = BTreeMap::new();
        let all = links.iter().enumerate();
        for (n, address) in all.flat_map(|(n, l)| l.address.iter().map(move |a| (n, a))) {
            let ip = address.value.ip();
            if address.value.is_link_local() {
                continue;
            }
            match seen.get(&ip) {
                // Twice on one link: told where the list was read.
                Some((_, link)) if *link == n => {}
                Some((first, _)) if !(first.value.is_single() && address.value.is_single()) => {
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
