//! `dns` of a namespace: what its resolv.conf says.

use super::part::{Part, Target};
use super::{Defaults, Fallback, Form, Key, Kind, Section};
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::text::quote;
use crate::config::values::{self, control_character};
use crate::desired::Dns;
use crate::name::NetnsRef;

/// `dns` of a namespace.
pub static SECTION: Section = Section {
    word: "dns",
    title: "\"dns\" of a namespace",
    heading: "NAME SERVERS",
    summary: "what its resolv.conf says",
    about: "The resolv.conf(5) of the namespace. If /etc/netns/NAME/resolv.conf is there and does \
            not say that netnsctl wrote it, it is left alone and these keys mean nothing. A server \
            with a loopback address gets a warning, since that is the namespace itself.",
    keys: &[KEYS],
    defaults: Defaults::ByKey,
    ..Section::EMPTY
};

static KEYS: &[Key] = &[
    Key::new(
        "nameservers",
        Kind::Strings(Form::Nameserver),
        "[\"1.1.1.1\"]",
        "servers to ask",
    )
    .also(&["nameserver", "servers", "server"])
    .or(Fallback::Texts(&Dns::NAMESERVERS)),
    Key::new(
        "search",
        Kind::Strings(Form::Word),
        "[\"example.org\"]",
        "domains in which short names are looked up",
    )
    .or(Fallback::Texts(&[])),
    Key::new(
        "options",
        Kind::Strings(Form::Word),
        "[\"timeout:1\"]",
        "options of resolv.conf(5)",
    )
    .or(Fallback::Texts(&[])),
];

/// What is declared.
#[derive(Debug, Default)]
pub(super) struct Declared(Dns);

impl Part for Declared {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        let mut dns = Dns::default();
        if let Some(fields) = given.first() {
            read(fields, &mut dns, report);
        }
        Self(dns)
    }

    fn build(self, target: &mut Target<'_>) -> Option<()> {
        if let Some(netns) = &mut target.netns {
            netns.dns = self.0;
        }
        Some(())
    }
}

fn read(fields: &Fields<'_>, dns: &mut Dns, report: &mut Report<'_>) {
    if let Some(texts) = fields.strings("nameservers", report) {
        if let (true, Some(entry)) = (texts.is_empty(), fields.entry("nameservers")) {
            report
                .warning(entry.node.place, "there are no nameservers")
                .hint(
                    "resolv.conf(5) then means 127.0.0.1; leave the key out for the default ones",
                );
        }
        dns.nameservers = texts.iter().map(|text| text.value.to_owned()).collect();
        for text in texts {
            nameserver(text, report);
        }
    }
    let mut words = |key| {
        let texts = fields.strings(key, report).unwrap_or_default();
        for text in &texts {
            word(*text, key, report);
        }
        texts.iter().map(|text| text.value.to_owned()).collect()
    };
    dns.search = words("search");
    dns.options = words("options");
}

fn nameserver(text: At<&str>, report: &mut Report<'_>) {
    match values::nameserver(text.value) {
        Ok(false) => {}
        Ok(true) => {
            report
                .warning(text.place, format!("nameserver {} is the namespace itself", quote(text.value)))
                .hint("a loopback address is not shared with home; name a server that can be reached from the namespace");
        }
        Err(bad) => {
            report.error(text.place, bad.message).hint(bad.hint);
        }
    }
}

/// Checks a word of resolv.conf(5).
fn word(text: At<&str>, key: &str, report: &mut Report<'_>) {
    let quoted = quote(text.value);
    let message = if text.value.is_empty() {
        format!("an empty string in {}", quote(key))
    } else if let Some(bad) = control_character(text.value) {
        format!("{quoted} contains {}", bad.escape_default())
    } else if text.value.contains(char::is_whitespace) {
        format!("{quoted} contains white space")
    } else {
        return;
    };
    report
        .error(text.place, message)
        .hint("each string of the list is one word of resolv.conf(5)");
}
