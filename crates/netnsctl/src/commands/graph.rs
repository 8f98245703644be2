//! `graph`: the topology, drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use netnsctl_graph::{Format, Live, Topology};
use netnsctl_kernel::place;
use netnsctl_kernel::{names, observe};
use netnsctl_model::desired::Desired;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan::{self, Request};

use crate::cli::{Graph, GraphFormat};
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::status;

pub(super) fn graph(config: &[PathBuf], arguments: &Graph) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let only = named(&arguments.names)?;
    let (topology, exit) = if arguments.live {
        // What is there is worth seeing also when the configuration is wrong or missing.
        let (desired, exit) = config_files::load_if_right(config)?;
        (live(&desired, only.as_ref())?, exit)
    } else {
        let desired = config_files::load_or_report(config)?;
        if let Some(only) = &only {
            are_known(
                only,
                &desired.netns.keys().cloned().collect(),
                "not declared",
            )?;
        }
        (Topology::new(&desired, None, only.as_ref()), Exit::Done)
    };
    output::print(&netnsctl_graph::render(&topology, format(arguments.format)))?;
    Ok(exit)
}

/// What was asked for; else a picture, and on a terminal, which cannot show one, what a person reads.
fn format(asked: Option<GraphFormat>) -> Format {
    match asked {
        Some(GraphFormat::Dot) => Format::Dot,
        Some(GraphFormat::Mermaid) => Format::Mermaid,
        Some(GraphFormat::Svg) => Format::Svg,
        None if io::stdout().is_terminal() => {
            output::note("\"netnsctl graph >topology.svg\" makes a picture; this is Mermaid:");
            Format::Mermaid
        }
        None => Format::Svg,
    }
}

/// The namespaces that were typed, home among them; none if all are meant.
fn named(names: &[String]) -> Result<Option<BTreeSet<NetnsRef>>, Failure> {
    let parse = |text: &String| {
        NetnsRef::parse(text)
            .map_err(|error| Failure::usage(format!("{text:?} is no namespace name: it {error}")))
    };
    let only: BTreeSet<_> = names.iter().map(parse).collect::<Result<_, _>>()?;
    Ok((!only.is_empty()).then_some(only))
}

/// Errors: exit status 2 if one of `only` is not among `known`, which is said to be `what`.
fn are_known(
    only: &BTreeSet<NetnsRef>,
    known: &BTreeSet<NetnsName>,
    what: &str,
) -> Result<(), Failure> {
    let unknown = only
        .iter()
        .filter_map(NetnsRef::name)
        .find(|name| !known.contains(name));
    let Some(name) = unknown else {
        return Ok(());
    };
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    let failure = Failure::usage(format!("netns {:?} is {what}", name.as_str()));
    Err(match known.is_empty() {
        true => failure,
        false => failure.hint(format!("there are: {}", known.join(", "))),
    })
}

/// What is there, of `only` if that is given.
fn live(desired: &Desired, only: Option<&BTreeSet<NetnsRef>>) -> Result<Topology, Failure> {
    // All are looked at in any case: of a veth pair both ends have to be known.
    let request = Request::default();
    let (observed, disturbed) = observe::observe_undisturbed(desired, &place::home()?, &request)?;
    output::note_disturbed(disturbed.as_deref());
    let plan = plan::plan(desired, &observed, &request);
    let mut known: BTreeSet<NetnsName> = desired.netns.keys().cloned().collect();
    known.extend(observed.records.keys().cloned());
    let unmanaged = names::list_if(|name| !known.contains(name))?;
    if let Some(only) = only {
        known.extend(unmanaged.iter().cloned());
        are_known(only, &known, "neither declared nor there")?;
    }
    let traffic: BTreeMap<_, _> = status::all_traffic(desired)?;
    let live = Live {
        observed: &observed,
        plan: &plan,
        traffic: &traffic,
        unmanaged: &unmanaged,
    };
    Ok(Topology::new(desired, Some(&live), only))
}
