//! The shape of `status --json`, documented in docs/json.md. Fields are only ever added.

use std::collections::BTreeMap;

use netnsctl_model::desired::Protocol;
use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::plan::Verb;
use serde::Serialize;

use crate::output::Document;

/// Everything.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Process id of the `serve` that runs here.
    pub(crate) serve: Option<u32>,
    /// Declared or managed namespaces.
    pub(crate) netns: Vec<Netns>,
    /// Forwards that listen at home.
    pub(crate) home_forwards: Vec<Forward>,
    /// Other namespaces with a name.
    pub(crate) unmanaged: Vec<String>,
    /// What `up` would change that belongs to none of these namespaces: files that outlived their
    /// namespace, and who may enter the host namespace.
    pub(crate) elsewhere: Vec<Drift>,
    /// What is left as it is on purpose.
    pub(crate) notes: Vec<String>,
}

impl Document for Report {
    const VERSION: u32 = 1;
}

/// One namespace.
#[derive(Debug, Serialize)]
pub(crate) struct Netns {
    pub(crate) name: String,
    /// `up`, `absent`, `stale` (a name without a namespace) or `foreign` (not made by netnsctl).
    pub(crate) state: &'static str,
    pub(crate) declared: bool,
    pub(crate) inode: Option<u64>,
    pub(crate) holder: Option<Link>,
    pub(crate) veths: Vec<Veth>,
    /// Declared links that stand alone, besides that one.
    pub(crate) links: Vec<Link>,
    /// Links that are neither declared nor `lo`.
    pub(crate) other_links: Vec<Link>,
    pub(crate) routes: Vec<String>,
    /// Declared entries of other tables of the kernel.
    pub(crate) entries: Vec<Entry>,
    /// Declared sysctls, forwarding included, whose value differs.
    pub(crate) sysctl_differs: Vec<Sysctl>,
    pub(crate) forwards: Vec<Forward>,
    pub(crate) nscd: Nscd,
    pub(crate) processes: Vec<Process>,
    /// Services of systemd that belong here and are in an older namespace of this name.
    pub(crate) stale_services: Vec<String>,
    /// What `up` would change.
    pub(crate) drift: Vec<Drift>,
    /// What keeps `up` from reaching the declaration.
    pub(crate) problems: Vec<String>,
    /// What waits for a link that something else brings, a line for each such link.
    pub(crate) waiting: Vec<String>,
}

/// An entry of one of the kernel's tables.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// The word for its kind.
    pub(crate) kind: &'static str,
    pub(crate) description: String,
    /// Whether it is there.
    pub(crate) present: bool,
}

/// A network interface.
#[derive(Debug, Serialize)]
pub(crate) struct Link {
    pub(crate) interface: String,
    pub(crate) kind: Option<String>,
    pub(crate) up: bool,
    pub(crate) carrier: bool,
    pub(crate) mtu: u32,
    pub(crate) mac: Option<String>,
    /// What its kind has of its own, by the configuration's words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) values: BTreeMap<&'static str, String>,
    pub(crate) addresses: Vec<String>,
    /// Whether it is declared.
    pub(crate) declared: bool,
    /// Those of `addresses` that neither the declaration nor the kernel put there.
    pub(crate) extra_addresses: Vec<String>,
}

/// A veth end and where it leads.
#[derive(Debug, Serialize)]
pub(crate) struct Veth {
    #[serde(flatten)]
    pub(crate) link: Link,
    /// The namespace of the other end; none if it has no name.
    pub(crate) peer_netns: Option<String>,
    pub(crate) peer_interface: Option<String>,
}

/// A sysctl that is not as declared.
#[derive(Debug, Serialize)]
pub(crate) struct Sysctl {
    pub(crate) key: String,
    pub(crate) declared: String,
    /// None if there is no such key.
    pub(crate) value: Option<String>,
}

/// A forwarded port.
#[derive(Debug, Serialize)]
pub(crate) struct Forward {
    pub(crate) number: usize,
    #[serde(with = "crate::as_text")]
    pub(crate) protocol: Protocol,
    pub(crate) listen: String,
    pub(crate) netns: String,
    #[serde(with = "crate::as_text")]
    pub(crate) connect: ForwardAddress,
    /// Whether a forwarder answers for it; none if that is not known.
    pub(crate) running: Option<bool>,
    /// Why it is not known whether a forwarder answers.
    pub(crate) error: Option<String>,
    /// Its counters since its last start; none if it does not answer.
    pub(crate) counters: Option<netnsctl_forward::Counters>,
}

/// That it is not known whether a process runs, and `why`.
pub(crate) fn unknown(why: &str) -> String {
    format!("whether it runs cannot be found out: {why}")
}

/// The name-service daemon of a namespace.
#[derive(Debug, Serialize)]
pub(crate) struct Nscd {
    /// Whether it is declared to run.
    pub(crate) enabled: bool,
    /// Where it listens.
    pub(crate) socket: String,
    /// Whether it answers there; none if that is not known.
    pub(crate) running: Option<bool>,
    /// Why it is not known whether it answers.
    pub(crate) error: Option<String>,
}

impl Nscd {
    /// Why it is not known whether the daemon answers, as text.
    pub(crate) fn unknown(&self) -> String {
        unknown(self.error.as_deref().unwrap_or_default())
    }
}

/// A process inside.
#[derive(Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) command: String,
}

/// A difference between what is declared and what is there.
#[derive(Debug, Serialize)]
pub(crate) struct Drift {
    /// What `up` would do: `add`, `change` or `remove`.
    #[serde(with = "crate::as_text")]
    pub(crate) change: Verb,
    pub(crate) description: String,
}
