//! `units`: the systemd units of the configuration, printed or written.

use std::path::{Path, PathBuf};

use netnsctl_model::desired::{Desired, Netns};
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::polkit::{self, Keeper};
use netnsctl_units::{Entry, Facts, Units};

use crate::cli;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::unit_files::{self, Elsewhere};

pub(super) fn units(config: &[PathBuf], arguments: cli::Units) -> Result<Exit, Failure> {
    let mut configuration = match &arguments.root {
        Some(_) if !config.is_empty() => {
            let words = "--root and --config both say where the configuration is";
            return Err(Failure::usage(words));
        }
        Some(root) => config_files::load_below(root)?,
        None => config_files::load_named_or_installed(config)?,
    };
    let loaded = configuration.right_or_report()?;
    let elsewhere = Elsewhere {
        program: arguments.program,
        root: arguments.root,
    };
    let mut facts = unit_files::facts(config, elsewhere, &loaded, &configuration.sources)?;
    facts.after_network = arguments.after_network;
    let units = netnsctl_units::units(&loaded.desired, &facts);
    if let Some(folder) = arguments.polkit {
        write_polkit(&folder, &loaded.desired, &facts)?;
    }
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

/// Writes what polkit(8) has to know of who may run commands where, for a package of the system.
fn write_polkit(folder: &Path, desired: &Desired, facts: &Facts) -> Result<(), Failure> {
    let of_netns = |(name, netns)| {
        let (name, netns): (&NetnsName, &Netns) = (name, netns);
        (NetnsRef::Named(name.clone()), netns.run.as_ref())
    };
    let declared = desired.netns.iter().map(of_netns);
    let home = (NetnsRef::Home, desired.home.run.as_ref());
    for (netns, access) in declared.chain([home]) {
        let Some(access) = access else { continue };
        let (Some(action), Some(rules)) = (polkit::action_file(&netns), polkit::rules_file(&netns))
        else {
            return Err(Failure::failed(format!(
                "the name {:?} is too long for a polkit action",
                netns.as_str()
            )));
        };
        let files = polkit::files_of(Keeper::System, &netns, access, &facts.program);
        let files = [
            ("actions", action, files.action),
            ("rules.d", rules, files.rules),
        ];
        for (kind, name, text) in files {
            let Some(text) = text else { continue };
            let path = folder.join(kind).join(name);
            unit_files::write_one("polkit file", &path, &Entry::File(text))
                .map_err(Failure::failed)?;
        }
    }
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
