//! Locks on folders (flock(2)), waited for with a deadline: a process that keeps one is named instead
//! of waited for without end.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FlockOperation, flock, fstat, major, minor, statat};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::processes;

/// How long to wait for a lock that others hold only for as long as they change something.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for a lock in silence.
const SILENCE: Duration = Duration::from_secs(1);

/// How often to try.
const POLL: Duration = Duration::from_millis(5);

/// What kind of lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Others may have the same kind.
    Shared,
    /// No other process has one.
    Exclusive,
}

/// Locks `folder`, which is called `path` in errors. The lock goes with the descriptor.
///
/// Errors: [`Error::Locked`] if another process still has it after `patience`.
pub fn lock(
    folder: &OwnedFd,
    path: &'static str,
    mode: Mode,
    patience: Duration,
) -> Result<(), Error> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    let deadline = Instant::now() + patience;
    loop {
        match flock(folder, operation) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(error) => return Err(error).context("lock", path),
        }
        if Instant::now() >= deadline {
            let (holder, is_root) = holder(folder);
            return Err(Error::Locked {
                path,
                holder,
                is_root,
            });
        }
        std::thread::sleep(POLL);
    }
}

/// What this process does with a sentence about a lock that it waits for.
static REPORT: OnceLock<fn(&str)> = OnceLock::new();

/// Has every [`wait`] of this process that takes more than a second reported, with a sentence that names the
/// process with the lock. Without this, waits are silent. Only the first call has an effect.
pub fn report_waits(report: fn(&str)) {
    let _ = REPORT.set(report);
}

/// Locks `folder`, which is called `path` in errors, for this process alone, however long that takes.
///
/// Errors: flock(2) fails, but not by a signal.
pub fn wait(folder: &OwnedFd, path: &'static str) -> Result<(), Error> {
    match lock(folder, path, Mode::Exclusive, SILENCE) {
        Err(Error::Locked { holder, .. }) => {
            if let Some(report) = REPORT.get() {
                report(&format!(
                    "waiting for {holder}, which holds the lock on {path}"
                ));
            }
        }
        result => return result,
    }
    loop {
        match flock(folder, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            result => return result.context("lock", path),
        }
    }
}

/// The process that has a lock on `folder`, for people: its id and name. Also whether root runs it; of a
/// process that cannot be seen that is taken for true.
fn holder(folder: &OwnedFd) -> (String, bool) {
    let text = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let file = fstat(folder).map(|stat| {
        let (device, inode) = (stat.st_dev, stat.st_ino);
        format!("{:02x}:{:02x}:{inode}", major(device), minor(device))
    });
    match file.ok().and_then(|file| pid_of(&text, &file)) {
        Some(pid) => {
            let owner = statat(CWD, format!("/proc/{pid}"), AtFlags::empty());
            let words = format!("process {pid} ({})", processes::command(pid));
            (words, owner.is_ok_and(|owner| owner.st_uid == 0))
        }
        None => ("a process that cannot be seen from here".to_owned(), true),
    }
}

/// The process that has a lock on `file`, written as MAJOR:MINOR:INODE, as /proc/locks says (proc(5)).
fn pid_of(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        // A line of a process that waits has an arrow after its number.
        let is_it = matches!(words.get(1), Some(&"FLOCK")) && words.get(5) == Some(&file);
        let pid = words.get(4).filter(|_| is_it)?;
        pid.parse().ok().filter(|pid| *pid != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_among_others() {
        let locks = "1: POSIX  ADVISORY  READ  5433 08:01:7864448 128 128\n\
                     2: FLOCK  ADVISORY  WRITE 2001 00:1b:12 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 2002 00:1b:12 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 00:1b:13 0 EOF\n";
        assert_eq!(pid_of(locks, "00:1b:12"), Some(2001));
        assert_eq!(pid_of(locks, "08:01:7864448"), None);
        // Of another process id namespace.
        assert_eq!(pid_of(locks, "00:1b:13"), None);
        assert_eq!(pid_of("", "00:1b:12"), None);
    }

    #[test]
    fn a_lock_that_another_keeps_is_an_error_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let open = || OwnedFd::from(std::fs::File::open(folder.path()).unwrap());
        let (one, other) = (open(), open());
        lock(&one, "/somewhere", Mode::Shared, Duration::ZERO).unwrap();
        lock(&other, "/somewhere", Mode::Shared, Duration::ZERO).unwrap();
        let error = lock(&other, "/somewhere", Mode::Exclusive, Duration::ZERO).unwrap_err();
        let own = std::process::id();
        let words = error.to_string();
        let expected = format!("cannot lock /somewhere: process {own} (");
        assert!(words.starts_with(&expected), "{words}");
        drop(one);
        lock(&other, "/somewhere", Mode::Exclusive, Duration::ZERO).unwrap();
    }
}
