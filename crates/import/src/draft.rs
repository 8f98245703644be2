//! A declaration in the making.
//!
//! Values are text here, since they may be wrong: whether they are right is for the loader of
//! configuration to say, which sees the finished text.

use std::collections::BTreeMap;

use netnsctl_model::desired::Dns;
use netnsctl_model::item::Value;

/// What goes before the words of each thing that is not declared.
pub(crate) const NOT_EXPRESSED: &str = "not expressed: ";

/// A declaration in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Comments at the top.
    pub(crate) head: Vec<String>,
    /// Namespaces by name.
    pub(crate) netns: BTreeMap<String, Space>,
}

/// A value, and the words that say where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) origin: Option<String>,
}

impl Said {
    pub(crate) fn new(text: impl ToString) -> Self {
        Self {
            text: text.to_string(),
            origin: None,
        }
    }
}

/// A namespace.
#[derive(Debug, Default)]
pub(crate) struct Space {
    /// Comments above it.
    pub(crate) notes: Vec<String>,
    pub(crate) origin: Option<String>,
    /// The holder link's name, if it is not that of the namespace.
    pub(crate) interface: Option<String>,
    /// The holder link's kind, if not any will do.
    pub(crate) kind: Option<String>,
    pub(crate) address: Vec<Said>,
    pub(crate) ipv4_forwarding: bool,
    pub(crate) ipv6_forwarding: bool,
    pub(crate) dns: Option<Dns>,
    pub(crate) sysctl: BTreeMap<String, Said>,
    pub(crate) veths: Vec<Veth>,
    pub(crate) routes: Vec<Route>,
    pub(crate) tables: Vec<Table>,
}

/// A table of a list, whatever the section: a link that stands alone, or an entry.
#[derive(Debug)]
pub(crate) struct Table {
    /// The word of its section.
    pub(crate) section: &'static str,
    /// All of it in words.
    pub(crate) words: String,
    /// Its keys, each with its value.
    pub(crate) values: Vec<(&'static str, Value)>,
}

/// A veth pair; what is none is as it is by default.
#[derive(Debug, Default)]
pub(crate) struct Veth {
    pub(crate) origin: Option<String>,
    pub(crate) netns: String,
    pub(crate) interface: String,
    pub(crate) peer_interface: String,
    pub(crate) mtu: Option<u32>,
    pub(crate) mac: Option<String>,
    pub(crate) peer_mac: Option<String>,
    pub(crate) address: Vec<Said>,
    pub(crate) peer_address: Vec<Said>,
}

/// A route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    pub(crate) origin: Option<String>,
    pub(crate) to: String,
    pub(crate) via: Option<String>,
    pub(crate) interface: Option<String>,
}

impl Route {
    /// Whether both have one destination.
    pub(crate) fn leads_as(&self, other: &Self) -> bool {
        let is_ipv6 = |route: &Self| {
            let via = route.via.as_ref().is_some_and(|via| via.contains(':'));
            via || route.to.contains(':')
        };
        let to = |route: &Self| match route.to.as_str() {
            "default" | "0.0.0.0/0" | "::/0" => "default".to_owned(),
            to => to.to_owned(),
        };
        to(self) == to(other) && is_ipv6(self) == is_ipv6(other)
    }

    pub(crate) fn words(&self) -> String {
        let via = self.via.as_ref().map(|via| format!(" via {via}"));
        let interface = self.interface.as_ref().map(|link| format!(" dev {link}"));
        [Some(format!("route {}", self.to)), via, interface]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// A part of a draft that can be taken out alone. The last of a list comes first, so that those
/// before it keep their numbers when it goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Address(String, usize),
    /// Of the far end if the flag is set.
    VethAddress(String, usize, bool, usize),
    Veth(String, usize),
    Route(String, usize),
    Sysctl(String, String),
    Table(String, usize),
    Dns(String),
    Space(String),
}

impl Item {
    pub(crate) fn netns(&self) -> &str {
        match self {
            Self::Address(name, _)
            | Self::VethAddress(name, ..)
            | Self::Veth(name, _)
            | Self::Route(name, _)
            | Self::Sysctl(name, _)
            | Self::Table(name, _)
            | Self::Dns(name)
            | Self::Space(name) => name,
        }
    }
}

impl Draft {
    /// A comment about a thing of `netns` that cannot be declared.
    pub(crate) fn not_expressed(&mut self, netns: Option<&str>, words: impl AsRef<str>) {
        let line = format!("{NOT_EXPRESSED}{}", words.as_ref());
        match netns.and_then(|netns| self.netns.get_mut(netns)) {
            Some(space) => space.notes.push(line),
            None => self.head.push(line),
        }
    }
}

/// Where something comes from, in brackets.
pub(crate) fn origin(origin: Option<&String>) -> String {
    origin.map_or_else(String::new, |origin| format!(" ({origin})"))
}

fn take<T>(list: &mut Vec<T>, at: usize) -> Option<T> {
    (at < list.len()).then(|| list.remove(at))
}

impl Space {
    /// Takes a part out; what it said.
    pub(crate) fn take(&mut self, item: &Item) -> Option<String> {
        match item {
            Item::Address(_, at) => {
                let said = take(&mut self.address, *at)?;
                Some(format!(
                    "address {}{}",
                    said.text,
                    origin(said.origin.as_ref())
                ))
            }
            Item::VethAddress(_, veth, far, at) => {
                let veth = self.veths.get_mut(*veth)?;
                let (list, link) = match far {
                    true => (&mut veth.peer_address, &veth.peer_interface),
                    false => (&mut veth.address, &veth.interface),
                };
                let said = take(list, *at)?;
                let from = origin(said.origin.as_ref());
                Some(format!("address {} of {link}{from}", said.text))
            }
            Item::Veth(_, at) => take(&mut self.veths, *at).map(|veth| veth.words()),
            Item::Route(_, at) => {
                let route = take(&mut self.routes, *at)?;
                let from = origin(route.origin.as_ref());
                Some(format!("{}{from}", route.words()))
            }
            Item::Sysctl(_, key) => {
                let said = self.sysctl.remove(key)?;
                let from = origin(said.origin.as_ref());
                Some(format!("sysctl {key} = {}{from}", said.text))
            }
            Item::Table(_, at) => take(&mut self.tables, *at).map(|table| table.words),
            Item::Dns(_) => {
                let dns = self.dns.take()?;
                let words = [dns.nameservers, dns.search, dns.options].concat();
                Some(format!("dns {}", words.join(" ")))
            }
            Item::Space(_) => None,
        }
    }
}

impl Veth {
    /// All of it.
    pub(crate) fn words(&self) -> String {
        let from = origin(self.origin.as_ref());
        let texts = |list: &[Said]| {
            let texts: Vec<_> = list.iter().map(|said| said.text.as_str()).collect();
            match texts.is_empty() {
                true => String::new(),
                false => format!(" ({})", texts.join(", ")),
            }
        };
        format!(
            "veth {}{} to {} in netns {}{}{from}",
            self.interface,
            texts(&self.address),
            self.peer_interface,
            self.netns,
            texts(&self.peer_address),
        )
    }
}
