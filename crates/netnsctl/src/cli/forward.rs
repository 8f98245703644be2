//! The arguments of `netnsctl forward` that are keys of a `forward` in the configuration.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use netnsctl_model::config::section::forward::OPTIONS;
use netnsctl_model::config::section::{Form, Key, Kind, sentence};

/// The values that were given, and those that hold by default, as text.
#[derive(Debug)]
pub(crate) struct ForwardArguments(Vec<(&'static Key, String)>);

impl ForwardArguments {
    /// Each key that has a value, with its text.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static Key, &str)> {
        self.0.iter().map(|(key, text)| (*key, text.as_str()))
    }
}

/// What the value of a key is called in `--help`; none for a switch.
fn value_name(kind: Kind) -> Option<String> {
    Some(match kind {
        Kind::Boolean => return None,
        Kind::Integer(..) => "N".to_owned(),
        Kind::Range(..) => "N|N-N".to_owned(),
        Kind::IntegerOr(_, _, word) => format!("N|{word}"),
        Kind::String(Form::Duration | Form::Pause | Form::Timeout) => "TIME".to_owned(),
        Kind::String(_) | Kind::Strings(_) => "TEXT".to_owned(),
    })
}

/// The line of `--help` about a key: the protocol that it is for, and what it is for.
fn help(key: &Key) -> String {
    let about = key.about.strip_prefix("whether ").unwrap_or(key.about);
    let of: String = key.of.iter().map(|of| of.to_uppercase() + ": ").collect();
    let line = sentence(&(of + about));
    line.trim_end_matches('.').to_owned()
}

fn argument(key: &'static Key) -> Arg {
    let argument = Arg::new(key.name).long(key.argument()).help(help(key));
    let Some(name) = value_name(key.kind) else {
        return argument.action(ArgAction::SetTrue);
    };
    let argument = argument.value_name(name);
    match key.default.and_then(|default| default.value()) {
        Some(default) => argument.default_value(default.trim_matches('"').to_owned()),
        None => argument,
    }
}

impl Args for ForwardArguments {
    fn augment_args(command: Command) -> Command {
        command.args(OPTIONS.iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ForwardArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let text = |key: &'static Key| {
            let text = match key.kind {
                Kind::Boolean => matches.get_flag(key.name).to_string(),
                _ => matches.get_one::<String>(key.name)?.clone(),
            };
            Some((key, text))
        };
        Ok(Self(OPTIONS.iter().filter_map(text).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
