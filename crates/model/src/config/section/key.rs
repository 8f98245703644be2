//! A key of a section.

use std::time::Duration;

use super::form::Form;
use crate::address::MacAddress;
use crate::config::values::write_duration;

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    /// The word.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// A value, as TOML and JSON both write it.
    pub example: &'static str,
    /// What holds if it is not given; none where there is nothing to hold or it must be given.
    pub default: Option<Fallback>,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it must be given in `[netns.default]`, where its default would mean that namespace.
    pub required_in_host: bool,
    /// For which words of the section's selector it means something; none: for all.
    pub of: &'static [&'static str],
    /// Words that other programs have for it: a hint leads from them to the key.
    pub also: &'static [&'static str],
    /// Whether it changes what the other keys of its table mean, so that an example of all keys has
    /// it apart.
    pub apart: bool,
    /// What it is for, in one line.
    pub about: &'static str,
}

/// What holds if a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This.
    Boolean(bool),
    /// This number.
    Integer(u32),
    /// This address.
    Mac(MacAddress),
    /// This text.
    Text(&'static str),
    /// This list of texts.
    Texts(&'static [&'static str]),
    /// This length of time.
    Time(Duration),
    /// What these words say.
    Words(&'static str),
}

impl Fallback {
    /// The value as TOML and JSON both write it; none for words.
    pub fn value(&self) -> Option<String> {
        let quoted = |text: &str| format!("\"{text}\"");
        Some(match self {
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Mac(mac) => quoted(&mac.to_string()),
            Self::Text(text) => quoted(text),
            Self::Texts(texts) => {
                let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            Self::Time(time) => quoted(&write_duration(*time)),
            Self::Words(_) => return None,
        })
    }
}

impl std::fmt::Display for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self, self.value()) {
            (Self::Words(words), _) => f.write_str(words),
            (_, value) => f.write_str(&value.unwrap_or_default()),
        }
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number between two others, both included.
    Integer(i64, i64),
    /// Such a number or a word.
    IntegerOr(i64, i64, &'static str),
    /// Such a number, or two as text with a dash in between: the first and the last.
    Range(i64, i64),
    /// Text of some form.
    String(Form),
    /// A list of such texts.
    Strings(Form),
}

impl Kind {
    /// What a value of this kind is called, with its article.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer(..) => "an integer",
            Self::IntegerOr(..) => "an integer or a word",
            Self::Range(..) => "an integer, or a string such as \"5000-5010\"",
            Self::String(_) => "a string",
            Self::Strings(_) => "an array of strings",
        }
    }

    /// What is refused of such values, in words; to stand behind "Refused: ".
    pub fn refused(&self) -> Option<&'static str> {
        match self {
            Self::String(form) | Self::Strings(form) => Some(form.refused()),
            Self::Integer(..) | Self::IntegerOr(..) | Self::Range(..) => {
                Some("numbers outside of the range")
            }
            Self::Boolean => None,
        }
    }
}

impl Key {
    /// A key that need not be given.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        example: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            example,
            default: None,
            required: false,
            required_in_host: false,
            of: &[],
            also: &[],
            apart: false,
            about,
        }
    }

    /// The same with a default.
    pub const fn or(self, default: Fallback) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    /// The same, found by these words of other programs too.
    pub const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    /// The same, shown apart in an example of all keys.
    pub const fn apart(self) -> Self {
        Self {
            apart: true,
            ..self
        }
    }

    /// The same, for these words of the section's selector alone.
    pub const fn of(self, of: &'static [&'static str]) -> Self {
        Self { of, ..self }
    }

    /// The same, to be given in any case.
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// The same, to be given in `[netns.default]`.
    pub const fn required_in_host(self) -> Self {
        Self {
            required_in_host: true,
            ..self
        }
    }

    /// Whether it means something for that word of the section's selector.
    pub fn is_of(&self, word: &str) -> bool {
        self.of.is_empty() || self.of.contains(&word)
    }

    /// The name of the command line's option for it, without the dashes in front.
    pub fn argument(&self) -> String {
        self.name.replace('_', "-")
    }

    /// What it is for as the beginning of a sentence, after the words that it is for. Those are
    /// words of the configuration and stay as they are.
    pub fn sentence(&self) -> String {
        match self.of {
            [] => sentence(self.about),
            of => format!("{}: {}.", of.join(", "), self.about),
        }
    }
}

/// The line about a key or a section as a sentence.
pub fn sentence(about: &str) -> String {
    let mut characters = about.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    let sentence: String = first.into_iter().chain(characters).collect();
    format!("{sentence}.")
}
