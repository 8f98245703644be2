//! The table of keys says what the decoders do.

use super::super::section::{Condition, FILE, HOST, Key, Section, Shape, example};
use super::super::{Format, Loaded, Severity, Source, load};

/// A namespace with one key of one section given, and what else must be.
fn with(section: &Section, key: &Key, value: Option<&str>) -> Loaded {
    let mut text = section.header().replace("NAME", "office") + "\n";
    let selector = section.selector.and_then(|it| section.key(it.key, None));
    let word = match (key.of, selector) {
        ([word, ..], _) => Some(*word),
        ([], selector) => selector.map(|key| key.example.trim_matches('"')),
    };
    if let (Some(selector), Some(word)) = (selector, word)
        && selector.name != key.name
        && (selector.required || !key.of.is_empty())
    {
        text += &format!("{} = \"{word}\"\n", selector.name);
    }
    for other in section.keys().filter(|other| other.name != key.name) {
        // One of some has to be there.
        let helps = section
            .conditions
            .iter()
            .any(|it| matches!(it, Condition::AnyOf([.., last]) if *last == other.name));
        let is_selector = selector.is_some_and(|it| it.name == other.name);
        let is_meant = word.is_none_or(|word| other.is_of(word)) && !is_selector;
        if (other.required && is_meant) || helps {
            text += &format!("{} = {}\n", other.name, other.example);
        }
    }
    if let Some(value) = value {
        text += &format!("{} = {value}\n", key.name);
    }
    load(&[Source::new("a.toml", Format::Toml, text)])
}

/// Every key of every section of a namespace.
fn leaves() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    let sections = FILE.all().into_iter().filter(|s| s.shape != Shape::File);
    // A key that changes what the others mean has tests of its own.
    let keys = |s: &'static Section| s.keys().filter(|key| !key.apart);
    sections.flat_map(move |s| keys(s).map(move |key| (s, key)))
}

#[test]
fn the_tree_is_described() {
    for section in FILE.all() {
        let is_listed = section.shape != Shape::File && section.shape != Shape::Host;
        assert!(!section.title.is_empty());
        assert_eq!(is_listed, !section.summary.is_empty(), "{}", section.word);
        assert!(section.shape == Shape::File || !section.heading.is_empty());
    }
    let of_host: Vec<_> = HOST.children().map(|child| child.word).collect();
    assert_eq!(of_host, ["forward", "veth", "run"]);
}

#[test]
fn the_file_of_every_key_is_the_tree() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/every-key.toml");
    let text = example::every_key();
    if std::env::var_os("NETNSCTL_UPDATE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        text,
        "NETNSCTL_UPDATE=1 writes it"
    );
    super::desired(&[("every-key.toml", &text)]);
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
            section.header(),
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
        assert_eq!(date.count(), 1, "{} {}", section.header(), key.name);
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
        assert_eq!(missed, key.required, "{} {}", section.header(), key.name);
    }
}

#[test]
fn defaults_are_what_they_are_said_to_be() {
    let mut compared = 0;
    for (section, key) in leaves() {
        if let Some(value) = key.default.and_then(|default| default.value()) {
            let (given, left_out) = (with(section, key, Some(&value)), with(section, key, None));
            assert_eq!(
                given.desired,
                left_out.desired,
                "{} {}",
                section.header(),
                key.name
            );
            assert!(given.desired.is_some());
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn only_the_first_mistakes_are_compared_with_all_names() {
    let mut text = String::from("[netns.office]\n");
    for port in 1..=25 {
        text += &format!(
            "[[netns.office.forward]]\nlisten = \"127.0.0.1:{port}\"\nnetns = \"offise\"\n\
             connect = \"127.0.0.1:80\"\n"
        );
    }
    let loaded = load(&[Source::new("a.toml", Format::Toml, text)]);
    let hints: Vec<_> = (loaded.diagnostics.iter())
        .filter_map(|diagnostic| diagnostic.hint.as_deref())
        .collect();
    let count = |start: &str| hints.iter().filter(|hint| hint.starts_with(start)).count();
    let counts = [count("a similar name is declared"), count("declared are")];
    assert_eq!(counts, [20, 5], "{hints:?}");
}
