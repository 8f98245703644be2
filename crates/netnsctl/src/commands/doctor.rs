//! `doctor`: what this machine lacks, and whether the view of a namespace holds.

mod declared;
mod host;
mod inside;
mod judge;
mod limits;
mod look;
mod places;
mod question;
mod socket;
mod surroundings;
mod unanswered;

use std::path::PathBuf;

use netnsctl_model::name::NetnsName;
use serde::Serialize;

use crate::cli::Doctor;
use crate::output::{self, Document, Exit, Failure};

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    /// As it should be.
    Ok,
    /// It works, but somebody may want to know.
    Warning,
    /// It does not work.
    Problem,
    /// Names are looked up by way of another namespace.
    Leak,
    /// It could not be found out.
    Unknown,
}

impl Mark {
    /// How soon a person should see it: the least first.
    fn severity(self) -> u8 {
        match self {
            Self::Leak => 0,
            Self::Problem => 1,
            Self::Unknown => 2,
            Self::Warning => 3,
            Self::Ok => 4,
        }
    }
}

/// One thing that was looked at. Documented in docs/json.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    /// Which, in a word that stays the same.
    check: &'static str,
    /// What it is about, for people: a path, a kind of link.
    subject: String,
    mark: Mark,
    /// What is so, and what does not work for it.
    message: String,
    hint: Option<String>,
}

impl Check {
    fn new(
        check: &'static str,
        subject: impl Into<String>,
        mark: Mark,
        message: impl Into<String>,
    ) -> Self {
        Self {
            check,
            subject: subject.into(),
            mark,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Everything that `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    netns: Option<&'a str>,
    ok: bool,
    checks: &'a [Check],
}

impl Document for Report<'_> {
    const VERSION: u32 = 1;
}

pub(super) fn doctor(config: &[PathBuf], arguments: &Doctor) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let name = arguments.name.as_deref().map(super::netns_name);
    let name = name.transpose()?;
    let checks = match (&name, &arguments.inside) {
        (Some(name), Some(question)) => return inside::look(name, question),
        (Some(name), None) => look::examine(name)?,
        (None, _) => [
            host::examine(),
            surroundings::examine(),
            declared::examine(config),
        ]
        .concat(),
    };
    let ok = holds(&checks, name.as_ref());
    if arguments.json {
        output::print_json(&Report {
            netns: name.as_ref().map(NetnsName::as_str),
            ok,
            checks: &checks,
        })?;
    } else {
        let verbose = arguments.verbose;
        output::print(&text(
            &checks,
            name.as_ref(),
            verbose,
            output::color_on_stdout(),
        ))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

/// Whether all is well. What could not be found out is no fault of a host, but no proof for a view.
fn holds(checks: &[Check], name: Option<&NetnsName>) -> bool {
    checks.iter().all(|check| match check.mark {
        Mark::Ok | Mark::Warning => true,
        Mark::Problem | Mark::Leak => false,
        Mark::Unknown => name.is_none(),
    })
}

/// A line for each check, its hint below it, and the sum of all: the worst first, and what is fine
/// only if `verbose`.
fn text(checks: &[Check], name: Option<&NetnsName>, verbose: bool, color: bool) -> String {
    let mut text = String::new();
    let mut shown: Vec<_> = checks.iter().collect();
    shown.retain(|check| verbose || check.mark != Mark::Ok);
    shown.sort_by_key(|check| check.mark.severity());
    for check in shown {
        let (word, paint) = match check.mark {
            Mark::Ok => ("ok", "\x1b[32m"),
            Mark::Warning => ("warning", "\x1b[33m"),
            Mark::Problem => ("problem", "\x1b[1;31m"),
            Mark::Leak => ("leak", "\x1b[1;31m"),
            Mark::Unknown => ("unknown", "\x1b[35m"),
        };
        let (paint, end) = if color { (paint, "\x1b[0m") } else { ("", "") };
        let (subject, message) = (&check.subject, &check.message);
        text.push_str(&format!("{paint}{word:<8}{end}{subject}: {message}\n"));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("          hint: {hint}\n"));
        }
    }
    let count = |mark| checks.iter().filter(|check| check.mark == mark).count();
    let counts: Vec<String> = [
        (count(Mark::Leak), "leak"),
        (count(Mark::Problem), "problem"),
        (count(Mark::Unknown), "unknown"),
        (count(Mark::Warning), "warning"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| match (*count, *word) {
        (1, _) | (_, "unknown") => format!("{count} {word}"),
        _ => format!("{count} {word}s"),
    })
    .collect();
    let counts = match counts.as_slice() {
        [] => "all is well".to_owned(),
        counts => counts.join(", "),
    };
    let fine = count(Mark::Ok);
    let fine = match fine {
        0 => String::new(),
        _ if verbose => String::new(),
        1 => "; 1 check is fine (--verbose shows it)".to_owned(),
        fine => format!("; {fine} checks are fine (--verbose shows them)"),
    };
    if !text.is_empty() {
        text.push('\n');
    }
    let of = name.map_or_else(
        || "this host".to_owned(),
        |name| format!("netns \"{name}\""),
    );
    text + &format!("{of}: {counts}{fine}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_no_proof_for_a_view() {
        let check = |mark| [Check::new("x", "x", mark, "")];
        let name = NetnsName::parse("office").unwrap();
        for (mark, host, view) in [
            (Mark::Ok, true, true),
            (Mark::Warning, true, true),
            (Mark::Unknown, true, false),
            (Mark::Problem, false, false),
            (Mark::Leak, false, false),
        ] {
            assert_eq!(holds(&check(mark), None), host, "{mark:?}");
            assert_eq!(holds(&check(mark), Some(&name)), view, "{mark:?}");
        }
    }

    #[test]
    fn a_check_is_a_line_and_its_hint_below() {
        let leak = Check::new("nscd", "/run/nscd/socket", Mark::Leak, "home answers");
        let fine = Check::new("links", "dummy", Mark::Ok, "can be made");
        let checks = [fine, leak.hint("close it")];
        assert_eq!(
            text(&checks, None, true, false),
            "leak    /run/nscd/socket: home answers\n          hint: close it\n\
             ok      dummy: can be made\n\nthis host: 1 leak\n"
        );
        assert_eq!(
            text(&checks, None, false, false),
            "leak    /run/nscd/socket: home answers\n          hint: close it\n\n\
             this host: 1 leak; 1 check is fine (--verbose shows it)\n"
        );
    }
}
