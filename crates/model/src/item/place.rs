//! Where a link is.

use crate::name::{InterfaceName, NetnsRef};

/// A link by its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkPlace {
    /// The namespace it is in.
    pub netns: NetnsRef,
    /// Its name there.
    pub interface: InterfaceName,
}

impl LinkPlace {
    /// The link `interface` of `netns`.
    pub fn new(netns: &NetnsRef, interface: &InterfaceName) -> Self {
        Self {
            netns: netns.clone(),
            interface: interface.clone(),
        }
    }

    /// As it is called under the heading `of`: by its name alone where it is in that namespace.
    pub fn within(&self, of: &NetnsRef) -> String {
        if self.netns == *of {
            self.interface.to_string()
        } else {
            self.to_string()
        }
    }
}

impl std::fmt::Display for LinkPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.netns, self.interface)
    }
}
