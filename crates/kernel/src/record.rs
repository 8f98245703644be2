//! Records as JSON: the wire form of [`Record`], apart from the type the planner works with.

use std::collections::BTreeMap;

use netnsctl_model::address::InterfaceAddress;
use netnsctl_model::desired::Route;
use netnsctl_model::name::{InterfaceName, NetnsRef, SysctlKey};
use netnsctl_model::observed::{Applied, Identity, Record, VethEnds};
use serde::{Deserialize, Serialize};

/// Grows when a reader of an earlier form could misunderstand a later one.
const FORM: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Wire {
    form: u32,
    device: u64,
    inode: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<u64>,
    #[serde(default)]
    holders: Vec<String>,
    #[serde(default)]
    veths: Vec<[Place; 2]>,
    #[serde(default)]
    addresses: Vec<WireAddress>,
    #[serde(default)]
    routes: Vec<WireRoute>,
    #[serde(default)]
    sysctl: BTreeMap<String, String>,
    #[serde(default)]
    directories: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    netns: String,
    interface: String,
}

#[derive(Serialize, Deserialize)]
struct WireAddress {
    netns: String,
    interface: String,
    address: String,
}

#[derive(Serialize, Deserialize)]
struct WireRoute {
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    via: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
}

pub(crate) fn to_json(record: &Record) -> String {
    let Record { identity, applied } = record;
    let place = |(netns, interface): &(NetnsRef, InterfaceName)| Place {
        netns: netns.to_string(),
        interface: interface.to_string(),
    };
    let wire = Wire {
        form: FORM,
        device: identity.device,
        inode: identity.inode,
        cookie: identity.cookie,
        holders: applied.holders.iter().map(ToString::to_string).collect(),
        veths: applied
            .veths
            .iter()
            .map(|ends| [place(&ends.near), place(&ends.far)])
            .collect(),
        addresses: applied.addresses.iter().map(wire_address).collect(),
        routes: applied.routes.iter().map(wire_route).collect(),
        sysctl: applied
            .sysctl
            .iter()
            .map(|(k, v)| (k.to_string(), v.clone()))
            .collect(),
        directories: applied.directories.iter().cloned().collect(),
    };
    // Strings, numbers and lists of them cannot fail to become JSON.
    let mut text = serde_json::to_string(&wire).unwrap_or_default();
    text.push('\n');
    text
}

fn wire_address(entry: &(NetnsRef, InterfaceName, InterfaceAddress)) -> WireAddress {
    let (netns, interface, address) = entry;
    WireAddress {
        netns: netns.to_string(),
        interface: interface.to_string(),
        address: address.to_string(),
    }
}

fn wire_route(route: &Route) -> WireRoute {
    WireRoute {
        to: route.to.to_string(),
        via: route.via.map(|via| via.to_string()),
        interface: route.interface.as_ref().map(ToString::to_string),
    }
}

/// Reads a record. The error says what is wrong with it.
pub(crate) fn from_json(text: &str) -> Result<Record, String> {
    let wire: Wire = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if wire.form != FORM {
        return Err(format!(
            "it is of form {}, this netnsctl knows {FORM}",
            wire.form
        ));
    }
    let identity = Identity {
        device: wire.device,
        inode: wire.inode,
        cookie: wire.cookie,
    };
    let mut applied = Applied {
        directories: wire.directories.into_iter().collect(),
        ..Applied::default()
    };
    for name in &wire.holders {
        applied.holders.insert(interface(name)?);
    }
    for [near, far] in &wire.veths {
        let near = (netns(&near.netns)?, interface(&near.interface)?);
        let far = (netns(&far.netns)?, interface(&far.interface)?);
        applied.veths.insert(VethEnds { near, far });
    }
    for entry in &wire.addresses {
        let address = InterfaceAddress(parse(&entry.address)?);
        applied
            .addresses
            .insert((netns(&entry.netns)?, interface(&entry.interface)?, address));
    }
    for route in &wire.routes {
        applied.routes.insert(Route {
            to: parse(&route.to)?,
            via: route.via.as_deref().map(parse).transpose()?,
            interface: route.interface.as_deref().map(interface).transpose()?,
        });
    }
    for (key, value) in wire.sysctl {
        let key = SysctlKey::parse(&key).map_err(|error| format!("sysctl {key:?} {error}"))?;
        applied.sysctl.insert(key, value);
    }
    Ok(Record { identity, applied })
}

fn interface(text: &str) -> Result<InterfaceName, String> {
    InterfaceName::parse(text).map_err(|error| format!("interface {text:?} {error}"))
}

fn netns(text: &str) -> Result<NetnsRef, String> {
    NetnsRef::parse(text).map_err(|error| format!("netns {text:?} {error}"))
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}

/// Entry for fuzzing: any text as a record.
#[doc(hidden)]
pub fn fuzz_record(text: &str) {
    if let Ok(record) = from_json(text) {
        assert_eq!(from_json(&to_json(&record)), Ok(record));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = r#"{"form":1,"device":4,"inode":4026532525,"cookie":7,
        "holders":["left"],
        "veths":[[{"netns":"left","interface":"host"},{"netns":"default","interface":"left"}]],
        "addresses":[{"netns":"default","interface":"left","address":"192.168.77.2/30"}],
        "routes":[{"to":"0.0.0.0/0","via":"192.168.77.2"},{"to":"::/0","interface":"host"}],
        "sysctl":{"net.ipv4.conf.all.forwarding":"0"},
        "directories":["/etc/netns"],"later":"a field of a later version"}"#;

    #[test]
    fn a_record_reads_as_it_was_written() {
        let record = from_json(WRITTEN).unwrap();
        assert_eq!(record.identity.cookie, Some(7));
        assert_eq!(
            (record.applied.veths.len(), record.applied.routes.len()),
            (1, 2)
        );
        assert_eq!(from_json(&to_json(&record)), Ok(record));
    }

    #[test]
    fn what_is_no_record_says_why() {
        let bad = [
            ("", "EOF"),
            (&WRITTEN.replace("\"form\":1", "\"form\":2"), "form 2"),
            (
                &WRITTEN.replace("192.168.77.2/30", "nowhere"),
                "\"nowhere\" is no address",
            ),
            (
                &WRITTEN.replace("[\"left\"]", "[\"a/b\"]"),
                "interface \"a/b\"",
            ),
        ];
        for (text, why) in bad {
            let error = from_json(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
