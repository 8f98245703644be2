//! What came of a plan or a removal, as text.

use std::collections::BTreeMap;

use netnsctl_base::processes::{Hold, Holder};
use netnsctl_kernel::apply::Outcome;
use netnsctl_model::name::NetnsName;
use netnsctl_model::plan::{
    Plan,
    text::{self, Tense},
};

use crate::output::{self, Exit};

/// What was done, as text.
pub(super) fn changes(plan: &Plan, outcome: &Outcome) -> String {
    match (
        outcome.done.is_empty(),
        outcome.failures.is_empty() && plan.problems.is_empty(),
    ) {
        (true, false) => String::new(),
        _ => text::render(&plan.only(&outcome.done), Tense::Past),
    }
}

/// Says what could not be done.
pub(super) fn report(plan: &Plan, outcome: &Outcome) -> Exit {
    for problem in &plan.problems {
        output::error(&problem.to_string(), problem.hint().as_deref());
    }
    for failure in &outcome.failures {
        output::failure(failure);
    }
    if let Some(missing) = not_tried(plan, outcome) {
        output::note(&missing);
    }
    report_held(&outcome.held);
    if plan.problems.is_empty() && outcome.failures.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

/// One line about the steps that were not tried, as one that they need failed; none if there are none.
fn not_tried(plan: &Plan, outcome: &Outcome) -> Option<String> {
    const SHOWN: usize = 5;
    let skipped = outcome.skipped.iter().filter_map(|it| plan.steps.get(*it));
    let missing: Vec<_> = skipped.filter(|step| !step.quiet).collect();
    let shown = missing.iter().take(SHOWN).map(|step| {
        let described = step.describe();
        let first = described.lines().next().unwrap_or_default();
        format!("{first} in netns \"{}\"", step.of)
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match missing.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let count = missing.len();
    (count > 0).then(|| format!("{count} not tried, as they need what failed: {shown}{more}"))
}

/// Says which processes keep namespaces alive.
pub(super) fn report_held(held: &BTreeMap<NetnsName, Vec<Holder>>) {
    for (name, holders) in held {
        output::note(&format!(
            "note: netns \"{name}\" lost its name but lives on, held by"
        ));
        for holder in holders {
            let how = match holder.hold {
                Hold::Inside => "runs inside",
                Hold::Descriptor => "has a descriptor of it",
                Hold::Mount => "has it mounted",
            };
            output::note(&format!(
                "  process {} ({}), which {how}",
                holder.pid, holder.command
            ));
        }
    }
    if held
        .values()
        .flatten()
        .any(|holder| holder.hold == Hold::Inside)
    {
        output::note("  hint: end them; \"netnsctl down --kill\" would have done so");
    }
}
