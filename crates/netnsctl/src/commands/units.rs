//! `units`: the systemd units of the configuration, printed or written.

use std::path::{Path, PathBuf};

use netnsctl_units::{Entry, Units};

use crate::cli;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::unit_files;

pub(super) fn units(config: &[PathBuf], arguments: cli::Units) -> Result<Exit, Failure> {
    let mut configuration = config_files::load_named_or_installed(config)?;
    let loaded = configuration.right_or_report()?;
    let facts = unit_files::facts(config, arguments.program, &loaded, &configuration.sources)?;
    let units = netnsctl_units::units(&loaded.desired, &facts);
    match arguments.output {
        Some(folder) => write(&folder, &units)?,
        None => output::print(&listing(&units))?,
    }
    for left_out in &units.left_out {
        output::error(&left_out.to_string(), None);
    }
    Ok(if units.left_out.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn write(folder: &Path, units: &Units) -> Result<(), Failure> {
    unit_files::write(folder, units).map_err(|error| {
        Failure::failed(error).hint("name a folder you may write to with --output")
    })?;
    output::note("\"systemctl daemon-reload\" makes systemd read them");
    Ok(())
}

/// All of them in one text.
fn listing(units: &Units) -> String {
    let part = |(path, entry): (&String, &Entry)| match entry {
        Entry::File(text) => format!("# --- {path}\n{text}\n"),
        Entry::Link(target) => format!("# --- {path} -> {target}\n"),
    };
    units.entries.iter().map(part).collect()
}
