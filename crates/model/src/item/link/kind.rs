//! What a kind of link has of its own, and what of its values contradicts another.

use crate::config::section::{Fallback, Form, Key, Kind};
use crate::item::Values;
use crate::name::NetnsRef;

/// The word for the link that a link sends by.
pub const PARENT: &str = "parent";

/// The word for the namespace where that link is, and where packets of a tunnel leave.
pub const PARENT_NETNS: &str = "parent_netns";

/// A kind of link that `[[netns.NAME.link]]` takes: all that has to be known of it, but for how
/// the kernel is told, which its file in the kernel layer knows.
#[derive(Clone, Copy)]
pub struct LinkKind {
    /// IFLA_INFO_KIND, and the word for it in configuration.
    pub word: &'static str,
    /// The keys that it has of its own, each for this word alone.
    pub keys: &'static [Key],
    /// The keys of it that can change while it is there. With any other it is made anew.
    pub in_place: &'static [&'static str],
    /// The kinds of links that it cannot send by, since the kernel would take their parent instead.
    pub never_on: &'static [&'static str],
    /// What of its values contradicts another.
    pub check: fn(&Values) -> Option<Contradiction>,
}

/// Two values that cannot both be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The key at which to say so.
    pub word: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl LinkKind {
    /// A kind without keys; to be completed with `..LinkKind::PLAIN`.
    pub const PLAIN: Self = Self {
        word: "",
        keys: &[],
        in_place: &[],
        never_on: &[],
        check: |_| None,
    };

    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl std::fmt::Debug for LinkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word)
    }
}

impl PartialEq for LinkKind {
    fn eq(&self, other: &Self) -> bool {
        self.word == other.word
    }
}

impl Eq for LinkKind {}

/// The key for the link that a link of these kinds sends by.
pub const fn parent(of: &'static [&'static str]) -> Key {
    Key::new(
        PARENT,
        Kind::String(Form::Interface),
        "\"enp3s0\"",
        "the link that it sends by; it is waited for where nothing declared brings it",
    )
    .of(of)
}

/// The key for the namespace of that link.
pub const fn parent_netns(of: &'static [&'static str], about: &'static str) -> Key {
    Key::new(
        PARENT_NETNS,
        Kind::String(Form::Netns),
        "\"default\"",
        about,
    )
    .or(Fallback::Text(NetnsRef::HOME))
    .of(of)
}
