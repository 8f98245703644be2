//! What tests of the whole program share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) use netnsctl_machine::{PATIENCE, command, count, eventually, say};

/// The program under test, with nothing of the caller's colours.
pub(crate) fn netnsctl(arguments: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_netnsctl"));
    command
        .args(arguments)
        .env_remove("NO_COLOR")
        .env_remove("NOTIFY_SOCKET");
    command
}

/// Runs the program and wants the exit status `status`; gives what it printed.
#[track_caller]
pub(crate) fn expect(status: i32, arguments: &[&str]) -> Ran {
    let ran = Ran::of(
        netnsctl(arguments)
            .output()
            .expect("the program can be started"),
    );
    assert_eq!(
        ran.status,
        Some(status),
        "netnsctl {arguments:?}\n{}{}",
        ran.stdout,
        ran.stderr
    );
    ran
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a shell command inside `netns`, by the program under test; gives its stdout.
#[track_caller]
pub(crate) fn inside(netns: &str, shell: &str) -> String {
    expect(0, &["run", netns, "--", "/bin/sh", "-c", shell]).stdout
}

/// Installs `text` as the whole configuration of this machine.
pub(crate) fn configure(text: &str) -> PathBuf {
    let file = Path::new("/etc/netnsctl/test.toml");
    std::fs::create_dir_all("/etc/netnsctl").expect("/etc is ours");
    std::fs::write(file, text).expect("/etc is ours");
    file.to_owned()
}

/// Everything that `up` may leave on a machine: paths below /run and /etc/netns, and the links of
/// home.
pub(crate) fn traces() -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["/run/netns", "/run/netnsctl", "/etc/netns"] {
        walk(Path::new(folder), &mut found);
    }
    let run = std::fs::read_dir("/run").expect("/run is there").flatten();
    let views = run.filter(|entry| entry.file_name().to_string_lossy().starts_with("netns-"));
    found.extend(views.map(|entry| entry.path().display().to_string()));
    found.extend(home_links().into_iter().map(|link| format!("link {link}")));
    found.sort();
    found
}

/// The lines of a plan or report that are steps: not headings, not the count.
pub(crate) fn steps(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("  "));
    lines.map(str::to_owned).collect()
}

/// `up` takes exactly the steps `wanted`, which `plan` foretold, and a second one takes none.
#[track_caller]
pub(crate) fn up_does(wanted: &[&str]) {
    let planned = expect(0, &["plan"]).stdout;
    assert_eq!(steps(&planned), wanted);
    assert_eq!(steps(&expect(0, &["up"]).stdout), wanted);
    settled();
}

/// Everything declared is there.
#[track_caller]
pub(crate) fn settled() {
    let again = expect(0, &["plan", "--exit-code"]);
    assert_eq!(
        (again.stdout.as_str(), again.stderr.as_str()),
        ("nothing to do\n", "")
    );
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        found.push(path.display().to_string());
        if path.is_dir() {
            walk(&path, found);
        }
    }
}

/// The names of the links of the home namespace.
pub(crate) fn home_links() -> Vec<String> {
    let links = crate::net::links("default");
    links.into_iter().map(|link| link.name).collect()
}

/// What a command said, but for whom it waited: on a busy machine each waits for the others.
pub(crate) fn complaints(stderr: &str) -> Vec<&str> {
    let lines = stderr.lines();
    lines
        .filter(|line| !line.starts_with("waiting for process "))
        .collect()
}
