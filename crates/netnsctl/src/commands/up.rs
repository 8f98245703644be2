//! `up`: brings namespaces to what is declared.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use netnsctl_base::netns::Netns;
use netnsctl_kernel::apply::{self, Outcome};
use netnsctl_kernel::observe;
use netnsctl_kernel::place;
use netnsctl_kernel::state_dir::StateDir;
use netnsctl_model::desired::Desired;
use netnsctl_model::plan::{self, Part, Plan, Problem, Request};
use netnsctl_view::nscd;

use super::outcome::{changes, report};
use super::{part, units_in_force};
use crate::cli::Up;
use crate::config_files;
use crate::output::{self, Exit, Failure};

/// How long links of namespaces that the kernel still takes down may stand in the way.
const SETTLE_PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn up(config: &[PathBuf], arguments: Up) -> Result<Exit, Failure> {
    let desired = config_files::load_or_report(config)?;
    let request = request(&desired, &arguments)?;
    let home = place::home()?;
    let (plan, outcome) = bring_up(&desired, &home, &request)?;
    if !arguments.quiet {
        output::print(&changes(&plan, &outcome))?;
        plan.notes
            .iter()
            .for_each(|note| output::note(&format!("note: {note}")));
        plan::text::waiting(&plan)
            .iter()
            .for_each(|line| output::note(line));
    }
    let exit = report(&plan, &outcome);
    let is_for_units = arguments.units || request.part == Some(Part::Namespace);
    if is_for_units && exit == Exit::Done {
        make_folders(&desired, &request)?;
    }
    if arguments.units {
        for name in request.names.iter().flatten() {
            units_in_force::bring(name)?;
        }
    }
    Ok(exit)
}

/// Makes the folders in which systemd will make the sockets of name-service daemons. systemd gives
/// all the folders that it makes for a socket one mode, and these have two.
fn make_folders(desired: &Desired, request: &Request) -> Result<(), Failure> {
    for name in request.names.iter().flatten() {
        let declared = desired.netns.get(name);
        if declared.is_some_and(|netns| netns.nscd.enable) {
            nscd::make(name)?;
        }
    }
    Ok(())
}

fn request(desired: &Desired, arguments: &Up) -> Result<Request, Failure> {
    let adopt = arguments.adopt;
    if let Some(text) = &arguments.part {
        let (netns, part) = part::named(&arguments.names, text)?;
        let part = part::declared(desired, &netns, part)?;
        let request = Request::for_part(&netns, part);
        return Ok(Request { adopt, ..request });
    }
    Ok(Request {
        names: super::declared_names(&arguments.names, desired)?,
        adopt,
        prune: arguments.prune,
        part: None,
    })
}

/// Plans and carries out, under the lock.
pub(super) fn bring_up(
    desired: &Desired,
    home: &Netns,
    request: &Request,
) -> Result<(Plan, Outcome), Failure> {
    let state = StateDir::lock()?;
    let plan = settled_plan(desired, home, request)?;
    let outcome = apply::apply(&plan, home, &state)?;
    Ok((plan, outcome))
}

/// The plan, once no link of a dying namespace stands in its way any more.
fn settled_plan(desired: &Desired, home: &Netns, request: &Request) -> Result<Plan, Failure> {
    let deadline = Instant::now() + SETTLE_PATIENCE;
    loop {
        let observed = observe::observe(desired, home, request)?;
        let plan = plan::plan(desired, &observed, request);
        let dying = plan.problems.iter().any(|problem| {
            matches!(
                problem,
                Problem::LinkInTheWay {
                    going_away: true,
                    ..
                }
            )
        });
        if !dying || Instant::now() > deadline {
            return Ok(plan);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
