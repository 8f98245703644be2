//! What people and programs see: results on stdout, everything else on stderr, and the status.

use std::io::{self, IsTerminal, Write};

use netnsctl_base::error::Error;
use serde::Serialize;

/// The exit statuses of every command but `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: failed, at least in part.
    Failed,
    /// 2: the command line or the configuration is wrong; nothing was touched.
    Usage,
    /// 3: `plan --exit-code` found something to do.
    Changes,
    /// 125: `run` failed before there was a command.
    RunFailed,
    /// 126: `run` found the command but it cannot be executed.
    NotExecutable,
    /// 127: `run` did not find the command.
    NotFound,
}

impl Exit {
    /// The number that the caller sees.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Changes => 3,
            Self::RunFailed => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    exit: Exit,
}

impl Failure {
    /// The kernel or the machine refused.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            exit: Exit::Failed,
        }
    }

    /// What was typed or configured is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            exit: Exit::Usage,
        }
    }

    /// Everything has been said already.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self {
            message: String::new(),
            hint: None,
            exit,
        }
    }

    /// With a next step.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a next step, if one is known.
    pub(crate) fn with_hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into);
        self
    }

    /// With another exit status.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// In that namespace.
    pub(crate) fn within(mut self, netns: &str) -> Self {
        self.message = format!("netns {netns:?}: {}", self.message);
        self
    }

    /// Only what is wrong.
    pub(crate) fn into_message(self) -> String {
        self.message
    }

    /// What is wrong, and the next step.
    pub(crate) fn into_words(self) -> (String, Option<String>) {
        (self.message, self.hint)
    }

    /// Says it on stderr.
    pub(crate) fn report(self) -> Exit {
        if !self.message.is_empty() {
            error(&self.message, self.hint.as_deref());
        }
        self.exit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            message: error.to_string(),
            hint: error.hint(),
            exit: Exit::Failed,
        }
    }
}

impl From<netnsctl_systemd::Error> for Failure {
    fn from(error: netnsctl_systemd::Error) -> Self {
        Self::failed(error.to_string()).with_hint(error.hint())
    }
}

/// Whether stderr takes colour: a terminal, and NO_COLOR is not set (no-color.org).
pub(crate) fn color_on_stderr() -> bool {
    io::stderr().is_terminal() && wants_color()
}

/// Whether stdout takes colour.
pub(crate) fn color_on_stdout() -> bool {
    io::stdout().is_terminal() && wants_color()
}

fn wants_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// An error line, and a hint below it. No line of another process comes between them.
pub(crate) fn error(message: &str, hint: Option<&str>) {
    let (red, end) = if color_on_stderr() {
        ("\x1b[1;31m", "\x1b[0m")
    } else {
        ("", "")
    };
    let hint = hint.map(|hint| format!("\n  hint: {hint}"));
    let hint = hint.unwrap_or_default();
    note(&format!("{red}error{end}: {message}{hint}"));
}

/// An error line about work for a namespace, and a hint below it.
pub(crate) fn failure(failure: &netnsctl_base::error::Failure) {
    let message = failure.error.to_string();
    error(&message, failure.error.hint().as_deref());
}

/// Says that what is shown may be half of a change, which the process `by` is making.
pub(crate) fn note_disturbed(by: Option<&str>) {
    if let Some(by) = by {
        note(&format!(
            "note: {by} is changing namespaces; they may be shown half-way"
        ));
    }
}

/// A line on stderr. If nobody can read it there is nobody to tell.
pub(crate) fn note(line: &str) {
    // In one piece: forwarders write to the same place.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// A result on stdout.
///
/// A reader that has seen enough (EPIPE, `netnsctl list | head -1`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let words = netnsctl_sys::errno::words(&error);
            Err(Failure::failed(format!("cannot write to stdout: {words}")))
        }
        _ => Ok(()),
    }
}

/// What `--json` of a command prints. docs/json.md has the fields of each.
pub(crate) trait Document: Serialize {
    /// Grows when a field changes its meaning or is removed, and stays when one is added.
    const VERSION: u32;
}

/// A document below its version, in one object.
#[derive(Serialize)]
struct Versioned<'a, D> {
    version: u32,
    #[serde(flatten)]
    document: &'a D,
}

/// A result for programs: one JSON document, which begins with its version, and a newline.
pub(crate) fn print_json<D: Document>(document: &D) -> Result<(), Failure> {
    let version = D::VERSION;
    let mut text = serde_json::to_string_pretty(&Versioned { version, document })
        .map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?;
    text.push('\n');
    print(&text)
}
