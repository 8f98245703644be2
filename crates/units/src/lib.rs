//! The systemd units of a declaration, as text.
//!
//! A namespace is a service that makes it and takes it away; its view, name-service daemon, veth
//! pairs and forwards are units of their own that require it, are ordered after it and stop and
//! restart with it (Requires=, After=, PartOf= of systemd.unit(5)). It wants them in turn, so that
//! starting it starts them. A forward is a socket in the namespace it listens in and a service in
//! the one it connects in, which is why neither needs a capability.
//!
//! Opens no file and knows nothing of the machine but [`Facts`]: one input, one text. Nothing of
//! the declaration can end its line or be taken for a specifier, see `escape`.
#![forbid(unsafe_code)]

mod escape;
mod forward;
mod links;
mod name;
mod namespace;
mod nscd;
mod sandbox;
mod service_config;
mod text;

pub use forward::arguments as forward_arguments;
pub use name::{Parts, control_path, forward_of_service, orders_path};
pub use service_config::service_config;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use netnsctl_model::desired::Desired;
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef};

use name::Namespace;
use text::Unit;

/// What units need to know of the machine besides the declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The absolute path of the program.
    pub program: String,
    /// What `--config` named, as absolute paths; none for the search path.
    pub config: Vec<String>,
    /// The configuration file each namespace is declared in.
    pub sources: BTreeMap<NetnsRef, String>,
    /// Files in `/etc/netns/NAME`. Those that `up` writes need not be there yet.
    pub files: BTreeMap<NetnsName, BTreeSet<String>>,
    /// Whether there is a /etc/nsswitch.conf.
    pub host_nsswitch: bool,
    /// Namespaces that were made and may not be declared any more. Those that are not get a unit by
    /// which they can be stopped: systemd forgets how with the unit that started them.
    pub made: BTreeSet<NetnsName>,
    /// Whether namespaces come after network.target instead of before it. What else configures the
    /// network is then done before them, and nothing that waits for the network waits for them.
    pub after_network: bool,
}

impl Facts {
    /// The files a namespace has over those of /etc once it is up.
    fn files_of(&self, name: &NetnsName) -> BTreeSet<String> {
        let mut files = self.files.get(name).cloned().unwrap_or_default();
        files.insert("resolv.conf".to_owned());
        if self.host_nsswitch {
            files.insert("nsswitch.conf".to_owned());
        }
        files
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file with this text.
    File(String),
    /// A symbolic link to this path.
    Link(String),
}

/// The units of a declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Units {
    /// By path below the folder of units.
    pub entries: BTreeMap<String, Entry>,
    /// What is declared and cannot be a unit.
    pub left_out: Vec<LeftOut>,
}

/// A declared thing that cannot be a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The namespace it is declared in.
    pub of: NetnsRef,
    /// What it is; none for the whole namespace.
    pub what: Option<String>,
    /// Why.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.of.as_str();
        match &self.what {
            Some(what) => write!(f, "{what} of netns {of:?} gets no unit: {}", self.why),
            None => write!(f, "netns {of:?} gets no units: {}", self.why),
        }
    }
}

/// The target that wants every unit.
const TARGET: &str = "multi-user.target";

/// The units of everything declared.
pub fn units(desired: &Desired, facts: &Facts) -> Units {
    let mut making = Making {
        facts,
        units: Units::default(),
        parts: BTreeMap::new(),
        reserved: BTreeSet::new(),
        links: BTreeMap::new(),
    };
    let names: Vec<_> = desired
        .netns
        .keys()
        .filter(|name| making.can_be(name))
        .collect();
    for name in &names {
        let namespace = namespace_of(&NetnsRef::Named((*name).clone()));
        making.reserved.extend(namespace.own());
    }
    for (pair, number) in namespace::numbered(&desired.veths) {
        namespace::veth(&mut making, pair, number);
    }
    let links = |name| links::of(desired, name);
    for (name, number, link) in names.iter().copied().flat_map(links) {
        making.links.insert(
            (name.clone().into(), link.interface.clone()),
            namespace_of(&name.clone().into()).link(number),
        );
    }
    for (name, number, link) in names.iter().copied().flat_map(links) {
        links::service(&mut making, desired, name, number, link);
    }
    for (netns, number, forward) in desired.all_forwards() {
        forward::units(&mut making, &netns, number, forward);
    }
    for name in names {
        let nscd = &desired.netns[name].nscd;
        let has_nscd = nscd.enable && nscd::units(&mut making, name, nscd);
        namespace::view(&mut making, name, has_nscd);
        namespace::service(&mut making, name);
    }
    for name in &facts.made {
        if !desired.netns.contains_key(name) && name::unfit(name).is_none() {
            namespace::leftover(&mut making, name);
        }
    }
    making.units
}

/// Units in the making.
struct Making<'a> {
    facts: &'a Facts,
    units: Units,
    /// The units that follow each namespace.
    parts: BTreeMap<NetnsName, BTreeSet<String>>,
    /// The names of units that each namespace has, which no unit between two may take.
    reserved: BTreeSet<String>,
    /// The units that make links besides base links.
    links: BTreeMap<(NetnsRef, InterfaceName), String>,
}

impl Making<'_> {
    /// Whether a namespace can have units at all; says so if not.
    fn can_be(&mut self, name: &NetnsName) -> bool {
        let why = name::unfit(name);
        if let Some(why) = &why {
            self.leave_out(&NetnsRef::Named(name.clone()), None, why.clone());
        }
        why.is_none()
    }

    /// The first of `namespaces` that has no unit to follow.
    fn missing(&self, namespaces: &[&NetnsRef]) -> Option<String> {
        let unfit =
            |netns: &&&NetnsRef| netns.name().is_some_and(|name| name::unfit(name).is_some());
        let missing = namespaces.iter().find(unfit)?;
        Some(format!("netns {:?} has none", missing.as_str()))
    }

    fn leave_out(&mut self, of: &NetnsRef, what: Option<String>, why: String) {
        let of = of.clone();
        self.units.left_out.push(LeftOut { of, what, why });
    }

    /// Adds a unit and its link in the target, and notes which namespaces it follows.
    fn add(&mut self, name: &str, unit: Unit, follows: &[&NetnsRef]) {
        let link = Entry::Link(format!("../{name}"));
        let wants = format!("{TARGET}.wants/{name}");
        self.units
            .entries
            .insert(name.to_owned(), Entry::File(unit.finish()));
        self.units.entries.insert(wants, link);
        for netns in follows.iter().filter_map(|netns| netns.name()) {
            let parts = self.parts.entry(netns.clone()).or_default();
            parts.insert(name.to_owned());
        }
    }

    /// A unit with its head: what it is, and which file declares `netns`.
    fn unit(&self, netns: &NetnsRef, description: &str) -> Unit {
        let mut unit = Unit::new(netns, description);
        let source = self.facts.sources.get(netns);
        if let Some(source) = source.filter(|source| escape::is_line(source)) {
            unit.set("SourcePath", escape::value(source));
        }
        unit
    }

    /// Whether `names` may be units between namespaces and none of them is one already; says so of
    /// `what` if not.
    fn are_free(&mut self, of: &NetnsRef, what: &str, names: &[&str]) -> bool {
        for name in names {
            let why = if let Some(why) = name::too_long(name) {
                why
            } else if self.units.entries.contains_key(*name) || self.reserved.contains(*name) {
                format!("another unit has the name {name}")
            } else {
                continue;
            };
            self.leave_out(of, Some(what.to_owned()), why);
            return false;
        }
        true
    }

    /// The command line `netnsctl COMMAND NAME…`, by which a unit carries out its part.
    fn command(&self, words: &[&str]) -> String {
        let mut line = escape::program(&self.facts.program);
        for path in &self.facts.config {
            line.push_str(&format!(" --config {}", escape::argument(path)));
        }
        for word in words {
            line.push_str(&format!(" {}", escape::argument(word)));
        }
        line
    }
}

/// The namespace's units by name, for whoever asks from outside.
fn namespace_of(netns: &NetnsRef) -> Namespace {
    Namespace::of(netns)
}
