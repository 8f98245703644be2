//! What the machine should look like: configuration with every default filled in.
//!
//! Everything here has passed validation. Veth pairs, declared at one end in the files, stand
//! once in [`Desired::veths`] with both ends spelled out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::address::{InterfaceAddress, MacAddress};
use crate::forward_address::ForwardAddress;
pub use crate::item::Route;
use crate::item::{Entry, LinkKind, LinkPlace, Values, link};
use crate::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};

/// Everything declared, by namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// The namespaces to be made.
    pub netns: BTreeMap<NetnsName, Netns>,
    /// `[netns.default]`: ports forwarded into home; it is never created or deleted.
    pub home: Home,
    /// Every veth pair, in order of declaring namespace (home first) and position.
    pub veths: Vec<VethPair>,
}

/// One declared namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netns {
    /// The link that holds the addresses.
    pub holder: Holder,
    /// `net.ipv4.conf.{default,all}.forwarding`.
    pub ipv4_forwarding: bool,
    /// `net.ipv6.conf.{default,all}.forwarding`.
    pub ipv6_forwarding: bool,
    /// The other links that stand alone, in order of declaration.
    pub links: Vec<Link>,
    /// Entries of the kernel's tables, of whatever kind.
    pub entries: BTreeSet<Entry>,
    /// Other sysctls, written after links exist.
    pub sysctl: BTreeMap<SysctlKey, String>,
    /// Routes in the main table.
    pub routes: Vec<Route>,
    /// What its resolv.conf says.
    pub dns: Dns,
    /// Its name-service daemon.
    pub nscd: Nscd,
    /// Ports listened on here, in order of declaration.
    pub forwards: Vec<Forward>,
    /// Who may run commands in it, if that is declared.
    pub run: Option<RunAccess>,
}

/// What `[netns.default]` may declare besides veth pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// Ports listened on in home.
    pub forwards: Vec<Forward>,
    /// Who may run commands that lead back home, if that is declared.
    pub run: Option<RunAccess>,
}

/// The link that holds a namespace's own addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub interface: InterfaceName,
    /// What kind of link to use.
    pub kind: HolderChoice,
    /// Its addresses.
    pub address: Vec<InterfaceAddress>,
}

/// `interface_kind` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderChoice {
    /// The first of [`HolderKind::PREFERENCE`] that the running kernel has.
    Auto,
    /// This kind and no other.
    Exactly(HolderKind),
}

/// Kinds of link that can hold addresses without a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HolderKind {
    /// A bridge without ports; holds addresses, though without a carrier.
    Bridge,
    /// The plainest: made for holding addresses.
    Dummy,
    /// Intermediate functional block; NOARP like dummy, so no duplicate-address detection.
    Ifb,
}

impl HolderKind {
    /// The order in which `auto` tries them.
    pub const PREFERENCE: [Self; 3] = [Self::Dummy, Self::Ifb, Self::Bridge];

    /// The kind as rtnetlink names it (IFLA_INFO_KIND).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Dummy => "dummy",
            Self::Ifb => "ifb",
        }
    }

    /// The kind of that rtnetlink name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::PREFERENCE
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A link that is declared by a table of its own and stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub interface: InterfaceName,
    /// What kind of link it is.
    pub kind: &'static LinkKind,
    /// Its addresses.
    pub address: Vec<InterfaceAddress>,
    /// In bytes; the kernel's choice if none.
    pub mtu: Option<u32>,
    /// Its link-layer address; the kernel's choice if none.
    pub mac: Option<MacAddress>,
    /// Whether it is set up.
    pub up: bool,
    /// What its kind has of its own, what holds by default included.
    pub values: Values,
}

impl Link {
    /// The link that it sends by.
    pub fn parent(&self) -> Option<LinkPlace> {
        link::parent(&self.values)
    }

    /// The namespace in which it is made, where its kind has such a thing: where its parent is, or
    /// where its packets leave.
    pub fn birthplace(&self) -> Option<NetnsRef> {
        link::parent_netns(&self.values)
    }
}

/// One end of a veth pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VethEnd {
    /// The namespace it lives in.
    pub netns: NetnsRef,
    /// Its name there.
    pub interface: InterfaceName,
    /// Its link-layer address.
    pub mac: MacAddress,
    /// Addresses besides the link-local one that follows from `mac`.
    pub address: Vec<InterfaceAddress>,
}

/// A veth pair between two namespaces; `near` is the end where it was declared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VethPair {
    /// The end in the declaring namespace.
    pub near: VethEnd,
    /// The other end.
    pub far: VethEnd,
    /// MTU of both ends, in bytes.
    pub mtu: u32,
}

/// What resolv.conf(5) of a namespace says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// `nameserver` lines, as written (an IPv6 one may carry a scope).
    pub nameservers: Vec<String>,
    /// The `search` list.
    pub search: Vec<String>,
    /// The `options` line.
    pub options: Vec<String>,
}

impl Dns {
    /// Nameservers of a namespace that names none: the origin's four public ones.
    pub const NAMESERVERS: [&'static str; 4] = [
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "1.1.1.1",
        "8.8.8.8",
    ];
}

impl Default for Dns {
    fn default() -> Self {
        let nameservers = Self::NAMESERVERS.map(str::to_owned).to_vec();
        Self {
            nameservers,
            search: Vec::new(),
            options: Vec::new(),
        }
    }
}

/// The name-service daemon of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nscd {
    /// Whether there is one.
    pub enable: bool,
    /// How long an answer may be reused; zero means never.
    pub cache: Duration,
}

impl Default for Nscd {
    fn default() -> Self {
        Self {
            enable: true,
            cache: Duration::ZERO,
        }
    }
}

/// The protocol of a forwarded port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The word for it in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// The word is neither `tcp` nor `udp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither tcp nor udp")]
pub struct UnknownProtocol;

impl std::str::FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(word: &str) -> Result<Self, UnknownProtocol> {
        let known = [Self::Tcp, Self::Udp];
        let found = known.into_iter().find(|it| it.as_str() == word);
        found.ok_or(UnknownProtocol)
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A port: listened on in the declaring namespace, connected to in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// TCP or UDP. The connections of a unix socket count as TCP.
    pub protocol: Protocol,
    /// Where it listens, in the declaring namespace.
    pub listen: ForwardAddress,
    /// The namespace it connects in.
    pub netns: NetnsRef,
    /// What it connects to there.
    pub connect: ForwardAddress,
    /// How it goes about it.
    pub options: ForwardOptions,
}

/// Bounds, patience and manners of one forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardOptions {
    /// How long a TCP target may take to answer.
    pub connect_timeout: Duration,
    /// How long TCP connections may go on once the forward is told to stop.
    pub drain: Duration,
    /// How long a TCP connection with one direction closed may stay silent.
    pub half_close_timeout: Duration,
    /// Silence before a TCP peer is asked whether it is there, and between two such questions;
    /// zero: it is not asked.
    pub keepalive: Duration,
    /// Questions without an answer before a TCP peer counts as gone.
    pub keepalive_probes: u32,
    /// TCP connections at once; none means as many as there are descriptors for.
    pub max_connections: Option<u32>,
    /// Whether the target of a TCP connection gets a PROXY header that names the client.
    pub proxy_protocol: bool,
    /// How long an UDP session without traffic is kept. RFC 4787 REQ-5 asks for two minutes.
    pub udp_timeout: Duration,
    /// UDP sessions at once; the least recently used gives way.
    pub max_sessions: u32,
    /// Threads that share the work.
    pub workers: Workers,
}

/// How many threads share the work of a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// As many as there are processors, within reason.
    Auto,
    /// This many, 1 at least.
    Exactly(u32),
}

impl std::fmt::Display for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(count) => count.fmt(f),
        }
    }
}

impl ForwardOptions {
    /// Those of a forward that declares none.
    pub const DEFAULT: Self = Self {
        connect_timeout: Duration::from_secs(10),
        drain: Duration::from_secs(30),
        half_close_timeout: Duration::from_secs(300),
        keepalive: Duration::from_secs(15),
        keepalive_probes: 3,
        max_connections: None,
        proxy_protocol: false,
        udp_timeout: Duration::from_secs(120),
        max_sessions: 16_384,
        workers: Workers::Exactly(1),
    };
}

impl Default for ForwardOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Who but root may use `netnsctl run`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunAccess {
    /// User names.
    pub users: Vec<String>,
    /// Group names.
    pub groups: Vec<String>,
}

impl Desired {
    /// The forwards that listen in `netns`, in order; none for a namespace not declared.
    pub fn forwards(&self, netns: &NetnsRef) -> &[Forward] {
        match netns {
            NetnsRef::Home => &self.home.forwards,
            NetnsRef::Named(name) => self.netns.get(name).map_or(&[], |netns| &netns.forwards),
        }
    }

    /// Every forward with the namespace it listens in and its number there, counted from 1.
    pub fn all_forwards(&self) -> impl Iterator<Item = (NetnsRef, usize, &Forward)> {
        let home = self.home.forwards.iter().enumerate();
        let named = self.netns.iter().flat_map(|(name, netns)| {
            let forwards = netns.forwards.iter().enumerate();
            forwards.map(move |(n, forward)| (NetnsRef::Named(name.clone()), n + 1, forward))
        });
        home.map(|(n, forward)| (NetnsRef::Home, n + 1, forward))
            .chain(named)
    }
}
