//! `struct rtnl_link_ops vxlan_link_ops` of drivers/net/vxlan/vxlan_core.c.

use std::net::IpAddr;

use netnsctl_model::item::{Value, Values};
use netnsctl_netlink::packet::link::{InfoData, InfoVxlan};

use super::{Encoded, Wire};

pub(super) const WIRE: Wire = Wire {
    word: "vxlan",
    encode,
    decode,
    parent,
};

fn encode(values: &Values, parent: Option<u32>) -> Encoded {
    let byte = |word| values.number(word).and_then(|it| u8::try_from(it).ok());
    let port = values.number("port").and_then(|it| u16::try_from(it).ok());
    let attributes = [
        values.number("id").map(InfoVxlan::Id),
        values.ip("remote").map(|ip| match ip {
            IpAddr::V4(ip) => InfoVxlan::Group(ip),
            IpAddr::V6(ip) => InfoVxlan::Group6(ip),
        }),
        values.ip("local").map(|ip| match ip {
            IpAddr::V4(ip) => InfoVxlan::Local(ip),
            IpAddr::V6(ip) => InfoVxlan::Local6(ip),
        }),
        parent.map(InfoVxlan::Link),
        port.map(InfoVxlan::Port),
        byte("ttl").map(InfoVxlan::Ttl),
        values.flag("learning").map(InfoVxlan::Learning),
    ];
    Encoded {
        link: None,
        data: Some(InfoData::Vxlan(attributes.into_iter().flatten().collect())),
    }
}

fn decode(data: &InfoData) -> Values {
    let InfoData::Vxlan(attributes) = data else {
        return Values::new();
    };
    let value = |attribute: &InfoVxlan| {
        Some(match attribute {
            InfoVxlan::Id(id) => ("id", Value::Number(*id)),
            InfoVxlan::Group(ip) if !ip.is_unspecified() => ("remote", Value::Ip((*ip).into())),
            InfoVxlan::Group6(ip) if !ip.is_unspecified() => ("remote", Value::Ip((*ip).into())),
            InfoVxlan::Local(ip) if !ip.is_unspecified() => ("local", Value::Ip((*ip).into())),
            InfoVxlan::Local6(ip) if !ip.is_unspecified() => ("local", Value::Ip((*ip).into())),
            InfoVxlan::Port(port) => ("port", Value::Number((*port).into())),
            InfoVxlan::Ttl(ttl) => ("ttl", Value::Number((*ttl).into())),
            InfoVxlan::Learning(on) => ("learning", Value::Flag(*on)),
            _ => return None,
        })
    };
    attributes.iter().filter_map(value).collect()
}

fn parent(data: &InfoData) -> Option<u32> {
    let InfoData::Vxlan(attributes) = data else {
        return None;
    };
    attributes.iter().find_map(|attribute| match attribute {
        InfoVxlan::Link(index) => Some(*index),
        _ => None,
    })
}
