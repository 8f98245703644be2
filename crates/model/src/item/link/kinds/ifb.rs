//! An intermediate functional block, to which traffic can be redirected. See drivers/net/ifb.c.

use crate::item::link::kind::LinkKind;

pub(super) const KIND: LinkKind = LinkKind {
    word: "ifb",
    ..LinkKind::PLAIN
};
