//! Addresses of links.

use crate::address::InterfaceAddress;
use crate::name::NetnsRef;

use super::{Change, Kind, LinkPlace, Value, Verb};

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The link.
    pub link: LinkPlace,
    /// The address.
    pub address: InterfaceAddress,
}

impl Kind for Address {
    const WORD: &'static str = "address";

    fn describe(&self, verb: Verb, _: &[Change], of: &NetnsRef) -> String {
        let again = match verb {
            Verb::Restore => ", which the kernel drops with another",
            Verb::Add | Verb::Change | Verb::Remove => "",
        };
        format!(
            "address {} on {}{again}",
            self.address,
            self.link.within(of)
        )
    }

    fn attempt(&self, verb: Verb, changes: &[Change], of: &NetnsRef) -> String {
        let (address, link) = (self.address, &self.link);
        match verb {
            Verb::Add | Verb::Restore => format!(
                "cannot add address {address} to \"{}\" in netns \"{}\"",
                link.interface, link.netns
            ),
            Verb::Change | Verb::Remove => format!(
                "cannot {} {} in netns \"{of}\"",
                verb.as_str(),
                self.describe(verb, changes, of)
            ),
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("netns", self.link.netns.as_str().into()),
            ("interface", self.link.interface.as_str().into()),
            ("address", Value::Text(self.address.to_string())),
        ]
    }

    fn places(&self) -> Vec<&NetnsRef> {
        vec![&self.link.netns]
    }
}
