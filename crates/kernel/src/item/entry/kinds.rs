//! How each kind of entry is encoded for the kernel and decoded: one file for each kind, and one list
//! of them.

mod rule;

use netnsctl_model::item::Values;
use netnsctl_netlink::packet::RouteNetlinkMessage;
use netnsctl_netlink::{Error, Socket};

/// The kernel's half of a kind of entry; [`netnsctl_model::item::EntryKind`] is the other.
pub(crate) struct Wire {
    /// The word for it.
    pub(crate) word: &'static str,
    /// The request that adds one, with its flags.
    pub(crate) add: fn(&Values) -> (u16, RouteNetlinkMessage),
    /// The request that removes one, with its flags.
    pub(crate) remove: fn(&Values) -> (u16, RouteNetlinkMessage),
    /// All entries that the kernel did not add by itself.
    pub(crate) list: fn(&mut Socket) -> Result<Vec<Found>, Error>,
}

/// An entry that is there.
pub(crate) enum Found {
    /// It can be declared.
    Known(Values),
    /// It cannot; in words.
    Other(String),
}

pub(crate) static KINDS: &[&Wire] = &[&rule::WIRE];

/// How to tell of the kind of that word.
pub(crate) fn wire(word: &str) -> Option<&'static Wire> {
    KINDS.iter().copied().find(|kind| kind.word == word)
}
