//! Tests of the whole program, each on a machine of its own.
//!
//! The harness runs every test in a process of its own, which moves into fresh mount and network
//! namespaces (and, without root, a user namespace) before it has any thread: an empty /run, a
//! copy of /etc, a home namespace with nothing but `lo`. So tests run in parallel, leave nothing
//! behind and touch nothing of the machine they run on.
//!
//! Where such a machine cannot be had the tests are skipped, which is said on stderr and is a
//! failure where CI is set.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::print_stderr, reason = "a test says on stderr why it failed")]

mod access;
mod caller;
mod change;
mod check;
mod chroot;
mod complete;
mod datagrams;
mod doctor;
mod drift;
mod errno;
mod exits;
mod forward;
mod graph;
mod harm;
mod holders;
mod import;
mod interop;
mod kills;
mod leftovers;
mod metrics;
mod mistakes;
mod names;
mod net;
mod nscd;
mod options;
mod order;
mod ownership;
mod parts;
mod prometheus;
mod pty;
mod reload;
mod run;
mod sandbox;
mod scale;
mod sealed;
mod serve;
mod served;
mod status;
mod support;
mod top;
mod traffic;
mod units;
mod unix;
mod unknown;
mod up;
mod veth;
mod view;

use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};

/// A test and its name.
pub(crate) type Test = (&'static str, fn());

/// Tests that are called what their functions are called.
macro_rules! tests {
    ($($test:ident),* $(,)?) => { &[$((stringify!($test), $test as fn())),*] };
}
pub(crate) use tests;

/// All tests.
fn all() -> Vec<Test> {
    [
        access::TESTS,
        caller::TESTS,
        caller::hostile::TESTS,
        caller::inherited::TESTS,
        caller::names_of_rules::TESTS,
        change::TESTS,
        chroot::TESTS,
        check::TESTS,
        complete::TESTS,
        datagrams::TESTS,
        doctor::TESTS,
        drift::TESTS,
        errno::TESTS,
        exits::TESTS,
        forward::TESTS,
        graph::TESTS,
        holders::TESTS,
        import::TESTS,
        interop::TESTS,
        kills::TESTS,
        leftovers::TESTS,
        metrics::TESTS,
        mistakes::TESTS,
        names::TESTS,
        nscd::TESTS,
        options::TESTS,
        order::TESTS,
        ownership::TESTS,
        parts::TESTS,
        reload::TESTS,
        run::TESTS,
        run::counted::TESTS,
        sandbox::TESTS,
        sandbox::others::TESTS,
        scale::TESTS,
        sealed::TESTS,
        serve::TESTS,
        status::TESTS,
        top::TESTS,
        units::TESTS,
        unix::TESTS,
        unknown::TESTS,
        up::TESTS,
        veth::TESTS,
        view::TESTS,
        view::faults::TESTS,
    ]
    .concat()
}

/// Tells the child which test it is.
const TEST: &str = "NETNSCTL_TEST";

/// Asks the child only whether a machine can be had.
const PROBE: &str = "probe";

fn main() -> ExitCode {
    if let Ok(name) = std::env::var(TEST) {
        return child(&name);
    }
    let arguments = Arguments::from_args();
    let available = run_child(PROBE);
    if let Err(reason) = &available {
        eprintln!(
            "SKIPPED: no test of {} ran, as no machine could be made:",
            env!("CARGO_PKG_NAME")
        );
        eprintln!("{reason}");
        if std::env::var_os("CI").is_some() {
            eprintln!("CI is set: that is a failure");
            return ExitCode::FAILURE;
        }
    }
    let trial = |(name, _): &Test| {
        let name = *name;
        let run = move || run_child(name).map_err(Failed::from);
        Trial::test(name, run).with_ignored_flag(available.is_err())
    };
    let trials = all().iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs one test in a process of its own; what it printed is the failure's text.
fn run_child(name: &str) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    #[expect(clippy::disallowed_methods, reason = "the harness runs itself")]
    let output = Command::new(program)
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
        let (skipped, counted) = ("SKIPPED", support::COUNTED);
        let told = err
            .lines()
            .filter(|line| line.starts_with(skipped) || line.starts_with(counted));
        told.for_each(|line| eprintln!("{name}: {line}"));
        return Ok(());
    }
    Err(format!("{}\n{out}{err}", output.status))
}

fn child(name: &str) -> ExitCode {
    if let Err(error) = support::enter_machine() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    if name == PROBE {
        return ExitCode::SUCCESS;
    }
    let tests = all();
    let Some((_, test)) = tests.iter().find(|(known, _)| *known == name) else {
        eprintln!("there is no test {name}");
        return ExitCode::FAILURE;
    };
    // A panic ends the process with a status other than 0, and its message is on stderr.
    test();
    ExitCode::SUCCESS
}
