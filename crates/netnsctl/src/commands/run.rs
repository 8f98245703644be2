//! `run`: becomes a command inside a namespace.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;

use netnsctl_kernel::run::enter;
use netnsctl_model::name::NetnsRef;

use crate::cli::Run;
use crate::output::{self, Exit, Failure};

pub(crate) fn run(arguments: Run) -> Result<Exit, Failure> {
    let netns = NetnsRef::parse(&arguments.name);
    let netns = netns.map_err(|error| {
        let message = format!("{:?} is no namespace name: it {error}", arguments.name);
        Failure::usage(message).exit(Exit::RunFailed)
    })?;
    let folder = std::env::current_dir().ok();
    let moved = super::enter_sandbox(&arguments.sandbox).and_then(|()| Ok(enter(&netns)?));
    moved.map_err(|failure| failure.exit(Exit::RunFailed))?;
    let now = std::env::current_dir().ok();
    if now != folder {
        let folder = folder.map_or_else(String::new, |it| format!(" {}", it.display()));
        output::note(&format!(
            "the working directory{folder} is not there in {netns}, the command starts in /"
        ));
    }
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
    // A folder of PATH that may not be looked into hides that the others lack it too.
    let hidden = error.kind() == io::ErrorKind::PermissionDenied && !is_found(&command[0]);
    let error = if hidden {
        io::Error::from(rustix::io::Errno::NOENT)
    } else {
        error
    };
    let words = netnsctl_sys::errno::Errno::of(&error);
    let failure = Failure::failed(format!("cannot run {:?}: {words}", command[0]));
    match error.kind() {
        io::ErrorKind::NotFound => failure.exit(Exit::NotFound),
        _ => failure.exit(Exit::NotExecutable),
    }
}

/// Whether there is such a file, in a folder of PATH if the name has no slash.
fn is_found(program: &OsStr) -> bool {
    if program.as_bytes().contains(&b'/') {
        return true;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}
