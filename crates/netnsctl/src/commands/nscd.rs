//! `nscd`: the long-running part that answers look-ups.

use std::os::fd::{AsFd, OwnedFd};

use netnsctl_base::error::task_limit_hint;
use netnsctl_daemon::{Log, Start, bind_unix_listener};
use netnsctl_model::config::values;
use netnsctl_nscd::{Ended, Options, OwnFiles, RunError};
use netnsctl_sys::errno::words;
use sd_notify::NotifyState;

use super::serve::forwarder::{path_taken, warn_if_exposed};
use super::serve::notify::Manager;
use crate::cli::Nscd;
use crate::output::{self, Exit, Failure};

pub(crate) fn nscd(arguments: &Nscd) -> Result<Exit, Failure> {
    let start = Start::begin();
    let cache = values::duration(&arguments.cache)
        .map_err(|bad| Failure::usage(format!("--cache: {}", bad.message)).hint(bad.hint))?;
    let listener = listener(arguments)?;
    // Connect now: user "nobody" may not be allowed to after privileges are dropped.
    let manager = Manager::of_environment();
    let signals = start
        .confine()
        .map_err(|error| Failure::failed(error.to_string()))?;
    let mut options = Options::default();
    options.cache = cache;
    options.log = Log::new(output::note);
    options.trace = arguments.verbose.then(|| options.log.clone());
    let own_files = own_files(arguments)?;
    let ready = || manager.tell(&[NotifyState::Ready]);
    let run = netnsctl_nscd::run;
    let ended = run(
        listener,
        signals.as_fd(),
        &options,
        own_files.as_ref(),
        ready,
    )
    .map_err(|error| match error {
        RunError::NoSwitch(_) => {
            Failure::failed(error.to_string()).hint("this daemon needs the GNU C library")
        }
        RunError::Thread { error: ref cause } => {
            let hint = task_limit_hint(cause);
            Failure::failed(error.to_string()).with_hint(hint)
        }
        error => Failure::failed(error.to_string()),
    })?;
    if ended == Ended::FilesChanged {
        output::note(
            "other files show in /etc than the namespace's own; ending, to be started anew",
        );
    }
    Ok(Exit::Done)
}

/// The files that are watched; none if the namespace has none of its own.
fn own_files(arguments: &Nscd) -> Result<Option<OwnFiles>, Failure> {
    let Some(folder) = &arguments.files else {
        return Ok(None);
    };
    match OwnFiles::watch(folder) {
        Ok(files) => Ok(Some(files)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let words = words(&error);
            let folder = folder.display();
            Err(Failure::failed(format!("cannot watch {folder}: {words}")))
        }
    }
}

/// The socket that a service manager passed, or one that is made.
fn listener(arguments: &Nscd) -> Result<OwnedFd, Failure> {
    let taken = super::passed_sockets()?;
    let mut taken = taken.into_iter().map(|(_, fd)| fd);
    match (taken.next(), taken.next(), &arguments.socket) {
        (Some(listener), None, None) => Ok(listener),
        (None, None, Some(path)) => {
            // Its file stays behind: who it is made by may not remove it any more at the end.
            let bound = bind_unix_listener(path);
            let (listener, file) = bound.map_err(|error| path_taken(&error, path))?;
            warn_if_exposed(path, &file);
            Ok(listener)
        }
        (None, None, None) => Err(Failure::usage("there is nothing to listen at")
            .hint("give --socket, or start it from a service manager that passes a socket")),
        _ => Err(Failure::usage("there is more than one socket to listen at")
            .hint("give --socket or pass one socket")),
    }
}
