//! `nixos/keys.json`, from which the options of the NixOS module are made, is the tree.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::section::{FILE, Fallback, Form, Key, Kind, NETNS, Section, Shape};

/// Keys of one name are one option, which takes the words of all of them.
fn key(all: &[&Key]) -> Value {
    let first = all[0];
    let words: BTreeSet<&str> = (all.iter())
        .flat_map(|key| match key.kind {
            Kind::String(Form::OneOf(words)) => words,
            _ => &[],
        })
        .copied()
        .collect();
    let (kind, word) = match first.kind {
        Kind::Boolean => ("boolean", None),
        Kind::Integer(..) => ("integer", None),
        Kind::IntegerOr(_, _, word) => ("integer", Some(word)),
        Kind::Range(..) => ("range", None),
        Kind::String(Form::OneOf(_)) => ("word", None),
        Kind::String(_) => ("string", None),
        Kind::Strings(_) => ("strings", None),
    };
    let words: Vec<_> = words.into_iter().chain(word).collect();
    let default = match first.default {
        Some(Fallback::Words(words)) => json!({ "text": words }),
        Some(default) => {
            let value = default.value().unwrap();
            json!({ "value": serde_json::from_str::<Value>(&value).unwrap() })
        }
        None => Value::Null,
    };
    json!({
        "name": first.name,
        "type": kind,
        "words": words,
        "default": default,
        "required": first.required && all.iter().all(|key| key.of.is_empty()),
        "only": all.iter().any(|key| !key.of.is_empty()),
        "about": first.sentence(),
    })
}

fn section(section: &Section) -> Value {
    let mut names = BTreeSet::new();
    // `count` is left out: Nix makes lists by itself.
    let keys = section.keys().filter(|key| !key.apart);
    let keys = keys.filter(|key| names.insert(key.name));
    let keys = keys.map(|first| {
        let same: Vec<_> = section
            .keys()
            .filter(|key| key.name == first.name)
            .collect();
        key(&same)
    });
    json!({
        "word": section.word,
        "shape": match section.shape {
            Shape::File | Shape::Namespace | Shape::Host | Shape::Defaults => "namespace",
            Shape::Table => "table",
            Shape::List => "list",
            Shape::Parameters => "parameters",
        },
        "host": section.is_in_host,
        "about": section.summary,
        "keys": keys.collect::<Vec<_>>(),
    })
}

#[test]
fn the_options_of_nixos_are_the_tree() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nixos/keys.json");
    let sections = NETNS.children().map(section);
    let all: Vec<_> = [section(&NETNS)].into_iter().chain(sections).collect();
    // Every section of the tree is in the file, if only by its namespace. A Nix expression has no
    // [defaults]: it has functions.
    assert_eq!(all.len() + 3, FILE.all().len());
    let text = serde_json::to_string_pretty(&all).unwrap() + "\n";
    if std::env::var_os("NETNSCTL_UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        text,
        "NETNSCTL_UPDATE=1 writes it"
    );
}
