//! What is said of keys that are unknown or have values of another type, and what would be right.

use super::Format;
use super::diagnostic::{Place, Report};
use super::section::{FILE, Key, Kind, Member, NETNS, Section, Shape};
use super::text::{QUOTED_MAX, akin, list, nearest, quote};
use super::tree::{Entry, Node, Value};

/// Says that there is no such key, and which one may have been meant.
pub(super) fn unknown(entry: &Entry, section: &Section, report: &mut Report<'_>) {
    let (key, title) = (quote(&entry.key), section.title);
    let names: Vec<_> = section.members().into_iter().map(Member::name).collect();
    let all = || list(names.iter().copied(), "and");
    if section.shape == Shape::Host && NETNS.members().iter().any(|it| it.name() == entry.key) {
        report
            .error(entry.key_place, format!("{key} has no place in {title}"))
            .hint(format!(
                "the host namespace is never created or deleted; it takes {} only",
                all()
            ));
        return;
    }
    let near = || nearest(&entry.key, names.iter().copied());
    let akin = || akin(&entry.key, names.iter().copied());
    let similar = |name| format!("a similar key is known: {}", quote(name));
    let hint = also(&entry.key, section)
        .or_else(|| near().map(similar))
        .or_else(|| elsewhere(entry, section))
        .or_else(|| akin().map(similar))
        .unwrap_or_else(|| format!("known here: {}", all()));
    report
        .error(entry.key_place, format!("unknown key {key} in {title}"))
        .hint(hint);
}

/// The key of `section` that other programs call `word`.
fn also(word: &str, section: &Section) -> Option<String> {
    let key = section.keys().find(|key| key.also.contains(&word))?;
    let (here, word) = (quote(key.name), quote(word));
    Some(format!("{here} is the key for {word} here"))
}

/// Where the key belongs, if it is one of another section or the word for one.
fn elsewhere(entry: &Entry, section: &Section) -> Option<String> {
    let word = entry.key.as_str();
    if section.shape == Shape::File && matches!(entry.node.value, Value::Table(_)) {
        let headers = FILE.all().into_iter().filter(|it| it.word == word);
        if let Some(header) = headers.map(Section::header).next() {
            return Some(format!("it is written {header}"));
        }
        let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let name = match word.chars().all(is_bare) {
            true => word.to_owned(),
            false => quote(word),
        };
        return Some(format!(
            "a namespace of that name is written [netns.{name}]"
        ));
    }
    let others = FILE.all();
    let mut others = others.iter().filter(|it| it.word != section.word);
    let called = others.clone().find(|it| it.also.contains(&word));
    if let Some(called) = called {
        let header = called.header();
        return Some(format!("{header} is the section for {} here", quote(word)));
    }
    let has = |it: &&&Section| it.keys().any(|key| key.name == word);
    let headers: Vec<_> = others.by_ref().filter(has).map(|it| it.header()).collect();
    let all = list_plain(&headers)?;
    Some(format!("it is a key of {all}"))
}

/// `a`, `a or b`, `a, b or c`; none of none.
fn list_plain(words: &[String]) -> Option<String> {
    let (last, rest) = words.split_last()?;
    Some(match rest {
        [] => last.clone(),
        rest => format!("{} or {last}", rest.join(", ")),
    })
}

/// Says what the value is, what it has to be, and how that is written.
pub(super) fn wrong_type<T>(key: &Key, node: &Node, report: &mut Report<'_>) -> Option<T> {
    let (is, words) = (node.value.type_words(), key.kind.words());
    let hint = match own_value(key, node) {
        Some(value) => written_hint(key, &value, node.place, report.sources()),
        None => example_hint(key, node.place, report.sources()),
    };
    let message = format!("{} is {is}, but has to be {words}", quote(key.name));
    report.error(node.place, message).hint(hint);
    None
}

/// How the key is written, in the language of the file.
pub(super) fn example_hint(key: &Key, place: Place, sources: &[super::Source]) -> String {
    written_hint(key, key.example, place, sources)
}

/// How the key is written with that value.
fn written_hint(key: &Key, value: &str, place: Place, sources: &[super::Source]) -> String {
    let name = key.name;
    match sources[place.file].format {
        Format::Json => format!("write it as \"{name}\": {value}"),
        Format::Toml => format!("write it as {name} = {value}"),
    }
}

/// The value that was given, in the type that the key takes, if it only has another type.
fn own_value(key: &Key, node: &Node) -> Option<String> {
    match (&key.kind, &node.value) {
        (Kind::Strings(_), Value::String(text)) => Some(format!("[{}]", whole(text)?)),
        (Kind::Strings(_) | Kind::String(_), Value::Integer(Some(number))) => {
            let text = format!("\"{number}\"");
            Some(match key.kind {
                Kind::Strings(_) => format!("[{text}]"),
                _ => text,
            })
        }
        (Kind::String(_), Value::Array(nodes)) => match nodes.as_slice() {
            [
                Node {
                    value: Value::String(only),
                    ..
                },
            ] => whole(only),
            _ => None,
        },
        (Kind::Boolean, Value::String(word)) => match word.as_str() {
            "true" | "yes" | "on" | "1" => Some("true".to_owned()),
            "false" | "no" | "off" | "0" => Some("false".to_owned()),
            _ => None,
        },
        (Kind::Boolean, Value::Integer(Some(number))) => match number {
            0 => Some("false".to_owned()),
            1 => Some("true".to_owned()),
            _ => None,
        },
        (Kind::Integer(least, most), Value::String(text)) => {
            let number: i64 = text.trim().parse().ok()?;
            (*least..=*most)
                .contains(&number)
                .then(|| number.to_string())
        }
        _ => None,
    }
}

/// A text in quotes; none if it is too long to be shown as a whole.
fn whole(text: &str) -> Option<String> {
    (text.chars().count() <= QUOTED_MAX).then(|| quote(text))
}

/// How the table is opened, in the language of the file.
pub(super) fn header_hint(section: &Section, place: Place, sources: &[super::Source]) -> String {
    let header = section.header();
    let name = header.trim_matches(['[', ']']);
    let name = name.rsplit_once('.').map_or(name, |(_, last)| last);
    match (sources[place.file].format, section.shape) {
        (Format::Json, Shape::File) => "write it as { \"netns\": { … } }".to_owned(),
        (Format::Json, Shape::List) => format!("write it as \"{name}\": [{{ … }}]"),
        (Format::Json, _) => format!("write it as \"{name}\": {{ … }}"),
        (Format::Toml, Shape::List) => {
            format!("write {header}, with two brackets, and its keys below")
        }
        (Format::Toml, _) => format!("write {header} and its keys below"),
    }
}
