//! What clients are answered: the structures of glibc's nscd/nscd-client.h and the strings that
//! follow them.
//!
//! A reply begins with the version and whether something was found: [`FOUND`], [`NOT_FOUND`], or
//! [`REFUSED`], which makes glibc look up by itself, this time and the next hundred times. All
//! integers are of 32 bits in the machine's byte order, and the lengths of strings include their NUL
//! byte.

use std::ffi::CStr;
use std::net::IpAddr;

use netnsctl_sys::nss::{Addresses, Group, Host, Service, Triple, User};

use crate::request::{Kind, VERSION};

/// There is such an entry, and it follows.
pub(crate) const FOUND: i32 = 1;

/// There is no such entry.
pub(crate) const NOT_FOUND: i32 = 0;

/// The client may find out by itself.
pub(crate) const REFUSED: i32 = -1;

/// `h_errno` of netdb.h for "no such host".
pub(crate) const HOST_NOT_FOUND: i32 = 1;

/// Address families, by the numbers of socket(2).
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;

/// An entry that a reply has no room for: lengths are of 31 bits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

type Written = Result<(), TooLong>;

/// Bytes of a reply, in memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
}

impl Reply {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Becomes a reply that was kept.
    pub(crate) fn copy(&mut self, reply: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(reply);
    }

    /// Begins anew, with what every reply begins with.
    fn begin(&mut self, found: i32) {
        self.bytes.clear();
        self.integer(VERSION);
        self.integer(found);
    }

    fn integer(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
    }

    fn unsigned(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
    }

    fn length(&mut self, length: usize) -> Written {
        self.integer(i32::try_from(length).map_err(|_| TooLong)?);
        Ok(())
    }

    fn string_length(&mut self, string: &CStr) -> Written {
        self.length(string.to_bytes_with_nul().len())
    }

    fn string_lengths(&mut self, strings: &[&CStr]) -> Written {
        strings.iter().try_for_each(|it| self.string_length(it))
    }

    fn string(&mut self, string: &CStr) {
        self.bytes.extend_from_slice(string.to_bytes_with_nul());
    }

    fn strings(&mut self, strings: &[&CStr]) {
        strings.iter().for_each(|it| self.string(it));
    }

    fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.bytes.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => self.bytes.extend_from_slice(&address.octets()),
        }
    }

    /// Answers a request of this kind without an entry. `h_errno` is told where hosts are asked
    /// for. Empty for a kind whose answers have no such form.
    pub(crate) fn without_entry(&mut self, kind: Kind, found: i32, h_errno: i32) {
        self.begin(found);
        let rest: &[i32] = match kind {
            Kind::UserByName | Kind::UserById => &[0, 0, -1, -1, 0, 0, 0],
            Kind::GroupByName | Kind::GroupById => &[0, 0, -1, 0],
            Kind::HostByName | Kind::HostByName6 | Kind::HostByAddress | Kind::HostByAddress6 => {
                &[0, 0, -1, -1, 0, h_errno]
            }
            Kind::Addresses => &[0, 0, 0, h_errno],
            Kind::GroupsOfUser | Kind::IsInNetgroup => &[0],
            Kind::ServiceByName | Kind::ServiceByPort => &[0, 0, 0, -1],
            Kind::Netgroup => &[0, 0],
            _ => return self.bytes.clear(),
        };
        rest.iter().for_each(|value| self.integer(*value));
    }

    /// pw_response_header and its strings.
    pub(crate) fn user(&mut self, user: &User<'_>) -> Written {
        self.begin(FOUND);
        self.string_lengths(&[user.name, user.password])?;
        self.unsigned(user.uid);
        self.unsigned(user.gid);
        self.string_lengths(&[user.gecos, user.directory, user.shell])?;
        let User {
            name,
            password,
            gecos,
            directory,
            shell,
            ..
        } = user;
        self.strings(&[name, password, gecos, directory, shell]);
        Ok(())
    }

    /// gr_response_header, the lengths of the members' names, the group's strings, the names.
    pub(crate) fn group(&mut self, group: &Group<'_>) -> Written {
        self.begin(FOUND);
        self.string_lengths(&[group.name, group.password])?;
        self.unsigned(group.gid);
        self.length(group.members.len())?;
        self.string_lengths(&group.members)?;
        self.strings(&[group.name, group.password]);
        self.strings(&group.members);
        Ok(())
    }

    /// initgr_response_header and the numbers of the groups.
    pub(crate) fn groups(&mut self, groups: &[u32]) -> Written {
        self.begin(FOUND);
        self.length(groups.len())?;
        groups.iter().for_each(|gid| self.unsigned(*gid));
        Ok(())
    }

    /// hst_response_header, the name, the lengths of the aliases, the addresses, the aliases.
    pub(crate) fn host(&mut self, host: &Host<'_>) -> Written {
        let is_ipv6 = host.addresses.first().is_some_and(IpAddr::is_ipv6);
        let (family, length) = if is_ipv6 {
            (AF_INET6, 16)
        } else {
            (AF_INET, 4)
        };
        self.begin(FOUND);
        self.string_length(host.name)?;
        self.length(host.aliases.len())?;
        self.integer(family);
        self.integer(length);
        self.length(host.addresses.len())?;
        self.integer(0);
        self.string(host.name);
        self.string_lengths(&host.aliases)?;
        host.addresses.iter().for_each(|it| self.address(*it));
        self.strings(&host.aliases);
        Ok(())
    }

    /// ai_response_header, the addresses, a byte for the family of each, the canonical name.
    pub(crate) fn addresses(&mut self, found: &Addresses) -> Written {
        let addresses: Vec<IpAddr> = found.iter().map(|it| it.ip()).collect();
        let length = |address: &IpAddr| if address.is_ipv6() { 16 } else { 4 };
        self.begin(FOUND);
        self.length(addresses.len())?;
        self.length(addresses.iter().map(length).sum())?;
        self.length(
            found
                .canonical()
                .map_or(0, |it| it.to_bytes_with_nul().len()),
        )?;
        self.integer(0);
        addresses.iter().for_each(|it| self.address(*it));
        let family = |address: &IpAddr| if address.is_ipv6() { 10 } else { 2 };
        self.bytes.extend(addresses.iter().map(family));
        found.canonical().into_iter().for_each(|it| self.string(it));
        Ok(())
    }

    /// serv_response_header, the name, the protocol, the lengths of the aliases, the aliases.
    pub(crate) fn service(&mut self, service: &Service<'_>) -> Written {
        self.begin(FOUND);
        self.string_lengths(&[service.name, service.protocol])?;
        self.length(service.aliases.len())?;
        self.integer(service.port);
        self.strings(&[service.name, service.protocol]);
        self.string_lengths(&service.aliases)?;
        self.strings(&service.aliases);
        Ok(())
    }

    /// netgroup_response_header and three strings for each member.
    pub(crate) fn netgroup(&mut self, members: &[Triple]) -> Written {
        let strings = |it: &Triple| {
            let strings = [&it.host, &it.user, &it.domain];
            strings
                .map(|it| it.as_bytes_with_nul().len())
                .iter()
                .sum::<usize>()
        };
        self.begin(FOUND);
        self.length(members.len())?;
        self.length(members.iter().map(strings).sum())?;
        for member in members {
            self.strings(&[&member.host, &member.user, &member.domain]);
        }
        Ok(())
    }

    /// innetgroup_response_header.
    pub(crate) fn is_in_netgroup(&mut self, is_in: bool) {
        self.begin(FOUND);
        self.integer(is_in.into());
    }
}

/// The line of passwd(5) that the entry in a reply is; none if there is no entry.
pub(crate) fn user_line(reply: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::of_entry(reply)?;
    let mut lengths = [reader.number()?, reader.number()?, 0, 0, 0];
    let (uid, gid) = (reader.number()?, reader.number()?);
    for length in &mut lengths[2..] {
        *length = reader.number()?;
    }
    let [name, password, gecos, directory, shell] = lengths.map(|length| reader.string(length));
    let (uid, gid) = (uid.to_string(), gid.to_string());
    let fields = [
        name?,
        password?,
        uid.as_bytes(),
        gid.as_bytes(),
        gecos?,
        directory?,
        shell?,
    ];
    Some(fields.join(&b':'))
}

/// The line of group(5) that the entry in a reply is; none if there is no entry.
pub(crate) fn group_line(reply: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::of_entry(reply)?;
    let (name, password) = (reader.number()?, reader.number()?);
    let (gid, members) = (reader.number()?.to_string(), reader.number()?);
    let lengths: Option<Vec<u32>> = (0..members).map(|_| reader.number()).collect();
    let (name, password) = (reader.string(name)?, reader.string(password)?);
    let members = lengths?.into_iter().map(|length| reader.string(length));
    let members: Vec<&[u8]> = members.collect::<Option<_>>()?;
    Some([name, password, gid.as_bytes(), &members.join(&b',')].join(&b':'))
}

/// Reads a reply again, from its front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Stands behind what every reply begins with; none if nothing was found.
    fn of_entry(reply: &'a [u8]) -> Option<Self> {
        let mut reader = Self(reply);
        reader.number()?;
        (reader.number()?.cast_signed() == FOUND).then_some(reader)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_ne_bytes(*number))
    }

    /// A string of so many bytes, the last of which is NUL and left out.
    fn string(&mut self, length: u32) -> Option<&'a [u8]> {
        let (string, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        string.strip_suffix(&[0])
    }
}

#[cfg(test)]
mod tests;
