//! What the files declare, section by section, each value with its place.
//!
//! A value that was refused is missing here; its mistake has been reported.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::diagnostic::{At, Place, Report};
use super::text::quote;
use crate::address::{InterfaceAddress, MacAddress};
use crate::desired::{Dns, ForwardOptions, HolderChoice, Nscd, Protocol, RunAccess};
use crate::forward_address::ForwardAddress;
use crate::name::{InterfaceName, NetnsRef, SysctlKey};

/// Every namespace, home first.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) netns: BTreeMap<NetnsRef, Namespace>,
}

/// One namespace.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Its name, where it is declared.
    pub(super) place: Place,
    /// Index of the file that declares it; none if several do.
    pub(super) file: Option<usize>,
    /// None in home.
    pub(super) holder: Option<LinkName>,
    pub(super) kind: HolderChoice,
    pub(super) address: Vec<At<InterfaceAddress>>,
    pub(super) ipv4_forwarding: bool,
    pub(super) ipv6_forwarding: bool,
    pub(super) sysctl: BTreeMap<SysctlKey, String>,
    pub(super) routes: Vec<Route>,
    pub(super) dns: Dns,
    pub(super) nscd: Nscd,
    pub(super) forwards: Vec<Forward>,
    pub(super) veths: Vec<Veth>,
    pub(super) run: Option<RunAccess>,
}

impl Namespace {
    /// One of which nothing is known yet.
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            file: Some(place.file),
            holder: None,
            kind: HolderChoice::Auto,
            address: Vec::new(),
            ipv4_forwarding: false,
            ipv6_forwarding: false,
            sysctl: BTreeMap::new(),
            routes: Vec::new(),
            dns: Dns::default(),
            nscd: Nscd::default(),
            forwards: Vec::new(),
            veths: Vec::new(),
            run: None,
        }
    }

    /// Adds what another file declares of home, which nobody makes: ports and veth pairs stand for
    /// themselves, and who is allowed by one file is allowed.
    pub(super) fn join(&mut self, more: Self) {
        self.file = None;
        self.forwards.extend(more.forwards);
        self.veths.extend(more.veths);
        match (&mut self.run, more.run) {
            (Some(run), Some(more)) => {
                add(&mut run.users, more.users);
                add(&mut run.groups, more.groups);
            }
            (run, more) => *run = run.take().or(more),
        }
    }
}

/// Adds those of `more` that `names` does not have.
fn add(names: &mut Vec<String>, more: Vec<String>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// The name of a link, given or following from the name of a namespace.
#[derive(Debug, Clone)]
pub(super) struct LinkName {
    pub(super) name: InterfaceName,
    /// Where it is given, or what it is the default of.
    pub(super) place: Place,
    /// The key that gives it, or would.
    pub(super) key: &'static str,
    pub(super) given: bool,
}

#[derive(Debug)]
pub(super) struct Route {
    pub(super) to: Option<At<IpNet>>,
    pub(super) via: Option<At<IpAddr>>,
    pub(super) interface: Option<At<InterfaceName>>,
}

#[derive(Debug)]
pub(super) struct Forward {
    pub(super) protocol: Protocol,
    pub(super) listen: Option<At<ForwardAddress>>,
    pub(super) netns: Option<At<NetnsRef>>,
    pub(super) connect: Option<At<ForwardAddress>>,
    pub(super) options: ForwardOptions,
}

#[derive(Debug)]
pub(super) struct Veth {
    /// The namespace of the other end.
    pub(super) netns: Option<At<NetnsRef>>,
    pub(super) near: End,
    pub(super) far: End,
    pub(super) mtu: Option<At<u32>>,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) name: Option<LinkName>,
    pub(super) mac: MacAddress,
    pub(super) address: Vec<At<InterfaceAddress>>,
}

/// Names that mean something else to the kernel: the loopback link, and the two folders in
/// /proc/sys/net/ipv4/conf (`sysctl_dev_name_is_allowed()` in its net/ipv4/devinet.c).
const RESERVED: [&str; 3] = ["lo", "all", "default"];

/// Reads the name of a link that will be made, given as the value of `key`.
pub(super) fn link_name(
    text: At<&str>,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<LinkName> {
    let quoted = quote(text.value);
    let diagnostic = match InterfaceName::parse(text.value) {
        Ok(name) if !RESERVED.contains(&text.value) => {
            return Some(LinkName {
                name,
                place: text.place,
                key,
                given: true,
            });
        }
        Ok(_) => report.error(text.place, format!("no link can be named {quoted}")),
        Err(error) => report.error(text.place, format!("{quoted} {error}")),
    };
    diagnostic.hint("a link's name has 1 to 15 bytes, without \"/\", \":\", \"%\" or spaces, and is not \"lo\", \"all\" or \"default\"");
    None
}

/// The name of a link that is named after a namespace because `key` is not given.
pub(super) fn default_link_name(
    text: &str,
    place: Place,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<LinkName> {
    let why = match InterfaceName::parse(text) {
        Ok(name) if !RESERVED.contains(&text) => {
            return Some(LinkName {
                name,
                place,
                key,
                given: false,
            });
        }
        Ok(_) => "is a name the kernel keeps for itself".to_owned(),
        Err(error) => error.to_string(),
    };
    report
        .error(
            place,
            format!(
                "a link cannot be named after namespace {}: it {why}",
                quote(text)
            ),
        )
        .hint(format!("give {} a name of up to 15 bytes", quote(key)));
    None
}

/// Reads a reference to a namespace; whether there is such a one is not known yet.
pub(super) fn netns_ref(text: At<&str>, report: &mut Report<'_>) -> Option<At<NetnsRef>> {
    match NetnsRef::parse(text.value) {
        Ok(value) => Some(At {
            value,
            place: text.place,
        }),
        Err(error) => {
            report
                .error(text.place, format!("{} {error}", quote(text.value)))
                .hint("write the name of a declared namespace, or \"default\"");
            None
        }
    }
}

/// Reads a list of interface addresses.
pub(super) fn addresses(
    texts: Option<Vec<At<&str>>>,
    report: &mut Report<'_>,
) -> Vec<At<InterfaceAddress>> {
    let mut addresses: Vec<At<InterfaceAddress>> = Vec::new();
    for text in texts.unwrap_or_default() {
        let place = text.place;
        match super::values::interface_address(text.value) {
            Ok(value) => {
                let same = (addresses.iter()).find(|a| a.value.ip() == value.ip());
                if let Some(same) = same {
                    report
                        .error(place, format!("address {} is given twice", value.ip()))
                        .hint("keep one of them")
                        .related(same.place, "first given here");
                }
                addresses.push(At { value, place });
            }
            Err(bad) => {
                report.error(place, bad.message).hint(bad.hint);
            }
        }
    }
    addresses
}
