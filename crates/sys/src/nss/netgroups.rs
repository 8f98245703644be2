//! Netgroups: named sets of hosts, users and domains.
//!
//! The C library walks through one netgroup at a time in a process, so a lock is held meanwhile.

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::{Mutex, PoisonError};

use super::{Scratch, string};
use crate::errno::Errno;

/// Held from setnetgrent to endnetgrent, whose state is one for the process (setnetgrent(3)).
static WALK: Mutex<()> = Mutex::new(());

// SAFETY: as glibc's netdb.h declares them.
unsafe extern "C" {
    fn setnetgrent(netgroup: *const c_char) -> c_int;
    fn endnetgrent();
    fn getnetgrent_r(
        host: *mut *mut c_char,
        user: *mut *mut c_char,
        domain: *mut *mut c_char,
        buffer: *mut c_char,
        length: usize,
    ) -> c_int;
    fn innetgr(
        netgroup: *const c_char,
        host: *const c_char,
        user: *const c_char,
        domain: *const c_char,
    ) -> c_int;
}

/// A member of a netgroup. An empty string is any.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of setnetgrent(3)")]
pub struct Triple {
    pub host: CString,
    pub user: CString,
    pub domain: CString,
}

/// All members of a netgroup and of those it contains: setnetgrent(3). None if there is none of
/// that name, or no module could tell, which the C library does not distinguish.
///
/// Waits for other look-ups of netgroups in this process.
///
/// Errors: `ERANGE` for a netgroup with one member, or all of them, larger than
/// [`MOST`](super::MOST).
pub fn netgroup(name: &CStr, scratch: &mut Scratch) -> Result<Option<Vec<Triple>>, Errno> {
    let _alone = WALK.lock().unwrap_or_else(PoisonError::into_inner);
    scratch.begin();
    loop {
        // SAFETY: `name` is a string, and the lock keeps others from the walk.
        if unsafe { setnetgrent(name.as_ptr()) } == 0 {
            return Ok(None);
        }
        let members = walk(scratch);
        // SAFETY: ends the walk that setnetgrent began.
        unsafe { endnetgrent() };
        match members {
            Err(Walk::NoRoom) => scratch.grow()?,
            Err(Walk::TooMany) => return Err(Errno(libc::ERANGE)),
            Ok(members) => return Ok(Some(members)),
        }
    }
}

/// Why a walk ended before its end.
enum Walk {
    /// The buffer is too small for the next member.
    NoRoom,
    /// The members are more than anybody may have.
    TooMany,
}

fn walk(scratch: &mut Scratch) -> Result<Vec<Triple>, Walk> {
    let mut members = Vec::new();
    let mut bytes = 0;
    loop {
        let (mut host, mut user, mut domain) = Default::default();
        let (buffer, length) = (scratch.0.as_mut_ptr().cast(), scratch.0.len());
        // SAFETY: errno is this thread's own. The buffer has the length given, the pointers are
        // stored to only here, and the caller holds the lock since setnetgrent.
        let more = unsafe {
            *libc::__errno_location() = 0;
            getnetgrent_r(
                &raw mut host,
                &raw mut user,
                &raw mut domain,
                buffer,
                length,
            )
        };
        if more == 0 {
            // SAFETY: as above.
            let is_too_small = unsafe { *libc::__errno_location() } == libc::ERANGE;
            return if is_too_small {
                Err(Walk::NoRoom)
            } else {
                Ok(members)
            };
        }
        // SAFETY: each is null or leads to a string in the buffer, which nothing has written to
        // since.
        let own = |start| unsafe { string(start) }.to_owned();
        let triple = Triple {
            host: own(host),
            user: own(user),
            domain: own(domain),
        };
        let strings = [&triple.host, &triple.user, &triple.domain];
        bytes += strings
            .map(|it| it.as_bytes_with_nul().len())
            .iter()
            .sum::<usize>();
        if bytes > super::MOST {
            return Err(Walk::TooMany);
        }
        members.push(triple);
    }
}

/// Whether a host, user and domain, or any where none is given, are in a netgroup: innetgr(3).
///
/// Waits for other look-ups of netgroups in this process.
pub fn is_in_netgroup(
    name: &CStr,
    host: Option<&CStr>,
    user: Option<&CStr>,
    domain: Option<&CStr>,
) -> bool {
    let _alone = WALK.lock().unwrap_or_else(PoisonError::into_inner);
    let start = |string: Option<&CStr>| string.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: strings or null, which the function only reads; the lock keeps others away.
    unsafe { innetgr(name.as_ptr(), start(host), start(user), start(domain)) != 0 }
}
