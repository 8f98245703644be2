//! What identifies an item: what a record lists, and by which the three-way rule compares.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::address::InterfaceAddress;
use crate::name::{InterfaceName, NetnsRef, SysctlKey};

use super::{Address, Directory, Entry, Kind, Link, LinkPlace, Route, Sysctl, entry};

/// A link, or a veth pair by the places of both ends, the one where it was declared first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkKey {
    /// Where it is.
    pub place: LinkPlace,
    /// The other end of a pair.
    pub peer: Option<LinkPlace>,
}

/// What identifies an item of which a record speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// An address of a link.
    Address(Address),
    /// A folder in /etc, by its path.
    Directory(String),
    /// An entry of one of the kernel's tables.
    Entry(Entry),
    /// A link or a pair.
    Link(LinkKey),
    /// A route.
    Route(Route),
    /// A kernel parameter.
    Sysctl(SysctlKey),
}

/// What identifies an item, word by word, as a record has it.
pub type Fields = BTreeMap<String, String>;

/// Why words identify nothing. The text says which of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// A later version's kind, or none.
    #[error("\"{0}\" is no kind of item")]
    Kind(String),
    /// A word is missing.
    #[error("{kind} without {word:?}")]
    Missing {
        /// The kind of item.
        kind: &'static str,
        /// The word.
        word: &'static str,
    },
    /// A value cannot be read.
    #[error("{word} {value:?} {reason}")]
    Value {
        /// The word.
        word: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Key {
    /// The word for the kind of item.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Address(_) => Address::WORD,
            Self::Directory(_) => Directory::WORD,
            Self::Entry(entry) => entry.word(),
            Self::Link(_) => Link::WORD,
            Self::Route(_) => Route::WORD,
            Self::Sysctl(_) => Sysctl::WORD,
        }
    }

    /// Word by word; [`Key::read`] is the inverse.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let at = |place: &LinkPlace| {
            vec![
                ("netns", place.netns.to_string()),
                ("interface", place.interface.to_string()),
            ]
        };
        match self {
            Self::Address(item) => {
                let mut fields = at(&item.link);
                fields.push(("address", item.address.to_string()));
                fields
            }
            Self::Directory(path) => vec![("path", path.clone())],
            Self::Entry(entry) => entry.fields(),
            Self::Link(key) => {
                let mut fields = at(&key.place);
                if let Some(peer) = &key.peer {
                    fields.push(("peer_netns", peer.netns.to_string()));
                    fields.push(("peer_interface", peer.interface.to_string()));
                }
                fields
            }
            Self::Route(route) => {
                let mut fields = vec![("to", route.to.to_string())];
                fields.extend(route.via.map(|via| ("via", via.to_string())));
                let interface = route.interface.as_ref();
                fields.extend(interface.map(|it| ("interface", it.to_string())));
                fields
            }
            Self::Sysctl(key) => vec![("key", key.to_string())],
        }
    }

    /// Reads what [`Key::fields`] wrote of an item of the kind `word`.
    pub fn read(word: &str, fields: &Fields) -> Result<Self, BadKey> {
        match word {
            Address::WORD => {
                let read = Reader(Address::WORD, fields);
                Ok(Self::Address(Address {
                    link: read.place("netns", "interface")?,
                    address: InterfaceAddress(read.address("address")?),
                }))
            }
            Directory::WORD => {
                let read = Reader(Directory::WORD, fields);
                Ok(Self::Directory(read.text("path")?.to_owned()))
            }
            Link::WORD => {
                let read = Reader(Link::WORD, fields);
                let peer = fields.contains_key("peer_netns");
                let peer = peer.then(|| read.place("peer_netns", "peer_interface"));
                Ok(Self::Link(LinkKey {
                    place: read.place("netns", "interface")?,
                    peer: peer.transpose()?,
                }))
            }
            Route::WORD => {
                let read = Reader(Route::WORD, fields);
                let has = |word: &str| fields.contains_key(word);
                let via = has("via").then(|| read.address("via")).transpose()?;
                let interface = has("interface").then(|| read.interface("interface"));
                Ok(Self::Route(Route {
                    to: read.address("to")?,
                    via,
                    interface: interface.transpose()?,
                }))
            }
            Sysctl::WORD => {
                let read = Reader(Sysctl::WORD, fields);
                let text = read.text("key")?;
                let key = SysctlKey::parse(text);
                Ok(Self::Sysctl(key.map_err(|error| bad("key", text, error))?))
            }
            other => match entry::kind(other) {
                Some(kind) => Entry::read(kind, fields).map(Self::Entry),
                None => Err(BadKey::Kind(other.to_owned())),
            },
        }
    }
}

/// Reads the words of one item.
struct Reader<'a>(&'static str, &'a Fields);

impl Reader<'_> {
    fn text(&self, word: &'static str) -> Result<&str, BadKey> {
        let text = self.1.get(word).map(String::as_str);
        text.ok_or(BadKey::Missing { kind: self.0, word })
    }

    fn address<T: FromStr>(&self, word: &'static str) -> Result<T, BadKey> {
        let text = self.text(word)?;
        text.parse().map_err(|_| bad(word, text, "is no address"))
    }

    fn interface(&self, word: &'static str) -> Result<InterfaceName, BadKey> {
        let text = self.text(word)?;
        InterfaceName::parse(text).map_err(|error| bad(word, text, error))
    }

    fn place(&self, netns: &'static str, interface: &'static str) -> Result<LinkPlace, BadKey> {
        let text = self.text(netns)?;
        Ok(LinkPlace {
            netns: NetnsRef::parse(text).map_err(|error| bad(netns, text, error))?,
            interface: self.interface(interface)?,
        })
    }
}

fn bad(word: &'static str, value: &str, reason: impl ToString) -> BadKey {
    BadKey::Value {
        word,
        value: value.to_owned(),
        reason: reason.to_string(),
    }
}
