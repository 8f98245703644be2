//! Every sysctl of the network namespace the calling thread is in.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use netnsctl_base::error::{Context, Error, NetlinkContext, Object};
use netnsctl_base::netns::Wanderer;
use netnsctl_model::desired::HolderKind;
use netnsctl_model::name::SysctlKey;
use netnsctl_netlink::{Batch, NewLink, Socket};

use super::Values;
use crate::sysctl;

/// The value of each key that can be read and written.
pub(super) fn all() -> io::Result<Values> {
    let mut values = Values::new();
    walk(
        Path::new("/proc/sys/net"),
        &mut vec!["net".to_owned()],
        &mut values,
    )?;
    Ok(values)
}

fn walk(folder: &Path, parts: &mut Vec<String>, values: &mut Values) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        // A link may go while its keys are listed.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        parts.push(part.replace('.', "/"));
        if metadata.is_dir() {
            // As above.
            let _ = walk(&entry.path(), parts, values);
        } else if metadata.permissions().mode() & 0o600 == 0o600
            && let Ok(key) = SysctlKey::parse(&parts.join("."))
            && let Ok(Some(value)) = sysctl::read(&key)
        {
            // Some have no value before they are given one (EIO), such as `stable_secret`.
            values.insert(key, value);
        }
        parts.pop();
    }
    Ok(())
}

/// What a new namespace has, with a link of each kind that this kernel has, named after it.
pub(super) fn fresh(wanderer: &mut Wanderer) -> Result<Values, Error> {
    const STEP: &str = "try the kinds of links in";
    let _netns = wanderer.create()?;
    let mut socket = Socket::open().netlink_context(STEP, Object::scratch())?;
    let mut batch = Batch::new();
    let kinds = HolderKind::PREFERENCE.map(HolderKind::as_str);
    for kind in kinds.into_iter().chain(["veth"]) {
        batch.create_link(NewLink {
            name: kind,
            kind,
            ..NewLink::default()
        });
    }
    batch.set_link_up("lo");
    // A kind that the kernel lacks is in none of the namespaces either.
    socket
        .commit(batch)
        .netlink_context(STEP, Object::scratch())?;
    all().context("list the sysctls of", Object::scratch())
}
