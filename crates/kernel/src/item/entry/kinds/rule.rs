//! `struct fib_rule_hdr` and FRA_* of linux/fib_rules.h, rtnetlink(7).

use std::net::IpAddr;

use ipnet::IpNet;
use netnsctl_model::item::{Value, Values};
use netnsctl_netlink::packet::route::RouteProtocol;
use netnsctl_netlink::packet::rule::{
    RuleAction, RuleAttribute, RuleFlags, RuleMessage, RulePortRange, RuleUidRange,
};
use netnsctl_netlink::packet::{AddressFamily, IpProtocol, RouteNetlinkMessage};
use netnsctl_netlink::packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, Nla as _};
use netnsctl_netlink::{Error, Socket, present};

use super::{Found, Wire};

pub(super) const WIRE: Wire = Wire {
    word: "rule",
    add: |values| {
        let message = RouteNetlinkMessage::NewRule(encode(values));
        (NLM_F_CREATE | NLM_F_EXCL, message)
    },
    remove: |values| (0, RouteNetlinkMessage::DelRule(encode(values))),
    list,
};

/// The rules that every namespace has: priority and table (`fib_default_rules_init()` in
/// net/ipv4/fib_rules.c).
const DEFAULT: [(u32, u32); 3] = [(0, 255), (32_766, 254), (32_767, 253)];

const PROTOCOLS: [(&str, IpProtocol); 8] = [
    ("ah", IpProtocol::Ah),
    ("esp", IpProtocol::Esp),
    ("gre", IpProtocol::Gre),
    ("icmp", IpProtocol::Icmp),
    ("icmpv6", IpProtocol::Other(58)),
    ("sctp", IpProtocol::Sctp),
    ("tcp", IpProtocol::Tcp),
    ("udp", IpProtocol::Udp),
];

fn encode(values: &Values) -> RuleMessage {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    header.family = match values.text("family") {
        Some("ipv6") => AddressFamily::Inet6,
        _ => AddressFamily::Inet,
    };
    header.action = match values.text("action") {
        Some("blackhole") => RuleAction::Blackhole,
        Some("prohibit") => RuleAction::Prohibit,
        Some("unreachable") => RuleAction::Unreachable,
        _ => RuleAction::ToTable,
    };
    if values.flag("not") == Some(true) {
        header.flags |= RuleFlags::Invert;
    }
    let (from, to) = (values.prefix("from"), values.prefix("to"));
    header.src_len = from.map_or(0, |from| from.prefix_len());
    header.dst_len = to.map_or(0, |to| to.prefix_len());
    let text = |word| values.text(word).map(str::to_owned);
    let ports = |word| {
        let (first, last) = values.range(word)?;
        let (start, end) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
        Some(RulePortRange { start, end })
    };
    let users = values.range("uid");
    let protocol = values.text("protocol").and_then(|word| {
        let known = PROTOCOLS.iter().find(|(name, _)| *name == word);
        known.map(|(_, protocol)| *protocol)
    });
    let attributes = [
        values.number("priority").map(RuleAttribute::Priority),
        values.number("table").map(RuleAttribute::Table),
        from.map(|from| RuleAttribute::Source(from.addr())),
        to.map(|to| RuleAttribute::Destination(to.addr())),
        text("iif").map(RuleAttribute::Iifname),
        text("oif").map(RuleAttribute::Oifname),
        values.number("fwmark").map(RuleAttribute::FwMark),
        values.number("fwmask").map(RuleAttribute::FwMask),
        users.map(|(start, end)| RuleAttribute::UidRange(RuleUidRange { start, end })),
        protocol.map(RuleAttribute::IpProtocol),
        ports("port").map(RuleAttribute::DestinationPortRange),
        ports("source_port").map(RuleAttribute::SourcePortRange),
        Some(RuleAttribute::Protocol(RouteProtocol::Static)),
    ];
    message.attributes = attributes.into_iter().flatten().collect();
    message
}

/// The rules of both families beyond those that every namespace has.
fn list(socket: &mut Socket) -> Result<Vec<Found>, Error> {
    let mut rules = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let request = || {
            let mut message = RuleMessage::default();
            message.header.family = family;
            RouteNetlinkMessage::GetRule(message)
        };
        let dumped = socket.dump(request, |message| match message {
            RouteNetlinkMessage::NewRule(rule) => decode(&rule),
            _ => None,
        });
        rules.extend(present(dumped)?);
    }
    Ok(rules)
}

/// None of a rule that every namespace has, or that the kernel made for a VRF.
fn decode(message: &RuleMessage) -> Option<Found> {
    let header = &message.header;
    let mut values = Values::new();
    let mut unknown = Vec::new();
    let is_ipv6 = header.family == AddressFamily::Inet6;
    values.set("family", if is_ipv6 { "ipv6" } else { "ipv4" }.into());
    values.set("priority", Value::Number(0));
    let is_inverted = header.flags.contains(RuleFlags::Invert);
    values.set("not", Value::Flag(is_inverted));
    match header.action {
        RuleAction::ToTable => values.set("action", "lookup".into()),
        RuleAction::Blackhole => values.set("action", "blackhole".into()),
        RuleAction::Prohibit => values.set("action", "prohibit".into()),
        RuleAction::Unreachable => values.set("action", "unreachable".into()),
        other => unknown.push(format!("{other:?}").to_lowercase()),
    }
    if header.tos != 0 {
        unknown.push(format!("tos {}", header.tos));
    }
    for attribute in &message.attributes {
        if let RuleAttribute::L3MDev(true) = attribute {
            return None;
        }
        match value(attribute, message) {
            Some((word, value)) => values.set(word, value),
            None => unknown.extend(beyond_keys(attribute)),
        }
    }
    // A mark of 0 is not told.
    if values.get("fwmask").is_some() && values.get("fwmark").is_none() {
        values.set("fwmark", Value::Number(0));
    }
    let numbers = values.number("priority").zip(values.number("table"));
    let is_plain = unknown.is_empty() && values.iter().count() == 5;
    if is_plain && numbers.is_some_and(|numbers| DEFAULT.contains(&numbers)) {
        return None;
    }
    Some(match unknown.is_empty() {
        true => Found::Known(values),
        false => {
            let priority = values.number("priority").unwrap_or_default();
            Found::Other(format!("rule {priority}: {}", unknown.join(", ")))
        }
    })
}

/// The key that an attribute stands for, with its value.
fn value(attribute: &RuleAttribute, message: &RuleMessage) -> Option<(&'static str, Value)> {
    let header = &message.header;
    let prefix = |ip: &IpAddr, length| IpNet::new(*ip, length).ok().map(Value::Prefix);
    Some(match attribute {
        RuleAttribute::Priority(number) => ("priority", Value::Number(*number)),
        RuleAttribute::Table(number) if *number != 0 && header.action == RuleAction::ToTable => {
            ("table", Value::Number(*number))
        }
        RuleAttribute::Source(ip) => ("from", prefix(ip, header.src_len)?),
        RuleAttribute::Destination(ip) => ("to", prefix(ip, header.dst_len)?),
        RuleAttribute::Iifname(name) => ("iif", name.as_str().into()),
        RuleAttribute::Oifname(name) => ("oif", name.as_str().into()),
        RuleAttribute::FwMark(mark) => ("fwmark", Value::Number(*mark)),
        RuleAttribute::FwMask(mask) => ("fwmask", Value::Number(*mask)),
        RuleAttribute::UidRange(users) => ("uid", Value::Range(users.start, users.end)),
        RuleAttribute::IpProtocol(protocol) => {
            let known = PROTOCOLS.iter().find(|(_, number)| number == protocol);
            ("protocol", known.map(|(word, _)| (*word).into())?)
        }
        RuleAttribute::DestinationPortRange(ports) => {
            ("port", Value::Range(ports.start.into(), ports.end.into()))
        }
        RuleAttribute::SourcePortRange(ports) => {
            let range = Value::Range(ports.start.into(), ports.end.into());
            ("source_port", range)
        }
        _ => return None,
    })
}

/// An attribute that no key stands for, if it says anything.
fn beyond_keys(attribute: &RuleAttribute) -> Option<String> {
    match attribute {
        RuleAttribute::Table(_)
        | RuleAttribute::Protocol(_)
        | RuleAttribute::L3MDev(_)
        | RuleAttribute::SuppressPrefixLen(u32::MAX)
        | RuleAttribute::SuppressIfGroup(u32::MAX) => None,
        RuleAttribute::Other(other) if is_whole_port(other) => None,
        other => Some(format!("{other:?}")),
    }
}

/// Whether all bits of a port count, as they do without a mask (FRA_SPORT_MASK and FRA_DPORT_MASK
/// of linux/fib_rules.h, Linux 6.15).
fn is_whole_port(attribute: &DefaultNla) -> bool {
    const PORT_MASKS: [u16; 2] = [28, 29];
    let mut value = [0; 2];
    let is_mask = PORT_MASKS.contains(&attribute.kind()) && attribute.value_len() == value.len();
    if is_mask {
        attribute.emit_value(&mut value);
    }
    is_mask && value == [0xff; 2]
}
