//! Look-ups by the C library's name service switch, for a daemon that answers others.
//!
//! Each function asks the modules that nsswitch.conf(5) names and returns what they said: found,
//! not there, or an error, which is neither. What is found borrows from the caller's [`Scratch`],
//! which grows as far as the answer needs and no further than [`MOST`].
//!
//! All may be called from any thread, wait as long as a module waits, and need no capability.
//! Modules are shared libraries that the C library loads into this process.

mod hosts;
mod netgroups;
mod services;
mod users;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;

pub use hosts::{Addresses, Host, HostError, addresses, host_by_address, host_by_name};
pub use netgroups::{Triple, is_in_netgroup, netgroup};
pub use services::{Service, service_by_name, service_by_port};
pub use users::{
    Group, User, group_by_id, group_by_name, groups_of_user, user_by_id, user_by_name,
};

use crate::errno::Errno;

/// Bytes that one answer may take: a group of a million members has room.
pub const MOST: usize = 16 << 20;

/// Bytes that a look-up begins with. Few users, hosts or services need more.
const FIRST: usize = 4 << 10;

/// Bytes that a scratch keeps between look-ups.
const KEPT: usize = 64 << 10;

/// Memory for answers, to be used for one look-up after the other.
#[derive(Debug, Default)]
pub struct Scratch(Vec<u8>);

impl Scratch {
    /// One that has no memory yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Gives back what an unusually big answer took.
    pub fn settle(&mut self) {
        if self.0.len() > KEPT {
            self.0 = Vec::new();
        }
    }

    fn begin(&mut self) {
        if self.0.is_empty() {
            self.0 = vec![0; FIRST];
        }
    }

    /// Doubles the memory; `ERANGE` where that would be too much.
    fn grow(&mut self) -> Result<(), Errno> {
        let more = self.0.len().max(FIRST) * 2;
        if more > MOST {
            return Err(Errno(libc::ERANGE));
        }
        // What is in there is of no use any more, so nothing is to be copied.
        self.0 = vec![0; more];
        Ok(())
    }
}

/// The C library has no way to keep its look-ups from going to nscd.
#[derive(Debug, thiserror::Error)]
#[error(
    "the C library has no __nss_disable_nscd, so that each look-up would come back to its own daemon"
)]
pub struct NoSwitch;

/// Keeps the look-ups of this process from being sent to `/run/nscd/socket`, for good, and loads
/// the modules that nsswitch.conf names. A daemon that answers there would ask itself otherwise.
///
/// To be called before other threads exist: the C library sets plain variables that each of its
/// look-ups reads. glibc's own daemon uses this function, which is no public interface but has been
/// in every version since 2.15.
///
/// Errors: [`NoSwitch`] if this C library has no such function.
pub fn disable_nscd() -> Result<(), NoSwitch> {
    extern "C" fn ignore(_database: usize, _file: *mut c_void) {}
    // SAFETY: the name ends in a NUL byte, and looking it up runs no code of the library.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__nss_disable_nscd".as_ptr()) };
    if symbol.is_null() {
        return Err(NoSwitch);
    }
    type Disable = extern "C" fn(extern "C" fn(usize, *mut c_void));
    // SAFETY: glibc declares the symbol as void (*)(void (*)(size_t, struct traced_file *)) in
    // nss/nsswitch.h, which `Disable` is. A function's address is never null and was checked.
    let disable = unsafe { std::mem::transmute::<*mut c_void, Disable>(symbol) };
    // It calls `ignore` with files that a cache should watch, now and from modules it loads later.
    disable(ignore);
    Ok(())
}

/// Calls one of the functions named *_r until its buffer is large enough. None if there is no such
/// entry.
///
/// `call` is given room for the entry, the buffer, its length and where to say whether the entry
/// was filled; it returns the function's return value.
///
/// # Safety
///
/// When `call` returns 0 and has stored a pointer that is not null, it has initialised the entry,
/// whose pointers lead into the buffer or to what lives as long.
unsafe fn look_up<T>(
    scratch: &mut Scratch,
    mut call: impl FnMut(*mut T, *mut c_char, usize, *mut *mut T) -> c_int,
) -> Result<Option<T>, Errno> {
    scratch.begin();
    loop {
        let mut entry = MaybeUninit::<T>::uninit();
        let mut found = std::ptr::null_mut();
        let buffer = scratch.0.as_mut_ptr().cast();
        match call(entry.as_mut_ptr(), buffer, scratch.0.len(), &raw mut found) {
            0 if found.is_null() => return Ok(None),
            // SAFETY: `call` returned 0 and stored a pointer, so the caller vouches for the entry.
            0 => return Ok(Some(unsafe { entry.assume_init() })),
            libc::ERANGE => scratch.grow()?,
            // What modules say when they, or the file they read, are not there (getpwnam(3)).
            libc::ENOENT | libc::ESRCH => return Ok(None),
            error => return Err(Errno(error)),
        }
    }
}

/// The string at `start`, or the empty one if that is null, as some modules leave what they do not
/// know.
///
/// # Safety
///
/// `start` is null or leads to a string that ends in a NUL byte and lives for `'a`.
unsafe fn string<'a>(start: *const c_char) -> &'a CStr {
    if start.is_null() {
        return c"";
    }
    // SAFETY: not null, so what the caller vouches for.
    unsafe { CStr::from_ptr(start) }
}

/// The strings of a list.
///
/// # Safety
///
/// `list` is null or leads to pointers, the last of them null, to strings that end in a NUL byte;
/// all of it lives for `'a`.
unsafe fn strings<'a>(list: *const *mut c_char) -> Vec<&'a CStr> {
    // SAFETY: what the caller vouches for; each pointer given on is not null.
    unsafe { pointers(list) }
        .map(|start| unsafe { CStr::from_ptr(start) })
        .collect()
}

/// The pointers of a list, without the null at its end.
///
/// # Safety
///
/// `list` is null or leads to pointers, the last of them null, that live as long as the iterator.
unsafe fn pointers(list: *const *mut c_char) -> impl Iterator<Item = *mut c_char> {
    let mut next = list;
    std::iter::from_fn(move || {
        if next.is_null() {
            return None;
        }
        // SAFETY: `next` leads to an entry of the list: the first, or the one after an entry that
        // was not null and therefore not the last.
        let entry = unsafe { *next };
        if entry.is_null() {
            next = std::ptr::null();
            return None;
        }
        // SAFETY: as the entry is not the last, the next one is in the list too.
        next = unsafe { next.add(1) };
        Some(entry)
    })
}
