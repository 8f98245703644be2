//! Reads all that named namespaces have, whoever made it, for `import`.
//!
//! Where `observe` reads what a plan asks for, this lists everything: what a declaration has words
//! for goes into types, all else into sentences. Nothing is changed.

mod sysctls;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;

use netnsctl_base::error::{Context, Error, NetlinkContext, Object};
use netnsctl_base::files::{open_folder_nofollow, read_file};
use netnsctl_base::netns::{Netns, Wanderer, wander};
use netnsctl_base::presence::if_present;
use netnsctl_model::etc_files::directory;
use netnsctl_model::item::entry::KINDS;
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};
use netnsctl_model::observed::{Observed, Presence};
use netnsctl_model::surveyed::{Found, Surveyed};
use netnsctl_netlink::{AnyRoute, Socket, nftables};

use crate::observe::{Raw, Seen, identity, join, list_entries, raise_descriptor_limit};
use crate::{names, state_dir};

/// What is told in words, and the bridges in use, of one namespace.
#[derive(Default)]
struct Aside {
    in_use: BTreeSet<InterfaceName>,
    left: Vec<String>,
}

/// Reads every named namespace, and of home the links. `home` is the home namespace.
///
/// Names without a namespace behind them, and those that cannot be configured, are told in words.
/// Needs CAP_SYS_ADMIN to enter namespaces, and CAP_NET_ADMIN in them to see the tables of
/// nf_tables. Errors name the namespace that could not be read.
pub fn survey(home: &Netns) -> Result<Surveyed, Error> {
    raise_descriptor_limit();
    let records = state_dir::records()?.known;
    let mut open = BTreeMap::new();
    for name in names::list()? {
        let netns = names::open(&name)?;
        open.insert(NetnsRef::Named(name), netns);
    }
    let passed_over = passed_over(&open)?;
    let (seen, mut asides) = wander(|wanderer| visit_all(wanderer, home, &open))??;
    let mut observed = Observed::default();
    join(seen, &mut observed);
    let mut surveyed = Surveyed {
        home: observed.home,
        passed_over,
        fresh_sysctl: wander(sysctls::fresh)??,
        ..Surveyed::default()
    };
    for (name, presence) in observed.netns {
        let Presence::Present(interior) = presence else {
            continue;
        };
        let mut aside = asides.remove(&name).unwrap_or_default();
        let resolv_conf = resolv_conf(&name, &mut aside.left);
        let record = records.get(&name);
        let found = Found {
            managed: record.is_some_and(|record| record.is_of(interior.identity)),
            interior,
            in_use: aside.in_use,
            resolv_conf,
            left: aside.left,
        };
        surveyed.netns.insert(name, found);
    }
    Ok(surveyed)
}

/// What stands in the folder of names and is none of `open`.
fn passed_over(open: &BTreeMap<NetnsRef, Netns>) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    let entries = match std::fs::read_dir(names::RUN_NETNS) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(words),
        Err(error) => return Err(error).context("list", names::RUN_NETNS),
    };
    for entry in entries {
        let entry = entry.context("list", names::RUN_NETNS)?;
        let file = entry.file_name();
        let file = file.to_string_lossy();
        let path = format!("{}/{file}", names::RUN_NETNS);
        match NetnsName::parse(&file) {
            Ok(name) if open.contains_key(&NetnsRef::Named(name.clone())) => {}
            Ok(_) => words.push(format!("{path}: it is no network namespace")),
            Err(error) => words.push(format!("{path}: a name that {error}")),
        }
    }
    words.sort();
    Ok(words)
}

type Visited = (BTreeMap<NetnsRef, Seen>, BTreeMap<NetnsName, Aside>);

fn visit_all(
    wanderer: &mut Wanderer,
    home: &Netns,
    open: &BTreeMap<NetnsRef, Netns>,
) -> Result<Visited, Error> {
    let mut seen = BTreeMap::new();
    let mut asides = BTreeMap::new();
    for (netns, handle) in open.iter().chain([(&NetnsRef::Home, home)]) {
        wanderer.enter(handle, netns.as_str())?;
        let mut socket = Socket::open().in_netns("open a socket in", netns.as_str())?;
        let (raw, routes, left) = visit(&mut socket, netns, handle, home, open)?;
        if let Some(name) = netns.name() {
            let mut aside = aside(&mut socket, name, &raw, routes)?;
            aside.left.extend(left);
            asides.insert(name.clone(), aside);
        }
        seen.insert(netns.clone(), Seen::Present(raw));
    }
    Ok((seen, asides))
}

/// Reads the namespace that the thread is in.
fn visit(
    socket: &mut Socket,
    netns: &NetnsRef,
    handle: &Netns,
    home: &Netns,
    open: &BTreeMap<NetnsRef, Netns>,
) -> Result<(Raw, Vec<AnyRoute>, Vec<String>), Error> {
    let name = netns.as_str();
    let links = socket.links().in_netns("list the links of", name)?;
    let addresses = socket.addresses().in_netns("list the addresses of", name)?;
    let mut nsids = BTreeMap::new();
    if links.iter().any(|link| link.peer_nsid.is_some()) {
        for (other, handle) in open.iter().chain([(&NetnsRef::Home, home)]) {
            let id = socket.nsid_of(handle.as_fd());
            let id = id.in_netns("ask for the neighbours of", name)?;
            nsids.extend(id.map(|id| (id, other.clone())));
        }
    }
    // Home's own routes and sysctls are nobody's business here.
    let is_home = *netns == NetnsRef::Home;
    let (mut entries, mut left) = (BTreeSet::new(), Vec::new());
    for kind in KINDS.iter().filter(|_| !is_home) {
        let found = list_entries(socket, kind);
        for one in found.in_netns("list the entries of", name)? {
            match one {
                Ok(entry) => drop(entries.insert(entry)),
                Err(words) => left.push(words),
            }
        }
    }
    let (mut routes, mut special) = (Vec::new(), Vec::new());
    if !is_home {
        let all = socket.all_routes().in_netns("list the routes of", name)?;
        for one in all.into_iter().filter(|one| !one.route.kernel_made) {
            if one.by_hand && one.special.is_empty() {
                routes.push(one.route.clone());
            }
            special.push(one);
        }
    }
    let sysctl = match is_home {
        true => BTreeMap::new(),
        false => sysctls::all().context("list the sysctls of", Object::netns(name))?,
    };
    let raw = Raw {
        identity: identity(handle, name, socket)?,
        links,
        addresses,
        routes,
        entries,
        sysctl: sysctl
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect(),
        nsids,
    };
    Ok((raw, special, left))
}

/// Says what there is besides.
fn aside(
    socket: &mut Socket,
    name: &NetnsName,
    raw: &Raw,
    routes: Vec<AnyRoute>,
) -> Result<Aside, Error> {
    let (of, links) = (name.as_str(), &raw.links);
    let mut aside = Aside::default();
    let name_of = |index: u32| {
        let link = links.iter().find(|link| link.index == index);
        link.map_or_else(|| format!("link {index}"), |link| link.name.clone())
    };
    for link in links {
        if let Some(master) = link.master {
            let master = name_of(master);
            aside
                .left
                .push(format!("{} is a port of {master}", link.name));
            aside.in_use.extend(InterfaceName::parse(&master));
        }
        if InterfaceName::parse(&link.name).is_err() {
            let words = format!("link {:?}: its name cannot be configured", link.name);
            aside.left.push(words);
        }
    }
    let learned = raw.addresses.iter();
    for one in learned.filter(|one| !one.permanent && !one.kernel_made) {
        aside.left.push(format!(
            "address {}/{} of {}: learned for a limited time, by DHCP or from a router",
            one.ip,
            one.prefix_len,
            name_of(one.index)
        ));
    }
    aside.left.extend(
        routes
            .iter()
            .filter_map(|route| route_words(route, name_of)),
    );
    for (index, kind) in socket.chosen_qdiscs().in_netns("list the qdiscs of", of)? {
        aside
            .left
            .push(format!("qdisc {kind} of {}", name_of(index)));
    }
    let neighbours = socket.permanent_neighbours();
    for (index, ip) in neighbours.in_netns("list the neighbours of", of)? {
        aside
            .left
            .push(format!("neighbour {ip} of {}", name_of(index)));
    }
    aside.left.extend(tables(of)?);
    Ok(aside)
}

/// What of a route cannot be declared, if anything.
fn route_words(route: &AnyRoute, name_of: impl Fn(u32) -> String) -> Option<String> {
    let AnyRoute {
        route,
        special,
        extra,
        ..
    } = route;
    if special.is_empty() && extra.is_empty() {
        return None;
    }
    let via = route.gateway.map(|via| format!(" via {via}"));
    let dev = route
        .interface
        .map(|index| format!(" dev {}", name_of(index)));
    Some(format!(
        "route {}/{}{}{}: {}",
        route.destination,
        route.prefix_len,
        via.unwrap_or_default(),
        dev.unwrap_or_default(),
        [special.as_slice(), extra].concat().join(", "),
    ))
}

/// The tables of nf_tables and of the older xtables in the namespace that the thread is in.
fn tables(of: &str) -> Result<Vec<String>, Error> {
    let mut left = Vec::new();
    for table in nftables().in_netns("list the nftables of", of)? {
        left.push(format!("nftables table {table}"));
    }
    for (file, command) in [
        ("ip_tables_names", "iptables"),
        ("ip6_tables_names", "ip6tables"),
    ] {
        // Not there, or not for us to read, where nothing was ever filtered that way.
        let path = format!("/proc/thread-self/net/{file}");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => String::new(),
            read => if_present(read).context("read", path)?.unwrap_or_default(),
        };
        for table in text.lines() {
            left.push(format!("{command} table {table}"));
        }
    }
    Ok(left)
}

/// The text of the namespace's resolv.conf, wherever it is kept; other files of its folder and
/// what cannot be read are told.
fn resolv_conf(name: &NetnsName, left: &mut Vec<String>) -> Option<String> {
    let path = directory(name);
    let Ok(folder) = open_folder_nofollow(&path) else {
        if std::fs::symlink_metadata(&path).is_ok() {
            left.push(format!("{path}: it is no plain folder, so it was not read"));
        }
        return None;
    };
    for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
        let file = entry.file_name();
        if file != "resolv.conf" && file != "nsswitch.conf" {
            left.push(format!(
                "{path}/{}: it stays, and shows in the view",
                file.to_string_lossy()
            ));
        }
    }
    match read_file(&folder, "resolv.conf") {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            left.push(format!("{path}/resolv.conf: it cannot be read: {error}"));
            None
        }
    }
}

/// The values of keys.
type Values = BTreeMap<SysctlKey, String>;
