//! A bridge: what its ports send, it passes on to the others. See ip-link(8), "BRIDGE Type Support".

use crate::item::link::kind::LinkKind;

pub(super) const KIND: LinkKind = LinkKind {
    word: "bridge",
    ..LinkKind::PLAIN
};
