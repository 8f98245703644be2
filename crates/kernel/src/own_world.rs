//! Whether the records below /run tell all that files in /etc are for.
//!
//! A process may have a /run of its own and the /etc of the machine, after unshare(1) for example. The
//! machine's namespaces are recorded in the machine's /run then, so that "not recorded here" says nothing
//! about their files.

use std::io;
use std::os::fd::OwnedFd;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::presence::if_present;
use netnsctl_base::user_namespace::is_initial_user_namespace;
use rustix::fs::{AtFlags, Stat, stat, statat};

/// The root directory of the process that the machine began with.
const MACHINE: &str = "/proc/1/root";

/// Which files of ours may be judged by the records here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    All,
    /// Only those written before this time, in seconds since 1970: when the machine was booted. The
    /// records of their time ended with the /run of their time.
    Before(i64),
    None,
}

impl Judged {
    /// Which of the files in `folder`: all, if it is another folder than the machine's or if /run is the
    /// machine's too. Where that cannot be seen, those from before the boot.
    ///
    /// Errors: a folder or the time of the boot cannot be read.
    pub(crate) fn of(folder: &str) -> Result<Self, Error> {
        // Only root of the machine's user namespace may write to the machine's folders.
        if !is_initial_user_namespace()? {
            return Ok(Self::All);
        }
        let run = match is_machines(folder)? {
            Some(false) => Some(true),
            Some(true) => is_machines("/run")?,
            None => None,
        };
        Ok(match run {
            Some(true) => Self::All,
            Some(false) => Self::None,
            None => Self::Before(boot_time()?),
        })
    }

    /// Whether `file` in `folder`, which is called `path`, is among them.
    pub(crate) fn includes(self, folder: &OwnedFd, path: &str, file: &str) -> Result<bool, Error> {
        match self {
            Self::All => Ok(true),
            Self::None => Ok(false),
            Self::Before(boot) => {
                let found = statat(folder, file, AtFlags::SYMLINK_NOFOLLOW);
                let found = if_present(found).context("look at", format!("{path}/{file}"))?;
                Ok(found.is_some_and(|found| found.st_mtime < boot))
            }
        }
    }
}

/// When the machine was booted, in seconds since 1970 (`btime` of proc_stat(5)).
fn boot_time() -> Result<i64, Error> {
    const STAT: &str = "/proc/stat";
    let text = std::fs::read_to_string(STAT).context("read", STAT)?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    let time = line.and_then(|time| time.trim().parse().ok());
    let absent = || io::Error::from(io::ErrorKind::InvalidData);
    time.ok_or_else(absent).context("read", STAT)
}

/// Whether the folder at `path` is the one that the machine has there; none if that cannot be seen.
fn is_machines(path: &str) -> Result<Option<bool>, Error> {
    let there = match stat(format!("{MACHINE}{path}")).map_err(io::Error::from) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        found => if_present(found).context("look at", format!("{MACHINE}{path}"))?,
    };
    let here = if_present(stat(path)).context("look at", path)?;
    Ok(Some(there.zip(here).is_some_and(|pair| is_same(&pair))))
}

fn is_same((one, other): &(Stat, Stat)) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}
