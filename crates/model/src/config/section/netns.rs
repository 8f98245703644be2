//! The file as a whole, and a namespace's own keys.

use super::part::{Declared, Namespace, Parts, SECTIONS};
use super::{Fallback, Form, Key, Kind, Section, Shape};
use crate::address::InterfaceAddress;
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::links::{Link, Links};
use crate::config::shared::{LinkName, addresses, default_link_name, link_name};
use crate::config::text::quote;
use crate::config::tree::{Entry, Node, Value};
use crate::desired::{Dns, Holder, HolderChoice, HolderKind, Netns, Nscd};
use crate::item::entry;
use crate::name::NetnsRef;

/// Words for `interface_kind`.
pub const INTERFACE_KINDS: &[&str] = &["auto", "dummy", "ifb", "bridge"];
const _: () = assert!(INTERFACE_KINDS.len() == HolderKind::PREFERENCE.len() + 1);

/// A whole file.
pub static FILE: Section = Section {
    shape: Shape::File,
    title: "a configuration file",
    keys: &[&[Key::new(
        "$schema",
        Kind::String(Form::Schema),
        "\"/usr/share/netnsctl/netnsctl.schema.json\"",
        "where an editor finds what \"netnsctl schema\" prints; means nothing to netnsctl",
    )]],
    children: &[&[&NETNS, &HOST]],
    ..Section::EMPTY
};

/// A namespace.
pub static NETNS: Section = Section {
    word: "netns",
    shape: Shape::Namespace,
    title: "a namespace",
    heading: "NAMESPACES",
    summary: "the namespaces, by name",
    about: "A namespace, and the link that holds its addresses. Forwarding is written before there \
            is any link, and also where it is false.",
    keys: &[KEYS],
    children: &[SECTIONS, entry::SECTIONS],
    ..Section::EMPTY
};

/// The host namespace: it is never created or deleted, so there is nothing else to say of it.
pub static HOST: Section = Section {
    word: NetnsRef::HOME,
    shape: Shape::Host,
    title: "[netns.default]",
    heading: "HOME",
    about: "The namespace the machine booted in takes no other keys, as it is never created or \
            deleted. What they mean is below.",
    ..Section::EMPTY
};

static KEYS: &[Key] = &[
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
    .or(Fallback::Texts(&[])),
    Key::new(
        "ipv4_forwarding",
        Kind::Boolean,
        "true",
        "whether the namespace routes IPv4",
    )
    .or(Fallback::Boolean(false)),
    Key::new(
        "ipv6_forwarding",
        Kind::Boolean,
        "true",
        "whether the namespace routes IPv6",
    )
    .or(Fallback::Boolean(false)),
];

/// What the keys of a namespace itself declare.
#[derive(Debug)]
pub(in crate::config) struct Own {
    /// None in the host namespace.
    holder: Option<LinkName>,
    kind: HolderChoice,
    address: Vec<At<InterfaceAddress>>,
    ipv4_forwarding: bool,
    ipv6_forwarding: bool,
}

impl Own {
    const NOTHING: Self = Self {
        holder: None,
        kind: HolderChoice::Auto,
        address: Vec::new(),
        ipv4_forwarding: false,
        ipv6_forwarding: false,
    };

    /// Adds the link that carries the addresses.
    pub(in crate::config) fn add_links<'d>(&'d self, here: &'d NetnsRef, links: &mut Links<'d>) {
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

/// Reads everything that one file declares.
pub(in crate::config) fn read_file(root: &Node, declared: &mut Declared, report: &mut Report<'_>) {
    let Some(file) = Fields::open(root, &FILE, report) else {
        return;
    };
    // For editors alone.
    let _ = file.string("$schema", report);
    let Some(entry) = file.entry("netns") else {
        return;
    };
    let Value::Table(entries) = &entry.node.value else {
        let is = entry.node.value.type_words();
        report
            .error(
                entry.node.place,
                format!("\"netns\" is {is}, but has to be a table"),
            )
            .hint("namespaces stand in it by name, each a table");
        return;
    };
    for entry in entries {
        read_netns(entry, declared, report);
    }
}

fn read_netns(entry: &Entry, declared: &mut Declared, report: &mut Report<'_>) {
    let place = entry.key_place;
    let name = match NetnsRef::parse(&entry.key) {
        Ok(name) => Some(name),
        Err(error) => {
            report
                .error(place, format!("{} {error}", quote(&entry.key)))
                .hint("a namespace's name is a file name of up to 200 bytes");
            None
        }
    };
    let namespace = match &name {
        Some(NetnsRef::Home) => host(entry, report),
        _ => named(entry, name.is_some(), report),
    };
    let Some(name) = name else {
        return;
    };
    match declared.netns.get_mut(&name) {
        Some(host) if name == NetnsRef::Home => host.join(namespace),
        Some(first) => {
            let message = format!(
                "namespace {} is declared in two files",
                quote(name.as_str())
            );
            report
                .error(place, message)
                .hint("declare all of it in one of them")
                .related(first.place, "first declared here");
        }
        None => {
            declared.netns.insert(name, namespace);
        }
    }
}

fn host(entry: &Entry, report: &mut Report<'_>) -> Namespace {
    let fields = Fields::open(&entry.node, &HOST, report);
    let parts = fields.map(|fields| Parts::read(&fields, &NetnsRef::Home, report));
    Namespace {
        place: entry.key_place,
        file: Some(entry.key_place.file),
        own: Own::NOTHING,
        parts: parts.unwrap_or_default(),
    }
}

/// `valid` is whether the name is one; if not, nothing is named after it.
fn named(entry: &Entry, valid: bool, report: &mut Report<'_>) -> Namespace {
    let mut namespace = Namespace {
        place: entry.key_place,
        file: Some(entry.key_place.file),
        own: Own::NOTHING,
        parts: Parts::default(),
    };
    let Some(fields) = Fields::open(&entry.node, &NETNS, report) else {
        return namespace;
    };
    let holder = if valid {
        holder_name(&fields, entry, report)
    } else if let Some(text) = fields.string("interface", report) {
        link_name(text, "interface", report).and(None)
    } else {
        None
    };
    namespace.own = Own {
        holder,
        kind: holder_kind(&fields, report),
        address: addresses(fields.strings("address", report), report),
        ipv4_forwarding: fields.boolean("ipv4_forwarding", report).unwrap_or(false),
        ipv6_forwarding: fields.boolean("ipv6_forwarding", report).unwrap_or(false),
    };
    let name = NetnsRef::parse(&entry.key).unwrap_or(NetnsRef::Home);
    namespace.parts = Parts::read(&fields, &name, report);
    namespace
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
