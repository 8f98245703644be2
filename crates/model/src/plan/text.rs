//! A plan as a person reads it: a heading for each namespace and a line for each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::desired::{Route, RunAccess, VethPair};
use crate::name::{NetnsRef, SysctlKey};
use crate::polkit::action_id;

use super::{Action, Plan};

/// What a step does to the state, for the sign in front of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Something new.
    Add,
    /// Something that stays and changes.
    Modify,
    /// Something goes.
    Remove,
}

impl Change {
    /// `+`, `~` or `-`.
    pub fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Modify => '~',
            Self::Remove => '-',
        }
    }
}

impl Change {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "change",
            Self::Remove => "remove",
        }
    }
}

impl Action {
    /// Whether it adds, modifies or removes.
    pub fn change(&self) -> Change {
        match self {
            Self::AddAddress { again: false, .. }
            | Self::AddRoute { again: false, .. }
            | Self::CreateHolder { .. }
            | Self::CreateNetns { .. }
            | Self::CreateVeth { .. }
            | Self::MakeDirectory { .. }
            | Self::MakeView
            | Self::SetAccess { again: false, .. }
            | Self::WriteFile { from: None, .. } => Change::Add,
            Self::DeleteLink { .. }
            | Self::DeleteNetns
            | Self::RemoveAccess
            | Self::RemoveAddress { .. }
            | Self::RemoveDirectory { .. }
            | Self::RemoveFile { .. }
            | Self::RemoveRoute { .. }
            | Self::RemoveStaleName => Change::Remove,
            Self::AddAddress { .. }
            | Self::AddRoute { .. }
            | Self::Adopt { .. }
            | Self::RenewView { .. }
            | Self::SetAccess { .. }
            | Self::SetMac { .. }
            | Self::SetMtu { .. }
            | Self::SetUp { .. }
            | Self::WriteFile { .. }
            | Self::WriteRecord { .. }
            | Self::WriteSysctl { .. } => Change::Modify,
        }
    }

    /// The step in words, without its sign and namespace heading. `of` is that heading's name.
    pub fn describe(&self, of: &str) -> String {
        match self {
            Self::AddAddress {
                link,
                address,
                again,
            } => {
                let why = if *again {
                    ", which the kernel drops with another"
                } else {
                    ""
                };
                format!("address {address} on {}{why}", place(link, of))
            }
            Self::AddRoute { route, again } => {
                let why = if *again {
                    ", which the kernel drops with an address"
                } else {
                    ""
                };
                format!("route {}{why}", self::route(route))
            }
            Self::Adopt { .. } => "take over the namespace, which somebody else made".to_owned(),
            Self::CreateHolder { interface, kind } => {
                format!("link {interface} ({})", kind.as_str())
            }
            Self::CreateNetns { .. } => "network namespace".to_owned(),
            Self::CreateVeth { pair } => veth(pair),
            Self::DeleteLink { link } => format!("link {}", place(link, of)),
            Self::DeleteNetns => "network namespace, no longer declared".to_owned(),
            Self::MakeView => format!("view /run/netns-{of}/mntns"),
            Self::MakeDirectory { path } | Self::RemoveDirectory { path } => {
                format!("folder {path}")
            }
            Self::RemoveAccess => format!("polkit action {}", action_id_of(of)),
            Self::RemoveAddress { link, address } => {
                format!("address {address} on {}", place(link, of))
            }
            Self::RemoveFile { file } => format!("file /etc/netns/{of}/{}", file.file_name()),
            Self::RemoveRoute { route } => format!("route {}", self::route(route)),
            Self::RemoveStaleName => format!("file /run/netns/{of}, which is no namespace"),
            Self::RenewView { outdated } => view(outdated),
            Self::SetAccess { access, .. } => told(of, access),
            Self::SetMac { link, from, to } => {
                let from = from.map_or_else(|| "none".to_owned(), |mac| mac.to_string());
                format!("link {} address {from} → {to}", place(link, of))
            }
            Self::SetMtu { link, from, to } => {
                format!("link {} mtu {from} → {to}", place(link, of))
            }
            Self::SetUp { link } => format!("link {} down → up", place(link, of)),
            Self::WriteFile { file, .. } => format!("file /etc/netns/{of}/{}", file.file_name()),
            Self::WriteRecord { .. } => format!("record /run/netnsctl/{of}.json"),
            Self::WriteSysctl { key, from, to } => sysctl(key, from.as_deref(), to),
        }
    }
}

/// A link: its name where it is in the namespace of the heading, else `netns:name`.
fn place(link: &super::LinkPlace, of: &str) -> String {
    if link.netns.as_str() == of {
        link.interface.to_string()
    } else {
        link.to_string()
    }
}

fn action_id_of(of: &str) -> String {
    NetnsRef::parse(of).map_or_else(|_| of.to_owned(), |netns| action_id(&netns))
}

/// What polkit is told: the action, and who may enter without an administrator.
fn told(of: &str, access: &RunAccess) -> String {
    let lists = [("user", &access.users), ("group", &access.groups)];
    let members: Vec<String> = lists
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} {name}")))
        .collect();
    let members = match members.as_slice() {
        [] => "with an administrator's password".to_owned(),
        members => members.join(", "),
    };
    format!("polkit action {}: {members}", action_id_of(of))
}

fn sysctl(key: &SysctlKey, from: Option<&str>, to: &str) -> String {
    match from {
        Some(from) => format!(
            "sysctl {key} {} → {to}",
            from.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        None => format!("sysctl {key} = {to}"),
    }
}

fn view(outdated: &BTreeSet<String>) -> String {
    let paths: Vec<&str> = outdated.iter().map(String::as_str).collect();
    format!(
        "view, where {} is not the namespace's own",
        paths.join(", ")
    )
}

fn veth(pair: &VethPair) -> String {
    let (near, far) = (&pair.near, &pair.far);
    format!(
        "veth {}:{} ({}) ⇄ {}:{} ({}), mtu {}",
        near.netns, near.interface, near.mac, far.netns, far.interface, far.mac, pair.mtu
    )
}

/// A route as ip-route(8) writes it.
pub fn route(route: &Route) -> String {
    let mut text = match (route.to.prefix_len(), route.to.addr().is_ipv6()) {
        (0, false) => "default".to_owned(),
        (0, true) => "default (IPv6)".to_owned(),
        _ => route.to.to_string(),
    };
    if let Some(via) = route.via {
        let _ = write!(text, " via {via}");
    }
    if let Some(interface) = &route.interface {
        let _ = write!(text, " dev {interface}");
    }
    text
}

/// The tense of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tense {
    /// What would be done.
    Future,
    /// What was done.
    Past,
}

/// The whole plan: headings, signed lines, then a line that counts.
pub fn render(plan: &Plan, tense: Tense) -> String {
    let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for step in &plan.steps {
        by_name.entry(&step.of).or_default().push(&step.action);
    }
    let mut text = String::new();
    for (name, actions) in by_name {
        let _ = writeln!(text, "netns {name}");
        for action in actions {
            let sign = action.change().sign();
            let _ = writeln!(text, "  {sign} {}", action.describe(name.as_str()));
        }
    }
    text.push_str(&summary(plan, tense));
    text.push('\n');
    text
}

/// `3 to add, 1 to change, 0 to remove`, or that there is nothing to do.
fn summary(plan: &Plan, tense: Tense) -> String {
    let count = |change| {
        plan.steps
            .iter()
            .filter(|step| step.action.change() == change)
            .count()
    };
    let [added, changed, removed] = [Change::Add, Change::Modify, Change::Remove].map(count);
    match tense {
        _ if plan.steps.is_empty() => "nothing to do".to_owned(),
        Tense::Future => format!("{added} to add, {changed} to change, {removed} to remove"),
        Tense::Past => format!("{added} added, {changed} changed, {removed} removed"),
    }
}
