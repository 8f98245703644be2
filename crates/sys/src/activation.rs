//! Listening sockets handed over by a service manager.
//!
//! The manager passes descriptors 3, 4, … across exec and says so in three variables:
//! `LISTEN_PID` (for whom), `LISTEN_FDS` (how many), `LISTEN_FDNAMES` (colon-separated names).
//! [`parse`] turns their text into a count and names and touches nothing; [`take_listen_fds`]
//! then takes ownership. Clearing the variables is left to the caller, who has no safe way to do
//! so once threads exist and need not: the descriptors are close-on-exec afterwards.
//!
//! Source: sd_listen_fds(3).

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use crate::errno::words;

/// The first descriptor the protocol passes; 0 to 2 are the standard streams.
pub const FIRST_FD: RawFd = 3;

/// The name of a descriptor whose name the manager did not tell, as sd_listen_fds(3) has it.
pub const UNKNOWN_NAME: &str = "unknown";

/// Set for good by the first call of [`take_listen_fds`] that reaches for descriptors.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Why the descriptors of a service manager were not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `LISTEN_FDS` or `LISTEN_PID` is no positive decimal number.
    #[error("cannot read {variable}={value:?}: expected a positive decimal number")]
    Number {
        /// The variable.
        variable: &'static str,
        /// Its text.
        value: String,
    },
    /// `LISTEN_FDS` counts more descriptors than this process may have open.
    #[error("cannot take {count} descriptors from LISTEN_FDS: the limit of open files is {limit}")]
    Limit {
        /// How many were announced.
        count: u32,
        /// The soft RLIMIT_NOFILE.
        limit: u64,
    },
    /// `LISTEN_FDNAMES` has more or fewer names than `LISTEN_FDS` counts.
    #[error("cannot match LISTEN_FDNAMES to LISTEN_FDS: {names} names for {count} descriptors")]
    Names {
        /// How many names there are.
        names: usize,
        /// How many descriptors were announced.
        count: u32,
    },
    /// A descriptor that was announced is not open.
    #[error(
        "cannot take descriptor {fd} announced by LISTEN_FDS: {}",
        words(errno)
    )]
    NotOpen {
        /// The descriptor.
        fd: RawFd,
        /// The kernel's answer to F_GETFD.
        errno: Errno,
    },
    /// A descriptor that was announced is close-on-exec, so it did not come through exec: this
    /// process opened it and something else in it owns it.
    #[error("cannot take descriptor {fd} announced by LISTEN_FDS: this process opened it itself")]
    NotInherited {
        /// The descriptor.
        fd: RawFd,
    },
    /// A descriptor could not be made close-on-exec.
    #[error("cannot set close-on-exec on descriptor {fd}: {}", words(errno))]
    CloseOnExec {
        /// The descriptor.
        fd: RawFd,
        /// The kernel's answer to F_SETFD.
        errno: Errno,
    },
    /// The descriptors were taken before.
    #[error("cannot take the descriptors of LISTEN_FDS twice")]
    Again,
}

/// Reads the three variables and returns the name of each announced descriptor, in order.
///
/// Empty when the variables are absent or meant for another process. Opens and closes nothing.
///
/// Errors: [`Error::Number`] for text that is no positive number (a sign, blanks and overflow
/// included), [`Error::Limit`] when descriptors 3 and on would not fit below `limit`,
/// [`Error::Names`] when the counts differ.
pub fn parse(
    our_pid: u32,
    limit: u64,
    listen_pid: Option<&str>,
    listen_fds: Option<&str>,
    listen_fdnames: Option<&str>,
) -> Result<Vec<String>, Error> {
    let (Some(pid), Some(count)) = (listen_pid, listen_fds) else {
        return Ok(Vec::new());
    };
    if number("LISTEN_PID", pid)? != our_pid {
        return Ok(Vec::new());
    }
    let count = number("LISTEN_FDS", count)?;
    let end = u64::from(FIRST_FD.unsigned_abs()) + u64::from(count);
    if end > limit || RawFd::try_from(end).is_err() {
        return Err(Error::Limit { count, limit });
    }
    let Some(names) = listen_fdnames else {
        return Ok((0..count).map(|_| UNKNOWN_NAME.to_owned()).collect());
    };
    let names: Vec<String> = names.split(':').map(str::to_owned).collect();
    if u32::try_from(names.len()) != Ok(count) {
        return Err(Error::Names {
            names: names.len(),
            count,
        });
    }
    Ok(names)
}

/// Parses digits only: `u32::from_str` would let a leading plus pass.
fn number(variable: &'static str, value: &str) -> Result<u32, Error> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err(Error::Number {
            variable,
            value: value.to_owned(),
        }),
    }
}

/// Takes ownership of the descriptors a service manager passed to this process, with their names.
///
/// `our_pid` is the caller's process id; the other arguments are the texts of `LISTEN_PID`,
/// `LISTEN_FDS` and `LISTEN_FDNAMES`. Returns an empty list, and stays callable, when they are
/// absent or for another process. Each descriptor becomes close-on-exec. No capability is needed.
///
/// Call it early in `main`. The caller upholds that nothing else in the process owns a descriptor
/// in the announced range; that is checked as far as the kernel can tell: a descriptor that came
/// through exec cannot be close-on-exec, and what Rust code opens always is, so one that is
/// close-on-exec is refused before any is owned. What remains to the caller is not to open
/// descriptors *without* that flag by foreign code first. A second call that would take
/// descriptors is an error, so no descriptor gets two owners from here.
///
/// Errors: those of [`parse`], then [`Error::Again`], [`Error::NotOpen`],
/// [`Error::NotInherited`], [`Error::CloseOnExec`]. After an error nothing is owned or closed.
pub fn take_listen_fds(
    our_pid: u32,
    listen_pid: Option<&str>,
    listen_fds: Option<&str>,
    listen_fdnames: Option<&str>,
) -> Result<Vec<(String, OwnedFd)>, Error> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = limit.current.unwrap_or(u64::MAX);
    let names = parse(our_pid, limit, listen_pid, listen_fds, listen_fdnames)?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(Error::Again);
    }
    let fds = || FIRST_FD..;
    for (fd, _) in fds().zip(&names) {
        inherited(fd)?;
    }
    for (fd, _) in fds().zip(&names) {
        close_on_exec(fd)?;
    }
    let own = |(fd, name)| {
        // SAFETY: F_GETFD just said that `fd` is open and, being without close-on-exec, came
        // through exec, where the service manager announced it as ours by LISTEN_PID; TAKEN
        // lets this line be reached once per process, so no `OwnedFd` for it exists from here.
        // That no foreign code owns it is the caller's promise, in this function's documentation.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        (name, fd)
    };
    Ok(fds().zip(names).map(own).collect())
}

/// Checks that `fd` is open and not close-on-exec.
fn inherited(fd: RawFd) -> Result<(), Error> {
    // SAFETY: F_GETFD takes no third argument and only reads the flags of the slot numbered `fd`;
    // a number that is not open is answered with EBADF.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    if flags < 0 {
        return Err(Error::NotOpen {
            fd,
            errno: last_errno(),
        });
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(Error::NotInherited { fd });
    }
    Ok(())
}

/// Marks `fd` close-on-exec.
fn close_on_exec(fd: RawFd) -> Result<(), Error> {
    // SAFETY: F_SETFD takes an int, which is passed, and changes one flag of the slot numbered
    // `fd`; no memory of ours is involved and nothing is closed.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(Error::CloseOnExec {
            fd,
            errno: last_errno(),
        });
    }
    Ok(())
}

/// The errno of the libc call that just failed on this thread.
fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: u64 = 1024;

    fn names(fds: &str, names: Option<&str>) -> Result<Vec<String>, Error> {
        parse(7, LIMIT, Some("7"), Some(fds), names)
    }

    #[test]
    fn absent_or_foreign_variables_mean_no_descriptors() {
        assert!(parse(7, LIMIT, None, Some("1"), None).unwrap().is_empty());
        assert!(parse(7, LIMIT, Some("7"), None, None).unwrap().is_empty());
        assert!(
            parse(7, LIMIT, Some("8"), Some("1"), None)
                .unwrap()
                .is_empty()
        );
        assert!(
            parse(7, LIMIT, Some("8"), Some("nonsense"), None)
                .unwrap()
                .is_empty()
        );
        assert!(
            take_listen_fds(7, Some("8"), Some("1"), None)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn names_follow_the_colons_and_default_to_unknown() {
        assert_eq!(names("2", Some("web:dns")).unwrap(), ["web", "dns"]);
        assert_eq!(names("2", Some("web:")).unwrap(), ["web", ""]);
        assert_eq!(names("2", None).unwrap(), ["unknown", "unknown"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "0",
            "-1",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "4294967296",
            "99999999999999999999",
        ] {
            assert!(
                matches!(names(text, None), Err(Error::Number { .. })),
                "{text:?}"
            );
        }
        assert!(matches!(
            parse(7, LIMIT, Some("-7"), Some("1"), None),
            Err(Error::Number {
                variable: "LISTEN_PID",
                ..
            })
        ));
        assert!(matches!(
            names("3", Some("a:b")),
            Err(Error::Names { names: 2, count: 3 })
        ));
    }

    #[test]
    fn a_count_beyond_the_limit_is_refused_before_it_allocates() {
        assert_eq!(names("1021", None).unwrap().len(), 1021);
        assert!(matches!(
            names("1022", None),
            Err(Error::Limit {
                count: 1022,
                limit: LIMIT
            })
        ));
        let unlimited = parse(7, u64::MAX, Some("7"), Some("4294967295"), None);
        assert!(matches!(unlimited, Err(Error::Limit { .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(
            pid in proptest::option::of("\\PC*"),
            fds in proptest::option::of("[-+ 0-9a-z]{0,12}"),
            fdnames in proptest::option::of("[a-z:]{0,20}"),
        ) {
            let _ = parse(7, LIMIT, pid.as_deref(), fds.as_deref(), fdnames.as_deref());
            let ours = parse(7, LIMIT, Some("7"), fds.as_deref(), fdnames.as_deref());
            if let Ok(names) = ours {
                prop_assert!(names.len() <= 1021);
            }
        }
    }
}
