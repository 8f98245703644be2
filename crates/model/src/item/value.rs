//! Values of items, each with its type, so that nobody has to read them out of prose.

use std::fmt;

use crate::address::MacAddress;

/// A value of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u32),
    /// A link-layer address.
    Mac(MacAddress),
    /// Anything else.
    Text(String),
    /// Several of them.
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Mac(mac) => mac.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::List(all) => f.write_str(&all.join(", ")),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// One value of an item that is to become another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which, by the configuration's word.
    pub what: &'static str,
    /// What it is, where that is known and there is one.
    pub from: Option<Value>,
    /// What it shall be.
    pub to: Value,
}
