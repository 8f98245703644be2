//! What clients ask: version 2 of glibc's nscd protocol, as nscd/nscd-client.h has it.
//!
//! A request is three integers in the machine's byte order (version, kind, length of the key) and
//! the key. Nothing of it is believed: [`frame`] finds a request's end without reading past what
//! came, [`Request::parse`] reads the key of one.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The version of the protocol, the only one since 2000.
pub const VERSION: i32 = 2;

/// Bytes of a request before its key.
pub const HEADER: usize = 12;

/// Most bytes of a key, as in glibc, which sends no longer one.
pub const MOST_KEY: usize = 1024;

/// Most bytes of a request.
pub const MOST_REQUEST: usize = HEADER + MOST_KEY;

macro_rules! kinds {
    ($($kind:ident $number:literal $name:literal,)*) => {
        /// The kinds of requests, by glibc's numbers; [`Identity`](Self::Identity) is not of glibc.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "`name` gives glibc's own name of each")]
        pub enum Kind { $($kind = $number),* }

        impl Kind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind of this number.
            pub fn of_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// What glibc calls it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }
        }
    };
}

kinds! {
    UserByName 0 "GETPWBYNAME",
    UserById 1 "GETPWBYUID",
    GroupByName 2 "GETGRBYNAME",
    GroupById 3 "GETGRBYGID",
    HostByName 4 "GETHOSTBYNAME",
    HostByName6 5 "GETHOSTBYNAMEv6",
    HostByAddress 6 "GETHOSTBYADDR",
    HostByAddress6 7 "GETHOSTBYADDRv6",
    Shutdown 8 "SHUTDOWN",
    Statistics 9 "GETSTAT",
    Invalidate 10 "INVALIDATE",
    MapUsers 11 "GETFDPW",
    MapGroups 12 "GETFDGR",
    MapHosts 13 "GETFDHST",
    Addresses 14 "GETAI",
    GroupsOfUser 15 "INITGROUPS",
    ServiceByName 16 "GETSERVBYNAME",
    ServiceByPort 17 "GETSERVBYPORT",
    MapServices 18 "GETFDSERV",
    Netgroup 19 "GETNETGRENT",
    IsInNetgroup 20 "INNETGR",
    MapNetgroups 21 "GETFDNETGR",
    // "nsid" in hexadecimal, far from what glibc may add.
    Identity 0x6e73_6964 "IDENTITY",
}

impl Kind {
    /// Its place in [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        match self {
            Self::Identity => Self::ALL.len() - 1,
            kind => kind as usize,
        }
    }
}

/// Why a request gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is of another version.
    #[error("version {0}")]
    Version(i32),
    /// There is no such kind.
    #[error("unknown kind {0}")]
    Kind(i32),
    /// The key's length is negative or beyond [`MOST_KEY`].
    #[error("a key of {0} bytes")]
    KeyLength(i32),
    /// The key is not what this kind has.
    #[error("a key that {} does not have", .0.name())]
    Key(Kind),
}

/// A whole request, its key unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What is asked.
    pub kind: Kind,
    /// About what.
    pub key: &'a [u8],
}

/// Reads the frame of the request at the start of `bytes`; none if there is more of it to come.
/// What follows the request is not looked at.
///
/// Errors: [`Malformed`], as soon as it can be told.
pub fn frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, Malformed> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *header;
    let version = i32::from_ne_bytes([a, b, c, d]);
    let number = i32::from_ne_bytes([e, f, g, h]);
    let length = i32::from_ne_bytes([i, j, k, l]);
    if version != VERSION {
        return Err(Malformed::Version(version));
    }
    let kind = Kind::of_number(number).ok_or(Malformed::Kind(number))?;
    let too_long = Malformed::KeyLength(length);
    let length = usize::try_from(length).map_err(|_| too_long)?;
    if length > MOST_KEY {
        return Err(too_long);
    }
    Ok(rest.get(..length).map(|key| Frame { kind, key }))
}

/// A request for something to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// getpwnam(3)
    UserByName(&'a CStr),
    /// getpwuid(3)
    UserById(u32),
    /// getgrnam(3)
    GroupByName(&'a CStr),
    /// getgrgid(3)
    GroupById(u32),
    /// initgroups(3)
    GroupsOfUser(&'a CStr),
    /// gethostbyname2(3)
    HostByName {
        /// The host.
        name: &'a CStr,
        /// Whether its IPv6 addresses are asked for, and not those of IPv4.
        is_ipv6: bool,
    },
    /// gethostbyaddr(3)
    HostByAddress(IpAddr),
    /// getaddrinfo(3)
    Addresses(&'a CStr),
    /// getservbyname(3)
    ServiceByName {
        /// The service.
        name: CString,
        /// None for any.
        protocol: Option<&'a CStr>,
    },
    /// getservbyport(3)
    ServiceByPort {
        /// In network byte order.
        port: i32,
        /// None for any.
        protocol: Option<&'a CStr>,
    },
    /// getnetgrent(3)
    Netgroup(&'a CStr),
    /// innetgr(3)
    IsInNetgroup {
        /// The netgroup.
        name: &'a CStr,
        /// None for any.
        host: Option<&'a CStr>,
        /// None for any.
        user: Option<&'a CStr>,
        /// None for any.
        domain: Option<&'a CStr>,
    },
}

impl<'a> Request<'a> {
    /// Reads the key of a frame. None if it is of a kind that looks nothing up.
    ///
    /// Errors: [`Malformed::Key`] for a string without the NUL byte at its end, a number that is
    /// none, or an address of another length.
    pub fn parse(frame: Frame<'a>) -> Result<Option<Self>, Malformed> {
        let Frame { kind, key } = frame;
        let bad = || Malformed::Key(kind);
        let name = || CStr::from_bytes_with_nul(key).map_err(|_| bad());
        Ok(Some(match kind {
            Kind::UserByName => Self::UserByName(name()?),
            Kind::UserById => Self::UserById(number(name()?).ok_or_else(bad)?),
            Kind::GroupByName => Self::GroupByName(name()?),
            Kind::GroupById => Self::GroupById(number(name()?).ok_or_else(bad)?),
            Kind::GroupsOfUser => Self::GroupsOfUser(name()?),
            Kind::HostByName | Kind::HostByName6 => Self::HostByName {
                name: name()?,
                is_ipv6: kind == Kind::HostByName6,
            },
            Kind::HostByAddress => {
                let octets: [u8; 4] = key.try_into().map_err(|_| bad())?;
                Self::HostByAddress(Ipv4Addr::from(octets).into())
            }
            Kind::HostByAddress6 => {
                let octets: [u8; 16] = key.try_into().map_err(|_| bad())?;
                Self::HostByAddress(Ipv6Addr::from(octets).into())
            }
            Kind::Addresses => Self::Addresses(name()?),
            Kind::ServiceByName => {
                let (name, protocol) = service(name()?).ok_or_else(bad)?;
                let name = CString::new(name).map_err(|_| bad())?;
                Self::ServiceByName { name, protocol }
            }
            Kind::ServiceByPort => {
                let (port, protocol) = service(name()?).ok_or_else(bad)?;
                let port = std::str::from_utf8(port).ok();
                let port = port.and_then(|port| port.parse().ok()).ok_or_else(bad)?;
                Self::ServiceByPort { port, protocol }
            }
            Kind::Netgroup => Self::Netgroup(name()?),
            Kind::IsInNetgroup => is_in_netgroup(key).ok_or_else(bad)?,
            Kind::Shutdown
            | Kind::Statistics
            | Kind::Invalidate
            | Kind::MapUsers
            | Kind::MapGroups
            | Kind::MapHosts
            | Kind::MapServices
            | Kind::MapNetgroups
            | Kind::Identity => return Ok(None),
        }))
    }
}

fn number(text: &CStr) -> Option<u32> {
    text.to_str().ok()?.parse().ok()
}

/// `NAME/PROTOCOL`, where a protocol that is empty means any. A name may have a slash in it, a
/// protocol not.
fn service(key: &CStr) -> Option<(&[u8], Option<&CStr>)> {
    let slash = key.to_bytes().iter().rposition(|byte| *byte == b'/')?;
    let (name, rest) = key.to_bytes_with_nul().split_at_checked(slash)?;
    let protocol = CStr::from_bytes_with_nul(rest.get(1..)?).ok()?;
    Some((name, Some(protocol).filter(|it| !it.is_empty())))
}

/// The netgroup, and then host, user and domain: each a NUL byte for any, or a byte 1 and a string.
fn is_in_netgroup(key: &[u8]) -> Option<Request<'_>> {
    let (name, mut rest) = take_string(key)?;
    let mut part = || -> Option<Option<&CStr>> {
        let (marked, after) = take_string(rest)?;
        let found = match marked.to_bytes().first() {
            None => None,
            Some(1) => Some(CStr::from_bytes_with_nul(rest.get(1..=marked.count_bytes())?).ok()?),
            Some(_) => return None,
        };
        rest = after;
        Some(found)
    };
    let (host, user, domain) = (part()?, part()?, part()?);
    rest.is_empty().then_some(Request::IsInNetgroup {
        name,
        host,
        user,
        domain,
    })
}

fn take_string(bytes: &[u8]) -> Option<(&CStr, &[u8])> {
    let string = CStr::from_bytes_until_nul(bytes).ok()?;
    Some((string, bytes.get(string.count_bytes() + 1..)?))
}

#[cfg(test)]
mod tests;
