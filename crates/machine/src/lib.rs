//! For tests only: runs each test on a machine of its own.
//!
//! The harness runs every test in a process of its own, which moves into new mount and network
//! namespaces (and, without root, a user namespace) before it has any thread: an empty /run, a
//! copy of /etc, a host namespace with nothing but `lo`. So tests run in parallel, leave nothing
//! behind and touch nothing of the machine they run on.
//!
//! A test program has `harness = false`, calls [`main`] and marks its tests with
//! `#[netnsctl_machine::test]`; no list names a test again. Where such a machine is not available
//! the tests are skipped, which stderr says and which is a failure where CI is set.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]
#![expect(clippy::print_stderr, reason = "a test says on stderr why it failed")]

pub mod net;
mod world;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

pub use netnsctl_machine_attribute::test;

/// For the attribute [`test`](macro@test).
#[doc(hidden)]
pub use inventory;

/// A test, as the attribute registers it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Test {
    pub name: &'static str,
    pub module: &'static str,
    pub line: u32,
    pub run: fn(),
}

inventory::collect!(Test);

/// Registers a function as a test; the attribute [`test`](macro@test) writes this.
#[doc(hidden)]
#[macro_export]
macro_rules! register {
    ($test:ident) => {
        $crate::inventory::submit! {
            $crate::Test {
                name: stringify!($test),
                module: module_path!(),
                line: line!(),
                run: $test,
            }
        }
    };
}

/// How long anything may take that a test waits for. Long enough for a machine under load; a
/// test that is right never waits that long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How a line begins that says how much a test tried; it is shown even though the test passed.
const COUNTED: &str = "COUNTED";

/// How a line begins that says what a test could not try; it is shown even though the test passed.
const SKIPPED: &str = "SKIPPED";

/// Tells the child which test it is.
const TEST: &str = "NETNSCTL_TEST";

/// Asks the child only whether a machine can be had.
const PROBE: &str = "probe";

/// The `main` of a test program; `package` is its `CARGO_PKG_NAME`. Runs the tests that the
/// arguments of cargo-test(1) choose.
pub fn main(package: &str) -> ExitCode {
    if let Ok(name) = std::env::var(TEST) {
        return child(&name);
    }
    let arguments = Arguments::from_args();
    let available = run_child(PROBE);
    if let Err(reason) = &available {
        eprintln!("{SKIPPED}: no test of {package} ran, as no machine could be made:");
        eprintln!("{reason}");
        if std::env::var_os("CI").is_some() {
            eprintln!("CI is set: that is a failure");
            return ExitCode::FAILURE;
        }
    }
    let trial = |test: &Test| {
        let name = test.name;
        let run = move || run_child(name).map_err(Failed::from);
        Trial::test(name, run).with_ignored_flag(available.is_err())
    };
    let trials = all().into_iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// All tests, in the order of their modules and lines.
fn all() -> Vec<&'static Test> {
    let mut tests: Vec<_> = inventory::iter::<Test>().collect();
    tests.sort_by_key(|test| (test.module, test.line));
    let names: BTreeSet<_> = tests.iter().map(|test| test.name).collect();
    assert_eq!(names.len(), tests.len(), "two tests have the same name");
    tests
}

/// Runs one test in a process of its own; what it printed is the failure's text.
fn run_child(name: &str) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = command(program)
        .env(TEST, name)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if output.status.success() {
        // What a test could not try is said even though it passed, and how much another tried.
        let told = err
            .lines()
            .filter(|line| line.starts_with(SKIPPED) || line.starts_with(COUNTED));
        told.for_each(|line| eprintln!("{name}: {line}"));
        return Ok(());
    }
    Err(format!("{}\n{out}{err}", output.status))
}

fn child(name: &str) -> ExitCode {
    if let Err(error) = world::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    if name == PROBE {
        return ExitCode::SUCCESS;
    }
    let Some(test) = all().into_iter().find(|test| test.name == name) else {
        eprintln!("there is no test {name}");
        return ExitCode::FAILURE;
    };
    // A panic ends the process with a status other than 0, and its message is on stderr.
    (test.run)();
    ExitCode::SUCCESS
}

/// A command; the tests run many.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A line that helps to see why a test failed.
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// Tells how much this test tried.
pub fn count(line: &str) {
    say(&format!("{COUNTED} {line}"));
}

/// Waits until `done` gives something, for at most [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
