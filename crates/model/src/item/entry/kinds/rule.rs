//! Rules that choose the table of a route: what they match, and where it leads. See ip-rule(8).

use crate::config::section::{Condition, Fallback, Form, Key, Kind, Section, Shape};
use crate::item::entry::EntryKind;
use crate::item::{Contradiction, Value, Values};

/// One `rule` of a namespace.
pub(super) static SECTION: Section = Section {
    word: "rule",
    shape: Shape::List,
    title: "a rule",
    heading: "RULES",
    summary: "rules that choose the table of a route",
    about: "A rule of the namespace, by which packets that match it find their routes in another \
            table than main (254), or none. Where neither `from` nor `to` tells the family of \
            addresses, `family` does. Refused: addresses of two families, and one rule twice.",
    keys: &[KEYS],
    conditions: &[Condition::AnyOf(&["action", "table"])],
    ..Section::EMPTY
};

pub(super) const KIND: EntryKind = EntryKind {
    section: &SECTION,
    words,
    complete,
    check,
};

const FAMILIES: &[&str] = &["ipv4", "ipv6"];
const ACTIONS: &[&str] = &["lookup", "blackhole", "prohibit", "unreachable"];
const PROTOCOLS: &[&str] = &["ah", "esp", "gre", "icmp", "icmpv6", "sctp", "tcp", "udp"];

/// The last port that a rule can name (`fib_rule_port_range_valid()` of net/fib_rules.h).
const LAST_PORT: i64 = 65534;

/// Numbers of 32 bits.
const WORD: Kind = Kind::Integer(0, u32::MAX as i64);

static KEYS: &[Key] = &[
    Key::new(
        "priority",
        WORD,
        "100",
        "when it is asked: those of lower numbers come first, main's is 32766",
    )
    .required(),
    Key::new(
        "family",
        Kind::String(Form::OneOf(FAMILIES)),
        "\"ipv4\"",
        "of which packets it is",
    )
    .or(Fallback::Words("that of \"from\" or \"to\", else ipv4")),
    Key::new(
        "from",
        Kind::String(Form::Prefix),
        "\"10.20.0.0/16\"",
        "where packets come from",
    ),
    Key::new(
        "to",
        Kind::String(Form::Prefix),
        "\"10.30.0.0/16\"",
        "where packets go",
    ),
    Key::new(
        "iif",
        Kind::String(Form::Interface),
        "\"lan\"",
        "the link that they came in by; \"lo\": those of this namespace",
    ),
    Key::new(
        "oif",
        Kind::String(Form::Interface),
        "\"wan\"",
        "the link that their socket is bound to",
    ),
    Key::new("fwmark", WORD, "1", "the mark that they have")
        .or(Fallback::Words("0, if \"fwmask\" is given")),
    Key::new("fwmask", WORD, "255", "the bits of the mark that count")
        .or(Fallback::Words("all of them, if a mark is given")),
    Key::new(
        "uid",
        Kind::Range(0, u32::MAX as i64 - 1),
        "0",
        "the users whose sockets they are of, as numbers, or a range such as \"1000-1999\"",
    ),
    Key::new(
        "protocol",
        Kind::String(Form::OneOf(PROTOCOLS)),
        "\"tcp\"",
        "the protocol that they carry",
    ),
    Key::new(
        "port",
        Kind::Range(1, LAST_PORT),
        "\"5000-5010\"",
        "the ports that they go to",
    ),
    Key::new(
        "source_port",
        Kind::Range(1, LAST_PORT),
        "\"5000-5010\"",
        "the ports that they come from",
    ),
    Key::new(
        "not",
        Kind::Boolean,
        "false",
        "whether it is for all packets but those",
    )
    .or(Fallback::Boolean(false)),
    Key::new(
        "action",
        Kind::String(Form::OneOf(ACTIONS)),
        "\"lookup\"",
        "what becomes of them; lookup: a table is asked",
    )
    .or(Fallback::Text("lookup")),
    Key::new(
        "table",
        Kind::Integer(1, u32::MAX as i64),
        "100",
        "the table that is asked",
    ),
];

/// Whether addresses of a family are meant: that of `from` and `to`, else the one given.
fn complete(values: &mut Values) {
    let prefix = values.prefix("from").or(values.prefix("to"));
    let family = match prefix.map(|prefix| prefix.addr().is_ipv4()) {
        Some(false) => "ipv6",
        _ => "ipv4",
    };
    if values.get("family").is_none() {
        values.set("family", family.into());
    }
    match (values.number("fwmark"), values.number("fwmask")) {
        (Some(_), None) => values.set("fwmask", Value::Number(u32::MAX)),
        (None, Some(_)) => values.set("fwmark", Value::Number(0)),
        _ => {}
    }
}

fn check(values: &Values) -> Option<Contradiction> {
    let wrong = |word, message: &str, hint: &str| {
        Some(Contradiction {
            word,
            message: message.to_owned(),
            hint: hint.to_owned(),
        })
    };
    let is_ipv4 = values.text("family") == Some("ipv4");
    for word in ["from", "to"] {
        let prefix = values.prefix(word);
        if prefix.is_some_and(|prefix| prefix.addr().is_ipv4() != is_ipv4) {
            let hint = "a rule is of one family: write one for each";
            return wrong(word, "this rule has addresses of two families", hint);
        }
    }
    let looks_up = values.text("action") == Some("lookup");
    match (looks_up, values.get("table").is_some()) {
        (true, false) => {
            let hint = "give \"table\", the number of the table to ask";
            return wrong("table", "this rule asks no table", hint);
        }
        (false, true) => {
            let hint = "leave out \"table\", or \"action\"";
            return wrong("table", "with this \"action\" no table is asked", hint);
        }
        _ => {}
    }
    None
}

/// As ip-rule(8) has it.
fn words(values: &Values) -> String {
    let number = |word| values.number(word).unwrap_or_default();
    let family = values.text("family").unwrap_or_default();
    let mut text = format!("{} ({family}):", number("priority"));
    if values.flag("not") == Some(true) {
        text.push_str(" not");
    }
    match values.get("from") {
        Some(from) => text.push_str(&format!(" from {from}")),
        None => text.push_str(" from all"),
    }
    for word in ["to", "iif", "oif"] {
        if let Some(value) = values.get(word) {
            text.push_str(&format!(" {word} {value}"));
        }
    }
    if values.get("fwmark").is_some() {
        text.push_str(&format!(" fwmark {:#x}", number("fwmark")));
        if number("fwmask") != u32::MAX {
            text.push_str(&format!("/{:#x}", number("fwmask")));
        }
    }
    for (word, shown) in [
        ("uid", "uidrange"),
        ("protocol", "ipproto"),
        ("source_port", "sport"),
        ("port", "dport"),
    ] {
        if let Some(value) = values.get(word) {
            text.push_str(&format!(" {shown} {value}"));
        }
    }
    match values.get("table") {
        Some(table) => text + &format!(" lookup {table}"),
        None => text + " " + values.text("action").unwrap_or_default(),
    }
}
