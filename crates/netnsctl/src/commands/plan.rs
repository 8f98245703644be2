//! `plan`: what `up` would do.

use std::path::PathBuf;

use netnsctl_kernel::observe;
use netnsctl_kernel::place;
use netnsctl_model::plan::{
    self, Plan, Request,
    text::{self, Tense},
};
use serde::Serialize;

use crate::cli;
use crate::config_files;
use crate::output::{self, Exit, Failure};

pub(super) fn plan(config: &[PathBuf], arguments: cli::Plan) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let desired = config_files::load_or_report(config)?;
    let names = super::declared_names(&arguments.names, &desired)?;
    let request = Request {
        names,
        adopt: arguments.adopt,
        prune: arguments.prune,
        ..Request::default()
    };
    let (observed, disturbed) = observe::observe_undisturbed(&desired, &place::home()?, &request)?;
    output::note_disturbed(disturbed.as_deref());
    let plan = plan::plan(&desired, &observed, &request);
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
    notes: Vec<String>,
}

#[derive(Serialize)]
struct WireStep {
    netns: String,
    change: &'static str,
    description: String,
}

#[derive(Serialize)]
struct WireProblem {
    message: String,
    hint: Option<String>,
}

fn wire(plan: &Plan) -> Wire {
    let step = |step: &plan::Step| WireStep {
        netns: step.of.to_string(),
        change: step.action.change().as_str(),
        description: step.action.describe(step.of.as_str()),
    };
    let problem = |problem: &plan::Problem| WireProblem {
        message: problem.to_string(),
        hint: problem.hint(),
    };
    Wire {
        steps: plan.steps.iter().map(step).collect(),
        problems: plan.problems.iter().map(problem).collect(),
        notes: plan.notes.clone(),
    }
}
