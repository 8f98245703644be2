//! `down`: takes away what `up` made.

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_kernel::names;
use netnsctl_kernel::processes::{Hold, Holder};
use netnsctl_kernel::state_dir::{self, StateDir};
use netnsctl_kernel::teardown::{self, Options, Report};
use netnsctl_model::name::NetnsName;

use super::serve::published;
use crate::cli::Down;
use crate::output::{self, Exit, Failure};

pub(super) fn down(arguments: Down) -> Result<Exit, Failure> {
    // From inside one of them, waiting for veth ends at home would look in the wrong place.
    netnsctl_kernel::netns::home()?;
    let state = StateDir::lock()?;
    let records = state_dir::records()?;
    let names: BTreeSet<NetnsName> = if arguments.names.is_empty() {
        records.keys().cloned().collect()
    } else {
        let names = arguments.names.iter().map(|name| super::netns_name(name));
        names.collect::<Result<_, _>>()?
    };
    let mut foreign = false;
    for name in names.iter().filter(|name| !records.contains_key(*name)) {
        if names::open(name).is_ok() {
            foreign = true;
            output::error(
                &format!("netns \"{name}\" was not made by netnsctl; it is left alone"),
                Some(&format!("\"ip netns del {name}\" deletes it")),
            );
        } else if !arguments.quiet {
            output::note(&format!("netns \"{name}\": already gone"));
        }
    }
    let options = Options {
        kill: arguments.kill,
        no_wait: arguments.no_wait,
    };
    let report = teardown::down(&names, options, &state)?;
    teardown::forget_home_if_last(&state)?;
    published::remove_stale();
    state.remove_if_empty();
    if !arguments.quiet {
        print_removed(&report)?;
    }
    let failed = report_trouble(&report);
    Ok(if failed || foreign {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn print_removed(report: &Report) -> Result<(), Failure> {
    let removed = report
        .removed
        .iter()
        .map(|name| format!("- netns {name}\n"));
    let gone = report
        .already_gone
        .iter()
        .map(|name| format!("- netns {name} (its remains)\n"));
    let text: String = removed.chain(gone).collect();
    output::print(if text.is_empty() {
        "nothing to do\n"
    } else {
        &text
    })
}

/// Says what holds namespaces and what could not be removed; true if something could not.
pub(super) fn report_trouble(report: &Report) -> bool {
    report_held(&report.held);
    for failure in &report.failures {
        output::error(failure, None);
    }
    !report.failures.is_empty()
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
