//! `nscd` of a namespace: its name-service daemon.

use super::part::{Part, Target};
use super::{Defaults, Fallback, Form, Key, Kind, Section};
use crate::config::diagnostic::Report;
use crate::config::fields::Fields;
use crate::desired::Nscd;
use crate::name::NetnsRef;

/// `nscd` of a namespace.
pub static SECTION: Section = Section {
    word: "nscd",
    title: "\"nscd\" of a namespace",
    heading: "NAME-SERVICE DAEMON",
    summary: "its name-service daemon",
    about: "What answers programs inside that look up users, groups, hosts and services; see \
            netnsctl-nscd(1).",
    keys: &[KEYS],
    defaults: Defaults::ByKey,
    ..Section::EMPTY
};

static KEYS: &[Key] = &[
    Key::new(
        "enable",
        Kind::Boolean,
        "true",
        "whether there is one for the namespace",
    )
    .or(Fallback::Boolean(true)),
    Key::new(
        "cache",
        Kind::String(Form::Duration),
        "\"10s\"",
        "how long answers may be reused; 0s: those of unchanged files only",
    )
    .or(Fallback::Time(std::time::Duration::ZERO)),
];

/// What is declared.
#[derive(Debug, Default)]
pub(super) struct Declared(Nscd);

impl Part for Declared {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        let mut nscd = Nscd::default();
        for fields in given {
            nscd.enable = fields.boolean("enable", report).unwrap_or(nscd.enable);
            nscd.cache = (fields.duration("cache", report)).map_or(nscd.cache, |cache| cache.value);
        }
        Self(nscd)
    }

    fn build(self, target: &mut Target<'_>) -> Option<()> {
        if let Some(netns) = &mut target.netns {
            netns.nscd = self.0;
        }
        Some(())
    }
}
