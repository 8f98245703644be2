//! Taking the keys of a table one by one, with a word about each that is unknown or of the wrong
//! type.

use std::time::Duration;

use super::diagnostic::{At, Place, Report};
use super::hints::{example_hint, header_hint, unknown, wrong_type};
use super::section::{Fallback, Form, Key, Kind, Others, Section, Shape, typed};
use super::text::{list, nearest, quote};
use super::tree::{Entry, Node, Value};
use super::values::{self, BadValue};
use crate::item;

/// The keys of one table of the configuration.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t> {
    section: &'static Section,
    /// The word of the section's selector, if it has one and the word is known.
    selected: Option<&'t str>,
    /// Where to point when something is missing.
    pub(super) place: Place,
    entries: &'t [Entry],
}

impl<'t> Fields<'t> {
    /// The keys of `node`, which is at `key` of some other table or in its list; unknown ones are
    /// reported. None if it is no table.
    pub(super) fn open(
        node: &'t Node,
        section: &'static Section,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let Value::Table(entries) = &node.value else {
            let is = node.value.type_words();
            let message = format!("{} is a table, not {is}", section.title);
            let hint = header_hint(section, node.place, report.sources());
            report.error(node.place, message).hint(hint);
            return None;
        };
        let fields = Self {
            section,
            selected: selected(section, entries),
            place: node.place,
            entries,
        };
        if section.shape != Shape::Parameters {
            for entry in entries {
                fields.known(entry, report);
            }
            for key in section.keys().filter(|key| key.required) {
                fields.require(key, report);
            }
        }
        Some(fields)
    }

    /// The keys of a section within this one: of one table, or of each in a list; elements of other
    /// types are reported and left out.
    pub(super) fn section(
        &self,
        section: &'static Section,
        report: &mut Report<'_>,
    ) -> Vec<Fields<'t>> {
        let child = self.section.child(section.word);
        let Some(entry) = self.entry(section.word).filter(|_| child.is_some()) else {
            return Vec::new();
        };
        match (section.shape, &entry.node.value) {
            (Shape::List, Value::Array(nodes)) => {
                let open = |node| Fields::open(node, section, report);
                nodes.iter().filter_map(open).collect()
            }
            (Shape::Table | Shape::Parameters, Value::Table(_)) => {
                Fields::open(&entry.node, section, report)
                    .into_iter()
                    .collect()
            }
            (shape, value) => {
                let words = match shape {
                    Shape::List => "an array of tables",
                    _ => "a table",
                };
                let (is, word) = (value.type_words(), quote(section.word));
                let hint = header_hint(section, entry.node.place, report.sources());
                report
                    .error(
                        entry.node.place,
                        format!("{word} is {is}, but has to be {words}"),
                    )
                    .hint(hint);
                Vec::new()
            }
        }
    }

    /// All keys, for a look at those that are there.
    pub(super) fn entries(&self) -> &'t [Entry] {
        self.entries
    }

    /// Where `name` is given, if it is.
    pub(super) fn entry(&self, name: &str) -> Option<&'t Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    pub(super) fn boolean(&self, name: &str, report: &mut Report<'_>) -> Option<bool> {
        let (key, entry) = self.find(name)?;
        match entry.node.value {
            Value::Boolean(boolean) => Some(boolean),
            _ => wrong_type(key, &entry.node, report),
        }
    }

    pub(super) fn integer(&self, name: &str, report: &mut Report<'_>) -> Option<At<u32>> {
        let (key, entry) = self.find(name)?;
        let Value::Integer(number) = entry.node.value else {
            return wrong_type(key, &entry.node, report);
        };
        let Kind::Integer(least, most) = key.kind else {
            return None;
        };
        let place = entry.node.place;
        let fits = number.filter(|n| (least..=most).contains(n));
        let Some(value) = fits.and_then(|n| u32::try_from(n).ok()) else {
            let written = report.text(place);
            let message = format!("{} cannot be {written}", quote(name));
            report
                .error(place, message)
                .hint(format!("it is between {least} and {most}"));
            return None;
        };
        Some(At { value, place })
    }

    /// Text, or a number written as one: for keys that take either.
    pub(super) fn integer_or_word(
        &self,
        name: &str,
        report: &mut Report<'_>,
    ) -> Option<At<String>> {
        let (key, entry) = self.find(name)?;
        let place = entry.node.place;
        let value = match &entry.node.value {
            Value::Integer(Some(number)) => number.to_string(),
            Value::Integer(None) => report.text(place).to_owned(),
            Value::String(text) => text.clone(),
            _ => return wrong_type(key, &entry.node, report),
        };
        Some(At { value, place })
    }

    pub(super) fn string(&self, name: &str, report: &mut Report<'_>) -> Option<At<&'t str>> {
        let (key, entry) = self.find(name)?;
        match &entry.node.value {
            Value::String(text) => Some(At {
                value: text,
                place: entry.node.place,
            }),
            _ => wrong_type(key, &entry.node, report),
        }
    }

    /// The strings of a list; elements of other types are reported and left out.
    pub(super) fn strings(&self, name: &str, report: &mut Report<'_>) -> Option<Vec<At<&'t str>>> {
        let (key, entry) = self.find(name)?;
        let Value::Array(nodes) = &entry.node.value else {
            return wrong_type(key, &entry.node, report);
        };
        let mut strings = Vec::new();
        for node in nodes {
            match &node.value {
                Value::String(text) => strings.push(At {
                    value: text.as_str(),
                    place: node.place,
                }),
                other => {
                    let is = other.type_words();
                    let message = format!("{is} among the strings of {}", quote(name));
                    let hint = example_hint(key, node.place, report.sources());
                    report.error(node.place, message).hint(hint);
                }
            }
        }
        Some(strings)
    }

    /// The value of `key`, if it is one of its words.
    pub(super) fn one_of(&self, key: &str, report: &mut Report<'_>) -> Option<&'t str> {
        let text = self.string(key, report)?;
        let words = match self.section.key(key, self.selected)?.kind {
            Kind::String(Form::OneOf(words)) => words,
            _ => return None,
        };
        if words.contains(&text.value) {
            return Some(text.value);
        }
        let hint = match nearest(text.value, words.iter().copied()) {
            Some(word) => format!("a similar word is known: {}", quote(word)),
            None => format!("it is {}", list(words.iter().copied(), "or")),
        };
        report
            .error(
                text.place,
                format!("{} cannot be {}", quote(key), quote(text.value)),
            )
            .hint(hint);
        None
    }

    /// Reads a length of time.
    pub(super) fn duration(&self, key: &str, report: &mut Report<'_>) -> Option<At<Duration>> {
        if let Some(entry) = self.entry(key)
            && let Value::Integer(_) = entry.node.value
        {
            let place = entry.node.place;
            let written = report.text(place);
            report
                .error(place, format!("{} is a number without a unit", quote(key)))
                .hint(format!("write it as \"{written}s\" if it is seconds"));
            return None;
        }
        let text = self.string(key, report)?;
        match values::duration(text.value) {
            Ok(value) => Some(At {
                value,
                place: text.place,
            }),
            Err(bad) => {
                report.error(text.place, bad.message).hint(bad.hint);
                None
            }
        }
    }

    /// The value of `key` as `parse` reads it.
    pub(super) fn value<T>(
        &self,
        key: &str,
        report: &mut Report<'_>,
        parse: impl Fn(&str) -> Result<T, BadValue>,
    ) -> Option<At<T>> {
        let text = self.string(key, report)?;
        let value = self.accept(text.place, parse(text.value), report)?;
        Some(At {
            value,
            place: text.place,
        })
    }

    /// The value of `key` with its type, whatever that is.
    pub(super) fn typed(&self, key: &'static Key, report: &mut Report<'_>) -> Option<item::Value> {
        match key.kind {
            Kind::Boolean => self.boolean(key.name, report).map(item::Value::Flag),
            Kind::Integer(..) => {
                let number = self.integer(key.name, report);
                number.map(|number| item::Value::Number(number.value))
            }
            Kind::IntegerOr(..) | Kind::Range(..) => {
                let text = self.integer_or_word(key.name, report)?;
                self.accept(text.place, typed::read(key, &text.value), report)
            }
            Kind::String(_) | Kind::Strings(_) => {
                let text = self.string(key.name, report)?;
                self.accept(text.place, typed::read(key, text.value), report)
            }
        }
    }

    /// The values of `keys`, defaults included, and whether all that are given are valid. Only then
    /// can the values be checked against each other.
    pub(super) fn values(
        &self,
        keys: impl Iterator<Item = &'static Key>,
        report: &mut Report<'_>,
    ) -> (item::Values, bool) {
        let mut values = item::Values::new();
        let mut is_whole = true;
        for key in keys {
            let given = self.typed(key, report);
            is_whole &= given.is_some() || self.entry(key.name).is_none();
            values.set_some(key.name, given.or_else(|| typed::default(key)));
        }
        (values, is_whole)
    }

    /// What was read, unless it was refused, which is reported.
    fn accept<T>(
        &self,
        place: Place,
        read: Result<T, BadValue>,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let refused = |bad: BadValue| {
            report.error(place, bad.message).hint(bad.hint);
        };
        read.map_err(refused).ok()
    }

    /// Reports `entry` if there is no such key, or if it is of another word of the selector.
    fn known(&self, entry: &Entry, report: &mut Report<'_>) {
        let section = self.section;
        if section.child(&entry.key).is_some() {
            return;
        }
        let Some(key) = section.key(&entry.key, self.selected) else {
            return unknown(entry, section, report);
        };
        let (Some(selector), Some(word)) = (section.selector, self.selected) else {
            return;
        };
        if key.is_of(word) {
            return;
        }
        let name = quote(key.name);
        let of = section.keys().filter(|other| other.name == key.name);
        let of = list(of.flat_map(|key| key.of.iter().copied()), "or");
        let hint = format!("it is for {} = {of}", selector.key);
        match selector.others {
            Others::Warned => {
                let message = format!("{name} means nothing for {word}");
                report.warning(entry.key_place, message).hint(hint);
            }
            Others::Refused => {
                let message = format!("{name} is not a key of {} {}", selector.key, quote(word));
                report.error(entry.key_place, message).hint(hint);
            }
        }
    }

    /// Says that `key` is missing, unless it is there (if only with a wrong value), is of another
    /// word of the selector, or may be in the part of the file that is not understood.
    fn require(&self, key: &Key, report: &mut Report<'_>) {
        let is_needed = match (key.of, self.selected) {
            ([], _) => true,
            (of, Some(word)) => of.contains(&word),
            (_, None) => false,
        };
        if !is_needed || self.entry(key.name).is_some() || report.is_broken(self.place.file) {
            return;
        }
        let message = format!(
            "{} lacks {}: {}",
            self.section.title,
            quote(key.name),
            key.about
        );
        let hint = example_hint(key, self.place, report.sources());
        report.error(self.place, message).hint(hint);
    }

    fn find(&self, name: &str) -> Option<(&'static Key, &'t Entry)> {
        Some((self.section.key(name, self.selected)?, self.entry(name)?))
    }
}

/// The word that the section's selector has among `entries`, or has by default.
fn selected<'t>(section: &'static Section, entries: &'t [Entry]) -> Option<&'t str> {
    let selector = section.selector?;
    let words = section.selections();
    let Some(entry) = entries.iter().find(|entry| entry.key == selector.key) else {
        return match section.key(selector.key, None)?.default {
            Some(Fallback::Text(word)) => Some(word),
            _ => None,
        };
    };
    match &entry.node.value {
        Value::String(word) if words.contains(&word.as_str()) => Some(word),
        _ => None,
    }
}
