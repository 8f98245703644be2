//! `plan`: what `up` would do.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use netnsctl_kernel::observe;
use netnsctl_kernel::place;
use netnsctl_model::item::{Item, Value};
use netnsctl_model::plan::{
    self, Plan, Request, Waiting,
    text::{self, Tense},
};
use serde::Serialize;

use crate::cli;
use crate::config_files;
use crate::output::{self, Document, Exit, Failure};

pub(super) fn plan(config: &[PathBuf], arguments: cli::Plan) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    // The process ends with this command: taking thousands of namespaces apart, piece by piece, would
    // take as long as making them.
    let desired = ManuallyDrop::new(config_files::load_or_report(config)?);
    let names = super::declared_names(&arguments.names, &desired)?;
    let request = Request {
        names,
        adopt: arguments.adopt,
        prune: arguments.prune,
        ..Request::default()
    };
    let (observed, disturbed) = observe::observe_undisturbed(&desired, &place::home()?, &request)?;
    output::note_disturbed(disturbed.as_deref());
    let observed = ManuallyDrop::new(observed);
    let plan = ManuallyDrop::new(plan::plan(&desired, &observed, &request));
    if arguments.json {
        output::print_json(&wire(&plan))?;
    } else {
        output::print(&text::render(&plan, Tense::Future))?;
        plan.notes
            .iter()
            .for_each(|note| output::note(&format!("note: {note}")));
        for problem in &plan.problems {
            output::error(&problem.to_string(), problem.hint().as_deref());
        }
        text::waiting(&plan)
            .iter()
            .for_each(|line| output::note(line));
    }
    Ok(match (plan.problems.is_empty(), plan.steps.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) if arguments.exit_code => Exit::Changes,
        _ => Exit::Done,
    })
}

#[derive(Serialize)]
struct Wire {
    steps: Vec<WireStep>,
    problems: Vec<WireProblem>,
    waiting: Vec<WireWaiting>,
    notes: Vec<String>,
}

impl Document for Wire {
    const VERSION: u32 = 1;
}

#[derive(Serialize)]
struct WireStep {
    netns: String,
    /// `add`, `change` or `remove`.
    change: &'static str,
    /// The kind of item.
    kind: &'static str,
    /// What identifies the item, and what it is to be.
    values: BTreeMap<&'static str, serde_json::Value>,
    /// The values that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<WireChange>,
    description: String,
}

#[derive(Serialize)]
struct WireChange {
    what: &'static str,
    from: Option<serde_json::Value>,
    to: serde_json::Value,
}

#[derive(Serialize)]
struct WireProblem {
    message: String,
    hint: Option<String>,
}

/// What waits for a link that nothing declared brings, or not yet.
#[derive(Serialize)]
struct WireWaiting {
    netns: String,
    kind: &'static str,
    values: BTreeMap<&'static str, serde_json::Value>,
    description: String,
    link: WirePlace,
}

#[derive(Serialize)]
struct WirePlace {
    netns: String,
    interface: String,
}

fn wire(plan: &Plan) -> Wire {
    let step = |step: &plan::Step| WireStep {
        netns: step.of.to_string(),
        change: step.verb.as_str(),
        kind: step.item.word(),
        values: values(&step.item),
        changes: step
            .changes
            .iter()
            .map(|change| WireChange {
                what: change.what,
                from: change.from.as_ref().map(value),
                to: value(&change.to),
            })
            .collect(),
        description: step.describe(),
    };
    let problem = |problem: &plan::Problem| WireProblem {
        message: problem.to_string(),
        hint: problem.hint(),
    };
    Wire {
        steps: text::shown(plan).map(step).collect(),
        problems: plan.problems.iter().map(problem).collect(),
        waiting: plan.waiting.iter().map(waiting).collect(),
        notes: plan.notes.clone(),
    }
}

fn waiting(waiting: &Waiting) -> WireWaiting {
    WireWaiting {
        netns: waiting.of.to_string(),
        kind: waiting.item.word(),
        values: values(&waiting.item),
        description: waiting.describe(),
        link: WirePlace {
            netns: waiting.link.netns.to_string(),
            interface: waiting.link.interface.to_string(),
        },
    }
}

fn values(item: &Item) -> BTreeMap<&'static str, serde_json::Value> {
    let values = item.values();
    values.iter().map(|(word, it)| (*word, value(it))).collect()
}

fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Flag(flag) => (*flag).into(),
        Value::Number(number) => (*number).into(),
        Value::List(all) => all.clone().into(),
        other => other.to_string().into(),
    }
}
