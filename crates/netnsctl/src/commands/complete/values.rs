//! What the values of arguments can be.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Arg, Command};
use netnsctl_kernel::names;
use netnsctl_model::config::Loaded;
use netnsctl_model::name::NetnsRef;
use netnsctl_session::sandbox;

use super::Candidates;
use super::line::Line;
use crate::cli::Sandbox;
use crate::config_files;
use crate::man;

/// What the value of an argument is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    /// Files and folders of configuration.
    Configs,
    /// Namespaces that are declared.
    Declared,
    /// Files.
    Files,
    /// Folders.
    Folders,
    /// Namespaces that are declared or there.
    Netns,
    /// Those, and home.
    NetnsOrHome,
    /// Manual pages.
    Pages,
    /// Parts of the namespace that was named.
    Parts,
    /// Processes of the caller's sandboxes.
    Sandboxes,
    /// These words.
    Words(Vec<(String, String)>),
}

impl Values {
    /// What is known of the values of `argument`; none for numbers, times, addresses and the like.
    pub(super) fn of(command: &Command, argument: &Arg) -> Option<Self> {
        let words: Vec<_> = (argument.get_possible_values().iter())
            .map(|value| {
                let help = value.get_help().map(ToString::to_string);
                (value.get_name().to_owned(), help.unwrap_or_default())
            })
            .collect();
        if !words.is_empty() {
            return Some(Self::Words(words));
        }
        Some(match (command.get_name(), argument.get_id().as_str()) {
            ("nscd", "files") => Self::Folders,
            (_, "config" | "files") => Self::Configs,
            (_, "from_script" | "from_wg_netns" | "program" | "socket") => Self::Files,
            (_, "output" | "polkit" | "root") => Self::Folders,
            ("plan" | "up", "names") => Self::Declared,
            ("down" | "import" | "top", "names")
            | ("doctor" | "service-config" | "status", "name") => Self::Netns,
            ("graph", "names")
            | ("run", "name")
            | ("forward", "connect_netns" | "listen_netns") => Self::NetnsOrHome,
            ("man", "page") => Self::Pages,
            ("down" | "up", "part") => Self::Parts,
            (_, "sandbox_pid") => Self::Sandboxes,
            _ => return None,
        })
    }

    /// The words, with what they are; none of those that shells know themselves.
    pub(super) fn candidates(&self, line: &Line<'_>) -> Candidates {
        match self {
            Self::Configs | Self::Files | Self::Folders => Vec::new(),
            Self::Declared => netns(line, false, false),
            Self::Netns => netns(line, true, false),
            Self::NetnsOrHome => netns(line, true, true),
            Self::Pages => (man::pages().iter())
                .map(|page| {
                    let short = page
                        .name
                        .strip_prefix("netnsctl-")
                        .filter(|_| page.section == 1);
                    let word = short.map_or_else(|| page.file_name(), str::to_owned);
                    (word, "manual page".to_owned())
                })
                .collect(),
            Self::Parts => parts(line),
            Self::Sandboxes => (sandbox::running().iter())
                .map(|pid| (pid.to_string(), "netnsctl serve --sandbox".to_owned()))
                .collect(),
            Self::Words(words) => words.clone(),
        }
    }
}

/// Namespaces that were not named yet.
fn netns(line: &Line<'_>, existing: bool, home: bool) -> Candidates {
    if !entered_sandbox(line) {
        return Vec::new();
    }
    let mut found: Candidates = Vec::new();
    let mut seen: BTreeSet<String> = line.positional.iter().cloned().collect();
    let mut add = |name: &str, about: &str| {
        if seen.insert(name.to_owned()) {
            found.push((name.to_owned(), about.to_owned()));
        }
    };
    let declared = declared(line);
    for name in declared.iter().flat_map(|loaded| loaded.files.keys()) {
        if *name != NetnsRef::Home {
            add(name.as_str(), "declared");
        }
    }
    if existing {
        for name in names::list().unwrap_or_default() {
            add(name.as_str(), "not declared");
        }
    }
    if home {
        add(NetnsRef::HOME, "home");
    }
    found
}

/// What `up --part` takes for the namespace that was named.
fn parts(line: &Line<'_>) -> Candidates {
    let mut found = vec![
        ("namespace".to_owned(), "all of it".to_owned()),
        ("view".to_owned(), "its resolv.conf and others".to_owned()),
    ];
    let loaded = declared(line);
    let desired = loaded.as_ref().and_then(|loaded| loaded.desired.as_ref());
    let Some((desired, name)) = desired.zip(line.positional.first()) else {
        return found;
    };
    let pairs = desired
        .veths
        .iter()
        .filter(|pair| pair.near.netns.as_str() == name);
    for (n, pair) in pairs.enumerate() {
        let about = format!("veth pair to {}", pair.far.netns);
        found.push((format!("veth:{}", n + 1), about));
    }
    found
}

/// The configuration that the line is about.
fn declared(line: &Line<'_>) -> Option<Loaded> {
    let value = |(id, value): &(String, Option<String>)| {
        value.as_deref().filter(|_| id == "config").map(path)
    };
    let paths: Vec<_> = line.options.iter().filter_map(value).collect();
    let configuration = config_files::load(&paths).ok()?;
    Some(configuration.loaded)
}

/// A path as it is typed: shells put the home folder for `~` only when the line runs.
fn path(typed: &str) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|_| typed.starts_with("~/"));
    match home {
        Some(home) => PathBuf::from(home).join(&typed[2..]),
        None => PathBuf::from(typed),
    }
}

/// Moves into the sandbox that the line is about, if there is one; whether this is where to look.
fn entered_sandbox(line: &Line<'_>) -> bool {
    let given = |wanted: &str| line.options.iter().find(|(id, _)| id == wanted);
    let pid = given("sandbox_pid").and_then(|(_, pid)| pid.as_ref()?.parse().ok());
    let sandbox = Sandbox {
        sandbox: given("sandbox").is_some(),
        sandbox_pid: pid,
    };
    super::super::enter_sandbox(&sandbox).is_ok()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use netnsctl_model::config::section::forward::OPTIONS;

    use super::*;
    use crate::cli::Cli;

    /// Arguments whose values are for the caller to think of, beside those that are keys of a
    /// forward.
    const FREE: [&str; 8] = [
        "cache", "command", "connect", "inside", "interval", "listen", "passed", "words",
    ];

    #[test]
    fn every_value_can_be_completed_or_is_free() {
        let mut program = Cli::command();
        program.build();
        let commands = program.get_subcommands().chain([&program]);
        let mut completed = 0;
        for command in commands {
            for argument in command.get_arguments() {
                if !argument.get_action().takes_values() {
                    continue;
                }
                let known = Values::of(command, argument).is_some();
                let id = argument.get_id().as_str();
                let is_option = OPTIONS.iter().any(|key| key.name == id);
                let is_free = FREE.contains(&id) || is_option;
                assert_ne!(known, is_free, "{} {id}", command.get_name());
                completed += usize::from(known);
            }
        }
        assert!(completed > 20, "{completed}");
    }
}
