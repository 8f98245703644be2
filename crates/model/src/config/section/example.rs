//! A file that shows every key once, as TOML.

use super::{FILE, Fallback, Form, Key, Kind, Section, Shape};

/// The name that stands for NAME in the file.
const NAME: &str = "office";

/// The file. It loads as it is.
pub fn every_key() -> String {
    let mut text = "# Every key there is, with its default where it has one.\n".to_owned();
    for section in FILE.all() {
        match section.selections() {
            [] => table(&mut text, section, None, true),
            words => (words.iter().enumerate())
                .for_each(|(n, word)| table(&mut text, section, Some(word), n == 0)),
        }
        text.push_str(&section.more.replace("NAME", NAME));
    }
    text.push_str("\n[netns.lab]   # all of it by default\n");
    text
}

/// One table: its keys, of those that depend on a word only those of `word`; of the others only
/// those that have to be given, unless it is the first of its section.
fn table(text: &mut String, section: &Section, word: Option<&str>, is_first: bool) {
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
    let is_selector = |key: &Key| section.selector.is_some_and(|it| it.key == key.name);
    let keys = section.keys().filter(|key| match word {
        Some(_) if key.of.is_empty() => is_first || key.required || is_selector(key),
        Some(word) => key.is_of(word),
        None => true,
    });
    let keys = keys.filter(|key| !key.apart);
    for key in keys {
        let value = match (word, key.kind) {
            (Some(word), _) if is_selector(key) => format!("\"{word}\""),
            // Each link needs a name of its own.
            (Some(word), Kind::String(Form::Link)) => format!("\"{word}0\""),
            _ => value(key),
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
