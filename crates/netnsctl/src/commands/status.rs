//! `status`: what is declared, what is there, what differs.

use std::path::PathBuf;
use std::time::Duration;

use netnsctl_model::name::NetnsName;

use crate::cli::Status;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::status::{gather, render, wire::Report};

/// The time between two looks of `--watch`.
const WATCH_PAUSE: Duration = Duration::from_secs(1);

/// Clears a terminal and goes to its first line (console_codes(4)).
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) fn status(config: &[PathBuf], arguments: &Status) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let name = arguments
        .name
        .as_deref()
        .map(super::netns_name)
        .transpose()?;
    loop {
        let (report, exit) = look(config, name.as_ref())?;
        if arguments.json {
            output::print_json(&report)?;
            return Ok(exit);
        }
        let color = output::color_on_stdout();
        let clear = if arguments.watch && color { CLEAR } else { "" };
        output::print(&format!("{clear}{}", render(&report, color)))?;
        if !arguments.watch {
            return Ok(exit);
        }
        std::thread::sleep(WATCH_PAUSE);
    }
}

/// One look: what there is, and the exit status that says whether the configuration is right.
fn look(config: &[PathBuf], name: Option<&NetnsName>) -> Result<(Report, Exit), Failure> {
    // What is there is worth seeing also when the configuration is wrong or missing.
    let (desired, exit) = config_files::load_if_right(config)?;
    let report = gather(&desired, name)?;
    match name {
        Some(name) if report.netns.is_empty() => Err(Failure::usage(format!(
            "netns {:?} is neither declared nor managed",
            name.as_str()
        ))
        .hint("\"netnsctl list\" shows all there are")),
        _ => Ok((report, exit)),
    }
}
