//! `list`: names, one a line.

use netnsctl_kernel::names;
use netnsctl_model::name::NetnsName;
use serde::Serialize;

use crate::cli::List;
use crate::output::{self, Document, Exit, Failure};

#[derive(Serialize)]
struct Wire {
    netns: Vec<WireNetns>,
}

impl Document for Wire {
    const VERSION: u32 = 1;
}

#[derive(Serialize)]
struct WireNetns {
    name: String,
}

pub(super) fn list(arguments: &List) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let names = names::list()?;
    if arguments.json {
        let named = |name: &NetnsName| WireNetns {
            name: name.to_string(),
        };
        let netns = names.iter().map(named).collect();
        output::print_json(&Wire { netns })?;
    } else {
        output::print(
            &names
                .iter()
                .map(|name| format!("{name}\n"))
                .collect::<String>(),
        )?;
    }
    Ok(Exit::Done)
}
