//! A command line that is being typed: what is to follow.

use clap::{Arg, ArgAction, Command};

/// What can stand where the cursor is.
#[derive(Debug)]
pub(crate) enum Wanted<'c> {
    /// An option.
    Option,
    /// A command of this program.
    Subcommand,
    /// The value of an argument. What stands before it in the same word, as in `--config=`.
    Value(&'c Arg, String),
    /// A word of another program's command line, which begins at this word.
    Foreign(usize),
    /// Nothing that is known.
    Nothing,
}

/// A line, read up to the cursor.
#[derive(Debug)]
pub(crate) struct Line<'c> {
    /// The command that was chosen, or the program.
    pub(crate) command: &'c Command,
    /// What can follow.
    pub(crate) wanted: Wanted<'c>,
    /// Options that were given, by their id, with their values.
    pub(crate) options: Vec<(String, Option<String>)>,
    /// Positional arguments that were given.
    pub(crate) positional: Vec<String>,
    /// Options are not recognised any more, after `--`.
    only_positional: bool,
}

impl<'c> Line<'c> {
    /// Reads `words`, the program first, the last one up to the cursor.
    pub(crate) fn read(program: &'c Command, words: &[String]) -> Self {
        let mut line = Self {
            command: program,
            wanted: Wanted::Nothing,
            options: Vec::new(),
            positional: Vec::new(),
            only_positional: false,
        };
        let Some((current, given)) = words.split_last().filter(|(_, given)| !given.is_empty())
        else {
            return line;
        };
        let mut pending = None;
        for (index, word) in given.iter().enumerate().skip(1) {
            if let Some(option) = pending.take() {
                line.give(option, Some(word.clone()));
                continue;
            }
            if line.is_foreign(word) {
                line.wanted = Wanted::Foreign(index);
                return line;
            }
            match line.take(word) {
                Ok(option) => pending = option,
                Err(()) => return line,
            }
        }
        line.wanted = match pending {
            Some(option) => Wanted::Value(option, String::new()),
            None => line.next(current, words.len() - 1),
        };
        line
    }

    /// Reads a whole word. Gives the option whose value comes next; fails if nothing can be said
    /// of what follows.
    fn take(&mut self, word: &str) -> Result<Option<&'c Arg>, ()> {
        if self.only_positional || !word.starts_with('-') || word == "-" {
            return self.take_positional(word).map(|()| None);
        }
        if word == "--" {
            self.only_positional = true;
            return Ok(None);
        }
        let (option, value) = match word.strip_prefix("--") {
            Some(long) => match long.split_once('=') {
                Some((long, value)) => (self.long(long), Some(value.to_owned())),
                None => (self.long(long), None),
            },
            // The last of several short ones decides what comes next.
            None => (self.short(word.chars().last()), None),
        };
        let option = option.ok_or(())?;
        if value.is_none() && option.get_action().takes_values() {
            return Ok(Some(option));
        }
        self.give(option, value);
        Ok(None)
    }

    fn take_positional(&mut self, word: &str) -> Result<(), ()> {
        if self.command.has_subcommands() {
            self.command = self.command.find_subcommand(word).ok_or(())?;
        } else {
            self.positional.push(word.to_owned());
        }
        Ok(())
    }

    fn give(&mut self, option: &Arg, value: Option<String>) {
        self.options.push((option.get_id().to_string(), value));
    }

    /// Whether `word`, which is next, begins the command line of another program.
    fn is_foreign(&self, word: &str) -> bool {
        let next = self.next_positional();
        next.is_some_and(Arg::is_trailing_var_arg_set)
            && (self.only_positional || !word.starts_with('-'))
    }

    /// What can follow, of which `current` is there already.
    fn next(&self, current: &str, index: usize) -> Wanted<'c> {
        if self.is_foreign(current) {
            return Wanted::Foreign(index);
        }
        if !self.only_positional && current.starts_with('-') {
            let long = current.strip_prefix("--").and_then(|it| it.split_once('='));
            return match long {
                Some((name, _)) => match self.long(name) {
                    Some(option) if option.get_action().takes_values() => {
                        Wanted::Value(option, format!("--{name}="))
                    }
                    _ => Wanted::Nothing,
                },
                None => Wanted::Option,
            };
        }
        if self.command.has_subcommands() {
            return Wanted::Subcommand;
        }
        match self.next_positional() {
            Some(argument) => Wanted::Value(argument, String::new()),
            None => Wanted::Nothing,
        }
    }

    /// The positional argument that the next word is for.
    fn next_positional(&self) -> Option<&'c Arg> {
        let last = self.command.get_positionals().last()?;
        let nth = self.command.get_positionals().nth(self.positional.len());
        let repeats = matches!(last.get_action(), ArgAction::Append);
        nth.or_else(|| repeats.then_some(last))
    }

    /// The options that can be given now, hidden ones left out and those given already.
    pub(crate) fn open_options(&self) -> impl Iterator<Item = &'c Arg> {
        let is_open = |option: &&Arg| {
            let again = matches!(option.get_action(), ArgAction::Append | ArgAction::Count);
            let given = self
                .options
                .iter()
                .any(|(id, _)| option.get_id() == id.as_str());
            !option.is_hide_set() && (again || !given)
        };
        self.command.get_opts_and_flags().filter(is_open)
    }

    fn long(&self, name: &str) -> Option<&'c Arg> {
        let mut options = self.command.get_opts_and_flags();
        options.find(|option| option.get_long() == Some(name))
    }

    fn short(&self, name: Option<char>) -> Option<&'c Arg> {
        let mut options = self.command.get_opts_and_flags();
        options.find(|option| option.get_short() == name)
    }
}

/// Arguments that are no positional ones.
trait Options {
    fn get_opts_and_flags(&self) -> impl Iterator<Item = &Arg>;
}

impl Options for Command {
    fn get_opts_and_flags(&self) -> impl Iterator<Item = &Arg> {
        self.get_arguments()
            .filter(|argument| !argument.is_positional())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_follows_is_known() {
        let mut program = Cli::command();
        program.build();
        let wanted = |text: &str| {
            let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
            match Line::read(&program, &words).wanted {
                Wanted::Option => "an option".to_owned(),
                Wanted::Subcommand => "a command".to_owned(),
                Wanted::Value(argument, before) => format!("{before}{}", argument.get_id()),
                Wanted::Foreign(first) => format!("of word {first}"),
                Wanted::Nothing => "nothing".to_owned(),
            }
        };
        let cases = [
            ("netnsctl", "nothing"),
            ("netnsctl ", "a command"),
            ("netnsctl u", "a command"),
            ("netnsctl -", "an option"),
            ("netnsctl --config ", "config"),
            ("netnsctl --config a.toml ", "a command"),
            ("netnsctl --config=a", "--config=config"),
            ("netnsctl nonsense ", "nothing"),
            ("netnsctl up ", "names"),
            ("netnsctl up a b", "names"),
            ("netnsctl up --pru", "an option"),
            ("netnsctl up -q ", "names"),
            ("netnsctl up --nonsense ", "nothing"),
            ("netnsctl up --prune=x", "nothing"),
            ("netnsctl up a --part ", "part"),
            ("netnsctl up -- -", "names"),
            ("netnsctl status a ", "nothing"),
            ("netnsctl run ", "name"),
            ("netnsctl run --sandbox ", "name"),
            ("netnsctl run office ", "of word 3"),
            ("netnsctl run office -- ", "of word 4"),
            ("netnsctl run office -- ping -c ", "of word 4"),
            ("netnsctl run office ping -", "of word 3"),
            ("netnsctl run -- office ping ", "of word 4"),
            ("netnsctl run office --sand", "an option"),
            ("netnsctl completions ", "shell"),
        ];
        for (line, expected) in cases {
            assert_eq!(wanted(line), expected, "{line}");
        }
    }
}
