//! `run` of a namespace: who may run commands in it.

use super::part::{Part, Target};
use super::{Defaults, Fallback, Form, Key, Kind, Section};
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::text::quote;
use crate::config::values::control_character;
use crate::desired::RunAccess;
use crate::name::NetnsRef;

/// `run` of a namespace.
pub static SECTION: Section = Section {
    word: "run",
    title: "\"run\" of a namespace",
    heading: "ACCESS",
    summary: "who but root may run commands in it",
    about: "Who but root may use netnsctl-run(1) for this namespace. Without the table nobody gets \
            there without a password.",
    keys: &[KEYS],
    is_in_host: true,
    defaults: Defaults::Whole,
    ..Section::EMPTY
};

static KEYS: &[Key] = &[
    Key::new(
        "users",
        Kind::Strings(Form::Account),
        "[\"alice\"]",
        "users who may run commands in the namespace, without a password where polkit is",
    )
    .or(Fallback::Texts(&[])),
    Key::new(
        "groups",
        Kind::Strings(Form::Account),
        "[\"office\"]",
        "groups whose members may",
    )
    .or(Fallback::Texts(&[])),
];

/// What is declared, if anything is.
#[derive(Debug, Default)]
pub(super) struct Declared(Option<RunAccess>);

impl Part for Declared {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        Self(given.first().map(|fields| {
            let mut names = |key| {
                let texts = fields.strings(key, report).unwrap_or_default();
                for text in &texts {
                    account(*text, key, report);
                }
                texts.iter().map(|text| text.value.to_owned()).collect()
            };
            RunAccess {
                users: names("users"),
                groups: names("groups"),
            }
        }))
    }

    /// Who is allowed by one file is allowed.
    fn join(&mut self, more: Self) {
        match (&mut self.0, more.0) {
            (Some(run), Some(more)) => {
                add(&mut run.users, more.users);
                add(&mut run.groups, more.groups);
            }
            (run, more) => *run = run.take().or(more),
        }
    }

    fn build(self, target: &mut Target<'_>) -> Option<()> {
        match &mut target.netns {
            Some(netns) => netns.run = self.0,
            None => target.home.run = self.0,
        }
        Some(())
    }
}

/// Adds those of `more` that `names` does not have.
fn add(names: &mut Vec<String>, more: Vec<String>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

fn account(text: At<&str>, key: &str, report: &mut Report<'_>) {
    let message = if text.value.is_empty() {
        format!("an empty string in {}", quote(key))
    } else if let Some(bad) = control_character(text.value) {
        format!("{} contains {}", quote(text.value), bad.escape_default())
    } else {
        return;
    };
    let whose = if key == "users" { "user" } else { "group" };
    report.error(text.place, message).hint(format!(
        "write the name of a {whose} as it is in the system's database"
    ));
}
