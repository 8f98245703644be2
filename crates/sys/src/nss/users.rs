//! Users, groups, and who is in which.

use std::ffi::{CStr, c_int};

use super::{MOST, Scratch, look_up, string, strings};
use crate::errno::Errno;

/// Groups that one look-up has room for at first.
const GROUPS_FIRST: usize = 64;

/// What passwd(5) says of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of passwd(5)")]
pub struct User<'a> {
    pub name: &'a CStr,
    pub password: &'a CStr,
    pub uid: u32,
    pub gid: u32,
    pub gecos: &'a CStr,
    pub directory: &'a CStr,
    pub shell: &'a CStr,
}

/// What group(5) says of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of group(5)")]
pub struct Group<'a> {
    pub name: &'a CStr,
    pub password: &'a CStr,
    pub gid: u32,
    pub members: Vec<&'a CStr>,
}

/// Looks a user up by name: getpwnam_r(3).
///
/// Errors: what a module failed with; `ERANGE` for an answer that is larger than [`MOST`].
pub fn user_by_name<'a>(name: &CStr, scratch: &'a mut Scratch) -> Result<Option<User<'a>>, Errno> {
    // SAFETY: getpwnam_r gets a string, an entry and a buffer of the length given, and fills the
    // entry when it returns 0 and stores its address.
    let entry = unsafe {
        look_up(scratch, |entry, buffer, length, found| {
            libc::getpwnam_r(name.as_ptr(), entry, buffer, length, found)
        })
    }?;
    // SAFETY: the entry comes from getpwnam_r and `scratch` stays borrowed.
    Ok(entry.map(|entry| unsafe { user(&entry) }))
}

/// Looks a user up by number: getpwuid_r(3). Errors as of [`user_by_name`].
pub fn user_by_id(uid: u32, scratch: &mut Scratch) -> Result<Option<User<'_>>, Errno> {
    // SAFETY: as in `user_by_name`.
    let entry = unsafe {
        look_up(scratch, |entry, buffer, length, found| {
            libc::getpwuid_r(uid, entry, buffer, length, found)
        })
    }?;
    // SAFETY: the entry comes from getpwuid_r and `scratch` stays borrowed.
    Ok(entry.map(|entry| unsafe { user(&entry) }))
}

/// # Safety
///
/// The entry's pointers are null or lead to strings that live for `'a`.
unsafe fn user<'a>(entry: &libc::passwd) -> User<'a> {
    // SAFETY: what the caller vouches for.
    unsafe {
        User {
            name: string(entry.pw_name),
            password: string(entry.pw_passwd),
            uid: entry.pw_uid,
            gid: entry.pw_gid,
            gecos: string(entry.pw_gecos),
            directory: string(entry.pw_dir),
            shell: string(entry.pw_shell),
        }
    }
}

/// Looks a group up by name: getgrnam_r(3). Errors as of [`user_by_name`].
pub fn group_by_name<'a>(
    name: &CStr,
    scratch: &'a mut Scratch,
) -> Result<Option<Group<'a>>, Errno> {
    // SAFETY: getgrnam_r gets a string, an entry and a buffer of the length given, and fills the
    // entry when it returns 0 and stores its address.
    let entry = unsafe {
        look_up(scratch, |entry, buffer, length, found| {
            libc::getgrnam_r(name.as_ptr(), entry, buffer, length, found)
        })
    }?;
    // SAFETY: the entry comes from getgrnam_r and `scratch` stays borrowed.
    Ok(entry.map(|entry| unsafe { group(&entry) }))
}

/// Looks a group up by number: getgrgid_r(3). Errors as of [`user_by_name`].
pub fn group_by_id(gid: u32, scratch: &mut Scratch) -> Result<Option<Group<'_>>, Errno> {
    // SAFETY: as in `group_by_name`.
    let entry = unsafe {
        look_up(scratch, |entry, buffer, length, found| {
            libc::getgrgid_r(gid, entry, buffer, length, found)
        })
    }?;
    // SAFETY: the entry comes from getgrgid_r and `scratch` stays borrowed.
    Ok(entry.map(|entry| unsafe { group(&entry) }))
}

/// # Safety
///
/// The entry's pointers are null or lead to strings, and its members to a list of strings, that
/// live for `'a`.
unsafe fn group<'a>(entry: &libc::group) -> Group<'a> {
    // SAFETY: what the caller vouches for.
    unsafe {
        Group {
            name: string(entry.gr_name),
            password: string(entry.gr_passwd),
            gid: entry.gr_gid,
            members: strings(entry.gr_mem),
        }
    }
}

/// The numbers of the groups that list a user, in the order of the modules: getgrouplist(3). The
/// user's own group is among them only if it lists the user too. Empty for a user that no module
/// knows; modules that fail are passed over by the C library.
///
/// Errors: `ERANGE` for a list that is larger than [`MOST`].
pub fn groups_of_user(name: &CStr) -> Result<Vec<u32>, Errno> {
    // The function puts one group of the caller's choice in front, and modules leave that one out:
    // so a number that no group has, as glibc's daemon does.
    const NO_GROUP: u32 = u32::MAX;
    let mut groups = vec![0; GROUPS_FIRST];
    loop {
        let room = c_int::try_from(groups.len()).map_err(|_| Errno(libc::ERANGE))?;
        let mut count = room;
        // SAFETY: `name` is a string, and `groups` has room for the `count` numbers announced.
        let filled = unsafe {
            libc::getgrouplist(name.as_ptr(), NO_GROUP, groups.as_mut_ptr(), &raw mut count)
        };
        let count = usize::try_from(count).unwrap_or(0);
        if filled >= 0 {
            groups.truncate(count);
            groups.retain(|group| *group != NO_GROUP);
            return Ok(groups);
        }
        let more = count.max(groups.len() * 2);
        if more * size_of::<u32>() > MOST {
            return Err(Errno(libc::ERANGE));
        }
        groups.resize(more, 0);
    }
}
