//! Text of configuration files in, [`Desired`] or a complete list of mistakes out.
//!
//! Each file is read into a tree that knows where every key and value stands (`tree`), whatever
//! its format. Each section in [`section`] reads its part of that tree; a mistake costs the value it is in
//! and nothing else, so that one run reports all of them. Where a derived deserializer would stop
//! at the first mistake, these go on. Then `cross` and the sections compare what only makes sense
//! together (names, listeners, both ends of a pair), and each section puts what it read into the
//! desired state. [`section`] is the one list of what can be written; [`schema`] and all other
//! outputs are made of it.
//!
//! Opens no file: whoever does hands over [`Source`]s, in the order in which they were found.

mod contradictions;
mod cross;
mod diagnostic;
mod fields;
mod hints;
mod links;
mod read_json;
mod read_toml;
mod render;
pub mod schema;
pub mod section;
mod shared;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod toml_syntax;
mod tree;
pub mod values;

pub use diagnostic::{Diagnostic, Position, Related, Severity};
pub use render::render;

use std::collections::BTreeMap;

use crate::desired::Desired;
use crate::name::NetnsRef;
use diagnostic::{Place, Report};
use section::file::Declared;

/// The language a configuration file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, RFC 8259 and nothing more: no comments, no trailing commas.
    Json,
    /// TOML 1.1.
    Toml,
}

impl Format {
    /// The format that a file of this name has; none for names that are no configuration.
    pub fn of_file_name(name: &str) -> Option<Self> {
        match name.rsplit_once('.')? {
            (stem, "json") if !stem.is_empty() => Some(Self::Json),
            (stem, "toml") if !stem.is_empty() => Some(Self::Toml),
            _ => None,
        }
    }
}

/// One configuration file, read by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is from, as shown to people.
    pub path: String,
    /// Its language.
    pub format: Format,
    /// What is in it.
    pub text: String,
    /// Offset in `text` of the first character that stands for bytes that are no UTF-8.
    not_utf8: Option<usize>,
}

impl Source {
    /// A file whose text is at hand.
    pub fn new(path: impl Into<String>, format: Format, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            format,
            text: text.into(),
            not_utf8: None,
        }
    }

    /// A file as it was read. Bytes that are no UTF-8 become U+FFFD, and [`load`] will report the
    /// first of them as an error, so the caller need not look.
    pub fn from_bytes(path: impl Into<String>, format: Format, bytes: &[u8]) -> Self {
        let not_utf8 = std::str::from_utf8(bytes).err().map(|e| e.valid_up_to());
        Self {
            not_utf8,
            ..Self::new(path, format, String::from_utf8_lossy(bytes))
        }
    }
}

/// What came of reading the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// What is declared; none exactly if one of the diagnostics is an error.
    pub desired: Option<Desired>,
    /// Index of the file among the sources in which each namespace is declared; home only if it is
    /// declared in one.
    pub files: BTreeMap<NetnsRef, usize>,
    /// Every mistake found, in the order of the files and of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads all of the configuration.
///
/// A file with mistakes in its syntax is still read as far as it can be understood; what can only
/// be said of a whole file (missing keys, unknown namespaces) is then left unsaid.
pub fn load(sources: &[Source]) -> Loaded {
    let mut report = Report::new(sources);
    let mut declared = Declared::default();
    for file in 0..sources.len() {
        if let Some(root) = read(file, &mut report) {
            section::file::read_file(&root, &mut declared, &mut report);
        }
    }
    cross::check(&declared, &mut report);
    let files = (declared.netns.iter())
        .filter_map(|(netns, namespace)| Some((netns.clone(), namespace.file?)))
        .collect();
    let desired = desired(declared);
    let (diagnostics, failed) = report.finish();
    let desired = if failed { None } else { desired };
    debug_assert!(failed || desired.is_some(), "no error, yet nothing built");
    Loaded {
        desired,
        files,
        diagnostics,
    }
}

/// The desired state; none if a value that it needs was refused.
fn desired(declared: Declared) -> Option<Desired> {
    let mut desired = Desired::default();
    for (here, namespace) in declared.netns {
        namespace.build(&here, &mut desired)?;
    }
    Some(desired)
}

/// The tree of one file; what is wrong with its syntax goes to the report.
fn read(file: usize, report: &mut Report<'_>) -> Option<tree::Node> {
    let source = &report.sources()[file];
    if let Some(start) = source.not_utf8 {
        let end = start + char::REPLACEMENT_CHARACTER.len_utf8();
        report.broken(file);
        report
            .error(Place::new(file, start..end), "this is not UTF-8")
            .hint("configuration is UTF-8 text; save the file in that encoding");
        return None;
    }
    // A byte order mark is no part of the text in either format.
    let skip = source.text.len() - source.text.trim_start_matches('\u{feff}').len();
    let skip = skip.min('\u{feff}'.len_utf8());
    match source.format {
        Format::Json => read_json::read(file, skip, report),
        Format::Toml => read_toml::read(file, skip, report),
    }
}
