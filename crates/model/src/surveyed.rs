//! What the namespaces of a machine have, whoever made them: all of it, not only what a plan asks
//! for. The kernel layer fills this in; `import` makes a declaration of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::{InterfaceName, NetnsName, SysctlKey};
use crate::observed::Interior;

/// The namespaces that have a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// The home namespace, where far ends of veth pairs may be.
    pub home: Interior,
    /// What stands in `/run/netns` and is none of them, in words.
    pub passed_over: Vec<String>,
    /// The named ones.
    pub netns: BTreeMap<NetnsName, Found>,
    /// The kernel's settings in a new namespace. A key of a link stands for all links of the kind
    /// that is written in place of the link's name: `net.ipv4.conf.veth.rp_filter`.
    pub fresh_sysctl: BTreeMap<SysctlKey, String>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Made or taken over by netnsctl.
    pub managed: bool,
    /// Links, routes that are no more than a declaration can say, and every sysctl that can be
    /// both read and written.
    pub interior: Interior,
    /// Bridges that have ports, and therefore hold no addresses for the namespace alone.
    pub in_use: BTreeSet<InterfaceName>,
    /// What `/etc/netns/NAME/resolv.conf` says, if there is one that can be read.
    pub resolv_conf: Option<String>,
    /// What is there and is none of the above, in words.
    pub left: Vec<String>,
}
