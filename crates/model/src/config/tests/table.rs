//! The table of keys says what the decoders do.

use super::super::keys::{self, Fallback, Key, Kind, Section};
use super::super::{Format, Loaded, Severity, Source, load};

const SECTIONS: [&Section; 7] = [
    &keys::NETNS,
    &keys::DNS,
    &keys::NSCD,
    &keys::FORWARD,
    &keys::VETH,
    &keys::ROUTE,
    &keys::RUN,
];

/// A namespace with one key of one section given, and what else must be.
fn with(section: &Section, key: &Key, value: Option<&str>) -> Loaded {
    let mut text = section.header.replace("NAME", "office") + "\n";
    for other in section.keys.iter().filter(|other| other.name != key.name) {
        // A route needs a gateway or an interface too.
        let helps = section.title == "a route" && other.name == "interface";
        if other.required || helps {
            text += &format!("{} = {}\n", other.name, other.example);
        }
    }
    if let Some(value) = value {
        text += &format!("{} = {value}\n", key.name);
    }
    load(&[Source::new("a.toml", Format::Toml, text)])
}

/// Every key but those of tables.
fn leaves() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    let all = SECTIONS
        .into_iter()
        .flat_map(|s| s.keys.iter().map(move |key| (s, key)));
    all.filter(|(_, key)| !matches!(key.kind, Kind::Sysctls | Kind::Table(_) | Kind::Tables(_)))
}

#[test]
fn examples_are_right() {
    for (section, key) in leaves() {
        let loaded = with(section, key, Some(key.example));
        let errors = loaded
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error);
        assert_eq!(
            errors.count(),
            0,
            "{} {:?}",
            section.header,
            loaded.diagnostics
        );
    }
}

#[test]
fn every_key_is_read() {
    for (section, key) in leaves() {
        let loaded = with(section, key, Some("1979-05-27"));
        let date = loaded
            .diagnostics
            .iter()
            .filter(|d| d.message.contains("is a date"));
        assert_eq!(date.count(), 1, "{} {}", section.header, key.name);
    }
}

#[test]
fn required_keys_are_missed() {
    for (section, key) in leaves() {
        let loaded = with(section, key, None);
        let lacks = format!("lacks \"{}\"", key.name);
        let missed = loaded
            .diagnostics
            .iter()
            .any(|d| d.message.contains(&lacks));
        assert_eq!(missed, key.required, "{} {}", section.header, key.name);
    }
}

#[test]
fn defaults_are_what_they_are_said_to_be() {
    let mut compared = 0;
    for (section, key) in leaves() {
        if let Some(Fallback::Value(value)) = key.default {
            let (given, left_out) = (with(section, key, Some(value)), with(section, key, None));
            assert_eq!(
                given.desired, left_out.desired,
                "{} {}",
                section.header, key.name
            );
            assert!(given.desired.is_some());
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}
