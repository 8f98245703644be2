//! Who holds what goes, and ending the processes inside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use netnsctl_base::error::{Context, Error, Object};
use netnsctl_base::processes::{Depth, Hold, Holder, holders, signal};
use netnsctl_model::name::NetnsName;
use rustix::process::Signal;

use super::{POLL, Present, Report};

/// How long processes have between SIGTERM and SIGKILL, and after it.
const PATIENCE: Duration = Duration::from_secs(5);

type AllPresent<'a> = BTreeMap<&'a NetnsName, Present>;

/// Notes who holds what goes. True if mount namespaces other than ours have mounts of it: those
/// at the name go with it, those elsewhere stay, and which they are shows when the name is gone.
/// Where that cannot be found out, it is a failure of all.
pub(super) fn find(present: &AllPresent<'_>, report: &mut Report) -> bool {
    let Some(found) = try_holders(present, report) else {
        return false;
    };
    let (mounts, others) = found
        .into_iter()
        .partition::<Vec<_>, _>(|(_, holder)| holder.hold == Hold::Mount);
    for (name, holder) in others {
        report.held.entry(name).or_default().push(holder);
    }
    !mounts.is_empty()
}

/// Notes in whose mount namespace there still are mounts of what has no name any more.
pub(super) fn find_mounts(present: &AllPresent<'_>, report: &mut Report) {
    for (name, holder) in try_holders(present, report).unwrap_or_default() {
        if holder.hold == Hold::Mount {
            report.held.entry(name).or_default().push(holder);
        }
    }
}

/// Keeps of the holders those that hold still: a command that only looked at a namespace as it went
/// has ended by now, and naming it would not help.
pub(super) fn forget_passers_by(present: &AllPresent<'_>, report: &mut Report) {
    if report.held.is_empty() {
        return;
    }
    let Some(still) = try_holders(present, report) else {
        return;
    };
    report.held.retain(|name, holders| {
        holders.retain(|holder| still.iter().any(|(of, now)| of == name && now == holder));
        !holders.is_empty()
    });
}

fn try_holders(present: &AllPresent<'_>, report: &mut Report) -> Option<Vec<(NetnsName, Holder)>> {
    let found = holders_of(present);
    found
        .map_err(|error| report.fail_each(present.keys().copied(), error))
        .ok()
}

fn inodes(present: &AllPresent<'_>) -> BTreeSet<u64> {
    present.values().map(|present| present.inode).collect()
}

fn holders_of(present: &AllPresent<'_>) -> Result<Vec<(NetnsName, Holder)>, Error> {
    let mut holders = holders(&inodes(present), Depth::Everything)?;
    let mut found = Vec::new();
    for (name, Present { inode, .. }) in present {
        let of_this = holders.remove(inode).unwrap_or_default();
        found.extend(of_this.into_iter().map(|holder| ((*name).clone(), holder)));
    }
    Ok(found)
}

/// Ends the processes inside `present`: SIGTERM, then SIGKILL. A process that cannot be ended is a
/// failure of the namespace it is in.
pub(super) fn end(present: &AllPresent<'_>, report: &mut Report) {
    let inodes = inodes(present);
    for kind in [Signal::TERM, Signal::KILL] {
        let deadline = Instant::now() + PATIENCE;
        let mut told: BTreeSet<u32> = BTreeSet::new();
        loop {
            let Some(mut inside) = try_holders(present, report) else {
                return;
            };
            inside.retain(|(_, holder)| holder.hold == Hold::Inside);
            if inside.is_empty() {
                return;
            }
            for (name, holder) in &inside {
                if !told.insert(holder.pid) {
                    continue;
                }
                let object = Object::Other(format!("process {} ({})", holder.pid, holder.command));
                if let Err(error) = signal(holder.pid, &inodes, kind).context("end", object) {
                    report.fail(name, error);
                }
            }
            if Instant::now() > deadline {
                break;
            }
            std::thread::sleep(POLL);
        }
    }
}
