//! `status`: what is declared, what is there, what differs.

use std::path::PathBuf;

use netnsctl_model::desired::Desired;
use netnsctl_model::name::NetnsName;

use crate::cli::Status;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::status::{gather, render, watch, wire::Report};

pub(super) fn status(config: &[PathBuf], arguments: &Status) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let name = arguments
        .name
        .as_deref()
        .map(super::netns_name)
        .transpose()?;
    if arguments.watch {
        return watch(|quiet| look(config, name.as_ref(), quiet));
    }
    let (report, exit) = look(config, name.as_ref(), false)?;
    if arguments.json {
        output::print_json(&report)?;
    } else {
        output::print(&render(&report, output::color_on_stdout()))?;
    }
    Ok(exit)
}

/// One look: what there is, and the exit status that says whether the configuration is right, of
/// which nothing is said in a `quiet` one.
fn look(
    config: &[PathBuf],
    name: Option<&NetnsName>,
    quiet: bool,
) -> Result<(Report, Exit), Failure> {
    // What is there is worth seeing also when the configuration is wrong or missing.
    let (desired, exit) = if quiet {
        config_files::load_quietly(config)?
            .map_or_else(|| (Desired::default(), Exit::Usage), |it| (it, Exit::Done))
    } else {
        config_files::load_if_right(config)?
    };
    let (report, disturbed) = gather(&desired, name)?;
    output::note_disturbed(disturbed.as_deref());
    match name {
        Some(name) if report.netns.is_empty() => Err(Failure::usage(format!(
            "netns {:?} is neither declared nor managed",
            name.as_str()
        ))
        .hint("\"netnsctl list\" shows all there are")),
        _ => Ok((report, exit)),
    }
}
