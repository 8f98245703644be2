//! The tree that both formats are read into: values, and the bytes they were written with.

use super::diagnostic::{Place, Report};
use super::text::quote;

/// Tables and arrays within each other that are looked into. The deepest thing there is to say
/// (`netns.NAME.forward[0].listen`) needs five.
pub(super) const DEPTH_MAX: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What a value can be in either format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Array(Vec<Node>),
    Boolean(bool),
    Datetime,
    Float,
    /// None if it fits into no `i64`.
    Integer(Option<i64>),
    Null,
    String(String),
    /// In the order of the text, no key twice.
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Value {
    /// What kind of value it is, with its article.
    pub(super) fn type_words(&self) -> &'static str {
        match self {
            Self::Array(_) => "an array",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date",
            Self::Float => "a number with a fraction",
            Self::Integer(_) => "an integer",
            Self::Null => "null",
            Self::String(_) => "a string",
            Self::Table(_) => "a table",
        }
    }
}

/// Says that a value is too deep inside others to mean anything.
pub(super) fn too_deep(place: Place, report: &mut Report<'_>) {
    report
        .syntax(
            place,
            format!("tables and arrays are nested more than {DEPTH_MAX} deep"),
        )
        .hint("no part of the configuration is nested that deep");
}

/// Says that a key is there twice in one table.
pub(super) fn twice(key: &str, place: Place, first: Option<Place>, report: &mut Report<'_>) {
    let message = format!("{} is given twice in one table", quote(key));
    let diagnostic = report.error(place, message);
    diagnostic.hint("keep one of them");
    if let Some(first) = first {
        diagnostic.related(first, "first given here");
    }
}
