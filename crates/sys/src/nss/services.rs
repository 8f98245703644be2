//! Services: names and ports.

use std::ffi::{CStr, c_char, c_int};

use super::{Scratch, look_up, string, strings};
use crate::errno::Errno;

// SAFETY: as glibc's netdb.h declares them.
unsafe extern "C" {
    fn getservbyname_r(
        name: *const c_char,
        protocol: *const c_char,
        entry: *mut libc::servent,
        buffer: *mut c_char,
        length: usize,
        found: *mut *mut libc::servent,
    ) -> c_int;

    fn getservbyport_r(
        port: c_int,
        protocol: *const c_char,
        entry: *mut libc::servent,
        buffer: *mut c_char,
        length: usize,
        found: *mut *mut libc::servent,
    ) -> c_int;
}

/// A service, as services(5) has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service<'a> {
    /// The official name.
    pub name: &'a CStr,
    /// Other names.
    pub aliases: Vec<&'a CStr>,
    /// The port, in network byte order, as the C library keeps it.
    pub port: i32,
    /// The protocol, such as `tcp`.
    pub protocol: &'a CStr,
}

/// Looks a service up by name, for one protocol or whichever comes first: getservbyname_r(3).
///
/// Errors: what a module failed with; `ERANGE` for an answer that is larger than
/// [`MOST`](super::MOST).
pub fn service_by_name<'a>(
    name: &CStr,
    protocol: Option<&CStr>,
    scratch: &'a mut Scratch,
) -> Result<Option<Service<'a>>, Errno> {
    let protocol = protocol.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the function gets strings or null, an entry and a buffer of the length given, and
    // fills the entry when it returns 0 and stores its address.
    let entry = unsafe {
        look_up(scratch, |entry, buffer, length, found| {
            getservbyname_r(name.as_ptr(), protocol, entry, buffer, length, found)
        })
    }?;
    // SAFETY: the entry comes from getservbyname_r and `scratch` stays borrowed.
    Ok(entry.map(|entry| unsafe { service(&entry) }))
}

/// Looks a service up by port, in network byte order: getservbyport_r(3). Errors as of
/// [`service_by_name`].
pub fn service_by_port<'a>(
    port: i32,
    protocol: Option<&CStr>,
    scratch: &'a mut Scratch,
) -> Result<Option<Service<'a>>, Errno> {
    let protocol = protocol.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: as in `service_by_name`.
    let entry = unsafe {
        look_up(scratch, |entry, buffer, length, found| {
            getservbyport_r(port, protocol, entry, buffer, length, found)
        })
    }?;
    // SAFETY: the entry comes from getservbyport_r and `scratch` stays borrowed.
    Ok(entry.map(|entry| unsafe { service(&entry) }))
}

/// # Safety
///
/// The entry's pointers are null or lead to strings and a list of strings that live for `'a`.
unsafe fn service<'a>(entry: &libc::servent) -> Service<'a> {
    // SAFETY: what the caller vouches for.
    unsafe {
        Service {
            name: string(entry.s_name),
            aliases: strings(entry.s_aliases),
            port: entry.s_port,
            protocol: string(entry.s_proto),
        }
    }
}
