//! What tests of the whole program share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use netnsctl_base::error::Error;
use netnsctl_session::sandbox::{self, Isolation};

/// How long anything may take that a test waits for. Long enough for a machine under load; a
/// test that is right never waits that long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Moves this process onto a machine of its own.
pub(crate) fn enter_machine() -> Result<(), Error> {
    let root = rustix::process::geteuid().is_root();
    sandbox::enter(if root {
        Isolation::Privileged
    } else {
        Isolation::User
    })?;
    hide_configuration();
    if root {
        hide_polkit();
    }
    Ok(())
}

/// Takes the configuration away that the machine the tests run on may have: they write their own.
fn hide_configuration() {
    let link = Path::new("/etc/netnsctl");
    if link.is_symlink() {
        std::fs::remove_file(link).expect("/etc is ours");
    }
    hide("/usr/lib/netnsctl");
}

/// Shows an empty folder in the place of `folder`, if it is there.
fn hide(folder: &str) {
    if Path::new(folder).exists() {
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", folder, "tmpfs", flags, None).expect("mounts are ours");
    }
}

/// Takes this machine's polkit away, so that nothing of a test is told to that of the machine the
/// tests run on.
fn hide_polkit() {
    let _ = std::fs::remove_dir_all("/etc/polkit-1");
    hide("/usr/share/polkit-1");
}

/// A command; the tests run many.
#[expect(
    clippy::disallowed_methods,
    reason = "tests run the program and its peers"
)]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

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

/// A line for whoever reads why a test failed.
#[expect(clippy::print_stderr, reason = "stderr of a test is for that")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// How a line begins that says how much a test tried; it is shown even though the test passed.
pub(crate) const COUNTED: &str = "COUNTED";

/// Tells how much this test tried.
pub(crate) fn count(line: &str) {
    say(&format!("{COUNTED} {line}"));
}

/// Waits until `done` gives something, for at most [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
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
