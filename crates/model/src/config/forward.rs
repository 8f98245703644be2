//! Ports: what listens here and where it leads.

use std::time::Duration;

use super::declared::{Forward, netns_ref};
use super::diagnostic::{At, Report};
use super::fields::Fields;
use super::keys::{PROTOCOLS, TCP_KEYS, UDP_KEYS};
use super::netns::{duration, one_of};
use super::text::quote;
use super::values;
use crate::address::EndpointError;
use crate::desired::{ForwardOptions, Protocol};
use crate::forward_address::{ForwardAddress, ForwardAddressError, SocketPathError};
use crate::name::NetnsRef;

/// Reads one `forward`.
pub(super) fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Forward {
    let protocol = match one_of(fields, "protocol", PROTOCOLS, report) {
        Some("udp") => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    fields.require("listen", report);
    let listen = address(fields, "listen", protocol, report);
    fields.require("connect", report);
    let connect = address(fields, "connect", protocol, report);
    if let Some(connect) = &connect {
        odd_target(fields, connect, report);
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
        options: options(fields, report),
    }
}

/// Warns of targets that are not what they seem.
fn odd_target(fields: &Fields<'_>, connect: &At<ForwardAddress>, report: &mut Report<'_>) {
    match &connect.value {
        ForwardAddress::Inet(endpoint) if endpoint.ip.is_unspecified() => {
            let quoted = quote(&endpoint.to_string());
            report
                .warning(
                    connect.place,
                    format!("{quoted} is no address to connect to"),
                )
                .hint("the kernel takes it for the loopback address; write that one");
        }
        ForwardAddress::Inet(_) => {}
        ForwardAddress::Unix(_) => {
            if let Some(netns) = fields.entry("netns") {
                report
                    .warning(netns.key_place, "\"netns\" means nothing for a unix socket")
                    .hint("its path is the same in every network namespace");
            }
        }
    }
}

fn address(
    fields: &Fields<'_>,
    key: &str,
    protocol: Protocol,
    report: &mut Report<'_>,
) -> Option<At<ForwardAddress>> {
    let text = fields.string(key, report)?;
    let quoted = quote(text.value);
    let place = text.place;
    let (message, hint) = match ForwardAddress::parse(text.value) {
        Ok(ForwardAddress::Inet(endpoint)) if endpoint.ip.is_multicast() => (
            format!("{quoted} is a multicast address, which cannot be forwarded"),
            "write the address of one host, such as \"127.0.0.1:80\"".to_owned(),
        ),
        Ok(ForwardAddress::Unix(_)) if protocol == Protocol::Udp => (
            format!("{quoted} is a unix socket, which carries no udp"),
            "take protocol = \"tcp\", or write an address and a port".to_owned(),
        ),
        Ok(value) => return Some(At { value, place }),
        Err(error) => {
            let hint = match &error {
                ForwardAddressError::Endpoint(error) => endpoint_hint(error, text.value),
                ForwardAddressError::Path(error) => path_hint(error),
            };
            (format!("{quoted} {error}"), hint)
        }
    };
    report.error(place, message).hint(hint);
    None
}

fn endpoint_hint(error: &EndpointError, text: &str) -> String {
    match error {
        EndpointError::HostName if text.starts_with('*') => endpoint_form(text),
        EndpointError::HostName => {
            "names are not resolved here; write the address, such as \"127.0.0.1:80\"".to_owned()
        }
        EndpointError::Form => endpoint_form(text),
        EndpointError::NeedlessScope => "take the \"%\" and the interface away".to_owned(),
        EndpointError::NoScope => "the same link-local address can be on every link".to_owned(),
        EndpointError::Port => "write it as \"127.0.0.1:80\" or \"[::1]:80\"".to_owned(),
        EndpointError::Scope(_) => "an interface name has 1 to 15 bytes".to_owned(),
    }
}

fn path_hint(error: &SocketPathError) -> String {
    match error {
        SocketPathError::Abstract => "give the socket a path, such as \"unix:/run/app.sock\"",
        SocketPathError::Relative | SocketPathError::Character(_) => {
            "write it as \"unix:/run/app.sock\""
        }
        SocketPathError::TooLong(_) => "a link to its folder may make the path shorter",
        SocketPathError::Parts => "write the plain path, such as \"unix:/run/app.sock\"",
    }
    .to_owned()
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
    if text.starts_with('/') {
        return format!(
            "a unix socket is written as {}",
            quote(&format!("unix:{text}"))
        );
    }
    "write it as \"127.0.0.1:80\", \"[::1]:80\" or \"unix:/run/app.sock\"".to_owned()
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

fn options(fields: &Fields<'_>, report: &mut Report<'_>) -> ForwardOptions {
    let default = ForwardOptions::default();
    let integer = |key, report: &mut Report<'_>| fields.integer(key, report).map(|it| it.value);
    let given = fields.integer_or_word("workers", report);
    let workers = given.and_then(|given| {
        let read = values::workers(&given.value);
        read.map_err(|bad| {
            report.error(given.place, bad.message).hint(bad.hint);
        })
        .ok()
    });
    let patience = |key, default, report: &mut Report<'_>| timeout(fields, key, default, report);
    ForwardOptions {
        connect_timeout: patience("connect_timeout", default.connect_timeout, report),
        drain: duration(fields, "drain", report).map_or(default.drain, |it| it.value),
        half_close_timeout: patience("half_close_timeout", default.half_close_timeout, report),
        keepalive: keepalive(fields, report).unwrap_or(default.keepalive),
        keepalive_probes: integer("keepalive_probes", report).unwrap_or(default.keepalive_probes),
        max_connections: integer("max_connections", report),
        proxy_protocol: fields
            .boolean("proxy_protocol", report)
            .unwrap_or(default.proxy_protocol),
        udp_timeout: patience("udp_timeout", default.udp_timeout, report),
        max_sessions: integer("max_sessions", report).unwrap_or(default.max_sessions),
        workers: workers.unwrap_or(default.workers),
    }
}

fn keepalive(fields: &Fields<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let given = duration(fields, "keepalive", report)?;
    if let (true, Some(probes)) = (given.value.is_zero(), fields.entry("keepalive_probes")) {
        report
            .warning(
                probes.key_place,
                "\"keepalive_probes\" means nothing without probes",
            )
            .hint("keepalive = \"0s\" switches them off");
    }
    match values::check_keepalive(given.value) {
        Ok(()) => Some(given.value),
        Err(bad) => {
            report.error(given.place, bad.message).hint(bad.hint);
            None
        }
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
