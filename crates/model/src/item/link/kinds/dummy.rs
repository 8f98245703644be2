//! A link that holds addresses and drops what is sent by it. See drivers/net/dummy.c.

use crate::item::link::kind::LinkKind;

pub(super) const KIND: LinkKind = LinkKind {
    word: "dummy",
    ..LinkKind::PLAIN
};
