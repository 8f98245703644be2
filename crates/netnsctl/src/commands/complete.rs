//! `completions` and what its scripts ask at each Tab.
//!
//! The scripts are a few lines that know nothing of commands and options. They hand over the words
//! up to the cursor and get a line that says what kind of thing follows, then a line for each
//! candidate: the word, a tab, what it is.
//!
//! | first line | what follows |
//! |---|---|
//! | `words` | one of the words below |
//! | `configs`, `files`, `folders` | a path, which shells complete themselves |
//! | `command N` | a word of the command line that begins at word N |

mod line;
mod values;

use clap::CommandFactory;

use self::line::{Line, Wanted};
use self::values::Values;
use crate::cli::{Cli, Complete, Completions, Shell};
use crate::output::{self, Exit, Failure};

/// Words that can follow, each with what it is.
type Candidates = Vec<(String, String)>;

pub(super) fn script(arguments: &Completions) -> Result<Exit, Failure> {
    output::print(match arguments.shell {
        Shell::Bash => include_str!("complete/netnsctl.bash"),
        Shell::Fish => include_str!("complete/netnsctl.fish"),
        Shell::Zsh => include_str!("complete/netnsctl.zsh"),
    })?;
    Ok(Exit::Done)
}

/// Says what can follow. Whoever presses Tab wants no messages, so what cannot be found out is
/// left out.
pub(super) fn complete(arguments: &Complete) -> Result<Exit, Failure> {
    let mut program = Cli::command();
    program.build();
    let words: Vec<_> = (arguments.words.iter())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let current = words.last().map(String::as_str).unwrap_or_default();
    let line = Line::read(&program, &words);
    let answer = match &line.wanted {
        Wanted::Nothing => String::new(),
        Wanted::Foreign(first) => format!("command {first}\n"),
        Wanted::Subcommand => listing(current, "", subcommands(&line)),
        Wanted::Option => listing(current, "", options(&line)),
        Wanted::Value(argument, before) => match Values::of(line.command, argument) {
            Some(Values::Configs) => "configs\n".to_owned(),
            Some(Values::Files) => "files\n".to_owned(),
            Some(Values::Folders) => "folders\n".to_owned(),
            Some(values) => listing(current, before, values.candidates(&line)),
            None => String::new(),
        },
    };
    output::print(&answer)?;
    Ok(Exit::Done)
}

/// Those that begin as `current` does.
fn listing(current: &str, before: &str, candidates: Candidates) -> String {
    let mut text = "words\n".to_owned();
    for (word, about) in candidates {
        let word = format!("{before}{word}");
        if word.starts_with(current) {
            text.push_str(&format!("{word}\t{about}\n"));
        }
    }
    text
}

fn subcommands(line: &Line<'_>) -> Candidates {
    let commands = line
        .command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let about = |command: &clap::Command| command.get_about().map(ToString::to_string);
    commands
        .map(|command| {
            (
                command.get_name().to_owned(),
                about(command).unwrap_or_default(),
            )
        })
        .collect()
}

fn options(line: &Line<'_>) -> Candidates {
    let mut found = Candidates::new();
    for option in line.open_options() {
        let about = option
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        if let Some(long) = option.get_long() {
            found.push((format!("--{long}"), about));
        }
    }
    found
}
