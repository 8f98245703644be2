//! Links that stand alone and entries of tables: whatever their kinds have of their own.

use netnsctl_model::config::section::typed;
use netnsctl_model::item::link::kinds::kind;
use netnsctl_model::item::{Entry, Value, Values};
use netnsctl_model::name::InterfaceName;
use netnsctl_model::observed::Link;

use crate::draft::{Said, Table};

/// A link as a table of `link`; none if it is of a kind that cannot be declared, or if a value is
/// not known that has to be.
pub(crate) fn link(interface: &InterfaceName, link: &Link, addresses: &[Said]) -> Option<Table> {
    let kind = kind(link.kind.as_deref()?)?;
    let is_known = |word: &str| link.values.get(word).is_some();
    if kind
        .keys
        .iter()
        .any(|key| key.required && !is_known(key.name))
    {
        return None;
    }
    let mut values = vec![
        ("interface", interface.as_str().into()),
        ("kind", kind.word.into()),
    ];
    if !addresses.is_empty() {
        let texts = addresses.iter().map(|said| said.text.clone()).collect();
        values.push(("address", Value::List(texts)));
    }
    values.push(("mtu", Value::Number(link.mtu)));
    values.extend(link.mac.map(|mac| ("mac", Value::Mac(mac))));
    if !link.up {
        values.push(("up", Value::Flag(false)));
    }
    let default = |word: &str| kind.key(word).and_then(typed::default);
    values.extend(beyond_defaults(&link.values, default));
    Some(Table {
        section: "link",
        words: format!("{} {interface}", kind.word),
        values,
    })
}

/// An entry as a table of its section.
pub(crate) fn entry(entry: &Entry) -> Table {
    let section = entry.kind.section;
    let default = |word: &str| section.key(word, None).and_then(typed::default);
    Table {
        section: section.word,
        words: format!("{} {}", section.word, (entry.kind.words)(&entry.values)),
        values: beyond_defaults(&entry.values, default).collect(),
    }
}

/// The values that are not there by default.
fn beyond_defaults(
    values: &Values,
    default: impl Fn(&str) -> Option<Value>,
) -> impl Iterator<Item = (&'static str, Value)> {
    let values = values.iter();
    values
        .filter(move |(word, value)| default(word).as_ref() != Some(*value))
        .map(|(word, value)| (word, value.clone()))
}
