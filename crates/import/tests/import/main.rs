//! Properties of printed declarations, on machines that exist only as state.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../model/tests/plan/machine.rs"]
#[expect(dead_code, reason = "the tests of plans use all of it")]
mod machine;
mod script;
mod survey;
mod wg_netns;

use netnsctl_model::config::{Format, Severity, Source, load, render};
use netnsctl_model::desired::Desired;

/// Loads what was printed, which nothing may be wrong with.
#[track_caller]
fn accepted(text: &str) -> Desired {
    let sources = [Source::new("printed.toml", Format::Toml, text)];
    let loaded = load(&sources);
    let severe = |one: &&netnsctl_model::config::Diagnostic| one.severity == Severity::Error;
    let errors: Vec<_> = loaded.diagnostics.iter().filter(severe).cloned().collect();
    assert!(
        errors.is_empty(),
        "{text}\n{}",
        render(&sources, &errors, false)
    );
    loaded.desired.unwrap()
}
