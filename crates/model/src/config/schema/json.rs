//! JSON as it is written: members keep their order, which a map would lose.

use crate::quote::quoted;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Json {
    /// Something that is written in JSON already.
    Raw(String),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Json>),
    /// Members, in this order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Members, in this order.
    pub(super) fn object<const N: usize>(members: [(&str, Json); N]) -> Self {
        Self::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Texts.
    pub(super) fn strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(texts.into_iter().map(Self::from).collect())
    }

    /// The same with one member more; only of objects.
    pub(super) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        if let Self::Object(members) = &mut self {
            members.push((name.to_owned(), value.into()));
        }
        self
    }

    /// Writes it as a document, two spaces a level.
    pub(super) fn write(&self) -> String {
        let mut text = String::new();
        self.write_to(&mut text, 0);
        text.push('\n');
        text
    }

    fn write_to(&self, text: &mut String, level: usize) {
        match self {
            Self::Raw(raw) => text.push_str(raw),
            Self::String(string) => text.push_str(&quoted(string)),
            Self::List(items) => {
                let all_short = items.iter().all(|item| !matches!(item, Self::Object(_)));
                let level = if all_short { None } else { Some(level) };
                between(text, level, ('[', ']'), items, |text, item| {
                    item.write_to(text, level.map_or(0, |level| level + 1));
                });
            }
            Self::Object(members) => {
                between(text, Some(level), ('{', '}'), members, |text, member| {
                    text.push_str(&quoted(&member.0));
                    text.push_str(": ");
                    member.1.write_to(text, level + 1);
                });
            }
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Raw(value.to_string())
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Raw(value.to_string())
    }
}

/// Writes items between brackets: a line each at this level, or all on one line without a level.
fn between<T>(
    text: &mut String,
    level: Option<usize>,
    (open, close): (char, char),
    items: &[T],
    mut write: impl FnMut(&mut String, &T),
) {
    let line = |text: &mut String, deeper| match level {
        Some(level) => {
            text.push('\n');
            text.push_str(&"  ".repeat(level + deeper));
        }
        None if deeper == 1 && !text.ends_with('[') => text.push(' '),
        None => {}
    };
    text.push(open);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        line(text, 1);
        write(text, item);
    }
    if !items.is_empty() {
        line(text, 0);
    }
    text.push(close);
}
