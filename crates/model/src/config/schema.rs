//! The configuration as a JSON Schema (2020-12), for editors and for whoever writes files by program.
//!
//! Made of [`super::section`], so that it has every key with its meaning and default. It never refuses what
//! [`super::load`] takes. The other way around it leaves alone what takes a look at several places
//! (unknown namespaces, listeners on one port) or at bytes and bits. Specification:
//! json-schema.org/draft/2020-12.

mod json;

use self::json::Json;
use super::section::{
    Condition, FILE, Fallback, Form, HOST, Key, Kind, Member, NETNS, Others, Section, Shape, form,
    sentence,
};

/// The schema, as a JSON document.
pub fn schema() -> String {
    let sections = FILE
        .all()
        .into_iter()
        .filter(|section| has_definition(section));
    let definitions: Vec<_> = sections
        .map(|section| (definition_name(section).to_owned(), table(section)))
        .collect();
    Json::object([
        (
            "$schema",
            "https://json-schema.org/draft/2020-12/schema".into(),
        ),
        ("title", "netnsctl".into()),
        ("description", "Network namespaces of netnsctl(1).".into()),
    ])
    .extended(table(&FILE))
    .with("$defs", Json::Object(definitions))
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

/// Whether the schema says in one place what a section is, for others to refer to.
fn has_definition(section: &Section) -> bool {
    !matches!(section.shape, Shape::File | Shape::Parameters)
}

/// What a section is called among the definitions.
fn definition_name(section: &Section) -> &'static str {
    match section.shape {
        Shape::Namespace => "namespace",
        Shape::Host => "home",
        Shape::Defaults => "defaults",
        _ => section.word,
    }
}

fn reference(section: &Section) -> Json {
    let path = format!("#/$defs/{}", definition_name(section));
    Json::object([("$ref", path.into())])
}

/// A table and no other keys in it.
fn table(section: &Section) -> Json {
    let properties = (section.members().into_iter())
        .map(|member| (member.name().to_owned(), property(section, member)));
    let required: Vec<_> = (section.keys())
        .filter(|key| key.required && key.of.is_empty())
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
    let given =
        |keys: &[&'static str]| Json::object([("required", Json::strings(keys.iter().copied()))]);
    let (mut any, mut all) = (Vec::new(), Vec::new());
    for condition in section.conditions {
        match condition {
            Condition::AnyOf(keys) => any.extend(keys.iter().map(|key| given(&[key]))),
            Condition::Needs(key, pattern, other) => all.push(when(key, pattern, given(&[other]))),
            Condition::Matches(key, pattern, others) => {
                let others = others.iter().map(|(key, pattern)| like(key, pattern));
                all.push(when(
                    key,
                    pattern,
                    Json::object([("allOf", Json::List(others.collect()))]),
                ));
            }
        }
    }
    if section.shape == Shape::Host {
        for child in section.children() {
            let keys = child.keys().filter(|key| key.required_in_host);
            let keys: Vec<_> = keys.map(|key| key.name).collect();
            if !keys.is_empty() {
                let items = Json::object([("items", given(&keys))]);
                all.push(properties(Json::object([(child.word, items)])));
            }
        }
    }
    all.extend(selected(section));
    let mut schema = Json::object([]);
    if !any.is_empty() {
        schema = schema.with("anyOf", Json::List(any));
    }
    if !all.is_empty() {
        schema = schema.with("allOf", Json::List(all));
    }
    schema
}

/// For each word of the selector: the keys that it needs, and those that are refused with it.
fn selected(section: &Section) -> Vec<Json> {
    let Some(selector) = section.selector.filter(|it| it.others == Others::Refused) else {
        return Vec::new();
    };
    let of = |word: &&'static str| {
        let names = section.keys().filter(|key| !key.of.is_empty());
        let others = names
            .filter(|key| {
                !section
                    .key(key.name, Some(word))
                    .is_some_and(|key| key.is_of(word))
            })
            .map(|key| (key.name.to_owned(), false.into()))
            .collect();
        let needed = section
            .keys()
            .filter(|key| key.required && key.of.contains(word));
        let then = properties(Json::Object(others))
            .with("required", Json::strings(needed.map(|key| key.name)));
        when(selector.key, &format!("^{word}$"), then)
    };
    section.selections().iter().map(of).collect()
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

fn property(section: &Section, member: Member) -> Json {
    let key = match member {
        Member::Key(key) => key,
        Member::Section(child) => {
            let about = Json::object([("description", sentence(child.summary).into())]);
            return about.extended(match child.shape {
                Shape::Namespace => namespaces(),
                Shape::Parameters => sysctls(),
                Shape::List => {
                    Json::object([("type", "array".into()), ("items", reference(child))])
                }
                _ => reference(child),
            });
        }
    };
    let mut about = key.sentence();
    if let Some(Fallback::Words(words)) = key.default {
        about.push_str(&format!(" Default: {words}."));
    }
    if let Some(refused) = key.kind.refused() {
        about.push_str(&format!(" Refused: {refused}."));
    }
    let mut schema = Json::object([("description", about.into())]).extended(values(section, key));
    if let Some(default) = key.default.and_then(|default| default.value()) {
        schema = schema.with("default", Json::Raw(default));
    }
    schema.with(
        "examples",
        Json::List(vec![Json::Raw(key.example.to_owned())]),
    )
}

/// What the value of a key can be; keys of one name can have values of several kinds.
fn values(section: &Section, key: &Key) -> Json {
    let same = section.keys().filter(|other| other.name == key.name);
    let mut values: Vec<_> = same.map(|key| value(&key.kind)).collect();
    match values.pop() {
        Some(only) if values.is_empty() => only,
        last => {
            values.extend(last);
            Json::object([("anyOf", Json::List(values))])
        }
    }
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
        Kind::Range(least, most) => {
            let text = Json::object([
                ("type", "string".into()),
                ("pattern", "^[0-9]+(-[0-9]+)?$".into()),
            ]);
            Json::object([("anyOf", Json::List(vec![integer(least, most), text]))])
        }
        Kind::String(form) => text(form),
        Kind::Strings(form) => Json::object([("type", "array".into()), ("items", text(form))]),
    }
}

fn text(form: Form) -> Json {
    if let Form::OneOf(words) = form {
        return Json::object([("enum", Json::strings(words.iter().copied()))]);
    }
    let schema = Json::object([("type", "string".into())]);
    match form.pattern() {
        // In a namespace that counts, {n} may stand anywhere.
        Some(pattern) => schema.with("pattern", format!(r"{pattern}|\{{n\}}")),
        None => schema,
    }
}

/// Home and namespaces by name. After some names no link can be named, so those need another.
fn namespaces() -> Json {
    let name = Json::object([("pattern", form::netns_name().into())]);
    let home = Json::Object(vec![("default".to_owned(), reference(&HOST))]);
    // Validators of older drafts, which editors have, see nothing beside a "$ref".
    let interface = Json::object([("required", Json::strings(["interface"]))]);
    let both = Json::List(vec![reference(&NETNS), interface]);
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
    .with("additionalProperties", reference(&NETNS))
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
