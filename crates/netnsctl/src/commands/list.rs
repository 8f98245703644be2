//! `list`: names, one a line.

use netnsctl_kernel::names;

use crate::cli::List;
use crate::output::{self, Exit, Failure};

pub(super) fn list(arguments: &List) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    let names: Vec<String> = names::list()?.iter().map(ToString::to_string).collect();
    if arguments.json {
        output::print_json(&names)?;
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
