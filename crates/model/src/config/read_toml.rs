//! TOML into the tree.
//!
//! The parser goes on after a mistake in the syntax, so several can be told at once. Two things it
//! leaves to us: dotted keys of any length (each dot a table within a table, built and dropped by
//! recursion), and where the first of two equal keys is.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

use super::diagnostic::{Place, Report};
use super::text::quote;
use super::toml_syntax::{self, Fault};
use super::tree::{DEPTH_MAX, Entry, Node, Value, too_deep, twice};

/// Reads the file with that number, `skip` bytes of which are a byte order mark.
pub(super) fn read(file: usize, skip: usize, report: &mut Report<'_>) -> Option<Node> {
    let text = &report.sources()[file].text[skip..];
    if let Some(at) = long_key(text) {
        too_deep(Place::new(file, at + skip..at + skip + 1), report);
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        file,
        skip,
        text,
        report,
    };
    let entries = reader.entries(table.get_ref(), 0);
    reader.errors(&errors, &entries);
    Some(Node {
        value: Value::Table(entries),
        place: Place::new(file, skip..skip),
    })
}

/// Where a key has more dots in it than any key needs.
///
/// Looks at the text alone: runs of words and quoted words joined by dots on one line. Text within
/// strings of several lines may look like that too, but there is no use for such strings.
fn long_key(text: &str) -> Option<usize> {
    let mut dots = 0;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' => {
                dots += 1;
                if dots > DEPTH_MAX {
                    return Some(at);
                }
            }
            quote @ ('"' | '\'') => {
                let mut escaped = false;
                for (_, inner) in characters.by_ref() {
                    if inner == '\n' || (inner == quote && !escaped) {
                        break;
                    }
                    escaped = inner == '\\' && quote == '"' && !escaped;
                }
            }
            '#' => {
                dots = 0;
                characters.by_ref().find(|(_, c)| *c == '\n');
            }
            ' ' | '\t' | '-' | '_' => {}
            c if c.is_ascii_alphanumeric() => {}
            _ => dots = 0,
        }
    }
    None
}

struct Reader<'r, 's> {
    file: usize,
    skip: usize,
    text: &'s str,
    report: &'r mut Report<'s>,
}

impl Reader<'_, '_> {
    fn place(&self, range: Range<usize>) -> Place {
        Place::new(self.file, range.start + self.skip..range.end + self.skip)
    }

    fn entries(&mut self, table: &DeTable<'_>, depth: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let (span, node_span) = (key.span(), value.span());
            // What the parser puts where it found no value at all.
            if node_span.is_empty() && matches!(value.get_ref(), DeValue::Integer(_)) {
                continue;
            }
            let key_place = self.place(span);
            let place = self.place(node_span);
            if let Some(node) = self.node(value.get_ref(), place, depth + 1) {
                entries.push(Entry {
                    key: key.get_ref().clone().into_owned(),
                    key_place,
                    node,
                });
            }
        }
        entries.sort_by_key(|entry| entry.key_place);
        entries
    }

    fn node(&mut self, value: &DeValue<'_>, place: Place, depth: usize) -> Option<Node> {
        if depth > DEPTH_MAX {
            too_deep(place, self.report);
            return None;
        }
        let value = match value {
            DeValue::String(text) => Value::String(text.clone().into_owned()),
            DeValue::Integer(number) => {
                Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(_) => Value::Float,
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Table(table) => Value::Table(self.entries(table, depth)),
            DeValue::Array(array) => {
                let mut nodes = Vec::new();
                for value in array {
                    let place = self.place(value.span());
                    nodes.extend(self.node(value.get_ref(), place, depth + 1));
                }
                Value::Array(nodes)
            }
        };
        Some(Node { value, place })
    }

    /// Tells what is wrong with the syntax, one thing a line.
    fn errors(&mut self, errors: &[Error], entries: &[Entry]) {
        let end = self.text.len();
        let deep = self.report.is_broken(self.file);
        let unclosed = self.unclosed(errors);
        let mut lines = BTreeSet::new();
        for error in errors {
            let span = error.span().unwrap_or(end..end);
            let span =
                self.text.floor_char_boundary(span.start)..self.text.ceil_char_boundary(span.end);
            match Fault::from_error(error) {
                Some(Fault::Duplicate) => {
                    self.duplicate(&span, entries);
                    continue;
                }
                Some(Fault::TooDeep) if deep => continue,
                _ => {}
            }
            let line = toml_syntax::line(self.text, span.start);
            if unclosed.is_some_and(|start| start <= span.start) || !lines.insert(line.start) {
                continue;
            }
            let mistake = toml_syntax::mistake(self.text, span, error);
            let place = self.place(mistake.span);
            let diagnostic = self.report.syntax(place, mistake.message);
            diagnostic.hint = mistake.hint;
            let muddled = toml_syntax::muddled(self.text, line);
            self.report.muddled(self.place(muddled));
        }
    }

    /// If an array or inline table is never closed: tells it where it opens, for it takes in
    /// all that follows. Its start.
    fn unclosed(&mut self, errors: &[Error]) -> Option<usize> {
        let is = |fault| matches!(fault, Fault::Array | Fault::InlineTable);
        errors
            .iter()
            .filter_map(Fault::from_error)
            .find(|it| is(*it))?;
        let (start, closing) = toml_syntax::first_unclosed(self.text)?;
        let opening = self.place(start..start + 1);
        let bracket = self.report.text(opening);
        self.report
            .syntax(opening, format!("{} is never closed", quote(bracket)))
            .hint(format!("its {} is missing", quote(closing)));
        let rest = self.place(start..self.text.len() + 1);
        self.report.muddled(rest);
        Some(start)
    }

    fn duplicate(&mut self, span: &Range<usize>, entries: &[Entry]) {
        let key = self.key(span);
        let place = self.place(span.clone());
        let first =
            (self.header_before(span.start)).or_else(|| last_key_before(entries, &key, place));
        twice(&key, place, first, self.report);
        self.report.broken(self.file);
    }

    /// The key written at `span`, without its quotes.
    fn key(&self, span: &Range<usize>) -> String {
        let written = self.text.get(span.clone()).unwrap_or_default();
        written.trim_matches(['"', '\'']).to_owned()
    }

    /// If `offset` is in a table's header: the key in the last header before it that opens the
    /// same table.
    fn header_before(&self, offset: usize) -> Option<Place> {
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[start..].lines().next()?;
        let path = header(line)?;
        let mut found = None;
        let mut at = 0;
        for other in self.text[..start].split_inclusive('\n') {
            if let Some(key) = header(other).filter(|other| other.0 == path.0) {
                found = Some(self.place(at + key.1.start..at + key.1.end));
            }
            at += other.len();
        }
        found
    }
}

/// The keys of a table's header, and where the last of them stands in its line.
fn header(line: &str) -> Option<(Vec<String>, Range<usize>)> {
    if !line.trim_start().starts_with('[') {
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(line);
    if !errors.is_empty() {
        return None;
    }
    let mut table = table.get_ref();
    let mut path = Vec::new();
    loop {
        let (key, value) = table.iter().next()?;
        path.push(key.get_ref().clone().into_owned());
        table = match value.get_ref() {
            DeValue::Table(inner) if inner.is_empty() => return Some((path, key.span())),
            DeValue::Table(inner) => inner,
            _ => return Some((path, key.span())),
        };
    }
}

/// The last place before `place` where `key` is a key.
fn last_key_before(entries: &[Entry], key: &str, place: Place) -> Option<Place> {
    let mut best = None;
    for entry in entries {
        if entry.key == key && entry.key_place < place {
            best = best.max(Some(entry.key_place));
        }
        best = best.max(match &entry.node.value {
            Value::Table(inner) => last_key_before(inner, key, place),
            Value::Array(nodes) => (nodes.iter())
                .filter_map(|node| match &node.value {
                    Value::Table(inner) => last_key_before(inner, key, place),
                    _ => None,
                })
                .max(),
            _ => None,
        });
    }
    best
}
