//! `veth` of a namespace: veth pairs, declared at one end.

use super::part::{Everywhere, Part, Target};
use super::{Fallback, Form, Key, Kind, Section, Shape};
use crate::address::{InterfaceAddress, MacAddress};
use crate::config::contradictions::Contradictions;
use crate::config::diagnostic::{At, Place, Report};
use crate::config::fields::Fields;
use crate::config::links::{Link, Links, Pair};
use crate::config::shared::{LinkName, addresses, default_link_name, link_name};
use crate::config::text::quote;
use crate::config::values;
use crate::desired::{VethEnd, VethPair};
use crate::name::NetnsRef;

/// MTUs a veth takes: ETH_MIN_MTU and ETH_MAX_MTU of linux/if_ether.h.
pub(super) const MTU: std::ops::RangeInclusive<i64> = 68..=65535;

/// MTU of a veth whose declaration gives none, in bytes.
pub const DEFAULT_MTU: u32 = 1400;

/// Link-layer address of the declaring end, unless given.
const NEAR_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

/// Link-layer address of the other end, unless given.
const FAR_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 0]);

/// One `veth` of a namespace.
pub static SECTION: Section = Section {
    word: "veth",
    shape: Shape::List,
    title: "a veth pair",
    heading: "VETH PAIRS",
    summary: "veth pairs to other namespaces, declared at one end",
    about: "A pair of links with one end here and one in another namespace. It is declared at one \
            end only, no matter which. Both ends have a link-local address made of their MAC \
            address; with the default ones they are fe80::ff:fe00:1 here and fe80::ff:fe00:0 there. \
            Refused: both ends in one namespace, a pair declared at both ends, and an MTU below 1280 \
            where IPv6 is used.",
    keys: &[KEYS],
    also: &["cable", "pair", "peer", "endpoints"],
    is_in_host: true,
    more: "\n[[netns.NAME.veth]]\nnetns = \"lab\"\n",
    ..Section::EMPTY
};

static KEYS: &[Key] = &[
    Key::new(
        "netns",
        Kind::String(Form::Netns),
        "\"default\"",
        "the namespace of the other end",
    )
    .or(Fallback::Text(NetnsRef::HOME))
    .required_in_host(),
    Key::new(
        "interface",
        Kind::String(Form::Link),
        "\"host\"",
        "name of this end",
    )
    .or(Fallback::Words(
        "\"host\" towards default, else the other namespace's name",
    )),
    Key::new(
        "peer_interface",
        Kind::String(Form::Link),
        "\"office\"",
        "name of the other end",
    )
    .or(Fallback::Words(
        "\"host\" if this end is in default, else this namespace's name",
    )),
    Key::new(
        "mtu",
        Kind::Integer(*MTU.start(), *MTU.end()),
        "1400",
        "MTU of both ends, in bytes",
    )
    .or(Fallback::Integer(DEFAULT_MTU)),
    Key::new(
        "mac",
        Kind::String(Form::Mac),
        "\"02:00:00:00:00:01\"",
        "link-layer address of this end",
    )
    .or(Fallback::Mac(NEAR_MAC)),
    Key::new(
        "peer_mac",
        Kind::String(Form::Mac),
        "\"02:00:00:00:00:00\"",
        "link-layer address of the other end",
    )
    .or(Fallback::Mac(FAR_MAC)),
    Key::new(
        "address",
        Kind::Strings(Form::Address),
        "[\"192.168.77.2/30\"]",
        "addresses of this end",
    )
    .or(Fallback::Texts(&[])),
    Key::new(
        "peer_address",
        Kind::Strings(Form::Address),
        "[\"192.168.77.1/30\"]",
        "addresses of the other end",
    )
    .or(Fallback::Texts(&[])),
];

/// One pair.
#[derive(Debug)]
pub(super) struct Declared {
    /// The namespace of the other end.
    netns: Option<At<NetnsRef>>,
    near: End,
    far: End,
    mtu: Option<At<u32>>,
}

#[derive(Debug)]
struct End {
    name: Option<LinkName>,
    mac: MacAddress,
    address: Vec<At<InterfaceAddress>>,
}

impl Part for Vec<Declared> {
    fn read(given: &[Fields<'_>], here: &NetnsRef, report: &mut Report<'_>) -> Self {
        given
            .iter()
            .map(|fields| read(fields, here, report))
            .collect()
    }

    fn join(&mut self, more: Self) {
        self.extend(more);
    }

    fn add_links<'d>(&'d self, here: &'d NetnsRef, links: &mut Links<'d>) {
        for (number, veth) in self.iter().enumerate() {
            let Some(there) = veth.netns.as_ref().map(|netns| &netns.value) else {
                continue;
            };
            let pair = Some(Pair {
                here,
                number,
                there,
            });
            for (netns, end) in ends(here, veth) {
                if let Some(name) = &end.name {
                    let label = match name.given {
                        true => "this end has that name",
                        false => "an end of this pair has that name",
                    };
                    links.add(
                        netns,
                        Link {
                            name,
                            address: &end.address,
                            pair,
                            label,
                        },
                    );
                }
            }
        }
    }

    fn references(&self) -> Vec<&At<NetnsRef>> {
        self.iter().filter_map(|veth| veth.netns.as_ref()).collect()
    }

    fn rule_out<'d>(
        &'d self,
        here: &'d NetnsRef,
        _links: &Links<'d>,
        found: &mut Contradictions<'d>,
    ) {
        for veth in self {
            for (netns, end) in ends(here, veth) {
                if let (Some(name), Some(mtu)) = (&end.name, veth.mtu) {
                    found.mtu(netns, &name.name, mtu, "this pair");
                }
            }
        }
    }

    fn check(all: &Everywhere<'_, Self>, _links: &Links<'_>, report: &mut Report<'_>) {
        for veths in all.values() {
            for veth in *veths {
                both_ends(veth, report);
                subnets(veth, report);
            }
        }
    }

    fn build(self, target: &mut Target<'_>) -> Option<()> {
        for veth in self {
            target.veths.push(VethPair {
                near: end(target.here.clone(), veth.near)?,
                far: end(veth.netns?.value, veth.far)?,
                mtu: veth.mtu.map_or(DEFAULT_MTU, |mtu| mtu.value),
            });
        }
        Some(())
    }
}

fn end(netns: NetnsRef, end: End) -> Option<VethEnd> {
    Some(VethEnd {
        netns,
        interface: end.name?.name,
        mac: end.mac,
        address: end.address.into_iter().map(|it| it.value).collect(),
    })
}

/// Reads one `veth` of the namespace `here`.
fn read(fields: &Fields<'_>, here: &NetnsRef, report: &mut Report<'_>) -> Declared {
    let netns = match fields.entry("netns") {
        Some(_) => fields.value("netns", report, values::netns),
        None if report.is_broken(fields.place.file) => None,
        None => Some(At {
            value: NetnsRef::Home,
            place: fields.place,
        }),
    };
    let netns = netns.filter(|there| leads_away(there, here, fields, report));
    let there = netns.as_ref();
    let near_name = name(fields, "interface", there.map(|t| (&t.value, here)), report);
    let far_name = name(
        fields,
        "peer_interface",
        there.map(|t| (here, &t.value)),
        report,
    );
    let near = End {
        name: near_name,
        mac: fields
            .value("mac", report, values::mac)
            .map_or(NEAR_MAC, |mac| mac.value),
        address: addresses(fields.strings("address", report), report),
    };
    let far = End {
        name: far_name,
        mac: fields
            .value("peer_mac", report, values::mac)
            .map_or(FAR_MAC, |mac| mac.value),
        address: addresses(fields.strings("peer_address", report), report),
    };
    if near.mac == far.mac {
        same_mac(fields, near.mac, report);
    }
    Declared {
        netns,
        near,
        far,
        mtu: fields.integer("mtu", report),
    }
}

/// Warns of ends without a subnet in common: neither reaches the other.
fn subnets(veth: &Declared, report: &mut Report<'_>) {
    let of_family = |end: &'_ End, is_ipv4: bool| -> Vec<At<InterfaceAddress>> {
        let all = end.address.iter().copied();
        all.filter(|it| it.value.ip().is_ipv4() == is_ipv4 && !it.value.is_link_local())
            .collect()
    };
    for is_ipv4 in [true, false] {
        let (near, far) = (
            of_family(&veth.near, is_ipv4),
            of_family(&veth.far, is_ipv4),
        );
        let (Some(first), Some(second)) = (near.first(), far.first()) else {
            continue;
        };
        // Unnumbered links and point-to-point ones have routes to each other.
        if near.iter().chain(&far).any(|it| it.value.is_single()) {
            continue;
        }
        let meet = |a: &At<InterfaceAddress>, b: &At<InterfaceAddress>| {
            a.value.0.contains(&b.value.ip()) && b.value.0.contains(&a.value.ip())
        };
        if !near.iter().any(|a| far.iter().any(|b| meet(a, b))) {
            let (a, b) = (first.value.0, second.value.0);
            report
                .warning(
                    second.place,
                    format!("the ends of this veth pair are in different subnets: {a} and {b}"),
                )
                .hint(format!(
                    "give this end an address of {}, or the other end one of {}",
                    a.trunc(),
                    b.trunc()
                ))
                .related(first.place, "the other end is here");
        }
    }
}

/// Refuses a pair with both ends in one namespace.
fn leads_away(
    there: &At<NetnsRef>,
    here: &NetnsRef,
    fields: &Fields<'_>,
    report: &mut Report<'_>,
) -> bool {
    if there.value != *here {
        return true;
    }
    let message = format!(
        "both ends of this veth pair are in {}",
        quote(here.as_str())
    );
    let hint = match fields.entry("netns") {
        Some(_) => "\"netns\" names the namespace of the other end",
        None => "give \"netns\", the namespace of the other end; it is \"default\" if not given",
    };
    report.error(there.place, message).hint(hint);
    false
}

/// The name of an end: `key`, or else after the namespace that it leads to. `ends` are the
/// namespace it leads to and the one it is in; none if the former is not known.
fn name(
    fields: &Fields<'_>,
    key: &'static str,
    ends: Option<(&NetnsRef, &NetnsRef)>,
    report: &mut Report<'_>,
) -> Option<LinkName> {
    if fields.entry(key).is_some() {
        return link_name(fields.string(key, report)?, key, report);
    }
    let (to, _) = ends.filter(|_| !report.is_broken(fields.place.file))?;
    let place = match fields.entry("netns") {
        Some(entry) if key == "interface" => entry.node.place,
        _ => fields.place,
    };
    match to {
        NetnsRef::Home => default_link_name("host", place, key, report),
        NetnsRef::Named(name) => default_link_name(name.as_str(), place, key, report),
    }
}

fn same_mac(fields: &Fields<'_>, mac: MacAddress, report: &mut Report<'_>) {
    let at = |key| fields.entry(key).map(|entry| entry.node.place);
    let places: Vec<Place> = ["peer_mac", "mac"].into_iter().filter_map(at).collect();
    let place = places.first().copied().unwrap_or(fields.place);
    let diagnostic = report.error(
        place,
        format!("both ends of this veth pair have the address {mac}"),
    );
    diagnostic.hint("each end needs its own, or they share one link-local address; the defaults are \"02:00:00:00:00:01\" for this end and \"02:00:00:00:00:00\" for the other");
    if let Some(other) = places.get(1) {
        diagnostic.related(*other, "the same here");
    }
}

/// The ends of a pair and the namespaces they are in, the near one first; none if the far one is
/// not known.
fn ends<'d>(
    here: &'d NetnsRef,
    veth: &'d Declared,
) -> impl Iterator<Item = (&'d NetnsRef, &'d End)> {
    let there = veth.netns.as_ref().map(|netns| &netns.value);
    let ends = there.map(|there| [(here, &veth.near), (there, &veth.far)]);
    ends.into_iter().flatten()
}

/// Warns of a pair that has one address at both ends: the kernel takes it, and each end then takes
/// what is meant for the other for its own.
fn both_ends(veth: &Declared, report: &mut Report<'_>) {
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
