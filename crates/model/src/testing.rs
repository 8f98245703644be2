//! For property tests, here and in other crates: valid states at random, and their
//! configuration.
//!
//! What comes out of [`desired`] is what [`config::load`](crate::config::load) accepts, so a
//! planner may be tested on it; what clashes is kept apart by numbering (links, addresses, ports,
//! destinations), everything else is left to chance.

mod items;
mod links;
mod write;

pub use items::{entries, link_values};
pub use write::{to_json, to_toml};

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::address::{Endpoint, IPV6_MIN_MTU, InterfaceAddress, MacAddress, is_link_local};
use crate::desired::{
    Desired, Dns, Forward, ForwardOptions, Holder, HolderChoice, HolderKind, Home, Netns, Nscd,
    Protocol, Route, RunAccess, VethEnd, VethPair, Workers,
};
use crate::forward_address::{ForwardAddress, SocketPath};
use crate::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};

/// Namespaces of a generated state, at most.
const NETNS_MAX: usize = 4;

/// Any valid state.
pub fn desired() -> impl Strategy<Value = Desired> {
    (
        btree_set(netns_name(), 0..=NETNS_MAX),
        vec(netns(), NETNS_MAX),
        vec(veth(), 0..6),
        vec(links::own_link(), 0..4),
        vec(forward(), 0..6),
        vec(route(), 0..6),
        run_access(),
    )
        .prop_map(|(names, parts, veths, links, forwards, routes, run)| {
            let mut builder = Builder::new(names, parts, run);
            veths.into_iter().for_each(|veth| builder.veth(veth));
            links.into_iter().for_each(|link| builder.own_link(link));
            forwards.into_iter().for_each(|f| builder.forward(f));
            routes.into_iter().for_each(|route| builder.route(route));
            builder.finish()
        })
}

/// Any name that a namespace may have.
pub fn netns_name() -> impl Strategy<Value = NetnsName> {
    let text = prop_oneof![
        8 => "[a-z][a-z0-9_-]{0,11}",
        1 => "[a-zäß日 .\"'\\\\#=\\[\\]]{1,12}",
        1 => "[a-z]{100,200}",
    ];
    text.prop_filter_map("no name", |text| {
        // Suffixes that units have of their own.
        let unit = text.ends_with("-mntns") || text.ends_with("-nscd");
        let name = NetnsName::parse(&text).ok()?;
        (!unit && text != NetnsRef::HOME).then_some(name)
    })
}

/// The name of a link that is the `number`th of its namespace.
fn link_name(suffix: &str, number: usize) -> InterfaceName {
    // A suffix may begin with a digit: without the dash 1 and "7" would be 17.
    let text = format!("l{number}-{suffix}");
    InterfaceName::parse(&text).unwrap_or_else(|error| panic!("{text} {error}"))
}

fn suffix() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_.ü-]{0,5}"
}

/// The prefix length of an address: of an IPv4 one if the flag is set.
type PrefixLength = (bool, u8);

fn lengths() -> impl Strategy<Value = Vec<PrefixLength>> {
    let one = prop_oneof![
        (Just(true), 8..=32_u8),
        (Just(false), prop_oneof![Just(64), Just(128), 8..=128_u8]),
    ];
    vec(one, 0..3)
}

fn duration(least: u64) -> impl Strategy<Value = Duration> {
    let most = 366 * 24 * 60 * 60 * 1000;
    let milliseconds = prop_oneof![
        least..10_000,
        (least / 1000..100_000).prop_map(|s| s * 1000),
        least..=most
    ];
    milliseconds.prop_map(move |ms| Duration::from_millis(ms.max(least)))
}

fn words(pattern: &'static str) -> impl Strategy<Value = Vec<String>> {
    vec(pattern, 0..3)
}

fn run_access() -> impl Strategy<Value = Option<RunAccess>> {
    let names = || words("[a-z\"\\\\é][a-z0-9 -]{0,8}");
    proptest::option::of((names(), names()).prop_map(|(users, groups)| RunAccess { users, groups }))
}

fn sysctls() -> impl Strategy<Value = BTreeMap<SysctlKey, String>> {
    let key = "net\\.(ipv4|ipv6|core)\\.[a-z_]{1,12}(\\.[a-z0-9_/]{1,6}){0,2}";
    let key = key.prop_filter_map("no key", |text| match text.as_str() {
        "net.ipv4.ip_forward" => None,
        text if text.ends_with(".forwarding") => None,
        text => SysctlKey::parse(text).ok(),
    });
    btree_map(key, "[0-9]{1,5}|[ -~]{0,12}|1\t2\t3", 0..4)
}

fn dns() -> impl Strategy<Value = Dns> {
    let server = prop_oneof![
        any::<u32>().prop_map(|n| Ipv4Addr::from(n).to_string()),
        any::<u128>().prop_map(|n| Ipv6Addr::from(n).to_string()),
        Just("fe80::1%host".to_owned()),
    ];
    let server = server.prop_filter("no server", |text| {
        crate::config::values::nameserver(text) == Ok(false)
    });
    (
        vec(server, 1..5),
        words("[a-z.]{1,20}"),
        words("[a-z:0-9-]{1,12}"),
    )
        .prop_map(|(nameservers, search, options)| Dns {
            nameservers,
            search,
            options,
        })
}

/// A namespace with what is its own alone, the lengths of its addresses' prefixes, and the end of
/// its link's name.
fn netns() -> impl Strategy<Value = (Netns, Vec<PrefixLength>, String)> {
    let kind = prop_oneof![
        Just(HolderChoice::Auto),
        prop::sample::select(HolderKind::PREFERENCE.to_vec()).prop_map(HolderChoice::Exactly),
    ];
    let nscd = (any::<bool>(), duration(0)).prop_map(|(enable, cache)| Nscd { enable, cache });
    let own = (
        kind,
        any::<(bool, bool)>(),
        sysctls(),
        dns(),
        nscd,
        run_access(),
        entries(),
    );
    (own, lengths(), suffix()).prop_map(|(own, lengths, suffix)| {
        let (kind, (ipv4_forwarding, ipv6_forwarding), sysctl, dns, nscd, run, entries) = own;
        let holder = Holder {
            interface: link_name(&suffix, 0),
            kind,
            address: Vec::new(),
        };
        let netns = Netns {
            holder,
            ipv4_forwarding,
            ipv6_forwarding,
            links: Vec::new(),
            entries: entries.into_iter().collect(),
            sysctl,
            routes: Vec::new(),
            dns,
            nscd,
            forwards: Vec::new(),
            run,
        };
        (netns, lengths, suffix)
    })
}

/// One end: which namespace, the end of its name, and the lengths of its addresses' prefixes.
type EndSeed = (usize, String, Vec<PrefixLength>);

/// A veth pair before its ends have a namespace: which ones they will be in, and the rest.
#[derive(Debug, Clone)]
struct VethSeed {
    ends: [EndSeed; 2],
    mac: [u8; 4],
    mtu: u32,
}

fn veth() -> impl Strategy<Value = VethSeed> {
    let end = || (any::<usize>(), suffix(), lengths());
    let mtu = prop_oneof![Just(1400_u32), 68..=65535_u32];
    (end(), end(), any::<[u8; 4]>(), mtu).prop_map(|(near, far, mac, mtu)| VethSeed {
        ends: [near, far],
        mac,
        mtu,
    })
}

/// A forward before it is given to a namespace: where it listens, in which it connects, and what.
#[derive(Debug, Clone)]
struct ForwardSeed {
    netns: [usize; 2],
    /// None: a unix socket.
    listen: Option<IpAddr>,
    connect: Option<IpAddr>,
    protocol: Protocol,
    options: ForwardOptions,
}

fn forward() -> impl Strategy<Value = ForwardSeed> {
    let listen = prop::sample::select(vec![
        "127.0.0.1",
        "0.0.0.0",
        "::",
        "::1",
        "10.0.0.1",
        "fe80::1",
    ]);
    let connect = prop::sample::select(vec!["127.0.0.1", "::1", "192.0.2.1"]);
    let protocol = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp]);
    let ip = |text: &str| text.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let ends = (
        prop::option::weighted(0.8, listen),
        prop::option::weighted(0.8, connect),
    );
    (any::<[usize; 2]>(), ends, protocol, forward_options()).prop_map(
        move |(netns, (listen, connect), protocol, options)| ForwardSeed {
            netns,
            listen: listen.map(ip),
            connect: connect.map(ip),
            // Unix sockets carry no datagrams.
            protocol: match (listen, connect) {
                (Some(_), Some(_)) => protocol,
                _ => Protocol::Tcp,
            },
            options,
        },
    )
}

fn forward_options() -> impl Strategy<Value = ForwardOptions> {
    let times = (duration(1), duration(1), duration(1), duration(0));
    let bounds = (prop::option::of(1..=u32::MAX), 1..=u32::MAX);
    let keepalive = (0..=32_767_u64, 1..=127_u32);
    let workers = prop_oneof![Just(Workers::Auto), (1..=64_u32).prop_map(Workers::Exactly)];
    let given = (times, bounds, keepalive, any::<bool>(), workers);
    let given = given.prop_map(|(times, bounds, keepalive, proxy_protocol, workers)| {
        let (connect_timeout, half_close_timeout, udp_timeout, drain) = times;
        ForwardOptions {
            connect_timeout,
            drain,
            half_close_timeout,
            keepalive: Duration::from_secs(keepalive.0),
            keepalive_probes: keepalive.1,
            max_connections: bounds.0,
            proxy_protocol,
            udp_timeout,
            max_sessions: bounds.1,
            workers,
        }
    });
    prop_oneof![Just(ForwardOptions::default()), given]
}

/// A route: the namespace, the length of its prefix, and whether it has a gateway.
fn route() -> impl Strategy<Value = (usize, PrefixLength, bool)> {
    let length = prop_oneof![(Just(true), 24..=32_u8), (Just(false), 64..=128_u8)];
    (any::<usize>(), length, any::<bool>())
}

/// A unix socket.
fn socket(path: &str) -> ForwardAddress {
    match SocketPath::parse(path) {
        Ok(path) => ForwardAddress::Unix(path),
        Err(error) => panic!("{path} {error}"),
    }
}

/// Puts parts together so that they do not clash.
struct Builder {
    desired: Desired,
    names: Vec<NetnsName>,
    /// Numbers given to links, addresses, ports and destinations so far.
    used: u16,
}

impl Builder {
    fn new(
        names: BTreeSet<NetnsName>,
        parts: Vec<(Netns, Vec<PrefixLength>, String)>,
        run: Option<RunAccess>,
    ) -> Self {
        let mut builder = Self {
            desired: Desired::default(),
            names: names.iter().cloned().collect(),
            used: 0,
        };
        builder.desired.home = Home {
            forwards: Vec::new(),
            run,
        };
        for (name, (mut netns, lengths, suffix)) in names.into_iter().zip(parts) {
            netns.holder.address = builder.addresses(&lengths);
            netns.holder.interface = link_name(&suffix, 0);
            builder.desired.netns.insert(name, netns);
        }
        builder
    }

    fn number(&mut self) -> u16 {
        self.used += 1;
        self.used
    }

    fn netns(&self, choice: usize) -> NetnsRef {
        let index = choice % (self.names.len() + 1);
        let name = self.names.get(index).cloned();
        name.map_or(NetnsRef::Home, NetnsRef::Named)
    }

    /// The link that has been there from the start; in home, whatever may be there.
    fn holder(&self, netns: &NetnsRef) -> InterfaceName {
        let netns = netns.name().and_then(|name| self.desired.netns.get(name));
        netns.map_or_else(|| link_name("", 0), |netns| netns.holder.interface.clone())
    }

    fn addresses(&mut self, lengths: &[PrefixLength]) -> Vec<InterfaceAddress> {
        let address = |(ipv4, length): &PrefixLength| {
            let number = self.number();
            let [high, low] = number.to_be_bytes();
            let ip: IpAddr = match ipv4 {
                true => Ipv4Addr::new(10, 1, high, low).into(),
                false => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 1, number).into(),
            };
            InterfaceAddress(IpNet::new_assert(ip, *length))
        };
        lengths.iter().map(address).collect()
    }

    fn veth(&mut self, seed: VethSeed) {
        let [near, far] = &seed.ends;
        if self.names.is_empty() {
            return;
        }
        let there = match self.netns(far.0) {
            there if there == self.netns(near.0) => {
                self.netns(near.0.wrapping_add(1) % (self.names.len() + 1))
            }
            there => there,
        };
        // Adding one can wrap around to the same namespace.
        if there == self.netns(near.0) {
            return;
        }
        let here = self.netns(near.0);
        let near = self.veth_end(here, near, seed.mac, 1);
        let far = self.veth_end(there, far, seed.mac, 0);
        let mut addresses = near.address.iter().chain(&far.address);
        let mtu = if addresses.any(|address| address.ip().is_ipv6()) {
            seed.mtu.max(IPV6_MIN_MTU)
        } else {
            seed.mtu
        };
        self.desired.veths.push(VethPair { near, far, mtu });
    }

    fn veth_end(&mut self, netns: NetnsRef, seed: &EndSeed, mac: [u8; 4], last: u8) -> VethEnd {
        let (_, suffix, lengths) = seed;
        let [a, b, c, d] = mac;
        VethEnd {
            netns,
            interface: link_name(suffix, usize::from(self.number())),
            mac: MacAddress([2, a, b, c, d, last]),
            address: self.addresses(lengths),
        }
    }

    fn forward(&mut self, seed: ForwardSeed) {
        let number = self.number();
        let here = self.netns(seed.netns[0]);
        let scope = |ip: IpAddr| is_link_local(ip).then(|| self.holder(&here));
        let endpoint = |ip: IpAddr, port: u16| {
            let scope = scope(ip);
            ForwardAddress::Inet(Endpoint { ip, scope, port })
        };
        let listen = seed.listen.map(|ip| endpoint(ip, 1024 + number));
        // Below what is listened on, so that no forward leads to another.
        let connect = seed.connect.map(|ip| endpoint(ip, 1 + number % 1000));
        let forward = Forward {
            protocol: seed.protocol,
            listen: listen.unwrap_or_else(|| socket(&format!("/run/in {number}.sock"))),
            netns: self.netns(seed.netns[1]),
            connect: connect.unwrap_or_else(|| socket(&format!("/run/out/{number}"))),
            options: seed.options,
        };
        let forwards = match &here {
            NetnsRef::Home => Some(&mut self.desired.home.forwards),
            NetnsRef::Named(name) => self.desired.netns.get_mut(name).map(|n| &mut n.forwards),
        };
        forwards.into_iter().for_each(|f| f.push(forward.clone()));
    }

    fn route(&mut self, (choice, (ipv4, length), gateway): (usize, PrefixLength, bool)) {
        let number = self.number();
        let Some(name) = self.names.get(choice % (self.names.len() + 1)).cloned() else {
            return;
        };
        let Some(netns) = self.desired.netns.get_mut(&name) else {
            return;
        };
        let [high, low] = number.to_be_bytes();
        let (ip, via): (IpAddr, IpAddr) = match ipv4 {
            true => (
                Ipv4Addr::new(172, high, low, 0).into(),
                Ipv4Addr::new(10, 1, 255, 254).into(),
            ),
            false => (
                Ipv6Addr::new(0xfd01, number, 0, 0, 0, 0, 0, 0).into(),
                Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into(),
            ),
        };
        let first = netns.routes.iter().all(|r| r.to.addr().is_ipv4() != ipv4);
        netns.routes.push(Route {
            // The first of a family is the default route.
            to: match first {
                true if ipv4 => IpNet::new_assert(Ipv4Addr::UNSPECIFIED.into(), 0),
                true => IpNet::new_assert(Ipv6Addr::UNSPECIFIED.into(), 0),
                false => IpNet::new_assert(ip, length),
            },
            via: gateway.then_some(via),
            interface: Some(netns.holder.interface.clone()),
        });
    }

    fn finish(mut self) -> Desired {
        // Stable, so the order within a namespace stays.
        self.desired
            .veths
            .sort_by(|a, b| a.near.netns.cmp(&b.near.netns));
        self.desired
    }
}
