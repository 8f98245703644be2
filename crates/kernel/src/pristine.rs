//! What a new network namespace of this kernel is like, found out in one that has no name and
//! ends at once.

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_base::error::{Context, Error, NetlinkContext, Object};
use netnsctl_base::netns::wander;
use netnsctl_model::desired::HolderKind;
use netnsctl_model::name::SysctlKey;
use netnsctl_netlink::{Batch, Error as NetlinkError, NewLink, Socket};
use rustix::io::Errno;

use crate::sysctl;

/// The answers.
#[derive(Debug, Default)]
pub(crate) struct Pristine {
    pub(crate) holder_kinds: BTreeSet<HolderKind>,
    pub(crate) sysctl: BTreeMap<SysctlKey, String>,
}

/// Tries the kinds of holder link in their order of preference until one works (the kernel loads
/// a module for it if it can), and reads `keys`. Touches no namespace that anybody else sees.
pub(crate) fn pristine(kinds: bool, keys: &BTreeSet<SysctlKey>) -> Result<Pristine, Error> {
    let mut pristine = Pristine::default();
    if !kinds && keys.is_empty() {
        return Ok(pristine);
    }
    wander(|wanderer| {
        wanderer.create()?;
        for key in keys {
            let value =
                sysctl::read(key).context("read sysctl", Object::Sysctl(key.to_string()))?;
            if let Some(value) = value {
                pristine.sysctl.insert(key.clone(), value);
            }
        }
        if kinds {
            pristine.holder_kinds.extend(first_kind()?);
        }
        Ok(())
    })??;
    Ok(pristine)
}

fn first_kind() -> Result<Option<HolderKind>, Error> {
    const STEP: &str = "try the kinds of links in";
    let mut socket = Socket::open().netlink_context(STEP, Object::scratch())?;
    for kind in HolderKind::PREFERENCE {
        let mut batch = Batch::new();
        batch.create_link(NewLink {
            name: "probe",
            kind: kind.as_str(),
            ..NewLink::default()
        });
        let results = socket
            .commit(batch)
            .netlink_context(STEP, Object::scratch())?;
        match results.into_iter().find_map(Result::err) {
            None => return Ok(Some(kind)),
            // "Unknown device type" (`__rtnl_newlink()` in net/core/rtnetlink.c).
            Some(refused) if refused.is(Errno::OPNOTSUPP) => {}
            // Anything else, such as a missing right or memory, does not tell which kinds there are.
            Some(refused) => {
                return Err(NetlinkError::Kernel(refused)).netlink_context(STEP, Object::scratch());
            }
        }
    }
    Ok(None)
}
