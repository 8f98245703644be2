//! Veth pairs, declared at one end.

use super::declared::{End, LinkName, Veth, addresses, default_link_name, link_name, netns_ref};
use super::diagnostic::{At, Place, Report};
use super::fields::Fields;
use super::text::quote;
use crate::address::MacAddress;
use crate::name::NetnsRef;

/// Link-layer address of the declaring end, unless given.
const NEAR_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

/// Link-layer address of the other end, unless given.
const FAR_MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 0]);

/// Reads one `veth` of the namespace `here`.
pub(super) fn read(fields: &Fields<'_>, here: &NetnsRef, report: &mut Report<'_>) -> Veth {
    let netns = match fields.entry("netns") {
        Some(_) => (fields.string("netns", report)).and_then(|text| netns_ref(text, report)),
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
        mac: mac(fields, "mac", report).map_or(NEAR_MAC, |mac| mac.value),
        address: addresses(fields.strings("address", report), report),
    };
    let far = End {
        name: far_name,
        mac: mac(fields, "peer_mac", report).map_or(FAR_MAC, |mac| mac.value),
        address: addresses(fields.strings("peer_address", report), report),
    };
    if near.mac == far.mac {
        same_mac(fields, near.mac, report);
    }
    Veth {
        netns,
        near,
        far,
        mtu: fields.integer("mtu", report),
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

fn mac(fields: &Fields<'_>, key: &str, report: &mut Report<'_>) -> Option<At<MacAddress>> {
    let text = fields.string(key, report)?;
    if let Some(value) = MacAddress::parse(text.value) {
        return Some(At {
            value,
            place: text.place,
        });
    }
    report
        .error(
            text.place,
            format!("{} is no address that a link can have", quote(text.value)),
        )
        .hint(
            "write six bytes, such as \"02:00:00:00:00:01\"; the first is even, not all are zero",
        );
    None
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
