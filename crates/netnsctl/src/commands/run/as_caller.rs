//! The privileged half of `run`: started as root by pkexec(1), sudo(8) or doas(1) for a user, it
//! enters the namespace, becomes that user, and then becomes the command.
//!
//! docs/security.md has what it is to withstand. It believes nothing that the caller could have
//! made up: the namespace is a name of a known form, who calls is what whoever gave root says, the
//! groups are what the kernel says of a process that only the caller can have started. Whatever
//! else the caller has a say in (command, environment, working directory) is read only once this
//! process can do no more than the caller. Being killed at any moment leaves nothing that the next
//! `run` does not mend; being stopped would, so the terminal cannot until then.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use netnsctl_model::name::NetnsRef;
use netnsctl_model::polkit::{ENTER_OPTION, from_enter_argument};
use netnsctl_session::caller::{Caller, Claims, reset_limits_and_umask};
use netnsctl_session::run::enter;
use netnsctl_sys::descriptor::close_at_exec_from;
use netnsctl_sys::errno::Errno;
use netnsctl_sys::signal::{STOPPING, block};
use rustix::process::geteuid;

use crate::output::{Exit, Failure};

/// The first descriptor that is none of the three streams. Whoever gave root may have left others
/// open, of theirs or of the caller's, that the command has no business with.
const FIRST_BEYOND_STREAMS: u32 = 3;

/// What the caller wants, as it was passed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The first argument, with which the rules of pkexec(1) and sudo(8) were compared.
    enter: OsString,
    witness: OsString,
    command: Vec<OsString>,
}

impl Entry {
    /// Reads the command line of the privileged half; none if it is no such.
    pub(crate) fn of_arguments(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.skip(1);
        let option = arguments.next()?;
        if !option.as_bytes().starts_with(ENTER_OPTION.as_bytes()) {
            return None;
        }
        Some(Self {
            enter: option,
            witness: arguments.next().unwrap_or_default(),
            command: arguments.collect(),
        })
    }
}

pub(crate) fn enter_as_caller(entry: Entry) -> Result<Exit, Failure> {
    let failed = |failure: Failure| failure.exit(Exit::RunFailed);
    let blocked = block(&STOPPING);
    let blocked = blocked.map_err(|error| failed(step("block signals", &error)))?;
    let (caller, netns) = prepare(&entry).map_err(failed)?;
    caller
        .become_caller()
        .map_err(|error| failed(error.into()))?;
    blocked.restore();
    // From here on this is the caller.
    let environment = caller.environment().map_err(|error| failed(error.into()))?;
    let folder = caller.working_directory();
    caller.dismiss();
    if folder
        .as_ref()
        .is_none_or(|folder| std::env::set_current_dir(folder).is_err())
    {
        super::say_folder_is_missing(folder.as_deref(), netns.as_str());
    }
    Err(super::become_command(entry.command, Some(environment)))
}

/// All that takes root, but becoming the caller.
fn prepare(entry: &Entry) -> Result<(Caller, NetnsRef), Failure> {
    let refused = |message: String| Failure::usage(message);
    if !geteuid().is_root() {
        return Err(refused(format!(
            "{ENTER_OPTION} is for pkexec, sudo and doas, which \"netnsctl run\" starts"
        )));
    }
    close_at_exec_from(FIRST_BEYOND_STREAMS)
        .map_err(|error| step("keep descriptors from the command", &error))?;
    std::env::set_current_dir("/").map_err(|error| step("leave the folder", &error))?;
    reset_limits_and_umask();
    let variable = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let claims = Claims {
        pkexec: variable("PKEXEC_UID"),
        sudo: variable("SUDO_UID"),
        doas: variable("DOAS_USER"),
    };
    let passwd = match claims.doas {
        Some(_) => std::fs::read("/etc/passwd").unwrap_or_default(),
        None => Vec::new(),
    };
    let passwd = String::from_utf8_lossy(&passwd);
    // Before anything else is looked at: whoever is nobody's caller is told so.
    let asker = claims.asker(&passwd);
    let asker = asker.map_err(|refusal| refused(refusal.to_string()))?;
    let witness = entry.witness.to_str().and_then(|text| text.parse().ok());
    let witness = witness.ok_or_else(|| {
        refused("a witness is missing: \"netnsctl run\" starts this, with one".to_owned())
    })?;
    let caller = Caller::of_witness(witness, asker);
    let caller = caller.map_err(|refusal| refused(refusal.to_string()))?;
    let netns = entry.enter.to_str().and_then(from_enter_argument);
    let netns = netns.ok_or_else(|| {
        refused(format!(
            "{:?} is not a namespace argument as \"netnsctl run\" writes it",
            entry.enter
        ))
    })?;
    enter(&netns)?;
    Ok((caller, netns))
}

fn step(what: &str, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot {what}: {}", Errno::of(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_command_line_is_the_privileged_halfs() {
        let read = |words: &[&str]| Entry::of_arguments(words.iter().map(OsString::from));
        let entry = read(&["netnsctl", "--enter=office", "7", "sh", "-c", "x"]);
        let wanted = Entry {
            enter: "--enter=office".into(),
            witness: "7".into(),
            command: ["sh", "-c", "x"].map(OsString::from).to_vec(),
        };
        assert_eq!(entry, Some(wanted));
        for words in [
            &["netnsctl", "run", "--enter=office"][..],
            &["netnsctl"],
            &[],
        ] {
            assert_eq!(read(words), None, "{words:?}");
        }
    }
}
