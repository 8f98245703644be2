//! `import`: a declaration of what there is already.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use netnsctl_base::error::Error;
use netnsctl_import::{of_script, of_survey, of_wg_netns};
use netnsctl_kernel::place;
use netnsctl_kernel::{state_dir, survey};

use crate::cli::Import;
use crate::output::{self, Exit, Failure};

/// Bytes that a script or a profile may have; far more than anybody writes by hand.
const FILE_MAX: u64 = 1024 * 1024;

pub(super) fn import(arguments: &Import) -> Result<Exit, Failure> {
    if let Some(path) = &arguments.from_script {
        return output::print(&of_script(&read(path)?)).map(|()| Exit::Done);
    }
    if let Some(path) = &arguments.from_wg_netns {
        let text = of_wg_netns(&read(path)?).map_err(|error| {
            Failure::usage(format!("cannot read the profile {}: {error}", path.display()))
                .hint("for one in YAML: python3 -c 'import sys, yaml, json; json.dump(yaml.safe_load(sys.stdin), sys.stdout)' <profile.yaml | netnsctl import --from-wg-netns -")
        })?;
        return output::print(&text).map(|()| Exit::Done);
    }
    super::enter_sandbox(&arguments.sandbox)?;
    let mut names = BTreeSet::new();
    for text in &arguments.names {
        names.insert(super::netns_name(text)?);
    }
    let undisturbed = state_dir::share()?;
    output::note_disturbed(undisturbed.disturbed.as_deref());
    let surveyed = survey::survey(&place::home()?)?;
    if let Some(missing) = names.iter().find(|name| !surveyed.netns.contains_key(name)) {
        return Err(Error::NoSuchNetns(missing.to_string()).into());
    }
    output::print(&of_survey(&surveyed, &names)).map(|()| Exit::Done)
}

/// The text of a file, or of standard input for `-`.
fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        let words = netnsctl_sys::errno::words(&error);
        Failure::failed(format!("cannot read {}: {words}", path.display()))
    };
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().take(FILE_MAX + 1).read_to_end(&mut bytes),
        false => std::fs::File::open(path)
            .map_err(failed)?
            .take(FILE_MAX + 1)
            .read_to_end(&mut bytes),
    };
    let length = read.map_err(failed)?;
    if length as u64 > FILE_MAX {
        let words = format!(
            "cannot read {}: it has more than {FILE_MAX} bytes",
            path.display()
        );
        return Err(Failure::usage(words));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("cannot read {}: it is not UTF-8", path.display())))
}
