//! Ports: what listens here and where it leads.

use std::time::Duration;

use super::declared::{Forward, netns_ref};
use super::diagnostic::{At, Report};
use super::fields::Fields;
use super::keys::{PROTOCOLS, TCP_KEYS, UDP_KEYS};
use super::netns::{duration, one_of};
use super::text::quote;
use crate::address::{Endpoint, EndpointError};
use crate::desired::{ForwardLimits, Protocol};
use crate::name::NetnsRef;

/// Reads one `forward`.
pub(super) fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Forward {
    let protocol = match one_of(fields, "protocol", PROTOCOLS, report) {
        Some("udp") => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    fields.require("listen", report);
    let listen = endpoint(fields, "listen", report);
    fields.require("connect", report);
    let connect = endpoint(fields, "connect", report);
    if let Some(connect) = (connect.as_ref()).filter(|c| c.value.ip.is_unspecified()) {
        report
            .warning(
                connect.place,
                format!(
                    "{} is no address to connect to",
                    quote(&connect.value.to_string())
                ),
            )
            .hint("the kernel takes it for the loopback address; write that one");
    }
    let netns = match fields.entry("netns") {
        Some(_) => (fields.string("netns", report)).and_then(|text| netns_ref(text, report)),
        None => Some(At {
            value: NetnsRef::Home,
            place: fields.place,
        }),
    };
    // Which keys are useless is known only if the protocol is.
    if fields.entry("protocol").is_none_or(|e| matches!(&e.node.value, super::tree::Value::String(s) if PROTOCOLS.contains(&s.as_str()))) {
        useless(fields, protocol, report);
    }
    Forward {
        protocol,
        listen,
        netns,
        connect,
        limits: limits(fields, report),
    }
}

fn endpoint(fields: &Fields<'_>, key: &str, report: &mut Report<'_>) -> Option<At<Endpoint>> {
    let text = fields.string(key, report)?;
    let quoted = quote(text.value);
    let place = text.place;
    match Endpoint::parse(text.value) {
        Ok(value) if value.ip.is_multicast() => {
            report
                .error(
                    place,
                    format!("{quoted} is a multicast address, which cannot be forwarded"),
                )
                .hint("write the address of one host, such as \"127.0.0.1:80\"");
            None
        }
        Ok(value) => Some(At { value, place }),
        Err(error) => {
            let hint = match &error {
                EndpointError::HostName if text.value.starts_with('*') => endpoint_form(text.value),
                EndpointError::HostName => {
                    "names are not resolved here; write the address, such as \"127.0.0.1:80\""
                        .to_owned()
                }
                EndpointError::Form => endpoint_form(text.value),
                EndpointError::NeedlessScope => "take the \"%\" and the interface away".to_owned(),
                EndpointError::NoScope => {
                    "the same link-local address can be on every link".to_owned()
                }
                EndpointError::Port => "write it as \"127.0.0.1:80\" or \"[::1]:80\"".to_owned(),
                EndpointError::Scope(_) => "an interface name has 1 to 15 bytes".to_owned(),
            };
            report.error(place, format!("{quoted} {error}")).hint(hint);
            None
        }
    }
}

/// The endpoint that was probably meant.
fn endpoint_form(text: &str) -> String {
    let brackets = |ip: &str| ip.parse::<std::net::Ipv6Addr>().is_ok();
    if let Some((ip, port)) = text.rsplit_once(':')
        && brackets(ip)
        && port.parse::<u16>().is_ok()
    {
        return format!("put brackets around an IPv6 address: \"[{ip}]:{port}\"");
    }
    if text.parse::<u16>().is_ok() {
        return format!("put the address before the port: \"127.0.0.1:{text}\"");
    }
    if let Some(port) = text
        .strip_prefix(['*', ':'])
        .map(|t| t.trim_start_matches(':'))
        && port.parse::<u16>().is_ok()
    {
        return format!("all addresses are written as \"0.0.0.0:{port}\" or \"[::]:{port}\"");
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return "put a colon and the port behind the address".to_owned();
    }
    "write it as \"127.0.0.1:80\" or \"[::1]:80\"".to_owned()
}

/// Warns of keys that mean nothing for the protocol.
fn useless(fields: &Fields<'_>, protocol: Protocol, report: &mut Report<'_>) {
    let (keys, other) = match protocol {
        Protocol::Tcp => (UDP_KEYS, Protocol::Udp),
        Protocol::Udp => (TCP_KEYS, Protocol::Tcp),
    };
    for entry in fields.entries() {
        if keys.contains(&entry.key.as_str()) {
            let message = format!("{} means nothing for {protocol}", quote(&entry.key));
            report
                .warning(entry.key_place, message)
                .hint(format!("it is for protocol = \"{other}\""));
        }
    }
}

fn limits(fields: &Fields<'_>, report: &mut Report<'_>) -> ForwardLimits {
    let default = ForwardLimits::default();
    let connections = fields.integer("max_connections", report);
    let sessions = fields.integer("max_sessions", report);
    ForwardLimits {
        connect_timeout: timeout(fields, "connect_timeout", default.connect_timeout, report),
        half_close_timeout: timeout(
            fields,
            "half_close_timeout",
            default.half_close_timeout,
            report,
        ),
        max_connections: connections.map(|c| c.value),
        udp_timeout: timeout(fields, "udp_timeout", default.udp_timeout, report),
        max_sessions: sessions.map_or(default.max_sessions, |s| s.value),
    }
}

fn timeout(
    fields: &Fields<'_>,
    key: &'static str,
    default: Duration,
    report: &mut Report<'_>,
) -> Duration {
    match duration(fields, key, report) {
        Some(given) if given.value.is_zero() => {
            report
                .error(given.place, format!("{} cannot be zero", quote(key)))
                .hint("nothing would live long enough to be of use; write a time such as \"10s\"");
            default
        }
        Some(given) => given.value,
        None => default,
    }
}
