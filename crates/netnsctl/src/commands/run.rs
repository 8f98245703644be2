//! `run`: becomes a command inside a namespace.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;

use netnsctl_kernel::run::enter;
use netnsctl_model::name::NetnsRef;

use crate::cli::Run;
use crate::output::{Exit, Failure};

pub(crate) fn run(arguments: Run) -> Result<Exit, Failure> {
    let netns = NetnsRef::parse(&arguments.name);
    let netns = netns.map_err(|error| {
        let message = format!("{:?} is no namespace name: it {error}", arguments.name);
        Failure::usage(message).exit(Exit::RunFailed)
    })?;
    let moved = super::enter_sandbox(&arguments.sandbox).and_then(|()| Ok(enter(&netns)?));
    moved.map_err(|failure| failure.exit(Exit::RunFailed))?;
    let mut command = arguments.command;
    if command.is_empty() {
        let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
        command.push(shell.unwrap_or_else(|| OsString::from("/bin/sh")));
    }
    Err(become_command(&command))
}

/// Replaces this process. Nothing of it is left to pass on signals or the exit status: the
/// command gets and gives them itself.
#[expect(
    clippy::disallowed_methods,
    reason = "running a program is what `run` is for"
)]
fn become_command(command: &[OsString]) -> Failure {
    let error = std::process::Command::new(&command[0])
        .args(&command[1..])
        .exec();
    let words = netnsctl_sys::errno::Errno::of(&error);
    let failure = Failure::failed(format!("cannot run {:?}: {words}", command[0]));
    match error.kind() {
        io::ErrorKind::NotFound => failure.exit(Exit::NotFound),
        _ => failure.exit(Exit::NotExecutable),
    }
}
