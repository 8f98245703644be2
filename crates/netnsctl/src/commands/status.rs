//! `status`: what is declared, what is there, what differs.

use std::path::PathBuf;

use crate::cli::Status;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::status::{gather, render};

pub(super) fn status(config: &[PathBuf], arguments: &Status) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let name = arguments
        .name
        .as_deref()
        .map(super::netns_name)
        .transpose()?;
    // What is there is worth seeing also when the configuration is wrong or missing.
    let configuration = config_files::load(config)?;
    configuration.report();
    let desired = configuration.loaded.desired;
    let exit = if desired.is_some() {
        Exit::Done
    } else {
        Exit::Usage
    };
    let report = gather(&desired.unwrap_or_default(), name.as_ref())?;
    if name.is_some() && report.netns.is_empty() {
        let name = arguments.name.as_deref().unwrap_or_default();
        return Err(
            Failure::usage(format!("netns {name:?} is neither declared nor managed"))
                .hint("\"netnsctl list\" shows all there are"),
        );
    }
    if arguments.json {
        output::print_json(&report)?;
    } else {
        output::print(&render(&report, output::color_on_stdout()))?;
    }
    Ok(exit)
}
