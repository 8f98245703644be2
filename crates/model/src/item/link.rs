//! Links: a link that stands alone, and the veth pair, which is one item at two places.

pub mod kind;
pub mod kinds;

use crate::address::MacAddress;
use crate::name::{InterfaceName, NetnsRef};

use super::{Change, Kind, LinkKey, LinkPlace, Value, Values, Verb};
use kind::{PARENT, PARENT_NETNS};

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// IFLA_INFO_KIND; empty where the step does not need it.
    pub kind: &'static str,
    /// Where it is; of a pair, the end where it is declared.
    pub end: End,
    /// The other end of a veth pair.
    pub peer: Option<End>,
    /// What its kind has of its own.
    pub values: Values,
    /// The namespace in which it is made, where that is another: where its parent is, or where its
    /// packets leave.
    pub birthplace: Option<NetnsRef>,
}

/// A link at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The place.
    pub place: LinkPlace,
    /// In bytes; the kernel's choice if none.
    pub mtu: Option<u32>,
    /// The link-layer address; the kernel's choice if none.
    pub mac: Option<MacAddress>,
}

impl Link {
    /// The link at `place`, of which no more has to be known to change or remove it.
    pub fn at(place: LinkPlace) -> Self {
        Self {
            kind: "",
            end: End {
                place,
                mtu: None,
                mac: None,
            },
            peer: None,
            values: Values::new(),
            birthplace: None,
        }
    }

    /// What identifies it.
    pub fn key(&self) -> LinkKey {
        LinkKey {
            place: self.end.place.clone(),
            peer: self.peer.as_ref().map(|end| end.place.clone()),
        }
    }

    /// Its ends: one, or the two of a pair.
    pub fn ends(&self) -> impl Iterator<Item = &End> {
        std::iter::once(&self.end).chain(&self.peer)
    }

    /// The link that it sends by.
    pub fn parent(&self) -> Option<LinkPlace> {
        parent(&self.values)
    }
}

/// The namespace that [`PARENT_NETNS`] names, where a link has such a value.
pub fn parent_netns(values: &Values) -> Option<NetnsRef> {
    NetnsRef::parse(values.text(PARENT_NETNS)?).ok()
}

/// The link that [`PARENT`] names.
pub fn parent(values: &Values) -> Option<LinkPlace> {
    let interface = InterfaceName::parse(values.text(PARENT)?).ok()?;
    let netns = parent_netns(values)?;
    Some(LinkPlace { netns, interface })
}

impl Kind for Link {
    const WORD: &'static str = "link";

    fn describe(&self, verb: Verb, changes: &[Change], of: &NetnsRef) -> String {
        let place = self.end.place.within(of);
        match (verb, changes, &self.peer) {
            (Verb::Add | Verb::Restore, _, None) => {
                format!("link {place} ({}{})", self.kind, details(&self.values, of))
            }
            (Verb::Add | Verb::Restore, _, Some(peer)) => pair(&self.end, peer),
            (Verb::Change, changes, _) => {
                let changes: Vec<_> = changes.iter().map(changed).collect();
                format!("link {place} {}", changes.join(", "))
            }
            (Verb::Remove, _, _) => format!("link {place}"),
        }
    }

    fn attempt(&self, verb: Verb, changes: &[Change], of: &NetnsRef) -> String {
        let near = &self.end.place;
        match (verb, &self.peer) {
            (Verb::Add, Some(peer)) => format!(
                "cannot create veth \"{}\" in netns \"{}\" with \"{}\" in netns \"{}\"",
                near.interface, near.netns, peer.place.interface, peer.place.netns
            ),
            (Verb::Add, None) => format!(
                "cannot create {} link \"{}\" in netns \"{}\"",
                self.kind, near.interface, near.netns
            ),
            (verb, _) => {
                let described = self.describe(verb, changes, of);
                format!("cannot {} {described} in netns \"{of}\"", verb.as_str())
            }
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let place = &self.end.place;
        let mut values = vec![
            ("netns", place.netns.as_str().into()),
            ("interface", place.interface.as_str().into()),
        ];
        if !self.kind.is_empty() {
            values.push(("kind", self.kind.into()));
        }
        values.extend(self.end.mtu.map(|mtu| ("mtu", Value::Number(mtu))));
        values.extend(self.end.mac.map(|mac| ("mac", Value::Mac(mac))));
        let own = self.values.iter();
        values.extend(own.map(|(word, value)| (word, value.clone())));
        if let Some(peer) = &self.peer {
            values.push(("peer_netns", peer.place.netns.as_str().into()));
            values.push(("peer_interface", peer.place.interface.as_str().into()));
            values.extend(peer.mac.map(|mac| ("peer_mac", Value::Mac(mac))));
        }
        values
    }

    fn places(&self) -> Vec<&NetnsRef> {
        let places = self.ends().map(|end| &end.place.netns);
        places.chain(&self.birthplace).collect()
    }
}

/// What the kind of a link has of its own, after the word for it.
fn details(values: &Values, of: &NetnsRef) -> String {
    let mut text = match (parent(values), parent_netns(values)) {
        (Some(parent), _) => format!(" on {}", parent.within(of)),
        (None, Some(netns)) if netns != *of => format!(" from {netns}"),
        _ => String::new(),
    };
    for (word, value) in values.iter() {
        if ![PARENT, PARENT_NETNS].contains(&word) {
            text.push_str(&format!(", {word} {value}"));
        }
    }
    text
}

fn changed(change: &Change) -> String {
    let state = |up: bool| if up { "up" } else { "down" };
    match (&change.to, &change.from) {
        (Value::Flag(up), _) if change.what == "up" => format!("{} → {}", state(!up), state(*up)),
        (Value::Mac(to), from) => {
            let from = from
                .as_ref()
                .map_or_else(|| "none".to_owned(), ToString::to_string);
            format!("address {from} → {to}")
        }
        (to, Some(from)) => format!("{} {from} → {to}", change.what),
        (to, None) => format!("{} {to}", change.what),
    }
}

fn pair(near: &End, far: &End) -> String {
    let end = |end: &End| {
        let mac = end.mac.map_or_else(String::new, |mac| format!(" ({mac})"));
        format!("{}{mac}", end.place)
    };
    let mtu = near
        .mtu
        .map_or_else(String::new, |mtu| format!(", mtu {mtu}"));
    format!("veth {} ⇄ {}{mtu}", end(near), end(far))
}
