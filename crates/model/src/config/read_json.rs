//! JSON into the tree.
//!
//! RFC 8259 and nothing more: whatever else writes such files (and reads them again) knows no
//! comments. The parser stops at its first mistake.

use jsonc_parser::ast::{Object, Value as Ast};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::diagnostic::{Place, Report};
use super::tree::{DEPTH_MAX, Entry, Node, Value, too_deep, twice};

const STRICT: ParseOptions = ParseOptions {
    allow_bare_decimal_point_numbers: false,
    allow_comments: false,
    allow_extended_string_escapes: false,
    allow_hexadecimal_numbers: false,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_non_finite_numbers: false,
    allow_single_quoted_strings: false,
    allow_trailing_commas: false,
    allow_unary_plus_numbers: false,
};

/// Reads the file with that number, `skip` bytes of which are a byte order mark.
pub(super) fn read(file: usize, skip: usize, report: &mut Report<'_>) -> Option<Node> {
    let text = &report.sources()[file].text[skip..];
    match parse_to_ast(text, &CollectOptions::default(), &STRICT) {
        Ok(parsed) => match parsed.value {
            Some(ast) => Reader { file, skip, report }.node(&ast, 0),
            None => {
                report
                    .syntax(
                        Place::new(file, skip..skip),
                        "there is nothing in this file",
                    )
                    .hint("a JSON file that declares nothing holds {}");
                None
            }
        },
        Err(error) => {
            let range = error.range();
            let place = Place::new(file, range.start + skip..range.end + skip);
            if matches!(error.kind(), ParseErrorKind::NestingDepthExceeded) {
                too_deep(place, report);
                return None;
            }
            let message = lower_first(&error.kind().to_string());
            let diagnostic = report.syntax(place, message);
            if let Some(hint) = hint(error.kind()) {
                diagnostic.hint(hint);
            }
            None
        }
    }
}

/// What to do about the mistakes that people used to other dialects make.
fn hint(kind: &ParseErrorKind) -> Option<&'static str> {
    Some(match kind {
        ParseErrorKind::CommentsNotAllowed => "JSON has no comments; a .toml file may have them",
        ParseErrorKind::ExpectedComma => "put a comma behind the value before",
        ParseErrorKind::ExpectedStringObjectProperty => "put the key in double quotes",
        ParseErrorKind::MultipleRootJsonValues => "put everything into one pair of braces",
        ParseErrorKind::SingleQuotedStringsNotAllowed => "use double quotes",
        ParseErrorKind::TrailingCommasNotAllowed => "take the comma behind the last value away",
        ParseErrorKind::UnterminatedArray => "its closing bracket is missing",
        ParseErrorKind::UnterminatedObject => "its closing brace is missing",
        _ => return None,
    })
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

struct Reader<'r, 's> {
    file: usize,
    skip: usize,
    report: &'r mut Report<'s>,
}

impl Reader<'_, '_> {
    fn place(&self, range: Range) -> Place {
        Place::new(self.file, range.start + self.skip..range.end + self.skip)
    }

    fn node(&mut self, ast: &Ast<'_>, depth: usize) -> Option<Node> {
        let place = self.place(ast.range());
        if depth > DEPTH_MAX {
            too_deep(place, self.report);
            return None;
        }
        let value = match ast {
            Ast::StringLit(text) => Value::String(text.value.clone().into_owned()),
            Ast::NumberLit(number) if number.value.contains(['.', 'e', 'E']) => Value::Float,
            Ast::NumberLit(number) => Value::Integer(number.value.parse().ok()),
            Ast::BooleanLit(boolean) => Value::Boolean(boolean.value),
            Ast::NullKeyword(_) => Value::Null,
            Ast::Object(object) => Value::Table(self.entries(object, depth)),
            Ast::Array(array) => {
                let nodes = array.elements.iter();
                Value::Array(nodes.filter_map(|n| self.node(n, depth + 1)).collect())
            }
        };
        Some(Node { value, place })
    }

    fn entries(&mut self, object: &Object<'_>, depth: usize) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        for property in &object.properties {
            let key = property.name.as_str().to_owned();
            let key_place = self.place(property.name.range());
            if let Some(first) = seen.insert(key.clone(), key_place) {
                twice(&key, key_place, Some(first), self.report);
                continue;
            }
            if let Some(node) = self.node(&property.value, depth + 1) {
                entries.push(Entry {
                    key,
                    key_place,
                    node,
                });
            }
        }
        entries
    }
}
