//! Reads what a plan needs to know from the kernel, /run and /etc.
//!
//! Nothing is changed. A thread, or several where there are many, visits the namespaces one after
//! the other; what they find is then joined: a veth names its other end by an index and a namespace id, and only with both
//! namespaces at hand do these become names.

mod join;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;

use netnsctl_base::error::{Context, Error, NetlinkContext, Object};
use netnsctl_base::netns::{Netns, Wanderer, wander_each};
use netnsctl_model::desired::{Desired, HolderChoice, HolderKind, Link};
use netnsctl_model::item::{Entry, EntryKind};
use netnsctl_model::name::{NetnsName, NetnsRef, SysctlKey};
use netnsctl_model::observed::{Identity, Observed, Presence, Record};
use netnsctl_model::plan::{Part, Request, forwarding_keys};
use netnsctl_netlink as netlink;
use netnsctl_netlink::Socket;
use netnsctl_sys::namespace::netns_cookie;
use netnsctl_view as view;
use rustix::process::{Resource, getrlimit, setrlimit};

pub(crate) use self::join::join;
use crate::item::entry;
use crate::{etc, names, polkit, pristine, state_dir, sysctl};

/// Reads everything that planning `request` needs. `home` is the home namespace.
///
/// Needs CAP_SYS_ADMIN to enter namespaces. Errors name the namespace that could not be read.
pub fn observe(desired: &Desired, home: &Netns, request: &Request) -> Result<Observed, Error> {
    raise_descriptor_limit();
    let records = state_dir::records()?;
    let state_dir::Records { known, unreadable } = records;
    let mut survey = Survey::new(desired, &known, request);
    let covered = unreadable.keys().filter(|name| request.covers(name));
    survey.names.extend(covered.cloned());
    let (found, files) = survey.visit_all(home, || survey.files(request))?;
    let mut observed = Observed {
        records: known,
        unreadable,
        ..files
    };
    join(found, &mut observed);
    let pristine = pristine::pristine(
        survey.needs_holder_kind(desired, &observed, request),
        &survey.pristine_keys(desired, &observed),
    )?;
    observed.holder_kinds = pristine.holder_kinds;
    observed.pristine_sysctl = pristine.sysctl;
    Ok(observed)
}

/// As [`observe`], at a moment at which no other process is changing namespaces: half of a change looks
/// as if others had made it. Also says which process takes too long to be waited for, if one does.
///
/// Errors: as those of [`observe`], and the folder of records cannot be locked.
pub fn observe_undisturbed(
    desired: &Desired,
    home: &Netns,
    request: &Request,
) -> Result<(Observed, Option<String>), Error> {
    // More than once only where there is no folder to lock, and others make something in /run.
    const LOOKS: usize = 10;
    for _ in 1..LOOKS {
        let before = state_dir::last_made()?;
        let undisturbed = state_dir::share()?;
        let observed = observe(desired, home, request)?;
        if undisturbed.is_certain() || state_dir::last_made()? == before {
            return Ok((observed, undisturbed.disturbed));
        }
    }
    Ok((observe(desired, home, request)?, None))
}

/// Lets this process have as many descriptors as it may: each namespace takes one. What cannot
/// be had will show where it is missing.
pub fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// What is to be looked at.
struct Survey {
    names: BTreeSet<NetnsName>,
    /// The keys to read, by namespace.
    keys: BTreeMap<NetnsName, BTreeSet<SysctlKey>>,
    /// The kinds of entries to list, by namespace.
    entries: BTreeMap<NetnsName, BTreeSet<&'static EntryKind>>,
    /// The namespaces that veth ends of a namespace may lead to, or its links be made in.
    partners: BTreeMap<NetnsRef, BTreeSet<NetnsRef>>,
}

/// A namespace as its own numbers describe it.
pub(crate) struct Raw {
    pub(crate) identity: Identity,
    pub(crate) links: Vec<netlink::Link>,
    pub(crate) addresses: Vec<netlink::Address>,
    pub(crate) routes: Vec<netlink::Route>,
    pub(crate) entries: BTreeSet<Entry>,
    pub(crate) sysctl: BTreeMap<SysctlKey, Option<String>>,
    /// What the namespace ids seen here mean.
    pub(crate) nsids: BTreeMap<i32, NetnsRef>,
}

/// What stands at a name.
pub(crate) enum Seen {
    Absent,
    Stale,
    Present(Raw),
}

/// How many threads visit `count` namespaces: one, unless there are so many that more than a
/// thread's start is won.
pub fn visitors(count: usize) -> usize {
    const WORTH_A_THREAD: usize = 64;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (count / WORTH_A_THREAD).clamp(1, cores.min(4))
}

/// The kinds of entries that are declared for each of `names`, or were once.
fn entry_kinds(
    desired: &Desired,
    records: &BTreeMap<NetnsName, Record>,
    names: &BTreeSet<NetnsName>,
) -> BTreeMap<NetnsName, BTreeSet<&'static EntryKind>> {
    let kinds = names.iter().map(|name| {
        let declared = desired.netns.get(name).map(|netns| netns.entries.iter());
        let recorded = records.get(name).map(|it| it.applied.entries());
        let declared = declared.into_iter().flatten();
        let all = declared.chain(recorded.into_iter().flatten());
        (name.clone(), all.map(|entry| entry.kind).collect())
    });
    kinds
        .filter(|(_, kinds): &(_, BTreeSet<_>)| !kinds.is_empty())
        .collect()
}

/// The keys of home that tell whether IPv6 can be used there.
fn home_keys() -> BTreeSet<SysctlKey> {
    let keys = [
        "net.ipv6.conf.all.disable_ipv6",
        "net.ipv6.conf.default.disable_ipv6",
    ];
    keys.iter()
        .filter_map(|key| SysctlKey::parse(key).ok())
        .collect()
}

impl Survey {
    fn new(desired: &Desired, records: &BTreeMap<NetnsName, Record>, request: &Request) -> Self {
        let covered = |netns: &NetnsRef| netns.name().is_some_and(|name| request.covers(name));
        let mut names: BTreeSet<NetnsName> = desired.netns.keys().cloned().collect();
        names.extend(records.keys().cloned());
        names.retain(|name| request.covers(name));
        let mut partners: BTreeMap<NetnsRef, BTreeSet<NetnsRef>> = BTreeMap::new();
        let declared = desired
            .veths
            .iter()
            .map(|pair| (&pair.near.netns, &pair.far.netns));
        let recorded = records.values().flat_map(|record| record.applied.pairs());
        let pairs = declared.chain(recorded.map(|(near, far)| (&near.netns, &far.netns)));
        let pairs = pairs.map(|(near, far)| (near.clone(), far.clone()));
        let links = desired.netns.iter().flat_map(|(name, netns)| {
            let elsewhere = netns.links.iter().filter_map(Link::birthplace);
            elsewhere.map(|netns| (NetnsRef::Named(name.clone()), netns))
        });
        for (near, far) in &pairs.chain(links).collect::<BTreeSet<_>>() {
            if covered(near) || covered(far) {
                names.extend([near, far].into_iter().filter_map(NetnsRef::name).cloned());
                partners
                    .entry(near.clone())
                    .or_default()
                    .insert(far.clone());
                partners
                    .entry(far.clone())
                    .or_default()
                    .insert(near.clone());
            }
        }
        let mut keys: BTreeMap<NetnsName, BTreeSet<SysctlKey>> = BTreeMap::new();
        let forwarding = forwarding_keys();
        for name in &names {
            let declared = desired
                .netns
                .get(name)
                .into_iter()
                .flat_map(|netns| netns.sysctl.keys());
            let recorded = records
                .get(name)
                .into_iter()
                .flat_map(|r| r.applied.sysctls());
            let mut wanted: BTreeSet<_> = declared.chain(recorded).cloned().collect();
            wanted.extend(forwarding.iter().cloned());
            keys.insert(name.clone(), wanted);
        }
        let entries = entry_kinds(desired, records, &names);
        Self {
            names,
            keys,
            entries,
            partners,
        }
    }

    /// The partners of `netns`, which has `links`, whose ids are looked up in `netns`. For each two that
    /// veth pairs join one is enough, because the other end of a pair is known by its first. The one with
    /// fewer partners is taken, so that a hub does not have to be asked for each of many namespaces. Other
    /// links have their parent's id in their own namespace alone.
    fn asked_for(&self, netns: &NetnsRef, links: &[netlink::Link]) -> Vec<&NetnsRef> {
        let is_child = |link: &netlink::Link| link.peer_nsid.is_some() && !join::is_veth(link);
        let has_children = links.iter().any(is_child);
        let rank = |netns| (self.partners.get(netns).map_or(0, BTreeSet::len), netns);
        let partners = self.partners.get(netns).into_iter().flatten();
        partners
            .filter(|partner| has_children || rank(netns) <= rank(partner))
            .collect()
    }

    /// Visits all namespaces. What does not need a visit is read `beside`.
    fn visit_all<R>(
        &self,
        home: &Netns,
        beside: impl FnOnce() -> Result<R, Error>,
    ) -> Result<(BTreeMap<NetnsRef, Seen>, R), Error> {
        let mut open = BTreeMap::new();
        let mut found = BTreeMap::new();
        for name in &self.names {
            let netns = NetnsRef::Named(name.clone());
            match names::open(name) {
                Ok(handle) => drop(open.insert(netns, handle)),
                Err(Error::NoSuchNetns(_)) => drop(found.insert(netns, Seen::Absent)),
                Err(Error::Stale(_)) => drop(found.insert(netns, Seen::Stale)),
                Err(error) => return Err(error),
            }
        }
        // Home first: it takes longer than others where it is joined with many.
        let mut visits = vec![(&NetnsRef::Home, home)];
        visits.extend(&open);
        let visit = |wanderer: &mut Wanderer, (netns, handle): &(&NetnsRef, &Netns)| {
            let raw = self.visit(wanderer, netns, handle, &open, home)?;
            Ok(((*netns).clone(), Seen::Present(raw)))
        };
        let (visited, beside) = wander_each(&visits, visitors(visits.len()), visit, beside)?;
        for one in visited {
            found.extend([one?]);
        }
        Ok((found, beside?))
    }

    /// What no namespace has to be entered for.
    fn files(&self, request: &Request) -> Result<Observed, Error> {
        let whole = request.names.is_none() && request.part.is_none();
        let named = self.names.iter().cloned().map(NetnsRef::Named);
        Ok(Observed {
            etc: etc::observe(&self.names, whole)?,
            polkit: polkit::observe(named.chain([NetnsRef::Home]), whole)?,
            outdated_views: view::outdated(self.names.iter())?,
            views: match request.part {
                Some(Part::View) => view::kept(self.names.iter())?,
                _ => BTreeSet::new(),
            },
            ..Observed::default()
        })
    }

    /// What the ids that `netns` has for other namespaces mean, by its `socket`.
    ///
    /// After its `links` were listed: by listing a veth the kernel gives an id to the namespace of its other
    /// end (`rtnl_fill_link_netnsid()` in net/core/rtnetlink.c), so that the ids are known at the first look
    /// as at any later one.
    fn nsids(
        &self,
        netns: &NetnsRef,
        links: &[netlink::Link],
        socket: &mut Socket,
        open: &BTreeMap<NetnsRef, Netns>,
        home: &Netns,
    ) -> Result<BTreeMap<i32, NetnsRef>, Error> {
        let mut nsids = BTreeMap::new();
        for partner in self.asked_for(netns, links) {
            let other = match partner {
                NetnsRef::Home => Some(home),
                NetnsRef::Named(_) => open.get(partner),
            };
            let Some(other) = other else { continue };
            let id = socket
                .nsid_of(other.as_fd())
                .in_netns("look up namespace ids in", netns.as_str())?;
            nsids.extend(id.map(|id| (id, partner.clone())));
        }
        Ok(nsids)
    }

    fn visit(
        &self,
        wanderer: &mut Wanderer,
        netns: &NetnsRef,
        handle: &Netns,
        open: &BTreeMap<NetnsRef, Netns>,
        home: &Netns,
    ) -> Result<Raw, Error> {
        let name = netns.as_str();
        wanderer.enter(handle, name)?;
        let mut socket = Socket::open().in_netns("open a socket in", name)?;
        let is_home = *netns == NetnsRef::Home;
        // Home may have thousands of links and routes that are nobody's business here.
        let look = !is_home || self.partners.contains_key(netns);
        let links = if look { socket.links() } else { Ok(Vec::new()) };
        let links = links.in_netns("list the links of", name)?;
        let nsids = self.nsids(netns, &links, &mut socket, open, home)?;
        let addresses = if look {
            socket.addresses()
        } else {
            Ok(Vec::new())
        };
        let routes = if is_home {
            Ok(Vec::new())
        } else {
            socket.routes()
        };
        let entries = self.entries_of(netns, &mut socket)?;
        let of_home = home_keys();
        let none = BTreeSet::new();
        let keys = match netns {
            NetnsRef::Home => &of_home,
            NetnsRef::Named(name) => self.keys.get(name).unwrap_or(&none),
        };
        let values = sysctl::read_all(keys, &mut socket, name)?;
        Ok(Raw {
            identity: identity(handle, name, &socket)?,
            links,
            addresses: addresses.in_netns("list the addresses of", name)?,
            routes: routes.in_netns("list the routes of", name)?,
            entries,
            sysctl: values,
            nsids,
        })
    }

    /// The entries of the kinds that matter in `netns`.
    fn entries_of(&self, netns: &NetnsRef, socket: &mut Socket) -> Result<BTreeSet<Entry>, Error> {
        let kinds = netns.name().and_then(|name| self.entries.get(name));
        let mut entries = BTreeSet::new();
        for kind in kinds.into_iter().flatten() {
            let found = list_entries(socket, kind);
            let found = found.in_netns("list the entries of", netns.as_str())?;
            entries.extend(found.into_iter().filter_map(Result::ok));
        }
        Ok(entries)
    }

    /// Whether a holder link is to be created whose kind is ours to choose.
    fn needs_holder_kind(&self, desired: &Desired, observed: &Observed, request: &Request) -> bool {
        desired
            .netns
            .iter()
            .filter(|(name, _)| request.covers(name))
            .any(|(name, netns)| {
                let interior = observed.netns.get(name).and_then(Presence::interior);
                let link = interior.and_then(|i| i.links.get(&netns.holder.interface));
                let kind = link.and_then(|link| link.kind.as_deref());
                let has_holder = kind.is_some_and(|kind| HolderKind::parse(kind).is_some());
                netns.holder.kind == HolderChoice::Auto && !has_holder
            })
    }

    /// Keys whose value in a new namespace matters: those declared for a namespace still to be
    /// made, and those recorded and no longer declared.
    fn pristine_keys(&self, desired: &Desired, observed: &Observed) -> BTreeSet<SysctlKey> {
        let mut keys = BTreeSet::new();
        for name in &self.names {
            let declared = desired.netns.get(name).map(|netns| &netns.sysctl);
            let is_declared =
                |key: &SysctlKey| declared.is_some_and(|sysctl| sysctl.contains_key(key));
            if observed
                .netns
                .get(name)
                .and_then(Presence::interior)
                .is_none()
            {
                keys.extend(
                    declared
                        .into_iter()
                        .flat_map(|sysctl| sysctl.keys().cloned()),
                );
            } else if let Some(record) = observed.records.get(name) {
                let recorded = record.applied.sysctls();
                keys.extend(recorded.filter(|key| !is_declared(key)).cloned());
            }
        }
        // Keys of a single link do not exist where that link does not; `lo` is everywhere.
        let forwarding = forwarding_keys();
        let is_everywhere =
            |key: &SysctlKey| key.interface().is_none_or(|link| link.as_str() == "lo");
        keys.retain(|key| is_everywhere(key) && !forwarding.contains(key));
        keys
    }
}

/// The identity of the namespace `handle`, called `name`, of which `socket` is. Without a cookie
/// (Linux before 5.14) device and inode must do.
///
/// Errors: the cookie cannot be read, so that which namespace it is stays unknown.
pub(crate) fn identity(handle: &Netns, name: &str, socket: &Socket) -> Result<Identity, Error> {
    let cookie = netns_cookie(socket.as_fd());
    Ok(Identity {
        device: handle.device,
        inode: handle.inode,
        cookie: cookie.context("read the cookie of", Object::netns(name))?,
    })
}

/// The entries of a kind that somebody put into the namespace of `socket`; of those that cannot be
/// declared, what they are in words.
pub(crate) fn list_entries(
    socket: &mut Socket,
    kind: &'static EntryKind,
) -> Result<Vec<Result<Entry, String>>, netlink::Error> {
    let Some(wire) = entry::kinds::wire(kind.word()) else {
        return Ok(Vec::new());
    };
    let found = (wire.list)(socket)?.into_iter().map(|found| match found {
        entry::kinds::Found::Known(values) => Ok(Entry { kind, values }),
        entry::kinds::Found::Other(words) => Err(words),
    });
    Ok(found.collect())
}
