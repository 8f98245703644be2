//! What the TOML parser says, in words for people who do not know its grammar.

use std::ops::Range;

use toml::de::Error;

use super::text::quote;

/// A mistake as the parser knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// An array that nothing closes.
    Array,
    /// A key that was given before.
    Duplicate,
    /// A line without a key.
    EmptyKey,
    /// A backslash with something after it that makes no escape.
    Escape,
    /// A header of one of several tables that nothing closes.
    HeaderOfMany,
    /// A header of a table that nothing closes.
    HeaderOfOne,
    /// An inline table that nothing closes.
    InlineTable,
    /// A key without a value.
    KeyAlone,
    /// More text where a line should end.
    Rest,
    /// A string that is not closed, or a character that no string may have.
    String,
    /// Arrays and tables nested deeper than the parser goes. The tree gives up before.
    TooDeep,
    /// A word that is no value.
    Value,
    /// A number that starts with 0.
    Zero,
}

/// What the parser says of each mistake. An error of the crate `toml` has a place and a sentence, but
/// no kind, so sentences are compared here and nowhere else. One that is not listed, because an update
/// of the crate changed it, reaches the user as it is, and a test fails.
const SENTENCES: &[(&str, Fault)] = &[
    (
        "cannot recurse further; max recursion depth met",
        Fault::TooDeep,
    ),
    ("duplicate key", Fault::Duplicate),
    ("invalid basic string", Fault::String),
    ("invalid binary number", Fault::Value),
    ("invalid boolean", Fault::Value),
    ("invalid exponent", Fault::Value),
    ("invalid float", Fault::Value),
    ("invalid fraction", Fault::Value),
    ("invalid hexadecimal number", Fault::Value),
    ("invalid literal string", Fault::String),
    ("invalid octal number", Fault::Value),
    ("key with no value", Fault::KeyAlone),
    ("missing escaped value", Fault::Escape),
    ("string values must be quoted", Fault::Value),
    ("unclosed array", Fault::Array),
    ("unclosed array table", Fault::HeaderOfMany),
    ("unclosed inline table", Fault::InlineTable),
    ("unclosed table", Fault::HeaderOfOne),
    ("unexpected key or value", Fault::Rest),
    ("unexpected leading zero", Fault::Zero),
    ("unquoted keys cannot be empty", Fault::EmptyKey),
];

impl Fault {
    /// The mistake that `error` reports; none if it is not among those known here.
    pub(super) fn from_error(error: &Error) -> Option<Self> {
        let sentence = sentence(error);
        let known = SENTENCES.iter().find(|(known, _)| *known == sentence);
        known.map(|(_, fault)| *fault)
    }
}

/// What the parser says, without what it expected instead.
fn sentence(error: &Error) -> &str {
    let message = error.message();
    message.split_once(", expected").map_or(message, |it| it.0)
}

/// A mistake in the syntax.
pub(super) struct Mistake {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// The line that `offset` is in, without its end.
pub(super) fn line(text: &str, offset: usize) -> Range<usize> {
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    start..end
}

/// How far the consequences of a mistake in `line` reach: with a broken header, as far as the
/// next one, since the keys between belong to nobody knows what.
pub(super) fn muddled(text: &str, line: Range<usize>) -> Range<usize> {
    let header = |line: &str| line.trim_start().starts_with('[');
    let mut end = line.end + 1;
    if header(&text[line.clone()]) {
        for next in text.get(end..).unwrap_or_default().split_inclusive('\n') {
            if header(next) {
                break;
            }
            end += next.len();
        }
    }
    line.start..end
}

/// Where the first bracket or brace opens that nothing closes, and what would.
///
/// Looks at brackets alone, for use where the parser has found one to be missing.
pub(super) fn first_unclosed(text: &str) -> Option<(usize, &'static str)> {
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    let mut characters = text.char_indices().peekable();
    let mut blank_line = true;
    while let Some((at, character)) = characters.next() {
        let mut skip_to = |end: char| {
            while characters
                .next_if(|(_, c)| *c != end && *c != '\n')
                .is_some()
            {}
            characters.next_if(|(_, c)| *c == end && end != '\n');
        };
        match character {
            // A header is on a line of its own, and no value.
            '[' if blank_line && open.is_empty() => skip_to('\n'),
            '[' => open.push((at, "]")),
            '{' => open.push((at, "}")),
            ']' | '}' => drop(open.pop()),
            '#' => skip_to('\n'),
            '"' | '\'' => skip_to(character),
            _ => {}
        }
        blank_line = character == '\n' || blank_line && character.is_whitespace();
    }
    open.first().copied()
}

/// The mistake that the parser found at `span`.
pub(super) fn mistake(text: &str, span: Range<usize>, error: &Error) -> Mistake {
    let line = line(text, span.start);
    let said = |message: &str, hint: Option<&str>| Mistake {
        span: span.clone(),
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
    };
    if text[line.clone()].trim_start().starts_with("//") {
        return Mistake {
            span: line,
            ..said("this is no comment", Some("comments start with \"#\""))
        };
    }
    let Some(fault) = Fault::from_error(error) else {
        return said(error.message(), None);
    };
    match fault {
        Fault::Value => value(text, span, &line),
        Fault::String if span.is_empty() => said(
            "the string is not closed",
            Some("its closing quote is missing"),
        ),
        Fault::String => said(
            "this character cannot be in a string",
            Some("write it as an escape in double quotes, such as \\u001b"),
        ),
        Fault::KeyAlone => said("the key has no value", Some("write it as KEY = VALUE")),
        Fault::HeaderOfOne => said("the header is not closed", Some("its \"]\" is missing")),
        Fault::HeaderOfMany => said("the header is not closed", Some("its \"]]\" is missing")),
        Fault::Rest => said(
            "there is something behind the end of this",
            Some("begin a new line, or take it away"),
        ),
        Fault::Escape => said(
            "there is no such escape",
            Some("a backslash itself is written twice; text in single quotes has no escapes"),
        ),
        Fault::Zero => said("no number starts with 0", Some("take the 0 away")),
        Fault::EmptyKey => said("there is no key here", Some("write it as KEY = VALUE")),
        Fault::TooDeep => said(
            "arrays and tables are nested too deep",
            Some("no part of the configuration is nested that deep"),
        ),
        // Reported otherwise, unless there is no text to show: by the other key, by the opening bracket.
        Fault::Duplicate | Fault::Array | Fault::InlineTable => said(error.message(), None),
    }
}

/// A value that is none: the whole word around `span`.
fn value(text: &str, span: Range<usize>, line: &Range<usize>) -> Mistake {
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}' | '#' | '=' | '"' | '\'')
    };
    let before = &text[line.start..span.start];
    let start = before.rfind(ends).map_or(line.start, |at| {
        let width = before[at..].chars().next().map_or(1, char::len_utf8);
        line.start + at + width
    });
    let behind = &text[span.start..line.end.max(span.start)];
    let end = behind
        .find(ends)
        .map_or(line.end.max(span.start), |at| span.start + at);
    let word = &text[start..end];
    let (message, hint) = match word.to_ascii_lowercase().as_str() {
        "" => (
            "there is no value".to_owned(),
            "write one, such as \"text\", 10, true or [\"text\"]".to_owned(),
        ),
        "yes" | "on" | "true" => (
            format!("{} is no value", quote(word)),
            "write true".to_owned(),
        ),
        "no" | "off" | "false" => (
            format!("{} is no value", quote(word)),
            "write false".to_owned(),
        ),
        "null" | "nil" | "none" => (
            format!("{} is no value", quote(word)),
            "leave the key out".to_owned(),
        ),
        _ => (
            format!("{} is no value", quote(word)),
            format!("put text in quotes: {}", quote(word)),
        ),
    };
    let span = start..end;
    Mistake {
        span,
        message,
        hint: Some(hint),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toml::de::DeTable;

    use super::*;

    #[test]
    fn the_parser_still_says_every_sentence() {
        let deep = format!("a = {}", "[".repeat(200));
        let examples = [
            deep.as_str(),
            "a = 1\na = 2",
            "a = \"\u{1}\"",
            "a = '\u{1}'",
            "a = truee",
            "a = 1.x",
            "a = 1e",
            "a = 0xg",
            "a = 0b2",
            "a = 0o9",
            "a = 1x",
            "a",
            "a = \"\\",
            "a = text",
            "a = [",
            "[[a",
            "a = {",
            "[a",
            "a = 1 b = 2",
            "a = 01",
            " = 1",
        ];
        let errors = examples.map(|text| DeTable::parse_recoverable(text).1);
        let said: BTreeSet<&str> = errors.iter().flatten().map(sentence).collect();
        for (known, _) in SENTENCES {
            assert!(said.contains(known), "{known:?} is not among {said:?}");
        }
    }
}
