//! `run`: becomes a command inside a namespace.

mod as_caller;
mod bare;
mod elevate;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use netnsctl_model::name::NetnsRef;
use netnsctl_session::run::{enter, enter_path};
use rustix::thread::{CapabilitySet, capabilities};

pub(crate) use self::as_caller::{Entry, enter_as_caller};
pub(crate) use self::bare::run_bare;
use crate::cli::Run;
use crate::output::{self, Exit, Failure};

/// Variables, by which a command gets another environment than this process has.
type Environment = Vec<(OsString, OsString)>;

/// Where a command is to run.
enum Place {
    Netns(NetnsRef),
    /// A namespace file, for root.
    File(String),
}

pub(crate) fn run(arguments: Run) -> Result<Exit, Failure> {
    enter_namespace(&arguments).map_err(|failure| failure.exit(Exit::RunFailed))?;
    Err(become_command(arguments.command, None))
}

/// Moves this process to where the command is to run, or becomes who may.
fn enter_namespace(arguments: &Run) -> Result<(), Failure> {
    let place = place(&arguments.name)?;
    if !arguments.sandbox.sandbox && !has_right_to_enter() {
        return Err(match &place {
            Place::Netns(netns) => elevate::elevate(netns, &arguments.command),
            Place::File(path) => Failure::failed(format!(
                "cannot enter {path}: only root may enter a namespace that is given by a path"
            )),
        });
    }
    let folder = std::env::current_dir().ok();
    super::enter_sandbox(&arguments.sandbox)?;
    match &place {
        Place::Netns(netns) => enter(netns)?,
        Place::File(path) => enter_path(path)?,
    }
    if std::env::current_dir().ok() != folder {
        say_folder_is_missing(folder.as_deref(), &arguments.name);
    }
    Ok(())
}

/// A path has a slash, a name has none. That of a named namespace is as good as the name.
fn place(text: &str) -> Result<Place, Failure> {
    let named = text.strip_prefix("/run/netns/");
    if let Some(Ok(netns @ NetnsRef::Named(_))) = named.map(NetnsRef::parse) {
        return Ok(Place::Netns(netns));
    }
    if text.starts_with('/') {
        return Ok(Place::File(text.to_owned()));
    }
    let netns = NetnsRef::parse(text).map_err(|error| {
        let failure = Failure::usage(format!("{text:?} is no namespace name: it {error}"));
        if text.contains('/') {
            failure.hint("a namespace file is given by its whole path, from \"/\" on")
        } else {
            failure
        }
    })?;
    Ok(Place::Netns(netns))
}

/// Whether this process may join namespaces by itself: setns(2) wants CAP_SYS_ADMIN.
fn has_right_to_enter() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

fn say_folder_is_missing(folder: Option<&Path>, netns: &str) {
    let folder = folder.map_or_else(String::new, |it| format!(" {}", it.display()));
    output::note(&format!(
        "the working directory{folder} is not there in {netns}, the command starts in /"
    ));
}

/// Replaces this process, with `environment` if that is another one. Nothing of it is left to pass
/// on signals or the exit status: the command gets and gives them itself. Without a command it is
/// the user's shell.
#[expect(
    clippy::disallowed_methods,
    reason = "running a program is what `run` is for"
)]
fn become_command(command: Vec<OsString>, environment: Option<Environment>) -> Failure {
    let variable = |name: &str| match &environment {
        Some(environment) => {
            let found = environment.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        }
        None => std::env::var_os(name),
    };
    let mut words = command.into_iter();
    let program = words.next().unwrap_or_else(|| {
        let shell = variable("SHELL").filter(|shell| !shell.is_empty());
        shell.unwrap_or_else(|| OsString::from("/bin/sh"))
    });
    let path = variable("PATH").unwrap_or_default();
    let mut command = std::process::Command::new(&program);
    command.args(words);
    if let Some(environment) = environment {
        command.env_clear().envs(environment);
    }
    let error = command.exec();
    // A folder of PATH that may not be looked into hides that the others lack it too.
    let hidden = error.kind() == io::ErrorKind::PermissionDenied && !is_found(&program, &path);
    let error = if hidden {
        io::Error::from(rustix::io::Errno::NOENT)
    } else {
        error
    };
    let words = netnsctl_sys::errno::Errno::of(&error);
    let failure = Failure::failed(format!("cannot run {program:?}: {words}"));
    match error.kind() {
        io::ErrorKind::NotFound => failure.exit(Exit::NotFound),
        _ => failure.exit(Exit::NotExecutable),
    }
}

/// Whether there is such a file, in a folder of `path` if the name has no slash.
fn is_found(program: &OsStr, path: &OsStr) -> bool {
    program.as_bytes().contains(&b'/')
        || std::env::split_paths(path).any(|folder| folder.join(program).exists())
}
