//! `struct rtnl_link_ops macvlan_link_ops` of drivers/net/macvlan.c.

use netnsctl_model::item::Values;
use netnsctl_netlink::packet::link::{InfoData, InfoMacVlan, MacVlanMode};

use super::{Encoded, Wire};

pub(super) const WIRE: Wire = Wire {
    word: "macvlan",
    encode,
    decode,
    parent: |_| None,
};

fn encode(values: &Values, parent: Option<u32>) -> Encoded {
    let mode = values.text("mode").map(|mode| match mode {
        "passthru" => MacVlanMode::Passthrough,
        "private" => MacVlanMode::Private,
        "vepa" => MacVlanMode::Vepa,
        _ => MacVlanMode::Bridge,
    });
    let mode = mode.map(InfoMacVlan::Mode);
    Encoded {
        link: parent,
        data: Some(InfoData::MacVlan(mode.into_iter().collect())),
    }
}

fn decode(data: &InfoData) -> Values {
    let InfoData::MacVlan(attributes) = data else {
        return Values::new();
    };
    let mode = attributes.iter().find_map(|attribute| match attribute {
        InfoMacVlan::Mode(MacVlanMode::Bridge) => Some("bridge"),
        InfoMacVlan::Mode(MacVlanMode::Passthrough) => Some("passthru"),
        InfoMacVlan::Mode(MacVlanMode::Private) => Some("private"),
        InfoMacVlan::Mode(MacVlanMode::Vepa) => Some("vepa"),
        InfoMacVlan::Mode(_) => Some("another"),
        _ => None,
    });
    mode.into_iter().map(|mode| ("mode", mode.into())).collect()
}
