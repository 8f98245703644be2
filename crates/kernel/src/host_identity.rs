//! Which network namespace is the host namespace: noted when the first record is written, and
//! compared by every command that manages namespaces.
//!
//! Without it a shell in a namespace that lost its name would pass for the host, and
//! `up` from there would move every veth pair into it.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use netnsctl_base::error::{Context, Error, HostProcess, Object};
use netnsctl_base::files::{read_text, replace_file};
use netnsctl_base::netns::{Netns, within};
use netnsctl_base::presence::if_present;
use netnsctl_base::processes;
use netnsctl_base::state_folder::RUN_NETNSCTL;
use netnsctl_model::observed::Identity;
use netnsctl_sys::namespace::netns_cookie;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::state_dir::{self, HOST_NOTE, StateDir};

/// Where the host namespace of the records is, seen from the calling thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// Here, or nothing says otherwise: none is noted, or the noted one has ended.
    Here,
    /// In another namespace, in which this process is.
    With(HostProcess),
    /// In another namespace, and whether that has ended cannot be seen from here.
    Unknown,
}

/// Where the noted host namespace is, `here` being the namespace of the calling thread.
///
/// Errors: it cannot be found out, [`Error::DamagedHostNote`] among them.
pub(crate) fn find(here: &Netns) -> Result<Host, Error> {
    let Some(noted) = read()? else {
        return Ok(Host::Here);
    };
    // What an `up` noted that failed before its first record binds nobody.
    if is_same(noted, identity(here)?) || state_dir::records()?.is_empty() {
        return Ok(Host::Here);
    }
    let inodes = BTreeSet::from([noted.inode]);
    let (inside, all_seen) = processes::inside_of(&inodes)?;
    for pid in inside {
        match is_in(pid, noted) {
            Ok(true) => {
                let command = processes::command(pid);
                return Ok(Host::With(HostProcess { pid, command }));
            }
            // The number of the namespace is used again by another one.
            Ok(false) => {}
            // It may just have ended.
            Err(_) => return Ok(Host::Unknown),
        }
    }
    Ok(match all_seen {
        true => Host::Here,
        false => Host::Unknown,
    })
}

/// Whether process `pid` is in the namespace `noted`.
fn is_in(pid: u32, noted: Identity) -> Result<bool, Error> {
    let netns = Netns::open_path(&format!("/proc/{pid}/ns/net"))?;
    let found = within(&netns, "that of a process", || identity(&netns))??;
    Ok(is_same(noted, found))
}

impl StateDir {
    /// Notes `home`, the namespace of the calling thread, as the host namespace of the records, unless
    /// it is noted already.
    ///
    /// Errors: [`Error::OtherHost`], [`Error::UnknownHost`] if another one was noted meanwhile.
    pub(crate) fn note_host(&self, home: &Netns) -> Result<(), Error> {
        match find(home)? {
            Host::Here => {}
            Host::With(process) => return Err(Error::OtherHost(process)),
            Host::Unknown => return Err(Error::UnknownHost),
        }
        let identity = identity(home)?;
        if read()? == Some(identity) {
            return Ok(());
        }
        let cookie = identity
            .cookie
            .map_or_else(|| "-".to_owned(), |cookie| cookie.to_string());
        let text = format!("{} {} {cookie}\n", identity.device, identity.inode);
        replace_file(self.folder(), HOST_NOTE, text.as_bytes(), 0o644).context("write", path())
    }
}

fn path() -> String {
    format!("{RUN_NETNSCTL}/{HOST_NOTE}")
}

fn read() -> Result<Option<Identity>, Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Some(file) =
        if_present(openat(CWD, path(), flags, Mode::empty())).context("open", path())?
    else {
        return Ok(None);
    };
    let text = read_text(&file).context("read", path())?;
    parse(&text).ok_or(Error::DamagedHostNote).map(Some)
}

fn parse(text: &str) -> Option<Identity> {
    let mut words = text.split_ascii_whitespace();
    let device = words.next()?.parse().ok()?;
    let inode = words.next()?.parse().ok()?;
    let cookie = match words.next()? {
        "-" => None,
        cookie => Some(cookie.parse().ok()?),
    };
    let identity = Identity {
        device,
        inode,
        cookie,
    };
    words.next().is_none().then_some(identity)
}

/// The identity of `here`, the namespace of the calling thread.
fn identity(here: &Netns) -> Result<Identity, Error> {
    const STEP: &str = "find out which network namespace is";
    let kind = (AddressFamily::UNIX, SocketType::DGRAM);
    let socket = socket_with(kind.0, kind.1, SocketFlags::CLOEXEC, None)
        .context(STEP, Object::other("here"))?;
    Ok(Identity {
        device: here.device,
        inode: here.inode,
        cookie: netns_cookie(socket.as_fd()).context(STEP, Object::other("here"))?,
    })
}

fn is_same(one: Identity, other: Identity) -> bool {
    let cookies = one.cookie.zip(other.cookie);
    (one.device, one.inode) == (other.device, other.inode)
        && cookies.is_none_or(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_was_written_and_nothing_else_is() {
        let with = |cookie| Identity {
            device: 4,
            inode: 4_026_531_840,
            cookie,
        };
        assert_eq!(parse("4 4026531840 1\n"), Some(with(Some(1))));
        assert_eq!(parse("4 4026531840 -\n"), Some(with(None)));
        for damaged in ["", "4", "4 5", "4 5 x", "4 5 6 7", "a 5 -"] {
            assert_eq!(parse(damaged), None, "{damaged}");
        }
        assert!(is_same(with(Some(1)), with(None)));
        assert!(!is_same(with(Some(1)), with(Some(2))));
    }
}
