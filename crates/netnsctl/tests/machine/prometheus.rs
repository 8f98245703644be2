//! A strict reader of the text format of Prometheus, as far as netnsctl uses it: what would be
//! legal but strange (time stamps, comments, samples without a type, blanks where none are needed)
//! is a mistake.

use std::collections::{BTreeMap, BTreeSet};

/// A text that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Exposition {
    /// By name of the family and labels.
    samples: BTreeMap<(String, BTreeMap<String, String>), u64>,
}

impl Exposition {
    /// The only sample of `name` that has all of `labels`.
    #[track_caller]
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
        let wanted = |have: &BTreeMap<String, String>| {
            let has = |(label, value): &(&str, &str)| have.get(*label).is_some_and(|v| v == value);
            labels.iter().all(has)
        };
        let mut found = self
            .samples
            .iter()
            .filter(|((n, l), _)| n == name && wanted(l));
        let first = found.next().map(|(_, value)| *value);
        assert!(found.next().is_none(), "several of {name} have {labels:?}");
        first
    }

    /// How many samples there are.
    pub(crate) fn samples(&self) -> usize {
        self.samples.len()
    }
}

/// Reads a whole text. An error is the line at fault and what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Exposition, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    let mut read = Exposition::default();
    let mut families = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let wrong = |what: &str| format!("{line:?}: {what}");
        let name = line
            .strip_prefix("# HELP ")
            .ok_or_else(|| wrong("expected HELP"))?;
        let (name, help) = name.split_once(' ').ok_or_else(|| wrong("no help"))?;
        if !is_name(name) || help.trim().is_empty() || !families.insert(name.to_owned()) {
            return Err(wrong("bad name, empty help or a family told before"));
        }
        let kind = lines.next().unwrap_or_default();
        let kind = kind.strip_prefix(&format!("# TYPE {name} "));
        match kind.ok_or_else(|| wrong("no TYPE follows"))? {
            "counter" if name.ends_with("_total") => {}
            "gauge" if !name.ends_with("_total") => {}
            _ => return Err(wrong("a type that does not fit the name")),
        }
        let mut count = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            sample(line, name, &mut read).map_err(|what| format!("{line:?}: {what}"))?;
            count += 1;
        }
        if count == 0 {
            return Err(wrong("a family without samples"));
        }
    }
    Ok(read)
}

fn sample(line: &str, family: &str, read: &mut Exposition) -> Result<(), String> {
    let rest = line
        .strip_prefix(family)
        .ok_or("a sample of another family")?;
    let mut rest = rest.strip_prefix('{').ok_or("no labels")?;
    let mut labels = BTreeMap::new();
    loop {
        let (label, value) = rest.split_once("=\"").ok_or("no label")?;
        if !is_name(label) || label.contains(':') {
            return Err(format!("bad label {label:?}"));
        }
        let (value, after) = quoted(value)?;
        if labels.insert(label.to_owned(), value).is_some() {
            return Err(format!("label {label:?} twice"));
        }
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => {
                rest = after.strip_prefix("} ").ok_or("labels do not end")?;
                break;
            }
        }
    }
    let value: u64 = rest.parse().map_err(|_| format!("bad value {rest:?}"))?;
    if value.to_string() != rest {
        return Err(format!("odd value {rest:?}"));
    }
    match read.samples.insert((family.to_owned(), labels), value) {
        Some(_) => Err("the same sample twice".to_owned()),
        None => Ok(()),
    }
}

/// Reads to the closing quote; gives the value and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, same @ ('"' | '\\'))) => same,
                other => return Err(format!("bad escape {other:?}")),
            }),
            other => value.push(other),
        }
    }
    Err("a value does not end".to_owned())
}

fn is_name(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':'));
    first
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
}
