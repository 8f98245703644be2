//! Parts of what is declared for a namespace, each of which a unit of systemd carries out.
//!
//! The parts of all namespaces together are what a whole `up` does, views aside, which it leaves
//! to whoever first needs one: after them it has nothing to do. Routes and sysctls of a link come
//! with the part that makes the link.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::address::InterfaceAddress;
use crate::desired::{Desired, Link, Route, VethPair};
use crate::name::{InterfaceName, NetnsName, NetnsRef};

use super::Request;
use super::made::Made;
use super::planner::Planner;

/// A part as it is typed: `namespace`, `view` or `veth:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartName {
    /// All but the rest.
    Namespace,
    /// The veth pair of that number, counted from 1 in the namespace that declares it.
    Veth(usize),
    /// The link of that number among those that stand alone, counted from 1.
    Link(usize),
    /// The view.
    View,
}

impl FromStr for PartName {
    type Err = BadPart;

    fn from_str(text: &str) -> Result<Self, BadPart> {
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        let (word, counted) = text.split_once(':').unwrap_or((text, ""));
        match (word, number(counted)) {
            ("namespace", None) if word == text => Ok(Self::Namespace),
            ("view", None) if word == text => Ok(Self::View),
            ("veth", Some(number)) => Ok(Self::Veth(number)),
            ("link", Some(number)) => Ok(Self::Link(number)),
            _ => Err(BadPart::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace => f.write_str("namespace"),
            Self::Veth(number) => write!(f, "veth:{number}"),
            Self::Link(number) => write!(f, "link:{number}"),
            Self::View => f.write_str("view"),
        }
    }
}

/// A part with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The namespace, its holder link, sysctls and files, and routes that need no veth pair.
    Namespace,
    /// A veth pair, its addresses, and the routes and sysctls of both namespaces that need it.
    Veth(Box<VethPair>),
    /// A link of that namespace that stands alone, its addresses, and the routes and sysctls that
    /// need it.
    Link(NetnsName, Box<Link>),
    /// The view.
    View,
}

/// Why there is no such part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPart {
    /// Home is not made, and has no view.
    #[error("the home namespace has no part \"{0}\", only veth:N")]
    Home(PartName),
    /// It declares fewer of them.
    #[error("netns {netns:?} declares {declared} {what}, so there is no part \"{part}\"")]
    NoSuchNumber {
        /// The namespace.
        netns: String,
        /// The part asked for.
        part: PartName,
        /// What it declares too few of.
        what: &'static str,
        /// How many it declares.
        declared: usize,
    },
    /// It is not declared.
    #[error("netns {0:?} is not declared")]
    Undeclared(String),
    /// No part is called that.
    #[error("{0:?} is no part of a namespace")]
    Unknown(String),
}

impl Part {
    /// The part called `part` of `netns`.
    pub fn find(desired: &Desired, netns: &NetnsRef, part: PartName) -> Result<Self, BadPart> {
        let declared = netns
            .name()
            .is_none_or(|name| desired.netns.contains_key(name));
        match (part, netns) {
            _ if !declared => Err(BadPart::Undeclared(netns.to_string())),
            (PartName::Veth(number), _) => {
                let of_it = desired
                    .veths
                    .iter()
                    .filter(|pair| pair.near.netns == *netns);
                let pairs: Vec<_> = of_it.collect();
                let pair = pairs.get(number - 1).ok_or_else(|| BadPart::NoSuchNumber {
                    netns: netns.to_string(),
                    part,
                    what: "veth pairs",
                    declared: pairs.len(),
                })?;
                Ok(Self::Veth(Box::new((*pair).clone())))
            }
            (PartName::Link(number), NetnsRef::Named(name)) => {
                let links = desired
                    .netns
                    .get(name)
                    .map_or(&[][..], |netns| &netns.links);
                let link = links.get(number - 1).ok_or_else(|| BadPart::NoSuchNumber {
                    netns: netns.to_string(),
                    part,
                    what: "links",
                    declared: links.len(),
                })?;
                Ok(Self::Link(name.clone(), Box::new(link.clone())))
            }
            (_, NetnsRef::Home) => Err(BadPart::Home(part)),
            (PartName::Namespace, _) => Ok(Self::Namespace),
            (PartName::View, _) => Ok(Self::View),
        }
    }
}

impl Request {
    /// Asks for one part of `netns`; a veth pair is part of both its namespaces.
    pub fn for_part(netns: &NetnsRef, part: Part) -> Self {
        let ends = match &part {
            Part::Veth(pair) => vec![&pair.near.netns, &pair.far.netns],
            Part::Namespace | Part::Link(..) | Part::View => vec![netns],
        };
        let names: BTreeSet<NetnsName> = ends
            .into_iter()
            .filter_map(NetnsRef::name)
            .cloned()
            .collect();
        Self {
            names: Some(names),
            part: Some(part),
            ..Self::default()
        }
    }

    /// Whether the namespace itself is asked for, and its settings.
    pub(super) fn makes_namespaces(&self) -> bool {
        matches!(self.part, None | Some(Part::Namespace))
    }

    /// Whether `made` is asked for.
    pub(super) fn makes(&self, made: Made<'_>) -> bool {
        match (&self.part, made) {
            (None, _) => true,
            (Some(Part::Veth(only)), Made::Pair(pair)) => **only == *pair,
            (Some(Part::Link(netns, only)), Made::Link(name, link)) => {
                netns == name && only.interface == link.interface
            }
            (Some(_), _) => false,
        }
    }

    /// Whether what needs `made`, or nothing that is made for itself, is asked for.
    fn makes_what_needs(&self, made: Option<Made<'_>>) -> bool {
        match (&self.part, made) {
            (None, _) | (Some(Part::Namespace), None) => true,
            (Some(_), Some(made)) => self.makes(made),
            (Some(_), None) => false,
        }
    }
}

impl<'a> Planner<'a> {
    /// Whether `route` of `name` is asked for.
    pub(super) fn chooses_route(&self, name: &NetnsName, route: &Route) -> bool {
        self.request.part.is_none()
            || self
                .request
                .makes_what_needs(self.brings_route(name, route))
    }

    /// The veth pairs with an end in `name`, and that end.
    fn pairs_in(
        &self,
        name: &NetnsName,
    ) -> impl Iterator<Item = (&'a VethPair, &'a crate::desired::VethEnd)> {
        let here = NetnsRef::Named(name.clone());
        self.ends.get(&here).into_iter().flatten().copied()
    }

    /// What brings the link `interface` of `name`, base links aside, with its addresses.
    fn brought(
        &self,
        name: &NetnsName,
    ) -> impl Iterator<Item = (Made<'a>, &'a InterfaceName, &'a [InterfaceAddress])> {
        let name = self.desired.netns.get_key_value(name).map(|(name, _)| name);
        let pairs = name.into_iter().flat_map(|name| self.pairs_in(name));
        let pairs =
            pairs.map(|(pair, end)| (Made::Pair(pair), &end.interface, end.address.as_slice()));
        let links = name.into_iter().flat_map(|name| {
            let links = self.netns(name).links.iter();
            links.map(move |link| {
                let made = Made::Link(name, link);
                (made, &link.interface, link.address.as_slice())
            })
        });
        pairs.chain(links)
    }

    /// What makes the link without which the kernel would not take `route`: the one it names, or
    /// the one by which its gateway is reached. As in the kernel, the longest prefix tells.
    fn brings_route(&self, name: &NetnsName, route: &Route) -> Option<Made<'a>> {
        let by_interface = |route: &Route| {
            let interface = route.interface.as_ref()?;
            let mut brought = self.brought(name);
            Some(brought.find(|(_, it, _)| *it == interface)?.0)
        };
        let (None, Some(via)) = (&route.interface, route.via) else {
            return by_interface(route);
        };
        let netns = self.netns(name);
        let of_base = netns.holder.address.iter().map(|address| (address.0, None));
        let of_others = self.brought(name).flat_map(|(made, _, addresses)| {
            addresses.iter().map(move |address| (address.0, Some(made)))
        });
        let on_link = netns.routes.iter().filter(|other| other.via.is_none());
        let of_routes = on_link.map(|other| (other.to, by_interface(other)));
        let reaching = of_base
            .chain(of_others)
            .chain(of_routes)
            .filter(|(net, _)| net.contains(&via));
        reaching.max_by_key(|(net, _)| net.prefix_len())?.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_print_as_they_were_read() {
        for text in ["namespace", "view", "veth:1", "veth:12", "link:3"] {
            assert_eq!(text.parse::<PartName>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "veth",
            "veth:",
            "veth:0",
            "veth:-1",
            "veth:x",
            "link:0",
            "view:1",
            "Namespace",
        ] {
            assert_eq!(
                text.parse::<PartName>(),
                Err(BadPart::Unknown(text.to_owned()))
            );
        }
    }
}
