//! Where a forward listens and connects: reading it, and what was probably meant.

use crate::address::EndpointError;
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::text::quote;
use crate::desired::Protocol;
use crate::forward_address::{ForwardAddress, ForwardAddressError, SocketPathError};

/// Warns of targets that are not what they seem.
pub(super) fn odd_target(
    fields: &Fields<'_>,
    connect: &At<ForwardAddress>,
    report: &mut Report<'_>,
) {
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

/// Reads one end.
pub(super) fn address(
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
