//! From what is declared and what is there to the steps in between.
//!
//! [`plan`] is a pure function. What it returns is what `netnsctl plan` prints and what
//! `netnsctl up` carries out, step by step, in this order:
//!
//! 1. records of what may be changed are written, links no longer wanted go;
//! 2. for each namespace by name: it is made, without a name; kernel parameters that name no
//!    declared link are written, so that `conf.default` reaches every declared link; its files are
//!    written, and it gets its name; `lo` goes up; then come its base link and the veth pairs whose
//!    other end exists by now. A link is made down, its own kernel parameters are written, it gets
//!    its addresses, and it goes up. A namespace that got its last link has its routes added, those
//!    without a gateway first;
//! 3. records of what is there now are written where they differ from those of 1.
//!
//! Each step knows the steps it needs: where one fails, those that need it are not tried, and all
//! others are.
//!
//! What is not in the declaration and not in a record was put there by somebody else and is left
//! alone: extra addresses, links and routes are no reason for a step.

mod access;
mod address;
mod leftovers;
mod links;
mod made;
mod namespace;
mod own_links;
mod part;
mod planner;
mod schedule;
mod settings;
pub mod text;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

pub use part::{BadPart, Part, PartName};

use crate::desired::{Desired, Netns};
use crate::item::{Change, Item};
pub use crate::item::{LinkPlace, Verb};
use crate::name::{NetnsName, NetnsRef, SysctlKey};
use crate::observed::Observed;

/// What part of the declaration to plan for, and how far to go.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Only these namespaces; all if none.
    pub names: Option<BTreeSet<NetnsName>>,
    /// Take over namespaces of a declared name that netnsctl did not make.
    pub adopt: bool,
    /// Take away namespaces that netnsctl made and that are no longer declared.
    pub prune: bool,
    /// Only this part of them; see [`Request::for_part`].
    pub part: Option<Part>,
}

impl Request {
    /// Whether `name` is asked for.
    pub fn covers(&self, name: &NetnsName) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(name))
    }
}

/// What is to be done, what cannot be, and what is worth knowing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order.
    pub steps: Vec<Step>,
    /// What stands in the way of the declaration. The steps go as far as is possible without.
    pub problems: Vec<Problem>,
    /// What waits for something that others bring.
    pub waiting: Vec<Waiting>,
    /// The links that nothing declared brings and that something declared needs, whether they are
    /// there or not, with the namespaces that need them.
    pub relies_on: BTreeMap<LinkPlace, BTreeSet<NetnsName>>,
    /// Things left as they are on purpose.
    pub notes: Vec<String>,
}

/// An item that waits for a link which nothing declared brings, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The namespace that declares the item.
    pub of: NetnsRef,
    /// The item.
    pub item: Item,
    /// The link.
    pub link: LinkPlace,
}

impl Waiting {
    /// The item in words.
    pub fn describe(&self) -> String {
        self.item.describe(Verb::Add, &[], &self.of)
    }
}

impl Plan {
    /// Whether everything declared is there already.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.problems.is_empty() && self.waiting.is_empty()
    }

    /// Only the steps at the given places, and nothing else. What they need is not among them.
    pub fn only(&self, places: &BTreeSet<usize>) -> Self {
        let steps = self
            .steps
            .iter()
            .enumerate()
            .filter(|(place, _)| places.contains(place));
        Self {
            steps: steps
                .map(|(_, step)| Step {
                    needs: Vec::new(),
                    ..step.clone()
                })
                .collect(),
            ..Self::default()
        }
    }
}

/// One change, and the namespace in whose cause it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The namespace under whose heading it is shown.
    pub of: NetnsRef,
    /// What is done.
    pub verb: Verb,
    /// With what.
    pub item: Item,
    /// The values that change, where the verb is [`Verb::Change`].
    pub changes: Vec<Change>,
    /// The second half of a step that is shown: it is carried out, but neither shown nor counted.
    pub quiet: bool,
    /// Places, in the plan, of the steps without which this one cannot be: where one of them
    /// failed, this one is not tried.
    pub needs: Vec<usize>,
}

impl Step {
    /// Whether it only concerns netnsctl's own notes.
    pub fn is_record(&self) -> bool {
        matches!(self.item, Item::RecordFile(_))
    }

    /// The step in words, without its sign and the namespace of its heading.
    pub fn describe(&self) -> String {
        self.item.describe(self.verb, &self.changes, &self.of)
    }

    /// What was tried, for the front of an error.
    pub fn attempt(&self) -> String {
        self.item.attempt(self.verb, &self.changes, &self.of)
    }
}

/// Something that keeps the declaration from being reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The namespace that a part belongs to is not there.
    #[error("netns {name:?} is not there")]
    Absent {
        /// Its name.
        name: NetnsNameText,
    },
    /// The namespace exists and is not ours.
    #[error("netns {name:?} exists and was not made by netnsctl; it is left alone")]
    Foreign {
        /// Its name.
        name: NetnsNameText,
    },
    /// What was noted of the namespace cannot be understood, so nobody knows what is ours of it.
    #[error("cannot understand the record /run/netnsctl/{}.json: {reason}", .name.0)]
    UnreadableRecord {
        /// Its name.
        name: NetnsNameText,
        /// What is wrong with the record.
        reason: String,
    },
    /// A link of the wanted name exists and is not ours.
    #[error(
        "cannot create {wanted} {interface:?} in netns {netns:?}: a link of that name ({kind}) is there that netnsctl did not make"
    )]
    LinkInTheWay {
        /// What was to be created.
        wanted: &'static str,
        /// The namespace.
        netns: String,
        /// The link's name.
        interface: String,
        /// Its kind.
        kind: String,
        /// It may be the rest of a namespace that the kernel is still taking down.
        going_away: bool,
    },
    /// The kernel has no link that can hold addresses.
    #[error(
        "cannot create holder link {interface:?} in netns {netns:?}: this kernel has none of dummy, ifb and bridge"
    )]
    NoHolderKind {
        /// The namespace.
        netns: String,
        /// The link's name.
        interface: String,
    },
    /// The key does not exist there.
    #[error(
        "cannot write sysctl {key:?} in netns {netns:?}: there is no such key in this network namespace"
    )]
    NoSuchSysctl {
        /// The namespace.
        netns: String,
        /// The key.
        key: String,
    },
}

/// A namespace name that quotes itself in messages.
#[derive(Clone, PartialEq, Eq)]
pub struct NetnsNameText(pub NetnsName);

impl std::fmt::Debug for NetnsNameText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl Problem {
    /// The record of `name` cannot be understood for `reason`.
    pub fn unreadable_record(name: &NetnsName, reason: &str) -> Self {
        Self::UnreadableRecord {
            name: NetnsNameText(name.clone()),
            reason: reason.to_owned(),
        }
    }

    /// The namespace it is about.
    pub fn netns(&self) -> &str {
        match self {
            Self::Absent { name }
            | Self::Foreign { name }
            | Self::UnreadableRecord { name, .. } => name.0.as_str(),
            Self::LinkInTheWay { netns, .. }
            | Self::NoHolderKind { netns, .. }
            | Self::NoSuchSysctl { netns, .. } => netns,
        }
    }

    /// What a person could do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { name } => Some(format!("\"netnsctl up {}\" makes it", name.0)),
            Self::Foreign { name } => Some(format!(
                "\"netnsctl up --adopt {}\" takes it over, or choose another name",
                name.0
            )),
            Self::UnreadableRecord { name, .. } => Some(format!(
                "\"netnsctl up --adopt {0}\" makes it anew and keeps the namespace, which has to be \
                 declared ([netns.{0}] will do); \"netnsctl down {0}\" then takes it away",
                name.0
            )),
            Self::LinkInTheWay { .. } => Some(
                "rename or delete that link, or give the declared one another name with \
                 `interface` or `peer_interface`"
                    .to_owned(),
            ),
            Self::NoHolderKind { .. } => {
                Some("load one of these modules, or build it into the kernel".to_owned())
            }
            Self::NoSuchSysctl { .. } => Some(
                "many net.core keys exist only in the namespace the machine booted in; see \
                 \"ip netns exec NAME sysctl -a\" for those that do"
                    .to_owned(),
            ),
        }
    }
}

/// The forwarding keys, which every namespace of ours has written.
pub fn forwarding_keys() -> Vec<SysctlKey> {
    namespace::forwarding(false, false)
        .map(|(key, _)| key)
        .collect()
}

/// Every sysctl that is written for a namespace, forwarding included.
pub fn declared_sysctls(netns: &Netns) -> Vec<(SysctlKey, String)> {
    let forwarding = namespace::forwarding(netns.ipv4_forwarding, netns.ipv6_forwarding);
    let declared = netns.sysctl.iter();
    forwarding
        .chain(declared.map(|(key, value)| (key.clone(), value.clone())))
        .collect()
}

/// Whether two values are the same to the kernel, which answers with tabs between numbers.
pub fn same_value(one: &str, other: &str) -> bool {
    one.split_whitespace().eq(other.split_whitespace())
}

/// Plans the end of a part that is links: what is ours of it goes, all else stays. Other parts end
/// with their namespace.
pub fn without(desired: &Desired, observed: &Observed, part: &Part) -> Plan {
    planner::Planner::new(desired, observed, &Request::default()).without(part)
}

/// Plans the way from `observed` to `desired`.
pub fn plan(desired: &Desired, observed: &Observed, request: &Request) -> Plan {
    planner::Planner::new(desired, observed, request).run()
}
