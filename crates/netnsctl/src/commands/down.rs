//! `down`: takes away what `up` made.

use std::collections::BTreeSet;
use std::path::PathBuf;

use netnsctl_base::error::{Error as KernelError, Failure as KernelFailure};
use netnsctl_base::netns::Netns;

use netnsctl_kernel::state_dir::{self, Records, StateDir};
use netnsctl_kernel::teardown::{self, Options, Report};
use netnsctl_kernel::{apply, names, observe};
use netnsctl_model::desired::Desired;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan::{self, Part, PartName, Problem, Request};

use super::outcome::{changes, report_held};
use super::{outcome, part, units_in_force};
use crate::cli::Down;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::published;

pub(super) fn down(config: &[PathBuf], arguments: Down) -> Result<Exit, Failure> {
    // From inside one of them, waiting for veth ends at home would look in the wrong place.
    let home = netnsctl_kernel::place::home()?;
    if let Some(text) = &arguments.part {
        match part::named(&arguments.names, text)? {
            (NetnsRef::Named(name), PartName::View) => return view_down(&name),
            (netns, part @ (PartName::Veth(_) | PartName::Link(_))) => {
                let desired = config_files::load_what_is_right(config)?;
                let part = part::declared(&desired, &netns, part)?;
                return part_down(&desired, &netns, part, &home, arguments.quiet);
            }
            // Nothing of a namespace outlives it.
            (_, PartName::Namespace | PartName::View) => {}
        }
    }
    for name in arguments.names.iter().filter(|_| arguments.units) {
        units_in_force::stop_parts(&super::netns_name(name)?)?;
    }
    let state = StateDir::lock()?;
    // Another host namespace may have been noted while this waited for the lock.
    netnsctl_kernel::place::home()?;
    let records = state_dir::records()?;
    let names: BTreeSet<NetnsName> = if arguments.names.is_empty() {
        let unreadable = records.unreadable.keys();
        records.known.keys().chain(unreadable).cloned().collect()
    } else {
        let names = arguments.names.iter().map(|name| super::netns_name(name));
        names.collect::<Result<_, _>>()?
    };
    let foreign = foreign(&names, &records)?;
    let is_unclear = report_absent(&names, &records, &foreign, arguments.quiet);
    let options = Options {
        kill: arguments.kill,
        no_wait: arguments.no_wait,
    };
    let mut report = teardown::down(&names, options, &state)?;
    let whole = arguments.names.is_empty();
    let rest = teardown::remove_leftovers((!whole).then_some(&names), &state, &mut report)
        .and_then(|()| teardown::forget_home_if_last(&state));
    if let Err(error) = rest {
        let failure = KernelFailure::new(NetnsRef::Home, error);
        report.failures.push(failure);
    }
    published::remove_stale();
    if let Err(error) = state.remove_if_empty() {
        let failure = KernelFailure::new(NetnsRef::Home, error);
        report.failures.push(failure);
    }
    report_foreign(&foreign, &report);
    report.already_gone.retain(|name| !foreign.contains(name));
    if !arguments.quiet {
        print_removed(&report, &foreign)?;
    }
    let failed = report_trouble(&report);
    Ok(if failed || is_unclear || !foreign.is_empty() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// Those of `names` that netnsctl did not make.
///
/// Errors: it cannot be found out whether there is a namespace of that name. Nothing was changed then.
fn foreign(
    names: &BTreeSet<NetnsName>,
    records: &Records,
) -> Result<BTreeSet<NetnsName>, KernelError> {
    let mut foreign = BTreeSet::new();
    for name in names {
        if records.known.contains_key(name) || records.unreadable.contains_key(name) {
            continue;
        }
        match names::open(name) {
            Ok(_) => drop(foreign.insert(name.clone())),
            Err(KernelError::NoSuchNetns(_) | KernelError::Stale(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(foreign)
}

/// Reports those of `names` whose record cannot be read, and those that are absent; true if a record cannot be
/// read.
fn report_absent(
    names: &BTreeSet<NetnsName>,
    records: &Records,
    foreign: &BTreeSet<NetnsName>,
    quiet: bool,
) -> bool {
    let mut is_unclear = false;
    for name in names {
        if let Some(reason) = records.unreadable.get(name) {
            is_unclear = true;
            let problem = Problem::unreadable_record(name, reason);
            output::error(&problem.to_string(), problem.hint().as_deref());
        } else if !quiet && !foreign.contains(name) && !records.known.contains_key(name) {
            output::note(&format!("netns \"{name}\": already gone"));
        }
    }
    is_unclear
}

/// Reports that the namespaces `foreign` stay. Files that netnsctl had left for their names are gone.
fn report_foreign(foreign: &BTreeSet<NetnsName>, report: &Report) {
    for name in foreign {
        let stays = match report.already_gone.contains(name) {
            true => "only files that netnsctl had left for this name are removed",
            false => "it is left alone",
        };
        output::error(
            &format!("netns \"{name}\" was not made by netnsctl; {stays}"),
            Some(&format!("\"ip netns del {name}\" deletes it")),
        );
    }
}

fn view_down(name: &NetnsName) -> Result<Exit, Failure> {
    let state = StateDir::lock()?;
    teardown::remove_view(name, &state)?;
    state.remove_if_empty()?;
    Ok(Exit::Done)
}

/// Removes one veth pair or link, if it is there and is what was made for this declaration.
fn part_down(
    desired: &Desired,
    netns: &NetnsRef,
    part: Part,
    home: &Netns,
    quiet: bool,
) -> Result<Exit, Failure> {
    let state = StateDir::lock()?;
    let request = Request::for_part(netns, part);
    let observed = observe::observe(desired, home, &request)?;
    let part = request.part.as_ref();
    let plan = part.map(|part| plan::without(desired, &observed, part));
    let plan = plan.unwrap_or_default();
    let outcome = apply::apply(&plan, home, &state)?;
    if !quiet {
        output::print(&changes(&plan, &outcome))?;
    }
    let exit = outcome::report(&plan, &outcome);
    state.remove_if_empty()?;
    Ok(exit)
}

fn print_removed(report: &Report, foreign: &BTreeSet<NetnsName>) -> Result<(), Failure> {
    let removed = report
        .removed
        .iter()
        .map(|name| format!("- netns {name}\n"));
    let gone = report
        .already_gone
        .iter()
        .map(|name| format!("- netns {name} (its remains)\n"));
    let text: String = removed.chain(gone).collect();
    let nothing = text.is_empty()
        && report.failures.is_empty()
        && report.foreign.is_empty()
        && foreign.is_empty();
    output::print(if nothing { "nothing to do\n" } else { &text })
}

/// Says what holds namespaces and what could not be removed; true if something could not.
pub(super) fn report_trouble(report: &Report) -> bool {
    report_held(&report.held);
    for name in &report.foreign {
        output::error(&KernelError::Foreign(name.clone()).to_string(), None);
    }
    for failure in &report.failures {
        output::failure(failure);
    }
    let failures = report.failures.iter();
    let kept: BTreeSet<_> = failures.filter_map(|failure| failure.of.name()).collect();
    for name in kept {
        output::note(&format!(
            "note: netns \"{name}\" is not removed in full; \"netnsctl down {name}\" tries again"
        ));
    }
    !(report.failures.is_empty() && report.foreign.is_empty())
}
