//! A link that shares another one, with a link-layer address of its own. See ip-link(8), "MACVLAN
//! and MACVTAP Type Support".

use crate::config::section::{Fallback, Form, Key, Kind};
use crate::item::link::kind::{LinkKind, parent, parent_netns};

const WORD: &str = "macvlan";
const OF: &[&str] = &[WORD];

/// MACVLAN_MODE_* of linux/if_link.h; `source` wants a list of addresses, so it is not among them.
const MODES: &[&str] = &["bridge", "passthru", "private", "vepa"];

pub(super) const KIND: LinkKind = LinkKind {
    word: WORD,
    keys: &[
        parent(OF).required(),
        parent_netns(OF, "the namespace of that link"),
        Key::new(
            "mode",
            Kind::String(Form::OneOf(MODES)),
            "\"bridge\"",
            "how links of one parent reach each other",
        )
        .or(Fallback::Text("bridge"))
        .of(OF),
    ],
    // `macvlan_changelink()` in drivers/net/macvlan.c; from and to passthru it refuses to change.
    in_place: &["mode"],
    // `macvlan_common_newlink()`, same file.
    never_on: OF,
    ..LinkKind::PLAIN
};
