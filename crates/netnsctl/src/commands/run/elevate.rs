//! Asking for the right to enter a namespace: this process becomes pkexec(1), which becomes the
//! privileged half of `run`, which becomes the command. So the command is the child of whoever
//! started `run`, in the same session, process group and cgroup, with the same streams.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use netnsctl_base::error::{Context, Object};
use netnsctl_kernel::names;
use netnsctl_model::name::NetnsRef;
use netnsctl_model::polkit::enter_argument;
use netnsctl_sys::errno::Errno;
use netnsctl_sys::witness::fork_witness;

use crate::output::Failure;

/// What may give root, the first that is there.
const GIVERS: [&str; 3] = ["pkexec", "sudo", "doas"];

/// The variables by which they say who called, and which nobody else may set for them.
const CLAIMS: [&str; 3] = ["PKEXEC_UID", "SUDO_UID", "DOAS_USER"];

/// What pkexec(1) is left with: enough to ask for a password. It refuses to work at all if it
/// does not like a value, and takes its own environment away in the end.
const KEPT: [&str; 8] = [
    "TERM",
    "COLORTERM",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "XDG_SESSION_ID",
];

/// Becomes the program that gives root, if there is one.
pub(super) fn elevate(netns: &NetnsRef, command: &[OsString]) -> Failure {
    match prepare(netns, command) {
        Ok((giver, mut command)) => {
            let error = command.exec();
            let words = Errno::of(&error);
            Failure::failed(format!("cannot run {}: {words}", giver.display()))
        }
        Err(failure) => failure,
    }
}

fn prepare(netns: &NetnsRef, words: &[OsString]) -> Result<(PathBuf, Command), Failure> {
    // Before anybody types a password.
    if let NetnsRef::Named(name) = netns {
        names::open(name)?;
    }
    if rustix::thread::no_new_privs().unwrap_or(false) {
        return Err(Failure::failed(format!(
            "cannot enter {netns}: this process can get no rights (no_new_privs), nor can what it starts"
        ))
        .hint("start it from a shell outside of what forbids it, such as NoNewPrivileges= or a container"));
    }
    let giver = GIVERS.iter().find_map(|giver| find(giver));
    let giver = giver.ok_or_else(|| {
        Failure::failed(format!(
            "cannot enter {netns}: only root may, and there is no pkexec, sudo or doas here"
        ))
        .hint("in a sandbox of your own you may: \"netnsctl serve --sandbox\" and \"netnsctl run --sandbox\"")
    })?;
    let cannot = |what: &str, error: std::io::Error| {
        Failure::failed(format!("cannot {what}: {}", Errno::of(&error)))
    };
    let program =
        std::fs::read_link("/proc/self/exe").map_err(|error| cannot("find this program", error))?;
    if !program.is_file() {
        return Err(Failure::failed(format!(
            "{} has been replaced: start this again",
            program.display()
        )));
    }
    let witness = fork_witness().context("start", Object::task("a process"))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "pkexec is the one program that gives rights"
    )]
    let mut command = Command::new(&giver);
    if giver.file_name() == Some(OsStr::new("pkexec")) {
        command.env_clear();
        command.envs(
            std::env::vars_os()
                .filter(|(key, value)| KEPT.iter().any(|kept| *kept == key) && is_plain(value)),
        );
    }
    for claim in CLAIMS {
        command.env_remove(claim);
    }
    command.arg(program);
    command.arg(enter_argument(netns));
    command.arg(witness.to_string()).args(words);
    Ok((giver, command))
}

/// The program of that name in PATH.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    places
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn is_plain(value: &OsStr) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.@:".contains(byte);
    value.as_bytes().iter().all(is_plain)
}
