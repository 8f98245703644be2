//! Entries of the kernel's tables that are declared by one table of the configuration each, and
//! that are there or not: nothing of one changes in place.
//!
//! A kind of entry is one file below this module and a row of the list at its end. Its section of
//! a namespace, what a record and a plan say of it and what `import` writes follow from its keys.

pub mod kinds;

use super::{BadKey, Change, Fields, Kind, Value, Values, Verb};
use crate::config::section::{Section, typed};
use crate::item::link::kind::Contradiction;
use crate::name::NetnsRef;

pub use kinds::{KINDS, SECTIONS, kind};

/// A kind of entry: all that has to be known of it, but for how the kernel is told, which its file
/// in the kernel layer knows.
#[derive(Clone, Copy)]
pub struct EntryKind {
    /// Its section of a namespace, whose word is the word for it.
    pub section: &'static Section,
    /// An entry in words, without the word for its kind.
    pub words: fn(&Values) -> String,
    /// Fills in what follows from the values that are given.
    pub complete: fn(&mut Values),
    /// What of its values contradicts another.
    pub check: fn(&Values) -> Option<Contradiction>,
}

impl EntryKind {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        self.section.word
    }
}

impl std::fmt::Debug for EntryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl PartialEq for EntryKind {
    fn eq(&self, other: &Self) -> bool {
        self.word() == other.word()
    }
}

impl Eq for EntryKind {}

impl PartialOrd for EntryKind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for EntryKind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.word().cmp(other.word())
    }
}

/// An entry. All of its values together identify it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its kind.
    pub kind: &'static EntryKind,
    /// Its values, those that hold by default included.
    pub values: Values,
}

impl Entry {
    /// Word by word; [`Entry::read`] is the inverse.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let values = self.values.iter();
        values
            .map(|(word, value)| (word, value.to_string()))
            .collect()
    }

    /// Reads what [`Entry::fields`] wrote of an entry of `kind`.
    pub fn read(kind: &'static EntryKind, fields: &Fields) -> Result<Self, BadKey> {
        let value = |(word, text): (&String, &String)| {
            let key = kind.section.keys().find(|key| key.name == word);
            let bad = |reason: String| BadKey::Value {
                word: kind.word(),
                value: format!("{word} {text}"),
                reason,
            };
            let key = key.ok_or_else(|| bad("is no key of it".to_owned()))?;
            let value = typed::read(key, text).map_err(|it| bad(format!("cannot be: {}", it.hint)));
            Ok((key.name, value?))
        };
        Ok(Self {
            kind,
            values: fields.iter().map(value).collect::<Result<_, _>>()?,
        })
    }
}

impl Kind for Entry {
    const WORD: &'static str = "entry";

    fn word(&self) -> &'static str {
        self.kind.word()
    }

    fn describe(&self, _: Verb, _: &[Change], _: &NetnsRef) -> String {
        format!("{} {}", self.word(), (self.kind.words)(&self.values))
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let values = self.values.iter();
        values.map(|(word, value)| (word, value.clone())).collect()
    }
}
