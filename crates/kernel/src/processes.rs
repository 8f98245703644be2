//! Processes that keep a network namespace alive: those inside, those with a descriptor of it,
//! and those in whose mount namespace it still has a mount (proc(5), namespaces(7)).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// How a process holds a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// One of its threads is inside.
    Inside,
    /// It has a descriptor of it open.
    Descriptor,
    /// Its mount namespace has a mount of it.
    Mount,
}

/// A process that keeps a namespace alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its name (`comm`), control characters replaced.
    pub command: String,
    /// How.
    pub hold: Hold,
}

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Which namespace each process is in.
    Inside,
    /// Also descriptors, threads and mounts.
    Everything,
}

/// The processes that hold one of the namespaces with the given inodes, by inode. Processes that
/// may not be looked at (ptrace rights, ptrace(2)) are passed over; this process is not listed.
pub fn holders(inodes: &BTreeSet<u64>, depth: Depth) -> BTreeMap<u64, Vec<Holder>> {
    let mut found: BTreeMap<u64, Vec<Holder>> = BTreeMap::new();
    let mut mounts_seen: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    if inodes.is_empty() {
        return found;
    }
    let device = stat("/proc/self/ns/net").map_or(0, |found| found.0);
    for pid in process_ids() {
        let mut holds: BTreeMap<u64, Hold> = BTreeMap::new();
        let mut note = |inode: u64, hold: Hold| {
            if inodes.contains(&inode) {
                holds.entry(inode).or_insert(hold);
            }
        };
        for inode in inside(pid, depth) {
            note(inode, Hold::Inside);
        }
        if depth == Depth::Everything {
            for inode in descriptors(pid, device) {
                note(inode, Hold::Descriptor);
            }
            for inode in mounts(pid, &mut mounts_seen) {
                note(inode, Hold::Mount);
            }
        }
        for (inode, hold) in holds {
            let holder = Holder {
                pid,
                command: command(pid),
                hold,
            };
            found.entry(inode).or_default().push(holder);
        }
    }
    found
}

fn process_ids() -> impl Iterator<Item = u32> {
    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    ids().filter(move |pid| *pid != own)
}

/// All processes that show in /proc.
pub(crate) fn ids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn inside(pid: u32, depth: Depth) -> Vec<u64> {
    match depth {
        Depth::Inside => link_inode(&format!("/proc/{pid}/ns/net"))
            .into_iter()
            .collect(),
        Depth::Everything => {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten();
            let links = tasks
                .flatten()
                .filter_map(|task| task.path().join("ns/net").to_str().map(str::to_owned));
            links.filter_map(|path| link_inode(&path)).collect()
        }
    }
}

/// The inodes of the namespace files, on `device`, that a process has open. Their links say
/// `net:[NUMBER]` only where they were opened in /proc; after an open(2) of a name it is that name,
/// as that process sees it.
fn descriptors(pid: u32, device: u64) -> Vec<u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let paths = entries.into_iter().flatten().flatten();
    let found = paths.filter_map(|entry| stat(entry.path().to_str()?));
    let of_device = found.filter(|(found, _)| *found == device);
    of_device.map(|(_, inode)| inode).collect()
}

/// Device and inode of what `path` leads to. No server of a remote file system is asked.
fn stat(path: &str) -> Option<(u64, u64)> {
    let found = statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::INO).ok()?;
    Some((
        makedev(found.stx_dev_major, found.stx_dev_minor),
        found.stx_ino,
    ))
}

/// The number in a link to `net:[NUMBER]`.
fn link_inode(path: &str) -> Option<u64> {
    let target = std::fs::read_link(path).ok()?;
    netns_number(target.to_str()?)
}

fn netns_number(text: &str) -> Option<u64> {
    text.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Namespaces mounted in the mount namespace of `pid`, if that is another than ours; each mount
/// namespace is read once.
fn mounts(pid: u32, seen: &mut BTreeMap<String, BTreeSet<u64>>) -> BTreeSet<u64> {
    let link = |pid: &str| {
        let target = std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()?;
        target.to_str().map(str::to_owned)
    };
    let Some(namespace) = link(&pid.to_string()) else {
        return BTreeSet::new();
    };
    if link("self").as_deref() == Some(&namespace) {
        return BTreeSet::new();
    }
    let read = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        // The fourth field is the root of the mount within its file system, see proc(5).
        let roots = text.lines().filter_map(|line| line.split(' ').nth(3));
        roots.filter_map(netns_number).collect()
    };
    seen.entry(namespace).or_insert_with(read).clone()
}

/// The name of a process, control characters replaced.
pub(crate) fn command(pid: u32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    text.trim_end()
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Sends `signal` to `holder` unless its id belongs to another process by now. Success if it is
/// gone already.
pub fn signal(holder: &Holder, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(()) };
    let sent = pidfd_open(pid, PidfdFlags::empty()).and_then(|pidfd| {
        // The descriptor is of whoever has the id now; that it is still the one we saw is checked
        // while the descriptor keeps the id from being given to another.
        if command(holder.pid) == holder.command {
            pidfd_send_signal(&pidfd, signal)
        } else {
            Ok(())
        }
    });
    match sent {
        Err(rustix::io::Errno::SRCH) => Ok(()),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_namespace_is_read_from_its_link() {
        assert_eq!(netns_number("net:[4026531840]"), Some(4_026_531_840));
        for other in ["mnt:[4026531840]", "net:[", "/", "net:[x]", ""] {
            assert_eq!(netns_number(other), None, "{other}");
        }
    }
}
