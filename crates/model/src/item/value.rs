//! Values of items, each with its type, so that nobody has to read them out of prose.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::MacAddress;

/// A value of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(u32),
    /// The numbers from one to another, both included.
    Range(u32, u32),
    /// A link-layer address.
    Mac(MacAddress),
    /// An address.
    Ip(IpAddr),
    /// A prefix.
    Prefix(IpNet),
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
            Self::Range(first, last) if first == last => first.fmt(f),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
            Self::Mac(mac) => mac.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
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

/// The values that an item has besides what every item of its kind has, by the configuration's
/// words.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Values(BTreeMap<&'static str, Value>);

impl Values {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a value.
    pub fn set(&mut self, word: &'static str, value: Value) {
        self.0.insert(word, value);
    }

    /// Sets a value where there is one.
    pub fn set_some(&mut self, word: &'static str, value: Option<Value>) {
        self.0.extend(value.map(|value| (word, value)));
    }

    /// The value of that word.
    pub fn get(&self, word: &str) -> Option<&Value> {
        self.0.get(word)
    }

    /// All of them, by word.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(word, value)| (*word, value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of that word, if it is yes or no.
    pub fn flag(&self, word: &str) -> Option<bool> {
        match self.get(word)? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The value of that word, if it is a number.
    pub fn number(&self, word: &str) -> Option<u32> {
        match self.get(word)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of that word, if it is a range of numbers.
    pub fn range(&self, word: &str) -> Option<(u32, u32)> {
        match self.get(word)? {
            Value::Range(first, last) => Some((*first, *last)),
            _ => None,
        }
    }

    /// The value of that word, if it is an address.
    pub fn ip(&self, word: &str) -> Option<IpAddr> {
        match self.get(word)? {
            Value::Ip(ip) => Some(*ip),
            _ => None,
        }
    }

    /// The value of that word, if it is a prefix.
    pub fn prefix(&self, word: &str) -> Option<IpNet> {
        match self.get(word)? {
            Value::Prefix(prefix) => Some(*prefix),
            _ => None,
        }
    }

    /// The value of that word, if it is text.
    pub fn text(&self, word: &str) -> Option<&str> {
        match self.get(word)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromIterator<(&'static str, Value)> for Values {
    fn from_iter<T: IntoIterator<Item = (&'static str, Value)>>(values: T) -> Self {
        Self(values.into_iter().collect())
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
