//! Everything that can be there or not: one file for each kind of item, and one list of them.
//!
//! A [`Step`](crate::plan::Step) of a plan is a verb and an item. What a step is called, which
//! namespaces it works in and what the record says of it follow from the item's own file. Nothing
//! outside of that file and its other half in the kernel layer has to know the kind.

mod access;
mod address;
mod directory;
pub mod entry;
mod file;
mod key;
pub mod link;
mod name;
mod netns;
mod place;
mod record;
mod route;
mod sysctl;
mod value;
mod verb;
mod view;

pub use access::Access;
pub use address::Address;
pub use directory::Directory;
pub use entry::{Entry, EntryKind};
pub use file::File;
pub use key::{BadKey, Fields, Key, LinkKey};
pub use link::kind::{Contradiction, LinkKind};
pub use link::{End, Link};
pub use name::Name;
pub use netns::Netns;
pub use place::LinkPlace;
pub use record::RecordFile;
pub use route::{Route, route_text};
pub use sysctl::Sysctl;
pub use value::{Change, Value, Values};
pub use verb::Verb;
pub use view::View;

use crate::name::NetnsRef;

/// What each kind of item has to say of itself.
pub trait Kind {
    /// The word for it: in JSON, and in a record where it stands in one.
    const WORD: &'static str;

    /// As [`Kind::WORD`], unless the type stands for several kinds.
    fn word(&self) -> &'static str {
        Self::WORD
    }

    /// The item as a plan's line has it, without the sign in front. `of` is the namespace of the
    /// heading, and `changes` what is to change of it.
    fn describe(&self, verb: Verb, changes: &[Change], of: &NetnsRef) -> String;

    /// What was tried, for the front of an error: `cannot add route … in netns "office"`.
    fn attempt(&self, verb: Verb, changes: &[Change], of: &NetnsRef) -> String {
        let described = self.describe(verb, changes, of);
        format!("cannot {} {described} in netns \"{of}\"", verb.as_str())
    }

    /// What identifies it, by the configuration's words where there are some.
    fn values(&self) -> Vec<(&'static str, Value)>;

    /// The namespaces that the step works in besides the one of its heading.
    fn places(&self) -> Vec<&NetnsRef> {
        Vec::new()
    }
}

/// Makes the list of kinds: the type [`Item`], and what it hands on to each of them.
macro_rules! items {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// Something that can be there or not.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Item {
            $($(#[$doc])* $kind($kind),)*
        }

        $(impl From<$kind> for Item {
            fn from(item: $kind) -> Self {
                Self::$kind(item)
            }
        })*

        impl Item {
            /// The word for its kind.
            pub fn word(&self) -> &'static str {
                match self {
                    $(Self::$kind(item) => item.word(),)*
                }
            }

            /// As [`Kind::describe`].
            pub fn describe(&self, verb: Verb, changes: &[Change], of: &NetnsRef) -> String {
                match self {
                    $(Self::$kind(item) => item.describe(verb, changes, of),)*
                }
            }

            /// As [`Kind::attempt`].
            pub fn attempt(&self, verb: Verb, changes: &[Change], of: &NetnsRef) -> String {
                match self {
                    $(Self::$kind(item) => item.attempt(verb, changes, of),)*
                }
            }

            /// As [`Kind::values`].
            pub fn values(&self) -> Vec<(&'static str, Value)> {
                match self {
                    $(Self::$kind(item) => item.values(),)*
                }
            }

            /// As [`Kind::places`].
            pub fn places(&self) -> Vec<&NetnsRef> {
                match self {
                    $(Self::$kind(item) => item.places(),)*
                }
            }
        }
    };
}

items! {
    /// Who may enter a namespace, as polkit is told.
    Access,
    /// An address of a link.
    Address,
    /// A folder in /etc.
    Directory,
    /// An entry of one of the kernel's tables.
    Entry,
    /// A file of ours in `/etc/netns/NAME`.
    File,
    /// A link, or both ends of a veth pair.
    Link,
    /// The name of a namespace: the file in /run/netns.
    Name,
    /// A network namespace.
    Netns,
    /// What netnsctl notes of a namespace.
    RecordFile,
    /// A route.
    Route,
    /// A kernel parameter under `net.`.
    Sysctl,
    /// The view of a namespace.
    View,
}
