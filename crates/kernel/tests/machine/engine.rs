//! The outermost functions of the engine, called as the program calls them.

use netnsctl_kernel::state_dir::{self, StateDir};
use netnsctl_kernel::{apply, observe, place, teardown};
use netnsctl_model::config::{self, Format, Source};
use netnsctl_model::desired::Desired;
use netnsctl_model::plan::{self, Plan, Request};

fn desired(text: &str) -> Desired {
    let source = Source::from_bytes("test.toml", Format::Toml, text.as_bytes());
    config::load(&[source])
        .desired
        .unwrap_or_else(|| panic!("not valid:\n{text}"))
}

/// The plan for the configuration `text`. Changes nothing.
pub(crate) fn plan(text: &str) -> Plan {
    let (desired, request) = (desired(text), Request::default());
    let host = place::home().expect("the host namespace");
    let observed = observe::observe(&desired, &host, &request).expect("all can be read");
    plan::plan(&desired, &observed, &request)
}

/// Carries out the plan for `text`, which has steps and no problem.
#[track_caller]
pub(crate) fn up(text: &str) {
    let state = StateDir::lock().expect("the lock");
    let host = place::home().expect("the host namespace");
    let plan = plan(text);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    assert!(!plan.steps.is_empty(), "nothing to do for\n{text}");
    let outcome = apply::apply(&plan, &host, &state).expect("a thread can be started");
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(outcome.done.len(), plan.steps.len());
}

/// Removes every namespace of which there is a record.
#[track_caller]
pub(crate) fn down() {
    let state = StateDir::lock().expect("the lock");
    let names = state_dir::records().expect("the records").into_names();
    let options = teardown::Options::default();
    let report = teardown::down(&names, options, &state).expect("the records can be read");
    assert!(report.failures.is_empty(), "{:?}", report.failures);
}
