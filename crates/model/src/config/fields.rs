//! Taking the keys of a table one by one, with a word about each that is unknown or of the wrong
//! type.

use super::Format;
use super::diagnostic::{At, Place, Report};
use super::keys::{HOME, Key, Kind, NETNS, Section};
use super::text::{akin, list, nearest, quote};
use super::tree::{Entry, Node, Value};

/// The keys of one table of the configuration.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t> {
    section: &'static Section,
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
        for entry in entries {
            if section.key(&entry.key).is_none() {
                unknown(entry, section, report);
            }
        }
        let place = node.place;
        Some(Self {
            section,
            place,
            entries,
        })
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

    /// The table at `name`.
    pub(super) fn table(&self, name: &str, report: &mut Report<'_>) -> Option<Fields<'t>> {
        let (key, entry) = self.find(name)?;
        match key.kind {
            Kind::Table(section) if matches!(entry.node.value, Value::Table(_)) => {
                Fields::open(&entry.node, section, report)
            }
            _ => wrong_type(key, &entry.node, report),
        }
    }

    /// The tables of the list at `name`; elements of other types are reported and left out.
    pub(super) fn tables(&self, name: &str, report: &mut Report<'_>) -> Vec<Fields<'t>> {
        let Some((key, entry)) = self.find(name) else {
            return Vec::new();
        };
        let (Kind::Tables(section), Value::Array(nodes)) = (&key.kind, &entry.node.value) else {
            let _: Option<()> = wrong_type(key, &entry.node, report);
            return Vec::new();
        };
        let open = |node| Fields::open(node, section, report);
        nodes.iter().filter_map(open).collect()
    }

    /// The kernel parameters in `entry`, which is that of `sysctl`.
    pub(super) fn sysctls(&self, entry: &'t Entry, report: &mut Report<'_>) -> Option<&'t [Entry]> {
        match &entry.node.value {
            Value::Table(entries) => Some(entries),
            _ => wrong_type(self.section.key(&entry.key)?, &entry.node, report),
        }
    }

    /// Says that `name` is missing, unless it is there (if only with a wrong value) or may be in
    /// the part of the file that is not understood.
    pub(super) fn require(&self, name: &str, report: &mut Report<'_>) {
        if self.entry(name).is_some() || report.is_broken(self.place.file) {
            return;
        }
        let Some(key) = self.section.key(name) else {
            return;
        };
        let message = format!(
            "{} lacks {}: {}",
            self.section.title,
            quote(name),
            key.about
        );
        let hint = example_hint(key, self.place, report.sources());
        report.error(self.place, message).hint(hint);
    }

    fn find(&self, name: &str) -> Option<(&'static Key, &'t Entry)> {
        Some((self.section.key(name)?, self.entry(name)?))
    }
}

/// Says that there is no such key, and which one may have been meant.
fn unknown(entry: &Entry, section: &Section, report: &mut Report<'_>) {
    let (key, title) = (quote(&entry.key), section.title);
    let all = || list(section.names(), "and");
    if std::ptr::eq(section, &HOME) && NETNS.key(&entry.key).is_some() {
        report
            .error(entry.key_place, format!("{key} has no place in {title}"))
            .hint(format!(
                "the home namespace is never created or deleted; it takes {} only",
                all()
            ));
        return;
    }
    let near = nearest(&entry.key, section.names());
    let hint = match near.or_else(|| akin(&entry.key, section.names())) {
        Some(name) => format!("a similar key is known: {}", quote(name)),
        None => format!("known here: {}", all()),
    };
    report
        .error(entry.key_place, format!("unknown key {key} in {title}"))
        .hint(hint);
}

/// Says what the value is, what it has to be, and how that is written.
fn wrong_type<T>(key: &Key, node: &Node, report: &mut Report<'_>) -> Option<T> {
    let (is, words) = (node.value.type_words(), key.kind.words());
    let hint = match (&key.kind, &node.value) {
        (Kind::Tables(section) | Kind::Table(section), _) => {
            header_hint(section, node.place, report.sources())
        }
        (Kind::Sysctls, _) => header_hint(&super::keys::SYSCTL, node.place, report.sources()),
        _ => example_hint(key, node.place, report.sources()),
    };
    let message = format!("{} is {is}, but has to be {words}", quote(key.name));
    report.error(node.place, message).hint(hint);
    None
}

/// How the key is written, in the language of the file.
pub(super) fn example_hint(key: &Key, place: Place, sources: &[super::Source]) -> String {
    let (name, example) = (key.name, key.example);
    match sources[place.file].format {
        Format::Json => format!("write it as \"{name}\": {example}"),
        Format::Toml => format!("write it as {name} = {example}"),
    }
}

/// How the table is opened, in the language of the file.
fn header_hint(section: &Section, place: Place, sources: &[super::Source]) -> String {
    let header = section.header;
    let name = header.trim_matches(['[', ']']);
    let name = name.rsplit_once('.').map_or(name, |(_, last)| last);
    match sources[place.file].format {
        Format::Json if header.is_empty() => "write it as { \"netns\": { … } }".to_owned(),
        Format::Json if header.starts_with("[[") => format!("write it as \"{name}\": [{{ … }}]"),
        Format::Json => format!("write it as \"{name}\": {{ … }}"),
        Format::Toml if header.starts_with("[[") => {
            format!("write {header}, with two brackets, and its keys below")
        }
        Format::Toml => format!("write {header} and its keys below"),
    }
}
