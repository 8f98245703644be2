//! Processes that keep a network namespace alive: those inside, those with a descriptor of it,
//! and those in whose mount namespace it still has a mount (proc(5), namespaces(7)).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use netnsctl_model::outside::Outside;
use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use crate::error::{Context, Error};

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
/// have ended or may not be looked at (ptrace rights, ptrace(2)) are passed over; this process is
/// not listed.
///
/// Errors: /proc cannot be read, so that who holds them stays unknown.
pub fn holders(inodes: &BTreeSet<u64>, depth: Depth) -> Result<BTreeMap<u64, Vec<Holder>>, Error> {
    find_holders(inodes, depth).context("look for processes in", "/proc")
}

fn find_holders(inodes: &BTreeSet<u64>, depth: Depth) -> io::Result<BTreeMap<u64, Vec<Holder>>> {
    let mut found: BTreeMap<u64, Vec<Holder>> = BTreeMap::new();
    let mut mounts_seen: BTreeMap<PathBuf, BTreeSet<u64>> = BTreeMap::new();
    if inodes.is_empty() {
        return Ok(found);
    }
    let Some((device, _)) = stat("/proc/self/ns/net")? else {
        return Err(io::ErrorKind::NotFound.into());
    };
    for pid in process_ids()? {
        let mut holds: BTreeMap<u64, Hold> = BTreeMap::new();
        let mut note = |inode: u64, hold: Hold| {
            if inodes.contains(&inode) {
                holds.entry(inode).or_insert(hold);
            }
        };
        for inode in inside(pid, depth)? {
            note(inode, Hold::Inside);
        }
        if depth == Depth::Everything {
            for inode in descriptors(pid, device)? {
                note(inode, Hold::Descriptor);
            }
            for inode in mounts(pid, &mut mounts_seen)? {
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
    Ok(found)
}

/// The processes whose first thread is inside one of the namespaces with the given inodes, the lowest
/// id first, and whether these are all: whether every process of the machine could be looked at.
///
/// Errors: /proc cannot be read.
pub fn inside_of(inodes: &BTreeSet<u64>) -> Result<(Vec<u32>, bool), Error> {
    /// The inode of the initial process id namespace (PROC_PID_INIT_INO of include/linux/proc_ns.h),
    /// in which all processes show.
    const INITIAL: u64 = 0xeffffffc;
    let find = || {
        let own = stat("/proc/self/ns/pid")?;
        let mut all_seen = own.is_some_and(|(_, inode)| inode == INITIAL);
        let mut found = Vec::new();
        let mut ids = process_ids()?;
        ids.sort_unstable();
        for pid in ids {
            match std::fs::read_link(format!("/proc/{pid}/ns/net")) {
                Ok(link) => {
                    let inode = link.to_str().and_then(netns_number);
                    found.extend(inode.filter(|inode| inodes.contains(inode)).map(|_| pid));
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => all_seen = false,
                Err(error) => drop(visible::<(), _>(Err(error))?),
            }
        }
        Ok::<_, io::Error>((found, all_seen))
    };
    find().context("look for processes in", "/proc")
}

fn process_ids() -> io::Result<Vec<u32>> {
    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    let mut ids = ids()?;
    ids.retain(|pid| *pid != own);
    Ok(ids)
}

/// All processes that show in /proc.
///
/// Errors: /proc cannot be read.
pub fn ids() -> io::Result<Vec<u32>> {
    numbers("/proc")
}

/// The entries of a folder of proc(5) that are numbers; none if its process has ended or may not be
/// looked at.
fn numbers(folder: &str) -> io::Result<Vec<u32>> {
    let Some(entries) = visible(std::fs::read_dir(folder))? else {
        return Ok(Vec::new());
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let Some(entry) = visible(entry)? else { break };
        let number: Option<u32> = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    Ok(numbers)
}

/// What was read of a process; `None` if it has ended or may not be looked at (proc(5)). Every other
/// error leaves unknown what there is.
fn visible<T, E: Into<io::Error>>(result: Result<T, E>) -> io::Result<Option<T>> {
    match result.map_err(Into::into) {
        Ok(found) => Ok(Some(found)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM) => Ok(None),
            _ => Err(error),
        },
    }
}

fn inside(pid: u32, depth: Depth) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    match depth {
        Depth::Inside => inodes.extend(link_inode(&format!("/proc/{pid}/ns/net"))?),
        Depth::Everything => {
            for task in numbers(&format!("/proc/{pid}/task"))? {
                inodes.extend(link_inode(&format!("/proc/{pid}/task/{task}/ns/net"))?);
            }
        }
    }
    Ok(inodes)
}

/// The inodes of the namespace files, on `device`, that a process has open. Their links say
/// `net:[NUMBER]` only where they were opened in /proc; after an open(2) of a name it is that name,
/// as that process sees it.
fn descriptors(pid: u32, device: u64) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    for descriptor in numbers(&format!("/proc/{pid}/fd"))? {
        let found = match stat(&format!("/proc/{pid}/fd/{descriptor}")) {
            Err(error) if !is_shortage(&error) => None,
            found => found?,
        };
        inodes.extend(found.filter(|found| found.0 == device).map(|found| found.1));
    }
    Ok(inodes)
}

/// Whether an error is a want of memory or descriptors, which leaves unknown what is there. What else
/// stat(2) says comes of another file system than that of namespaces: a broken disk, a server that is
/// gone.
fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::INTR];
    Errno::from_io_error(error).is_some_and(|errno| shortages.contains(&errno))
}

/// Device and inode of what `path` leads to. No server of a remote file system is asked.
fn stat(path: &str) -> io::Result<Option<(u64, u64)>> {
    let found = statx(CWD, path, AtFlags::STATX_DONT_SYNC, StatxFlags::INO);
    Ok(visible(found)?.map(|found| {
        let device = makedev(found.stx_dev_major, found.stx_dev_minor);
        (device, found.stx_ino)
    }))
}

/// The number in a link to `net:[NUMBER]`.
fn link_inode(path: &str) -> io::Result<Option<u64>> {
    let target = visible(std::fs::read_link(path))?;
    Ok(target.and_then(|target| netns_number(target.to_str()?)))
}

fn netns_number(text: &str) -> Option<u64> {
    text.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Namespaces mounted in the mount namespace of `pid`, if that is another than ours; each mount
/// namespace is read once.
fn mounts(pid: u32, seen: &mut BTreeMap<PathBuf, BTreeSet<u64>>) -> io::Result<BTreeSet<u64>> {
    let link = |pid: &str| visible(std::fs::read_link(format!("/proc/{pid}/ns/mnt")));
    let Some(namespace) = link(&pid.to_string())? else {
        return Ok(BTreeSet::new());
    };
    if link("self")?.as_ref() == Some(&namespace) {
        return Ok(BTreeSet::new());
    }
    if let Some(known) = seen.get(&namespace) {
        return Ok(known.clone());
    }
    let Some(text) = mount_list(pid)? else {
        return Ok(BTreeSet::new());
    };
    // The fourth field is the root of the mount within its file system, see proc(5).
    let text = String::from_utf8_lossy(&text);
    let roots = text.lines().filter_map(|line| line.split(' ').nth(3));
    let inodes: BTreeSet<u64> = roots.filter_map(netns_number).collect();
    Ok(seen.entry(namespace).or_insert(inodes).clone())
}

/// The mounts that a process sees, as proc_pid_mountinfo(5) lists them; none as with [`visible`].
fn mount_list(pid: u32) -> io::Result<Option<Vec<u8>>> {
    let text = std::fs::read(format!("/proc/{pid}/mountinfo"));
    match text {
        // Of a process that has left its namespaces on its way out (`mounts_open_common()` in
        // fs/proc_namespace.c).
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => Ok(None),
        text => visible(text),
    }
}

/// The name of a process, as it may be shown; empty if it cannot be read.
pub fn command(pid: u32) -> String {
    let text = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    Outside(String::from_utf8_lossy(&text).trim_end()).to_string()
}

/// Sends `signal` to a process if it runs inside one of the namespaces with the given inodes now:
/// its id may belong to another process since it was found. Success if it has ended or left.
///
/// Errors: whether it is inside cannot be found out, or the signal cannot be sent (EPERM).
pub fn signal(pid: u32, inodes: &BTreeSet<u64>, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(()) };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // The descriptor is of the process that has the id now. As long as that process has not been
    // waited for, /proc/PID shows the same one, and after that the signal fails with ESRCH.
    let id = pid.as_raw_nonzero().get().unsigned_abs();
    let is_inside = inside(id, Depth::Everything)?;
    if !is_inside.iter().any(|inode| inodes.contains(inode)) {
        return Ok(());
    }
    match pidfd_send_signal(&pidfd, signal) {
        Err(Errno::SRCH) => Ok(()),
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

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a process that gets signals is needed"
    )]
    fn only_a_process_inside_gets_the_signal() {
        use std::os::unix::process::ExitStatusExt as _;
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        let own = link_inode(&format!("/proc/{}/ns/net", child.id()));
        let own = own.unwrap().unwrap();
        // As a process that has the id of an earlier one, which was in another namespace.
        signal(child.id(), &BTreeSet::from([own + 1]), Signal::KILL).unwrap();
        signal(child.id(), &BTreeSet::from([own]), Signal::TERM).unwrap();
        let ended = child.wait().unwrap();
        assert_eq!(ended.signal(), Some(Signal::TERM.as_raw()));
        // And one that has ended is no error.
        signal(child.id(), &BTreeSet::from([own]), Signal::TERM).unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process that ends is needed")]
    fn the_mounts_of_a_process_that_has_ended_are_none() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        let options =
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        // Nobody has waited for it yet, so its id shows in /proc.
        let raw = std::fs::read(format!("/proc/{}/mountinfo", child.id()));
        let errno = Errno::from_io_error(&raw.unwrap_err());
        assert_eq!(errno, Some(Errno::INVAL));
        assert_eq!(mount_list(child.id()).unwrap(), None);
        child.wait().unwrap();
        assert_eq!(mount_list(child.id()).unwrap(), None);
        assert!(mount_list(std::process::id()).unwrap().is_some());
    }
}
