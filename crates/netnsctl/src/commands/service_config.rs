//! `service-config`: what puts another service into a namespace.

use std::path::PathBuf;

use netnsctl_model::name::NetnsRef;
use netnsctl_view::nscd;

use crate::cli::ServiceConfig;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::unit_files;

pub(super) fn service_config(
    config: &[PathBuf],
    arguments: &ServiceConfig,
) -> Result<Exit, Failure> {
    let text = &arguments.name;
    let netns = NetnsRef::parse(text)
        .map_err(|error| Failure::usage(format!("{text:?} is no namespace name: it {error}")))?;
    let mut configuration = config_files::load_named_or_installed(config)?;
    let loaded = if configuration.sources.is_empty() {
        None
    } else {
        Some(configuration.right_or_report()?)
    };
    let declared = netns
        .name()
        .and_then(|name| loaded.as_ref()?.desired.netns.get(name));
    let facts = unit_files::of_machine(netns.name().into_iter())?;
    let has_nscd = match (declared, netns.name()) {
        (Some(declared), _) => declared.nscd.enable,
        (None, Some(name)) => {
            netnsctl_kernel::names::open(name).map_err(|_| neither(text))?;
            output::note(&format!(
                "note: netns {text:?} is not declared, so its unit is not netnsctl's to make; \
                 this is right if you have one of that name"
            ));
            nscd::has_socket(name)?
        }
        (None, None) => false,
    };
    let text = netnsctl_units::service_config(&netns, has_nscd, &facts)
        .map_err(|why| Failure::failed(format!("netns {text:?} can have no service: {why}")))?;
    output::print(&text)?;
    Ok(Exit::Done)
}

fn neither(name: &str) -> Failure {
    Failure::usage(format!("netns {name:?} is neither declared nor there"))
        .hint("\"netnsctl list\" shows all there are")
}
