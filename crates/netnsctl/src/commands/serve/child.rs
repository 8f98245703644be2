//! What every child of `serve` has in common: it is started, says that it is ready, is started
//! again when it dies, ever more slowly, and ends when told to. Its sockets belong to `serve` and
//! outlive it, so that clients wait in their queues meanwhile.

use std::ffi::{CString, OsStr};
use std::path::Path;
use std::time::{Duration, Instant};

use netnsctl_base::error::{Context, Object};
use netnsctl_model::config::values::write_duration;
use netnsctl_model::name::NetnsRef;
use netnsctl_sys::spawn::{self, Activated};
use rustix::process::{Pid, Signal, kill_process};

use crate::output::{self, Failure};

/// The pause before the first restart of a child that died; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between restarts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A child that lived this long is restarted after [`FIRST_PAUSE`] again.
const LIVED_WELL: Duration = Duration::from_secs(10);

/// A process to be had for as long as this is, whichever it is at a time.
#[derive(Debug)]
pub(super) struct Child {
    state: State,
    pause: Duration,
}

#[derive(Debug)]
enum State {
    Waiting {
        until: Instant,
    },
    Running {
        pid: u32,
        since: Instant,
        ready: bool,
    },
}

/// What `serve` keeps running.
pub(super) trait Part {
    fn child(&self) -> &Child;

    fn child_mut(&mut self) -> &mut Child;

    /// What the child is, for messages.
    fn what(&self) -> String;

    /// What a person is told when it serves.
    fn announcement(&self) -> String;

    /// The namespace that a child which is ending may still keep.
    fn keeps(&self) -> NetnsRef;

    /// Starts a process that tells `notify` when it serves, and of each connection if it is to be
    /// `verbose`.
    fn spawn(&self, notify: &Path, verbose: bool) -> Result<u32, Failure>;

    /// Starts the child. One that cannot be started is tried again after a pause.
    fn start(&mut self, notify: &Path, verbose: bool) {
        match self.spawn(notify, verbose) {
            Ok(pid) => {
                self.child_mut().state = State::Running {
                    pid,
                    since: Instant::now(),
                    ready: false,
                };
            }
            Err(failure) => {
                let what = self.what();
                let (why, hint) = failure.into_words();
                output::error(&format!("cannot start {what}: {why}"), hint.as_deref());
                self.child_mut().retry();
            }
        }
    }

    /// Tells the child to end. Gives its process id, which is forgotten here, and what it keeps.
    fn end(&mut self) -> Option<(u32, NetnsRef)> {
        let pid = self.child().pid()?;
        signal(pid, Signal::TERM);
        self.child_mut().state = State::Waiting {
            until: Instant::now(),
        };
        Some((pid, self.keeps()))
    }

    /// The child `ended` has ended. False if it is not this one.
    fn ended(&mut self, ended: u32, how: &str) -> bool {
        let State::Running { pid, since, .. } = self.child().state else {
            return false;
        };
        if pid != ended {
            return false;
        }
        let what = self.what();
        let child = self.child_mut();
        if since.elapsed() > LIVED_WELL {
            child.pause = FIRST_PAUSE;
        }
        let pause = write_duration(child.pause);
        output::error(&format!("{what} {how}; starting it again in {pause}"), None);
        child.retry();
        true
    }
}

impl Child {
    /// One that is to be started at once.
    pub(super) fn new() -> Self {
        Self {
            state: State::Waiting {
                until: Instant::now(),
            },
            pause: FIRST_PAUSE,
        }
    }

    /// Its process id, if it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        match self.state {
            State::Running { pid, .. } => Some(pid),
            State::Waiting { .. } => None,
        }
    }

    /// When it is to be started; none while it runs.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Running { .. } => None,
        }
    }

    /// Whether it serves.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Running { ready: true, .. })
    }

    /// The child `from` says that it serves. False if it is not this one.
    pub(super) fn ready(&mut self, from: u32) -> bool {
        match &mut self.state {
            State::Running { pid, ready, .. } if *pid == from => {
                *ready = true;
                true
            }
            _ => false,
        }
    }

    /// Forgets how often it died: what it is to do has changed.
    pub(super) fn begin_anew(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    fn retry(&mut self) {
        self.state = State::Waiting {
            until: Instant::now() + self.pause,
        };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Sends `signal` to a child that was not waited for yet, so that its id is still its own.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A command line.
pub(super) fn words(words: Vec<String>) -> Result<Vec<CString>, Failure> {
    let words = words.into_iter().map(CString::new);
    words
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::failed(error.to_string()))
}

/// Starts a child.
///
/// Errors: no further process can be started.
pub(super) fn start_process(child: &Activated<'_>) -> Result<u32, Failure> {
    let started = spawn::spawn(child).context("start", Object::task("a process"));
    started.map_err(Failure::from)
}

/// The environment of a child: where to tell that it is ready.
pub(super) fn environment(notify: &Path) -> Vec<CString> {
    let variable = spawn::variable(OsStr::new("NOTIFY_SOCKET"), notify.as_os_str());
    variable.into_iter().collect()
}
