//! The file as a whole, and the namespaces in it.

use std::collections::BTreeMap;

use super::list::{Parts, SECTIONS};
use super::netns::{self, Own};
use super::part::Target;
use super::{Form, Key, Kind, Section, Shape, veth};
use crate::config::contradictions::Contradictions;
use crate::config::diagnostic::{At, Place, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::config::template;
use crate::config::text::quote;
use crate::config::tree::{Entry, Node, Value};
use crate::desired::Desired;
use crate::item::entry;
use crate::name::NetnsRef;

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
    children: &[&[&DEFAULTS, &NETNS, &HOST]],
    ..Section::EMPTY
};

/// What the namespaces of a file have unless they say otherwise.
pub static DEFAULTS: Section = Section {
    word: "defaults",
    shape: Shape::Defaults,
    title: "[defaults]",
    heading: "DEFAULTS",
    summary: "what the namespaces of this file have unless they say otherwise",
    about: "Each key of [defaults.dns] and [defaults.nscd] is that of every namespace of the same \
            file that does not have the key. [defaults.run] is for those without a run section: a \
            namespace that names who may enter it names all of them. The host namespace takes the \
            MTU only.",
    keys: &[&[Key::new(
        "mtu",
        Kind::Integer(*veth::MTU.start(), *veth::MTU.end()),
        "1500",
        "MTU in bytes of the veth pairs and links that have none of their own",
    )]],
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
    keys: &[netns::KEYS],
    children: &[SECTIONS, entry::SECTIONS],
    more: "\n[netns.\"host{n}\"]                 # host1 to host3\n\
           count = 3                         # how many namespaces this table declares\n\
           address = [\"10.21.0.{n}/24\"]      # 10.21.0.1 and so on: an address counts as a number\n",
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

/// Every namespace, that of the host first.
#[derive(Debug, Default)]
pub(in crate::config) struct Declared {
    pub(in crate::config) netns: BTreeMap<NetnsRef, Namespace>,
}

impl Declared {
    /// All links whose namespace and name are known.
    pub(in crate::config) fn links(&self) -> Links<'_> {
        let mut links = Links::default();
        for (here, namespace) in &self.netns {
            namespace.own.add_links(here, &mut links);
        }
        for (here, namespace) in &self.netns {
            namespace.parts.add_links(here, &mut links);
        }
        links
    }

    /// Says what keys rule out.
    pub(in crate::config) fn rule_out<'d>(
        &'d self,
        links: &Links<'d>,
        found: &mut Contradictions<'d>,
    ) {
        for (here, namespace) in &self.netns {
            namespace.parts.rule_out(here, links, found);
        }
    }

    /// Says what keys need.
    pub(in crate::config) fn need<'d>(&'d self, found: &mut Contradictions<'d>) {
        for (here, namespace) in &self.netns {
            namespace.parts.need(here, found);
        }
    }

    /// Checks all namespaces, section by section.
    pub(in crate::config) fn check(&self, links: &Links<'_>, report: &mut Report<'_>) {
        let parts = self.netns.iter().map(|(here, it)| (here, &it.parts));
        Parts::check(&parts.collect(), links, report);
    }
}

/// One namespace.
#[derive(Debug)]
pub(in crate::config) struct Namespace {
    /// Its name, where it is declared.
    pub(in crate::config) place: Place,
    /// Index of the file that declares it; none if several do.
    pub(in crate::config) file: Option<usize>,
    /// Its own keys.
    own: Own,
    /// Its sections.
    parts: Parts,
}

impl Namespace {
    /// The namespaces that its sections lead to.
    pub(in crate::config) fn references(&self) -> Vec<&At<NetnsRef>> {
        self.parts.references()
    }

    /// Adds what another file declares of the host namespace, which nobody makes.
    fn join(&mut self, more: Self) {
        self.file = None;
        self.parts.join(more.parts);
    }

    /// Puts it into the desired state; none if a value that this needs was refused.
    pub(in crate::config) fn build(self, here: &NetnsRef, desired: &mut Desired) -> Option<()> {
        let mut netns = match here {
            NetnsRef::Home => None,
            NetnsRef::Named(_) => Some(self.own.build()?),
        };
        let mut target = Target {
            here,
            netns: netns.as_mut(),
            home: &mut desired.home,
            veths: &mut desired.veths,
        };
        let built = self.parts.build(&mut target);
        if let (NetnsRef::Named(name), Some(netns)) = (here, netns) {
            desired.netns.insert(name.clone(), netns);
        }
        built
    }
}

/// Reads everything that one file declares.
pub(in crate::config) fn read_file(root: &Node, declared: &mut Declared, report: &mut Report<'_>) {
    let Some(file) = Fields::open(root, &FILE, report) else {
        return;
    };
    // For editors alone.
    let _ = file.string("$schema", report);
    let defaults = read_defaults(&file, report);
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
        match defaults {
            [] => read_each(entry, declared, report),
            _ => read_each(&template::with_defaults(entry, defaults), declared, report),
        }
    }
}

/// The entries of `[defaults]`, read once for their mistakes.
fn read_defaults<'t>(file: &Fields<'t>, report: &mut Report<'_>) -> &'t [Entry] {
    let Some(entry) = file.entry(DEFAULTS.word) else {
        return &[];
    };
    let Some(fields) = Fields::open(&entry.node, &DEFAULTS, report) else {
        return &[];
    };
    let _ = fields.integer("mtu", report);
    let _ = Parts::read(&fields, &NetnsRef::Home, report);
    report.repeated(template::places(entry));
    fields.entries()
}

/// Reads the namespace, or each of those that a template declares. After a mistake the rest of them
/// would only have the same one.
fn read_each(entry: &Entry, declared: &mut Declared, report: &mut Report<'_>) {
    let Some(count) = template::count(entry) else {
        template::refuse_number(entry, report);
        return read_netns(entry, declared, report);
    };
    if count > 1 && !template::has_number(entry, report) {
        return;
    }
    report.repeated(template::places(entry));
    let before = report.errors();
    for number in 1..=count {
        if let Some(one) = template::instance(entry, number, report) {
            read_netns(&one, declared, report);
        }
        if report.errors() > before {
            // Nothing is said to be missing that one of the rest would have been.
            report.broken(entry.key_place.file);
            break;
        }
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
            let name = quote(name.as_str());
            let (message, hint) = match first.place.file == place.file {
                true => (
                    format!("namespace {name} is declared twice"),
                    "give one of them another name",
                ),
                false => (
                    format!("namespace {name} is declared in two files"),
                    "declare all of it in one of them",
                ),
            };
            report
                .error(place, message)
                .hint(hint)
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

/// `valid` is whether its name is one.
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
    namespace.own = Own::read(&fields, entry, valid, report);
    let name = NetnsRef::parse(&entry.key).unwrap_or(NetnsRef::Home);
    namespace.parts = Parts::read(&fields, &name, report);
    namespace
}
