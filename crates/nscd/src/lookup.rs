//! One look-up: a request, the C library's answer to it, and the reply.
//!
//! A reply says "not found" only where the C library says so. What else went wrong (a server that
//! does not answer, memory, a limit) a client may find out by itself, so that it learns the very
//! error: the protocol has no words for it, but for hosts by name.

use netnsctl_sys::nss::{self, HostError, Scratch};

use crate::reply::{HOST_NOT_FOUND, NOT_FOUND, REFUSED, Reply, TooLong};
use crate::request::{Kind, Request};

/// `h_errno` of netdb.h for an error that errno tells.
const NETDB_INTERNAL: i32 = -1;

/// EAI_NONAME of netdb.h, "no such name"; clients take every other "not found" for it.
const EAI_NONAME: i32 = -2;

/// What came of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An entry.
    Found,
    /// There is none.
    NotFound,
    /// It may change at any time, such as a server that does not answer.
    Passing,
    /// The client is to look up by itself.
    Refused,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not found",
            Self::Passing => "try again",
            Self::Refused => "left to the client",
        }
    }
}

/// Why there is no entry to tell.
enum Miss {
    NotFound,
    /// Told as `h_errno`.
    Host(i32),
    Refused,
}

impl From<TooLong> for Miss {
    fn from(_: TooLong) -> Self {
        Self::Refused
    }
}

impl From<netnsctl_sys::errno::Errno> for Miss {
    fn from(_: netnsctl_sys::errno::Errno) -> Self {
        Self::Refused
    }
}

impl From<HostError> for Miss {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Answer(0) => Self::Host(HOST_NOT_FOUND),
            HostError::Answer(h_errno) => Self::Host(h_errno),
            HostError::System(_) => Self::Refused,
        }
    }
}

/// Looks up what is asked and writes the reply. Takes as long as the modules do.
pub(crate) fn answer(
    kind: Kind,
    request: &Request<'_>,
    scratch: &mut Scratch,
    reply: &mut Reply,
) -> Outcome {
    match look_up(request, scratch, reply) {
        Ok(()) => Outcome::Found,
        Err(Miss::NotFound) => {
            reply.without_entry(kind, NOT_FOUND, HOST_NOT_FOUND);
            Outcome::NotFound
        }
        Err(Miss::Host(h_errno)) => {
            reply.without_entry(kind, NOT_FOUND, h_errno);
            // HOST_NOT_FOUND and NO_DATA are answers, TRY_AGAIN and NO_RECOVERY are none.
            if matches!(h_errno, 1 | 4) {
                Outcome::NotFound
            } else {
                Outcome::Passing
            }
        }
        Err(Miss::Refused) => refuse(kind, reply),
    }
}

/// Writes the reply that makes a client look up by itself.
pub(crate) fn refuse(kind: Kind, reply: &mut Reply) -> Outcome {
    reply.without_entry(kind, REFUSED, NETDB_INTERNAL);
    Outcome::Refused
}

fn look_up(request: &Request<'_>, scratch: &mut Scratch, reply: &mut Reply) -> Result<(), Miss> {
    match request {
        Request::UserByName(name) => {
            let user = nss::user_by_name(name, scratch)?.ok_or(Miss::NotFound)?;
            reply.user(&user)?;
        }
        Request::UserById(uid) => {
            let user = nss::user_by_id(*uid, scratch)?.ok_or(Miss::NotFound)?;
            reply.user(&user)?;
        }
        Request::GroupByName(name) => {
            let group = nss::group_by_name(name, scratch)?.ok_or(Miss::NotFound)?;
            reply.group(&group)?;
        }
        Request::GroupById(gid) => {
            let group = nss::group_by_id(*gid, scratch)?.ok_or(Miss::NotFound)?;
            reply.group(&group)?;
        }
        Request::GroupsOfUser(name) => {
            let groups = nss::groups_of_user(name)?;
            if groups.is_empty() {
                return Err(Miss::NotFound);
            }
            reply.groups(&groups)?;
        }
        Request::HostByName { name, is_ipv6 } => {
            reply.host(&nss::host_by_name(name, *is_ipv6, scratch)?)?;
        }
        Request::HostByAddress(address) => {
            reply.host(&nss::host_by_address(*address, scratch)?)?;
        }
        Request::Addresses(name) => addresses(name, reply)?,
        Request::ServiceByName { name, protocol } => {
            let service = nss::service_by_name(name, *protocol, scratch)?;
            reply.service(&service.ok_or(Miss::NotFound)?)?;
        }
        Request::ServiceByPort { port, protocol } => {
            let service = nss::service_by_port(*port, *protocol, scratch)?;
            reply.service(&service.ok_or(Miss::NotFound)?)?;
        }
        Request::Netgroup(name) => {
            let members = nss::netgroup(name, scratch)?.ok_or(Miss::NotFound)?;
            reply.netgroup(&members)?;
        }
        Request::IsInNetgroup {
            name,
            host,
            user,
            domain,
        } => reply.is_in_netgroup(nss::is_in_netgroup(name, *host, *user, *domain)),
    }
    Ok(())
}

/// The protocol has no room for the scope of a link-local address, and clients take every answer
/// without an address for EAI_NONAME, whatever it says: both are for the client to find out.
fn addresses(name: &std::ffi::CStr, reply: &mut Reply) -> Result<(), Miss> {
    let found = nss::addresses(name).map_err(|error| match error {
        EAI_NONAME => Miss::Host(HOST_NOT_FOUND),
        _ => Miss::Refused,
    })?;
    let has_scope = |address| matches!(address, std::net::SocketAddr::V6(it) if it.scope_id() != 0);
    if found.iter().any(has_scope) {
        return Err(Miss::Refused);
    }
    Ok(reply.addresses(&found)?)
}
