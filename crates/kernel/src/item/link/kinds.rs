//! How each kind of link is encoded for the kernel and decoded: one file for each kind that has keys of
//! its own, and one list of them.

mod macvlan;
mod vxlan;

use netnsctl_model::item::Values;
use netnsctl_netlink::packet::link::InfoData;

/// What a request to create a link says of its kind.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    /// IFLA_LINK.
    pub(crate) link: Option<u32>,
    /// IFLA_INFO_DATA.
    pub(crate) data: Option<InfoData>,
}

/// The kernel's half of a kind of link; [`netnsctl_model::item::LinkKind`] is the other.
pub(crate) struct Wire {
    /// IFLA_INFO_KIND.
    pub(crate) word: &'static str,
    /// Encodes values, for a new link or for what changes of one; with the index of its parent.
    pub(crate) encode: fn(&Values, parent: Option<u32>) -> Encoded,
    /// Decodes them, the parent aside.
    pub(crate) decode: fn(&InfoData) -> Values,
    /// The index of the parent, where IFLA_LINK does not tell it; 0 stands for none.
    pub(crate) parent: fn(&InfoData) -> Option<u32>,
}

static KINDS: &[&Wire] = &[&macvlan::WIRE, &vxlan::WIRE];

/// How to tell of the kind of that word; none if there is nothing to tell but the word.
pub(crate) fn wire(word: &str) -> Option<&'static Wire> {
    KINDS.iter().copied().find(|kind| kind.word == word)
}
