//! The configuration as a JSON Schema (2020-12), for editors and for whoever writes files by program.
//!
//! Made of [`keys`], so that it has every key with its meaning and default. It never refuses what
//! [`super::load`] takes. The other way around it leaves alone what takes a look at several places
//! (unknown namespaces, listeners on one port) or at bytes and bits. Specification:
//! json-schema.org/draft/2020-12.

mod json;

use self::json::Json;
use super::keys::{self, Fallback, Form, Key, Kind, Section, form};

/// The schema, as a JSON document.
pub fn schema() -> String {
    let definitions = [
        &keys::NETNS,
        &keys::HOME,
        &keys::DNS,
        &keys::NSCD,
        &keys::FORWARD,
        &keys::VETH,
        &keys::ROUTE,
        &keys::RUN,
    ]
    .map(|section| (definition_name(section).to_owned(), table(section)));
    Json::object([
        (
            "$schema",
            "https://json-schema.org/draft/2020-12/schema".into(),
        ),
        ("title", "netnsctl".into()),
        ("description", "Network namespaces of netnsctl(1).".into()),
    ])
    .extended(table(&keys::FILE))
    .with("$defs", Json::Object(definitions.into()))
    .write()
}

impl Json {
    /// The members of both objects.
    fn extended(self, more: Json) -> Self {
        match (self, more) {
            (Self::Object(mut members), Self::Object(more)) => {
                members.extend(more);
                Self::Object(members)
            }
            (this, _) => this,
        }
    }
}

/// What a section is called among the definitions: the last word of its header, or what that
/// stands for.
fn definition_name(section: &Section) -> &'static str {
    let header = section.header.trim_matches(['[', ']']);
    match header.rsplit('.').next() {
        Some("NAME") => "namespace",
        Some("default") => "home",
        Some(word) => word,
        None => header,
    }
}

fn reference(section: &Section) -> Json {
    let path = format!("#/$defs/{}", definition_name(section));
    Json::object([("$ref", path.into())])
}

/// A table and no other keys in it.
fn table(section: &Section) -> Json {
    let properties = section
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(section, key)));
    let required: Vec<_> = (section.keys.iter())
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema = Json::object([
        ("type", "object".into()),
        ("properties", Json::Object(properties.collect())),
    ]);
    if !required.is_empty() {
        schema = schema.with("required", Json::strings(required));
    }
    schema
        .with("additionalProperties", false)
        .extended(together(section))
}

/// What keys of a section have to do with one another.
fn together(section: &Section) -> Json {
    match definition_name(section) {
        "home" => {
            // The other end is home unless it is said, and here that is this end.
            let items = Json::object([("required", Json::strings(["netns"]))]);
            let veth = Json::object([("veth", Json::object([("items", items)]))]);
            Json::object([("allOf", Json::List(vec![properties(veth)]))])
        }
        "route" => {
            let given = |key| Json::object([("required", Json::strings([key]))]);
            let conditions = vec![
                when("via", "^[Ff][Ee][89ABab]", given("interface")),
                when("to", "^[0-9.]+(/|$)", like("via", "^[^:]*$")),
                when("to", ":", like("via", ":")),
            ];
            let any = Json::List(vec![given("via"), given("interface")]);
            Json::object([("anyOf", any), ("allOf", Json::List(conditions))])
        }
        "forward" => {
            let no_path = |key| like(key, "^(?!unix:)");
            let ends = Json::List(vec![no_path("listen"), no_path("connect")]);
            when("protocol", "^udp$", Json::object([("allOf", ends)]))
        }
        _ => Json::object([]),
    }
}

fn properties(of: Json) -> Json {
    Json::object([("properties", of)])
}

/// That the value of this key matches, if it is given.
fn like(key: &'static str, pattern: &str) -> Json {
    let pattern = Json::object([("pattern", pattern.into())]);
    properties(Json::object([(key, pattern)]))
}

/// If this key is given and its value matches, then something else holds too.
fn when(key: &'static str, pattern: &str, then: Json) -> Json {
    let given = like(key, pattern).with("required", Json::strings([key]));
    Json::object([("if", given), ("then", then)])
}

fn property(section: &Section, key: &Key) -> Json {
    let mut about = format!("{}.", sentence(key.about));
    if let Some(Fallback::Words(words)) = key.default {
        about.push_str(&format!(" Default: {words}."));
    }
    if let Some(refused) = key.kind.refused() {
        about.push_str(&format!(" Refused: {refused}."));
    }
    let mut schema = Json::object([("description", about.into())]);
    schema = schema.extended(match &key.kind {
        Kind::Table(_) if section.header.is_empty() => namespaces(),
        kind => value(kind),
    });
    if let Some(Fallback::Value(default)) = key.default {
        schema = schema.with("default", Json::Raw(default.to_owned()));
    }
    if !key.example.is_empty() {
        let examples = Json::List(vec![Json::Raw(key.example.to_owned())]);
        schema = schema.with("examples", examples);
    }
    schema
}

/// The line about a key as the beginning of a sentence.
fn sentence(about: &str) -> String {
    // "tcp:" and "udp:" are words of the configuration and stay as they are.
    if about.starts_with("tcp:") || about.starts_with("udp:") {
        return about.to_owned();
    }
    let mut characters = about.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

fn value(kind: &Kind) -> Json {
    let integer = |least: i64, most: i64| {
        Json::object([
            ("type", "integer".into()),
            ("minimum", least.into()),
            ("maximum", most.into()),
        ])
    };
    match *kind {
        Kind::Boolean => Json::object([("type", "boolean".into())]),
        Kind::Integer(least, most) => integer(least, most),
        Kind::IntegerOr(least, most, word) => {
            // A number may also be in quotes.
            let text = Json::object([
                ("type", "string".into()),
                ("pattern", format!("^({word}|[0-9]+)$").into()),
            ]);
            Json::object([("anyOf", Json::List(vec![integer(least, most), text]))])
        }
        Kind::String(form) => text(form),
        Kind::Strings(form) => Json::object([("type", "array".into()), ("items", text(form))]),
        Kind::Sysctls => sysctls(),
        Kind::Table(section) => reference(section),
        Kind::Tables(section) => {
            Json::object([("type", "array".into()), ("items", reference(section))])
        }
    }
}

fn text(form: Form) -> Json {
    if let Form::OneOf(words) = form {
        return Json::object([("enum", Json::strings(words.iter().copied()))]);
    }
    let schema = Json::object([("type", "string".into())]);
    match form.pattern() {
        Some(pattern) => schema.with("pattern", pattern),
        None => schema,
    }
}

/// Home and namespaces by name. After some names no link can be named, so those need another.
fn namespaces() -> Json {
    let name = Json::object([("pattern", form::netns_name().into())]);
    let home = Json::Object(vec![("default".to_owned(), reference(&keys::HOME))]);
    // Validators of older drafts, which editors have, see nothing beside a "$ref".
    let interface = Json::object([("required", Json::strings(["interface"]))]);
    let both = Json::List(vec![reference(&keys::NETNS), interface]);
    let needs_interface = Json::object([("allOf", both)]);
    Json::object([
        ("type", "object".into()),
        ("propertyNames", name),
        ("properties", home),
    ])
    .with(
        "patternProperties",
        Json::Object(vec![(form::no_link_name(), needs_interface)]),
    )
    .with("additionalProperties", reference(&keys::NETNS))
}

fn sysctls() -> Json {
    let name = Json::object([
        ("pattern", form::sysctl_name().into()),
        ("maxLength", 255.into()),
    ]);
    let types = Json::strings(["string", "integer", "boolean"]);
    let value = Json::object([("type", types), ("pattern", form::sysctl_value().into())]);
    Json::object([("type", "object".into()), ("propertyNames", name)])
        .with("additionalProperties", value)
}
