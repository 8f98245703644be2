//! A tunnel for Ethernet frames in UDP, RFC 7348. See ip-link(8), "VXLAN Type Support".

use crate::config::section::{Fallback, Form, Key, Kind};
use crate::item::link::kind::{Contradiction, LinkKind, parent, parent_netns};
use crate::item::{Value, Values};

const WORD: &str = "vxlan";
const OF: &[&str] = &[WORD];

/// The port that IANA gave it.
const PORT: u32 = 4789;

pub(super) const KIND: LinkKind = LinkKind {
    word: WORD,
    keys: &[
        parent(OF),
        parent_netns(
            OF,
            "the namespace of that link, and in any case that in which packets leave",
        ),
        Key::new(
            "id",
            Kind::Integer(0, 0x00ff_ffff),
            "42",
            "the network's number (VNI); one link of a namespace has it for one port",
        )
        .required()
        .of(OF),
        Key::new(
            "remote",
            Kind::String(Form::Ip),
            "\"192.0.2.2\"",
            "where packets go that no other entry leads to; a multicast address needs a parent",
        )
        .of(OF),
        Key::new(
            "local",
            Kind::String(Form::Ip),
            "\"192.0.2.1\"",
            "the address that packets come from",
        )
        .of(OF),
        Key::new(
            "port",
            Kind::Integer(1, 65535),
            "4789",
            "the UDP port at both ends",
        )
        .or(Fallback::Integer(PORT))
        .of(OF),
        Key::new(
            "ttl",
            Kind::Integer(0, 255),
            "64",
            "TTL or hop limit of packets; 0: the kernel's choice",
        )
        .or(Fallback::Integer(0))
        .of(OF),
        Key::new(
            "learning",
            Kind::Boolean,
            "true",
            "whether it learns from packets which address is where",
        )
        .or(Fallback::Boolean(true))
        .of(OF),
    ],
    // `vxlan_changelink()` in drivers/net/vxlan/vxlan_core.c; a new parent would stand for another
    // multicast group too, so with one the link is made anew.
    in_place: &["remote", "local", "ttl", "learning"],
    check,
    ..LinkKind::PLAIN
};

fn check(values: &Values) -> Option<Contradiction> {
    let remote = values.ip("remote");
    let local = values.ip("local");
    if let Some((remote, local)) = remote.zip(local)
        && remote.is_ipv4() != local.is_ipv4()
    {
        return Some(Contradiction {
            word: "local",
            message: format!("{local} and {remote} are of different families"),
            hint: "give \"local\" and \"remote\" of one family".to_owned(),
        });
    }
    if local.is_some_and(|local| local.is_multicast()) {
        return Some(Contradiction {
            word: "local",
            message: "no packet can come from a multicast address".to_owned(),
            hint: "give an address of the namespace in \"parent_netns\"".to_owned(),
        });
    }
    let is_group = remote.is_some_and(|remote| remote.is_multicast());
    let has_parent = matches!(values.get("parent"), Some(Value::Text(_)));
    (is_group && !has_parent).then(|| Contradiction {
        word: "remote",
        message: "a multicast address is joined at a link, and none is given".to_owned(),
        hint: "give \"parent\", the link that leads to the group".to_owned(),
    })
}
