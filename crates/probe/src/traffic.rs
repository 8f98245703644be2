//! What the links of namespaces have carried.
//!
//! Namespaces are entered anew each time, by threads that end. Sockets that stayed in them would
//! save some microseconds for each, and keep every namespace alive that somebody takes down.

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_base::error::{Error, NetlinkContext};
use netnsctl_base::netns::{Netns, Wanderer, wander_each, within};
use netnsctl_kernel::{names, observe};
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_netlink::{Socket, Traffic};

/// The counters of all links of `names`, and those of home if that is `home`. A namespace that is
/// not there, or goes while it is looked at, is left out.
///
/// Needs CAP_SYS_ADMIN to enter namespaces.
///
/// Errors: if one that is still there could not be entered or read.
pub fn traffic(
    names: &BTreeSet<NetnsName>,
    home: Option<&Netns>,
) -> Result<BTreeMap<NetnsRef, Vec<Traffic>>, Error> {
    let names: Vec<&NetnsName> = names.iter().collect();
    let look = |wanderer: &mut Wanderer, name: &&NetnsName| {
        // One at a time is open, so that none is kept from going for longer than a look.
        let netns = match names::open(name) {
            Ok(netns) => netns,
            Err(Error::NoSuchNetns(_) | Error::Stale(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        wanderer.enter(&netns, name.as_str())?;
        Ok(Some((
            NetnsRef::Named((*name).clone()),
            read(name.as_str())?,
        )))
    };
    let mut found = BTreeMap::new();
    if !names.is_empty() {
        let threads = observe::visitors(names.len());
        let (visited, ()) = wander_each(&names, threads, look, || ())?;
        for one in visited {
            found.extend(one?);
        }
    }
    if let Some(home) = home {
        let at_home = within(home, NetnsRef::Home.as_str(), || {
            read(NetnsRef::Home.as_str())
        });
        found.insert(NetnsRef::Home, at_home??);
    }
    Ok(found)
}

/// The counters of the namespace that this thread is in, which is called `name`.
fn read(name: &str) -> Result<Vec<Traffic>, Error> {
    let mut socket = Socket::open().in_netns("open a socket in", name)?;
    socket.traffic().in_netns("read the counters of", name)
}
