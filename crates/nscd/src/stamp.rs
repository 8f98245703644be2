//! Whether the files that an answer comes from are those they were.
//!
//! A file is known by device, inode, size and the times of its last changes. Those times advance in
//! steps of some milliseconds, so a file that was changed in the last moments may change again
//! without a trace, and has no stamp.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Stat, statat};

use crate::request::Kind;

/// Age of a change from which on the next one is certain to have another time. Clocks tick every
/// 10 ms at most; some file systems count in larger steps, hence the slack.
const SETTLED: Duration = Duration::from_millis(100);

/// The same where times are whole seconds, as on file systems that keep no more.
const SETTLED_COARSE: Duration = Duration::from_secs(2);

/// Most files that an answer comes from.
const FILES: usize = 5;

/// What is known of the files that answers of a kind come from. A file that is not there is known
/// as that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp([Option<FileStamp>; FILES]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: i64,
    changed: (i64, i64),
}

impl Stamp {
    /// That of the files as they are; none if one of them was changed just now.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let mut stamps = [None; FILES];
        for (stamp, path) in stamps.iter_mut().zip(files(kind)) {
            *stamp = match statat(CWD, *path, AtFlags::empty()) {
                Ok(stat) => Some(FileStamp::of(&stat, now)?),
                Err(_) => None,
            };
        }
        Some(Self(stamps))
    }

    /// That of nsswitch.conf alone.
    pub(crate) fn of_nsswitch(self) -> Self {
        let mut stamps = [None; FILES];
        stamps[0] = self.0[0];
        Self(stamps)
    }
}

impl FileStamp {
    fn of(stat: &Stat, now: Duration) -> Option<Self> {
        let seconds = u64::try_from(stat.st_ctime).ok()?;
        let nanoseconds = u32::try_from(stat.st_ctime_nsec).ok()?;
        let age = now.checked_sub(Duration::new(seconds, nanoseconds))?;
        let settled = if nanoseconds == 0 {
            SETTLED_COARSE
        } else {
            SETTLED
        };
        (age >= settled).then_some(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            // Every change of content or name counts, and nobody can set it back.
            changed: (stat.st_ctime, i64::from(nanoseconds)),
        })
    }
}

/// The files that the modules of the C library itself read, nsswitch.conf the first.
fn files(kind: Kind) -> &'static [&'static std::ffi::CStr] {
    match kind {
        Kind::UserByName | Kind::UserById => &[c"/etc/nsswitch.conf", c"/etc/passwd"],
        Kind::GroupByName | Kind::GroupById | Kind::GroupsOfUser => {
            &[c"/etc/nsswitch.conf", c"/etc/group"]
        }
        Kind::ServiceByName | Kind::ServiceByPort => &[c"/etc/nsswitch.conf", c"/etc/services"],
        Kind::Netgroup | Kind::IsInNetgroup => &[c"/etc/nsswitch.conf", c"/etc/netgroup"],
        Kind::HostByName
        | Kind::HostByName6
        | Kind::HostByAddress
        | Kind::HostByAddress6
        | Kind::Addresses => &[
            c"/etc/nsswitch.conf",
            c"/etc/hosts",
            c"/etc/resolv.conf",
            c"/etc/host.conf",
            c"/etc/gai.conf",
        ],
        _ => &[],
    }
}
