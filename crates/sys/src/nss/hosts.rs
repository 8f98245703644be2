//! Hosts: names and addresses.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::slice;

use super::{Scratch, look_up, pointers, string, strings};
use crate::errno::Errno;

/// `h_errno` of netdb.h: an error of the system, which errno tells.
const NETDB_INTERNAL: c_int = -1;

// SAFETY: as glibc's netdb.h declares them.
unsafe extern "C" {
    fn gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        entry: *mut libc::hostent,
        buffer: *mut c_char,
        length: usize,
        found: *mut *mut libc::hostent,
        h_errno: *mut c_int,
    ) -> c_int;

    fn gethostbyaddr_r(
        address: *const c_void,
        address_length: libc::socklen_t,
        family: c_int,
        entry: *mut libc::hostent,
        buffer: *mut c_char,
        length: usize,
        found: *mut *mut libc::hostent,
        h_errno: *mut c_int,
    ) -> c_int;
}

/// A host, as gethostbyname(3) has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    /// The official name.
    pub name: &'a CStr,
    /// Other names.
    pub aliases: Vec<&'a CStr>,
    /// The addresses, all of one family, in the order of the modules.
    pub addresses: Vec<IpAddr>,
}

/// Why no host was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The modules answered, by a number of netdb.h that gethostbyname(3) explains: HOST_NOT_FOUND,
    /// TRY_AGAIN, NO_RECOVERY or NO_DATA.
    Answer(i32),
    /// The look-up itself failed.
    System(Errno),
}

/// Looks a host up by name, for addresses of IPv6 or of IPv4: gethostbyname2_r(3).
///
/// Errors: [`HostError`]; `ERANGE` for an answer that is larger than [`MOST`](super::MOST).
pub fn host_by_name<'a>(
    name: &CStr,
    is_ipv6: bool,
    scratch: &'a mut Scratch,
) -> Result<Host<'a>, HostError> {
    let family = if is_ipv6 {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    host(scratch, |entry, buffer, length, found, h_errno| {
        // SAFETY: `name` is a string; the others are what `host` vouches for.
        unsafe { gethostbyname2_r(name.as_ptr(), family, entry, buffer, length, found, h_errno) }
    })
}

/// Looks a host up by an address: gethostbyaddr_r(3). Errors as of [`host_by_name`].
pub fn host_by_address(address: IpAddr, scratch: &mut Scratch) -> Result<Host<'_>, HostError> {
    let (bytes, family) = match address {
        IpAddr::V4(address) => (address.octets().to_vec(), libc::AF_INET),
        IpAddr::V6(address) => (address.octets().to_vec(), libc::AF_INET6),
    };
    let size = if address.is_ipv4() { 4 } else { 16 };
    host(scratch, |entry, buffer, length, found, h_errno| {
        let start = bytes.as_ptr().cast();
        // SAFETY: `start` leads to the `size` bytes of an address of that family; the others are
        // what `host` vouches for.
        unsafe { gethostbyaddr_r(start, size, family, entry, buffer, length, found, h_errno) }
    })
}

/// Calls `call` with an entry, a buffer of the length given, and where to store the entry's address
/// and `h_errno`; reads what it found.
fn host<'a>(
    scratch: &'a mut Scratch,
    mut call: impl FnMut(
        *mut libc::hostent,
        *mut c_char,
        usize,
        *mut *mut libc::hostent,
        *mut c_int,
    ) -> c_int,
) -> Result<Host<'a>, HostError> {
    let mut h_errno = 0;
    // SAFETY: both callers call functions that fill the entry when they return 0 and store its
    // address.
    let entry = unsafe {
        look_up(scratch, |entry, buffer, length, found| {
            h_errno = 0;
            let failed = call(entry, buffer, length, found, &raw mut h_errno);
            match (failed, h_errno) {
                (0, _) => 0,
                (libc::ERANGE, NETDB_INTERNAL) => libc::ERANGE,
                // An answer, which h_errno tells.
                (_, 1..) => libc::ENOENT,
                // Not to be taken for a buffer that is too small.
                (libc::ERANGE | libc::ENOENT | libc::ESRCH, _) => libc::EIO,
                (error, _) => error,
            }
        })
    };
    match entry {
        // SAFETY: the entry comes from the C library and `scratch` stays borrowed.
        Ok(Some(entry)) => Ok(unsafe { read(&entry) }),
        Ok(None) => Err(HostError::Answer(h_errno)),
        Err(errno) => Err(HostError::System(errno)),
    }
}

/// # Safety
///
/// The entry's pointers are null or lead to strings, lists of strings, and a list of addresses of
/// the entry's length, that live for `'a`.
unsafe fn read<'a>(entry: &libc::hostent) -> Host<'a> {
    let mut addresses = Vec::new();
    // SAFETY: `h_addr_list` is a list of pointers that ends in null.
    for start in unsafe { pointers(entry.h_addr_list) } {
        let start = start.cast::<u8>();
        match (entry.h_addrtype, entry.h_length) {
            (libc::AF_INET, 4) => {
                // SAFETY: an address of this family and length is 4 bytes, of any alignment.
                let octets = unsafe { start.cast::<[u8; 4]>().read_unaligned() };
                addresses.push(IpAddr::V4(Ipv4Addr::from(octets)));
            }
            (libc::AF_INET6, 16) => {
                // SAFETY: an address of this family and length is 16 bytes, of any alignment.
                let octets = unsafe { start.cast::<[u8; 16]>().read_unaligned() };
                addresses.push(IpAddr::V6(Ipv6Addr::from(octets)));
            }
            _ => {}
        }
    }
    // SAFETY: what the caller vouches for.
    unsafe {
        Host {
            name: string(entry.h_name),
            aliases: strings(entry.h_aliases),
            addresses,
        }
    }
}

/// What getaddrinfo(3) found; freed when dropped.
#[derive(Debug)]
pub struct Addresses {
    first: *mut libc::addrinfo,
}

/// Looks a name up for addresses of all families and the canonical name: getaddrinfo(3).
///
/// Each address is told once, in the order of the C library, which is that of RFC 3484.
///
/// Errors: the return value, a number that gai_strerror(3) explains, such as EAI_NONAME.
pub fn addresses(name: &CStr) -> Result<Addresses, i32> {
    // SAFETY: zeroes are valid for these integers and pointers, and mean no wish.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_flags = libc::AI_CANONNAME;
    hints.ai_family = libc::AF_UNSPEC;
    // One kind of socket, lest each address comes once for every kind.
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut first = std::ptr::null_mut();
    let service = std::ptr::null();
    // SAFETY: `name` is a string, `hints` is initialised, and `first` is stored to only here.
    match unsafe { libc::getaddrinfo(name.as_ptr(), service, &raw const hints, &raw mut first) } {
        0 => Ok(Addresses { first }),
        error => Err(error),
    }
}

impl Addresses {
    /// The addresses, with port 0. That of IPv6 has the scope it is valid in.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> {
        self.entries().filter_map(socket_address)
    }

    /// The canonical name, if there is one.
    pub fn canonical(&self) -> Option<&CStr> {
        let name = self.entries().next()?.ai_canonname;
        // SAFETY: not null, so a string that lives as long as the list.
        (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })
    }

    fn entries(&self) -> impl Iterator<Item = &libc::addrinfo> {
        // SAFETY: the list is that of getaddrinfo, each entry initialised and the last one with a
        // null pointer to the next; it is freed no sooner than `self`, which stays borrowed.
        let first = unsafe { self.first.as_ref() };
        // SAFETY: as above.
        std::iter::successors(first, |entry| unsafe { entry.ai_next.as_ref() })
    }
}

fn socket_address(entry: &libc::addrinfo) -> Option<SocketAddr> {
    let length = usize::try_from(entry.ai_addrlen).ok()?;
    if entry.ai_addr.is_null() {
        return None;
    }
    // SAFETY: `ai_addr` leads to `ai_addrlen` bytes that live as long as the entry.
    let bytes = unsafe { slice::from_raw_parts(entry.ai_addr.cast::<u8>(), length) };
    match entry.ai_family {
        libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: the bytes are enough, and each pattern of them is valid.
            let inet = unsafe { bytes.as_ptr().cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(inet.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, 0).into())
        }
        libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let inet = unsafe { bytes.as_ptr().cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(inet.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, 0, 0, inet.sin6_scope_id).into())
        }
        _ => None,
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        if !self.first.is_null() {
            // SAFETY: the list comes from getaddrinfo and is freed once, here.
            unsafe { libc::freeaddrinfo(self.first) };
        }
    }
}
