//! What the TOML parser says, in words for people who do not know its grammar.

use std::ops::Range;

use super::text::quote;

/// What the parser says of the depth at which it gives up; the tree gives up before.
pub(super) const TOO_DEEP: &str = "cannot recurse further; max recursion depth met";

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
pub(super) fn mistake(text: &str, span: Range<usize>, message: &str) -> Mistake {
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
    let (what, _) = message.split_once(", expected").unwrap_or((message, ""));
    match what {
        "string values must be quoted"
        | "invalid boolean"
        | "invalid float"
        | "invalid integer" => value(text, span, &line),
        "invalid basic string" | "invalid literal string" if span.is_empty() => said(
            "the string is not closed",
            Some("its closing quote is missing"),
        ),
        "invalid basic string" | "invalid literal string" => said(
            "this character cannot be in a string",
            Some("write it as an escape in double quotes, such as \\u001b"),
        ),
        "key with no value" => said("the key has no value", Some("write it as KEY = VALUE")),
        "unclosed table" => said("the header is not closed", Some("its \"]\" is missing")),
        "unclosed array table" => said("the header is not closed", Some("its \"]]\" is missing")),
        "unexpected key or value" => said(
            "there is something behind the end of this",
            Some("begin a new line, or take it away"),
        ),
        "missing escaped value" => said(
            "there is no such escape",
            Some("a backslash itself is written twice; text in single quotes has no escapes"),
        ),
        "unexpected leading zero" => said("no number starts with 0", Some("take the 0 away")),
        "unquoted keys cannot be empty" => {
            said("there is no key here", Some("write it as KEY = VALUE"))
        }
        TOO_DEEP => said(
            "arrays and tables are nested too deep",
            Some("no part of the configuration is nested that deep"),
        ),
        _ => said(message, None),
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
