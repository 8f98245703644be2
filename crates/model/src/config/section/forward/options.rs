//! The options of a forward: which there are, how each is read and how it is written.
//!
//! A new option is a field of [`ForwardOptions`], a key in [`OPTIONS`] and its line in `slot`. The
//! loader, the arguments of `netnsctl forward` and the words in the units go through these.

use std::time::Duration;

use crate::config::diagnostic::Report;
use crate::config::fields::Fields;
use crate::config::section::{Fallback, Form, Key, Kind};
use crate::config::text::quote;
use crate::config::values::{self, AUTO, BadValue, WORKERS};
use crate::desired::{ForwardOptions, Workers};

/// Keepalive probes that tcp(7) takes: MAX_TCP_KEEPCNT of the kernel's include/net/tcp.h.
const KEEPALIVE_PROBES: std::ops::RangeInclusive<i64> = 1..=127;

/// How it goes about it: keys that are options of `netnsctl forward` too. The words in the units
/// have this order, by which a running forwarder is compared with its unit.
pub static OPTIONS: &[Key] = &[
    Key::new(
        "connect_timeout",
        Kind::String(Form::Timeout),
        "\"10s\"",
        "how long the target may take to answer",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.connect_timeout))
    .of(&["tcp"]),
    Key::new(
        "half_close_timeout",
        Kind::String(Form::Timeout),
        "\"5m\"",
        "how long a connection with one direction closed may stay silent",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.half_close_timeout))
    .of(&["tcp"]),
    Key::new(
        "keepalive",
        Kind::String(Form::Pause),
        "\"15s\"",
        "silence before a peer is probed, and between probes; 0s: no probes",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.keepalive))
    .of(&["tcp"]),
    Key::new(
        "keepalive_probes",
        Kind::Integer(*KEEPALIVE_PROBES.start(), *KEEPALIVE_PROBES.end()),
        "3",
        "unanswered probes before a peer counts as gone",
    )
    .or(Fallback::Integer(ForwardOptions::DEFAULT.keepalive_probes))
    .of(&["tcp"]),
    Key::new(
        "udp_timeout",
        Kind::String(Form::Timeout),
        "\"2m\"",
        "how long a session without traffic is kept",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.udp_timeout))
    .of(&["udp"]),
    Key::new(
        "drain",
        Kind::String(Form::Duration),
        "\"30s\"",
        "how long connections may go on when the forward changes or goes",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.drain))
    .of(&["tcp"]),
    Key::new(
        "max_sessions",
        Kind::Integer(1, u32::MAX as i64),
        "16384",
        "sessions at once",
    )
    .or(Fallback::Integer(ForwardOptions::DEFAULT.max_sessions))
    .of(&["udp"]),
    Key::new(
        "workers",
        Kind::IntegerOr(*WORKERS.start(), *WORKERS.end(), AUTO),
        "\"auto\"",
        "threads that share the work; auto: one for each processor, 8 at most",
    )
    .or(number_of_workers(ForwardOptions::DEFAULT.workers)),
    Key::new(
        "proxy_protocol",
        Kind::Boolean,
        "true",
        "whether the target gets a PROXY header (version 2) that names the client",
    )
    .or(Fallback::Boolean(ForwardOptions::DEFAULT.proxy_protocol))
    .of(&["tcp"]),
    Key::new(
        "max_connections",
        Kind::Integer(1, u32::MAX as i64),
        "1000",
        "connections at once",
    )
    .or(Fallback::Words("as many as there are descriptors for"))
    .of(&["tcp"]),
];

/// The default number of workers as the value of a key.
const fn number_of_workers(workers: Workers) -> Fallback {
    match workers {
        Workers::Auto => Fallback::Text(AUTO),
        Workers::Exactly(count) => Fallback::Integer(count),
    }
}

/// Where the value of an option is kept.
enum Slot<'o> {
    Switch(&'o mut bool),
    Number(&'o mut u32),
    /// A limit that need not be given.
    Limit(&'o mut Option<u32>),
    Time(&'o mut Duration),
    Workers(&'o mut Workers),
}

/// Where `options` keep the value of the option `name`.
fn slot<'o>(options: &'o mut ForwardOptions, name: &str) -> Option<Slot<'o>> {
    Some(match name {
        "connect_timeout" => Slot::Time(&mut options.connect_timeout),
        "half_close_timeout" => Slot::Time(&mut options.half_close_timeout),
        "keepalive" => Slot::Time(&mut options.keepalive),
        "keepalive_probes" => Slot::Number(&mut options.keepalive_probes),
        "udp_timeout" => Slot::Time(&mut options.udp_timeout),
        "drain" => Slot::Time(&mut options.drain),
        "max_sessions" => Slot::Number(&mut options.max_sessions),
        "workers" => Slot::Workers(&mut options.workers),
        "proxy_protocol" => Slot::Switch(&mut options.proxy_protocol),
        "max_connections" => Slot::Limit(&mut options.max_connections),
        _ => return None,
    })
}

/// An option as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A switch.
    Switch(bool),
    /// A number.
    Number(u32),
    /// Text.
    Text(String),
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Switch(switch) => switch.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Every option with its value, in the order of [`OPTIONS`]; none for a limit that is not given.
pub fn written(options: &ForwardOptions) -> Vec<(&'static Key, Option<Written>)> {
    let mut options = *options;
    let mut value = |key: &'static Key| {
        let written = match slot(&mut options, key.name)? {
            Slot::Switch(switch) => Some(Written::Switch(*switch)),
            Slot::Number(number) => Some(Written::Number(*number)),
            Slot::Limit(limit) => limit.map(Written::Number),
            Slot::Time(time) => Some(Written::Text(values::write_duration(*time))),
            Slot::Workers(Workers::Auto) => Some(Written::Text(AUTO.to_owned())),
            Slot::Workers(Workers::Exactly(count)) => Some(Written::Number(*count)),
        };
        Some((key, written))
    };
    OPTIONS.iter().filter_map(&mut value).collect()
}

/// Reads `text` as the value of the option `key`, as a command line has it.
///
/// Errors: `text` is not a value of that option.
pub fn parse_option(options: &mut ForwardOptions, key: &Key, text: &str) -> Result<(), BadValue> {
    match slot(options, key.name) {
        Some(Slot::Switch(switch)) => *switch = parse_switch(text)?,
        Some(Slot::Number(number)) => *number = parse_number(key, text)?,
        Some(Slot::Limit(limit)) => *limit = Some(parse_number(key, text)?),
        Some(Slot::Time(time)) => {
            let given = values::duration(text)?;
            check_time(key, given, "the time")?;
            *time = given;
        }
        Some(Slot::Workers(workers)) => *workers = values::workers(text)?,
        None => {}
    }
    Ok(())
}

fn parse_switch(text: &str) -> Result<bool, BadValue> {
    text.parse().map_err(|_| BadValue {
        message: format!("{} is neither true nor false", quote(text)),
        hint: "write \"true\" or \"false\"".to_owned(),
    })
}

fn parse_number(key: &Key, text: &str) -> Result<u32, BadValue> {
    let range = match key.kind {
        Kind::Integer(least, most) => least..=most,
        _ => 0..=i64::from(u32::MAX),
    };
    let number = text.parse().ok().filter(|number| range.contains(number));
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| BadValue {
        message: format!("{} is not a number of that range", quote(text)),
        hint: format!("it is between {} and {}", range.start(), range.end()),
    })
}

/// Refuses a length of time that the option `key` cannot have; `what` is what a message calls it.
fn check_time(key: &Key, time: Duration, what: &str) -> Result<(), BadValue> {
    match key.kind {
        Kind::String(Form::Timeout) if time.is_zero() => Err(BadValue {
            message: format!("{what} cannot be zero"),
            hint: "nothing would live long enough to be of use; write a time such as \"10s\""
                .to_owned(),
        }),
        Kind::String(Form::Pause) => values::check_keepalive(time),
        _ => Ok(()),
    }
}

/// Reads the options that a `forward` declares.
pub(super) fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> ForwardOptions {
    let mut options = ForwardOptions::DEFAULT;
    for key in OPTIONS {
        let name = key.name;
        match slot(&mut options, name) {
            Some(Slot::Switch(switch)) => {
                *switch = fields.boolean(name, report).unwrap_or(*switch);
            }
            Some(Slot::Number(number)) => {
                *number = fields.integer(name, report).map_or(*number, |it| it.value);
            }
            Some(Slot::Limit(limit)) => {
                *limit = fields.integer(name, report).map(|it| it.value);
            }
            Some(Slot::Time(time)) => *time = read_time(key, fields, report).unwrap_or(*time),
            Some(Slot::Workers(workers)) => {
                *workers = read_workers(name, fields, report).unwrap_or(*workers);
            }
            None => {}
        }
    }
    let probes = fields.entry("keepalive_probes");
    if let Some(probes) = probes.filter(|_| options.keepalive.is_zero()) {
        report
            .warning(
                probes.key_place,
                "\"keepalive_probes\" means nothing without probes",
            )
            .hint("keepalive = \"0s\" switches them off");
    }
    options
}

fn read_time(key: &Key, fields: &Fields<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let given = fields.duration(key.name, report)?;
    match check_time(key, given.value, &quote(key.name)) {
        Ok(()) => Some(given.value),
        Err(bad) => {
            report.error(given.place, bad.message).hint(bad.hint);
            None
        }
    }
}

fn read_workers(name: &str, fields: &Fields<'_>, report: &mut Report<'_>) -> Option<Workers> {
    let given = fields.integer_or_word(name, report)?;
    match values::workers(&given.value) {
        Ok(workers) => Some(workers),
        Err(bad) => {
            report.error(given.place, bad.message).hint(bad.hint);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_an_option_and_has_the_default_of_one() {
        let written = written(&ForwardOptions::DEFAULT);
        assert_eq!(written.len(), OPTIONS.len());
        for (key, value) in written {
            let default = key.default.and_then(|default| default.value());
            let value = value.map(|value| value.to_string());
            let default = default.map(|text| text.trim_matches('"').to_owned());
            assert_eq!(value, default, "{}", key.name);
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let changed = ForwardOptions {
            connect_timeout: Duration::from_secs(1),
            drain: Duration::from_secs(2),
            half_close_timeout: Duration::from_secs(3),
            keepalive: Duration::from_secs(4),
            keepalive_probes: 5,
            max_connections: Some(6),
            proxy_protocol: true,
            udp_timeout: Duration::from_secs(7),
            max_sessions: 8,
            workers: Workers::Auto,
        };
        let mut read = ForwardOptions::DEFAULT;
        for (key, value) in written(&changed) {
            parse_option(&mut read, key, &value.unwrap().to_string()).unwrap();
        }
        assert_eq!(read, changed);
    }
}
