//! A namespace's own keys.

use super::{Fallback, Form, Key, Kind};
use crate::address::InterfaceAddress;
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::links::{Link, Links};
use crate::config::shared::{LinkName, addresses, default_link_name, link_name};
use crate::config::template::COUNT_MAX;
use crate::config::tree::Entry;
use crate::desired::{Dns, Holder, HolderChoice, HolderKind, Netns, Nscd};
use crate::name::NetnsRef;

/// Words for `interface_kind`.
pub const INTERFACE_KINDS: &[&str] = &["auto", "dummy", "ifb", "bridge"];
const _: () = assert!(INTERFACE_KINDS.len() == HolderKind::PREFERENCE.len() + 1);

/// Keys of a namespace itself.
pub(super) static KEYS: &[Key] = &[
    Key::new(
        "interface",
        Kind::String(Form::Link),
        "\"office\"",
        "name of the link that holds the addresses",
    )
    .or(Fallback::Words("the namespace's name")),
    Key::new(
        "interface_kind",
        Kind::String(Form::OneOf(INTERFACE_KINDS)),
        "\"auto\"",
        "kind of that link; auto takes the first this kernel has",
    )
    .or(Fallback::Text("auto")),
    Key::new(
        "address",
        Kind::Strings(Form::Address),
        "[\"10.20.0.1/24\", \"fd20::1/64\"]",
        "addresses of that link; without a prefix length /32 or /128 is meant",
    )
    .also(&["ip", "ipv4", "ipv6", "ips"])
    .or(Fallback::Texts(&[])),
    Key::new(
        "count",
        Kind::Integer(1, COUNT_MAX),
        "200",
        "how many namespaces this table declares; {n} in its name and texts is the number of each, \
         from 1, and an address counts as a number",
    )
    .apart(),
    Key::new(
        "ipv4_forwarding",
        Kind::Boolean,
        "true",
        "whether the namespace routes IPv4",
    )
    .also(&["ip_forward", "ipv4_forward", "IPv4Forwarding", "IPForward"])
    .or(Fallback::Boolean(false)),
    Key::new(
        "ipv6_forwarding",
        Kind::Boolean,
        "true",
        "whether the namespace routes IPv6",
    )
    .also(&["ipv6_forward", "IPv6Forwarding"])
    .or(Fallback::Boolean(false)),
];

/// What the keys of a namespace itself declare.
#[derive(Debug)]
pub(super) struct Own {
    /// None in the host namespace.
    holder: Option<LinkName>,
    kind: HolderChoice,
    address: Vec<At<InterfaceAddress>>,
    ipv4_forwarding: bool,
    ipv6_forwarding: bool,
}

impl Own {
    /// Those of a namespace that has none, as the host namespace.
    pub(super) const NOTHING: Self = Self {
        holder: None,
        kind: HolderChoice::Auto,
        address: Vec::new(),
        ipv4_forwarding: false,
        ipv6_forwarding: false,
    };

    /// Reads the keys of a namespace. `valid` is whether its name is one; if not, nothing is named
    /// after it.
    pub(super) fn read(
        fields: &Fields<'_>,
        entry: &Entry,
        valid: bool,
        report: &mut Report<'_>,
    ) -> Self {
        let holder = if valid {
            holder_name(fields, entry, report)
        } else if let Some(text) = fields.string("interface", report) {
            link_name(text, "interface", report).and(None)
        } else {
            None
        };
        // Only its type and range are checked here: `template` has made one namespace of it.
        let _ = fields.integer("count", report);
        Self {
            holder,
            kind: holder_kind(fields, report),
            address: addresses(fields.strings("address", report), report),
            ipv4_forwarding: fields.boolean("ipv4_forwarding", report).unwrap_or(false),
            ipv6_forwarding: fields.boolean("ipv6_forwarding", report).unwrap_or(false),
        }
    }

    /// Adds the link that carries the addresses.
    pub(super) fn add_links<'d>(&'d self, here: &'d NetnsRef, links: &mut Links<'d>) {
        if let Some(name) = &self.holder {
            let label = match name.given {
                true => "the link that holds the addresses has that name",
                false => "the link that holds the addresses is named after the namespace",
            };
            links.add(
                here,
                Link {
                    name,
                    address: &self.address,
                    pair: None,
                    label,
                },
            );
        }
    }

    /// The namespace without its sections; none if the link's name was refused.
    pub(super) fn build(self) -> Option<Netns> {
        let address = self.address.into_iter().map(|it| it.value);
        Some(Netns {
            holder: Holder {
                interface: self.holder?.name,
                kind: self.kind,
                address: address.collect(),
            },
            ipv4_forwarding: self.ipv4_forwarding,
            ipv6_forwarding: self.ipv6_forwarding,
            sysctl: std::collections::BTreeMap::new(),
            links: Vec::new(),
            entries: std::collections::BTreeSet::new(),
            routes: Vec::new(),
            dns: Dns::default(),
            nscd: Nscd::default(),
            forwards: Vec::new(),
            run: None,
        })
    }
}

fn holder_name(fields: &Fields<'_>, entry: &Entry, report: &mut Report<'_>) -> Option<LinkName> {
    match fields.entry("interface") {
        Some(_) => link_name(fields.string("interface", report)?, "interface", report),
        // It may be in the part that is not understood.
        None if report.is_broken(entry.key_place.file) => None,
        None => default_link_name(&entry.key, entry.key_place, "interface", report),
    }
}

fn holder_kind(fields: &Fields<'_>, report: &mut Report<'_>) -> HolderChoice {
    let word = fields.one_of("interface_kind", report);
    (word.and_then(HolderKind::parse)).map_or(HolderChoice::Auto, HolderChoice::Exactly)
}
