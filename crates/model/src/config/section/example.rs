//! A file that shows every key once, as TOML.

use super::{FILE, Fallback, Form, Key, Kind, Section, Shape};

/// The name that stands for NAME in the file.
const NAME: &str = "office";

/// The file. It loads as it is.
pub fn every_key() -> String {
    let mut text = "# Every key there is, with its default where it has one.\n".to_owned();
    for section in FILE.all() {
        match section.selections() {
            [] => table(&mut text, section, None),
            words => words
                .iter()
                .for_each(|word| table(&mut text, section, Some(word))),
        }
        text.push_str(&section.more.replace("NAME", NAME));
    }
    text.push_str("\n[netns.lab]   # all of it by default\n");
    text
}

/// One table: its keys, of those that depend on a word only those of `word`.
fn table(text: &mut String, section: &Section, word: Option<&str>) {
    let header = section.header().replace("NAME", NAME);
    text.push('\n');
    if !header.is_empty() {
        let about = match section.shape {
            Shape::Namespace => section.title,
            Shape::Host => "the host namespace; it takes these sections only",
            _ => section.summary,
        };
        text.push_str(&line(&header, about));
    }
    for key in section
        .keys()
        .filter(|key| word.is_none_or(|word| key.is_of(word)))
    {
        let is_selector = section.selector.is_some_and(|it| it.key == key.name);
        let value = match word.filter(|_| is_selector) {
            Some(word) => format!("\"{word}\""),
            None => value(key),
        };
        let sentence = key.sentence();
        let mut about = sentence.trim_end_matches('.').to_owned();
        if let Kind::String(Form::OneOf(words)) = key.kind {
            about.push_str(&format!("; one of {}", words.join(", ")));
        }
        if key.default == Some(Fallback::Texts(&[])) {
            about.push_str("; default: none");
        }
        if let Some(Fallback::Words(words)) = key.default {
            about.push_str(&format!("; default: {words}"));
        }
        // A key with other characters has to be in quotes.
        let name = match key.name.starts_with('$') {
            true => format!("\"{}\"", key.name),
            false => key.name.to_owned(),
        };
        text.push_str(&line(&format!("{name} = {value}"), &about));
    }
}

/// Its default. Its example if there is no default, or if the default is an empty list. A list of
/// accounts stays empty: a copy of the file must let nobody in.
fn value(key: &Key) -> String {
    let is_account = matches!(key.kind, Kind::Strings(Form::Account));
    let default = key
        .default
        .filter(|it| is_account || *it != Fallback::Texts(&[]));
    let default = default.and_then(|default| default.value());
    default.unwrap_or_else(|| key.example.to_owned())
}

fn line(written: &str, about: &str) -> String {
    format!("{written:<33} # {about}\n")
}
