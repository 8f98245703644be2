//! The kinds of links that can be declared: one file for each, and one list of them.

mod bridge;
mod dummy;
mod ifb;
mod macvlan;
mod vxlan;

use super::kind::LinkKind;
use crate::config::section::{Fallback, Form, Key, Kind};

/// MTUs that can be given, in bytes: from ETH_MIN_MTU to ETH_MAX_MTU of linux/if_ether.h.
const MTU: std::ops::RangeInclusive<i64> = 68..=65535;

/// Makes what goes over all kinds from the list of them.
macro_rules! kinds {
    ($($kind:ident,)*) => {
        /// All of them.
        pub static KINDS: &[&LinkKind] = &[$(&$kind::KIND,)*];

        /// The words for them.
        static WORDS: &[&str] = &[$($kind::KIND.word,)*];

        /// The keys that every link has, and those that each kind has of its own.
        pub static KEYS: &[&[Key]] = &[COMMON, $($kind::KIND.keys,)*];
    };
}

kinds! {
    bridge,
    dummy,
    ifb,
    macvlan,
    vxlan,
}

/// The kind of that word.
pub fn kind(word: &str) -> Option<&'static LinkKind> {
    KINDS.iter().copied().find(|kind| kind.word == word)
}

static COMMON: &[Key] = &[
    Key::new("interface", Kind::String(Form::Link), "\"lan\"", "its name").required(),
    Key::new(
        "kind",
        Kind::String(Form::OneOf(WORDS)),
        "\"bridge\"",
        "what kind of link it is",
    )
    .required(),
    Key::new(
        "address",
        Kind::Strings(Form::Address),
        "[\"10.20.1.1/24\"]",
        "its addresses",
    )
    .or(Fallback::Texts(&[])),
    Key::new(
        "mtu",
        Kind::Integer(*MTU.start(), *MTU.end()),
        "1500",
        "its MTU, in bytes",
    )
    .or(Fallback::Words("the kernel's choice")),
    Key::new(
        "mac",
        Kind::String(Form::Mac),
        "\"02:00:00:00:01:01\"",
        "its link-layer address",
    )
    .or(Fallback::Words("the kernel's choice")),
    Key::new("up", Kind::Boolean, "true", "whether it is set up").or(Fallback::Boolean(true)),
];
