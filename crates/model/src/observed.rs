//! What is there: the kernel's state and our own records, as far as a plan needs them.
//!
//! The kernel layer fills this in. Nothing in it is interpreted yet; whether something is ours or
//! somebody else's follows from comparing it with the [`Record`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::address::{InterfaceAddress, MacAddress};
use crate::desired::{HolderKind, Route};
use crate::item::{Address, Entry, Key, LinkKey, LinkPlace, Values};
use crate::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};

/// Everything a plan is made from, besides the declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The home namespace; only what veth ends need is listed.
    pub home: Interior,
    /// The namespaces asked for, and every one there is a record of.
    pub netns: BTreeMap<NetnsName, Presence>,
    /// What netnsctl noted when it last applied something.
    pub records: BTreeMap<NetnsName, Record>,
    /// Namespaces whose record cannot be understood, with the reason.
    pub unreadable: BTreeMap<NetnsName, String>,
    /// `/etc/netns` and what there is in it for the namespaces asked for.
    pub etc: Etc,
    /// What polkit has been told of who may enter; none where nobody is there to tell.
    pub polkit: Option<Polkit>,
    /// The kinds of holder link this kernel has, empty if nobody needed to know.
    pub holder_kinds: BTreeSet<HolderKind>,
    /// The views in which something else shows than should, with the paths where it does.
    pub outdated_views: BTreeMap<NetnsName, BTreeSet<String>>,
    /// The namespaces that have a view, empty if nobody needed to know.
    pub views: BTreeSet<NetnsName>,
    /// What a new namespace has for the keys asked for; no entry for a key it does not have.
    pub pristine_sysctl: BTreeMap<SysctlKey, String>,
}

impl Observed {
    /// Whether IPv6 is on for links of the host namespace, and whether the kernel has it at all.
    pub fn host_ipv6(&self) -> (bool, bool) {
        let value = |which: &str| {
            let wanted = format!("net.ipv6.conf.{which}.disable_ipv6");
            let mut sysctls = self.home.sysctl.iter();
            sysctls
                .find(|(key, _)| key.as_str() == wanted)
                .and_then(|(_, value)| value.as_deref())
        };
        let (all, default) = (value("all"), value("default"));
        let is_on = default == Some("0") && all == Some("0");
        (is_on, default.is_some())
    }
}

/// What stands at `/run/netns/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Nothing.
    Absent,
    /// A file that is no namespace: what a killed `ip netns add` or an unmount leaves behind.
    Stale,
    /// A namespace.
    Present(Interior),
}

impl Presence {
    /// The inside, if it is a namespace.
    pub fn interior(&self) -> Option<&Interior> {
        match self {
            Self::Present(interior) => Some(interior),
            Self::Absent | Self::Stale => None,
        }
    }
}

/// Which namespace it is, whatever its name. Inode numbers are used again as soon as they are
/// free; the cookie (SO_NETNS_COOKIE, socket(7), Linux 5.14) never is until the next boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// `st_dev` of the namespace file.
    pub device: u64,
    /// `st_ino` of the namespace file.
    pub inode: u64,
    /// The kernel's cookie, where it has one.
    pub cookie: Option<u64>,
}

/// The inside of a network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interior {
    /// Which one it is.
    pub identity: Identity,
    /// Interfaces by name.
    pub links: BTreeMap<InterfaceName, Link>,
    /// Unicast routes of the main table.
    pub routes: Vec<ObservedRoute>,
    /// The entries of the kinds asked for, as far as they can be declared.
    pub entries: BTreeSet<Entry>,
    /// The values of the keys asked for; `None` for one that does not exist there.
    pub sysctl: BTreeMap<SysctlKey, Option<String>>,
}

/// The word for the kind of a link, of which `kind` is the IFLA_INFO_KIND.
pub fn kind_word(kind: Option<&str>) -> &str {
    kind.unwrap_or("hardware")
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// IFLA_INFO_KIND; none for hardware and `lo`.
    pub kind: Option<String>,
    /// Administratively up.
    pub up: bool,
    /// Has a carrier.
    pub carrier: bool,
    /// In bytes.
    pub mtu: u32,
    /// Link-layer address.
    pub mac: Option<MacAddress>,
    /// Addresses, in the kernel's order: of one subnet, the first is the primary.
    pub addresses: Vec<ObservedAddress>,
    /// For a veth, its other end.
    pub peer: Option<Peer>,
    /// What its kind has of its own, as far as it is a kind that can be declared.
    pub values: Values,
}

impl Link {
    /// Whether it carries `address`, prefix length and all.
    pub fn has(&self, address: &InterfaceAddress) -> bool {
        self.addresses
            .iter()
            .any(|observed| observed.address == *address)
    }
}

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedAddress {
    /// The address.
    pub address: InterfaceAddress,
    /// The kernel made it by itself: link-local, or learnt from a router.
    pub kernel_made: bool,
}

/// Where the other end of a veth is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// In a namespace without a name, or one that is going away.
    Elsewhere,
    /// In a namespace that was observed.
    Known(NetnsRef, InterfaceName),
}

/// A route, and whether the kernel made it along with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRoute {
    /// The route. `interface` is set unless it has several next hops.
    pub route: Route,
    /// Made by the kernel.
    pub kernel_made: bool,
}

/// What may have been put there, and into which namespace. Written before the first change and
/// again after the last, so that a kill in between loses nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The namespace it speaks of. One of the same name and another identity is not ours.
    pub identity: Identity,
    /// What may be in it.
    pub applied: Applied,
}

impl Record {
    /// Whether it speaks of the namespace `found`.
    pub fn is_of(&self, found: Identity) -> bool {
        let noted = self.identity;
        let same_file = (noted.device, noted.inode) == (found.device, found.inode);
        let cookies = noted.cookie.zip(found.cookie);
        same_file && cookies.is_none_or(|(noted, found)| noted == found)
    }
}

/// Everything netnsctl put somewhere for one namespace: what identifies each item. A clone shares
/// the keys, because a plan names them at several steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied(pub Arc<BTreeSet<Key>>);

impl FromIterator<Key> for Applied {
    fn from_iter<T: IntoIterator<Item = Key>>(keys: T) -> Self {
        Self(Arc::new(keys.into_iter().collect()))
    }
}

impl Applied {
    /// Both together.
    pub fn union(&self, other: &Self) -> Self {
        self.0.union(&other.0).cloned().collect()
    }

    /// Whether `key` is among it.
    pub fn contains(&self, key: &Key) -> bool {
        self.0.contains(key)
    }

    /// The links and pairs.
    pub fn links(&self) -> impl Iterator<Item = &LinkKey> {
        self.0.iter().filter_map(|key| match key {
            Key::Link(link) => Some(link),
            _ => None,
        })
    }

    /// The ends of veth pairs, the one where the pair was declared first.
    pub fn pairs(&self) -> impl Iterator<Item = (&LinkPlace, &LinkPlace)> {
        self.links()
            .filter_map(|link| Some((&link.place, link.peer.as_ref()?)))
    }

    /// The addresses of `link`.
    pub fn addresses_of(&self, link: &LinkPlace) -> impl Iterator<Item = InterfaceAddress> {
        let least = InterfaceAddress(IpNet::new_assert(Ipv4Addr::UNSPECIFIED.into(), 0));
        let least = Key::Address(Address {
            link: link.clone(),
            address: least,
        });
        let of_link = self.0.range(least..).map_while(move |key| match key {
            Key::Address(item) if item.link == *link => Some(item.address),
            _ => None,
        });
        of_link.collect::<Vec<_>>().into_iter()
    }

    /// The routes.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().filter_map(|key| match key {
            Key::Route(route) => Some(route),
            _ => None,
        })
    }

    /// The keys of kernel parameters, those of forwarding included.
    pub fn sysctls(&self) -> impl Iterator<Item = &SysctlKey> {
        self.0.iter().filter_map(|key| match key {
            Key::Sysctl(key) => Some(key),
            _ => None,
        })
    }

    /// The entries of the kernel's tables.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter_map(|key| match key {
            Key::Entry(entry) => Some(entry),
            _ => None,
        })
    }

    /// The paths of folders made in /etc.
    pub fn directories(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter_map(|key| match key {
            Key::Directory(path) => Some(path),
            _ => None,
        })
    }
}

/// The polkit files of namespaces, and what new ones have to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polkit {
    /// The path of this program, by which pkexec(1) tells one action from another; none if others
    /// than root could put something else there, which would then run as root.
    pub program: Option<String>,
    /// The files of ours, and those that stand in their place, by namespace.
    pub files: BTreeMap<NetnsRef, AccessFiles<FileState>>,
    /// Whether the folder of rules can be written to.
    pub can_write: bool,
}

/// The two files about who may enter a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFiles<T> {
    /// The action, which polkit asks about.
    pub action: Option<T>,
    /// The rules, by which it answers.
    pub rules: Option<T>,
}

/// The folder `/etc/netns` and the host's files that ours are made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Etc {
    /// Folders of `/etc/netns` that exist, itself included.
    pub directories: BTreeSet<String>,
    /// Files there, by namespace and name.
    pub files: BTreeMap<(NetnsName, EtcFile), FileState>,
    /// Folders of namespaces that are neither declared nor recorded, with nothing in them but files
    /// of ours. They were made for these files.
    pub leftover_directories: BTreeSet<String>,
    /// The host's nsswitch.conf, if it has one.
    pub host_nsswitch: Option<String>,
}

/// The files netnsctl writes into `/etc/netns/NAME/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EtcFile {
    /// nsswitch.conf(5).
    Nsswitch,
    /// resolv.conf(5).
    Resolv,
}

impl EtcFile {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Nsswitch, Self::Resolv];

    /// Its name in the folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Nsswitch => "nsswitch.conf",
            Self::Resolv => "resolv.conf",
        }
    }
}

/// A file that stands where one of ours would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// The user's own: it lacks our first line, or is no plain file. Left alone for ever.
    Foreign,
    /// Ours, with this content.
    Ours(String),
}
