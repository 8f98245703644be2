//! Values written as text: lengths of time, addresses, prefixes, sysctl values.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::text::quote;
use crate::address::{InterfaceAddress, MacAddress, is_link_local};
use crate::desired::Workers;
use crate::name::{InterfaceName, NetnsRef, is_control};

/// The word for as many workers as there are processors.
pub const AUTO: &str = "auto";

/// Workers a forward can have. Each is a thread with an event loop of its own.
pub const WORKERS: std::ops::RangeInclusive<i64> = 1..=64;

/// What is wrong with a value, and what would have been right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// What is wrong, the value quoted.
    pub message: String,
    /// What would have been right.
    pub hint: String,
}

impl BadValue {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// The longest time that can be given, in seconds: a year. What is added to a clock must not
/// overflow it.
const DURATION_MAX: u64 = 366 * 24 * 60 * 60;

/// Units, largest first, and their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads `10s`, `500ms` or `1m30s`: whole numbers with units, larger units first.
pub fn duration(text: &str) -> Result<Duration, BadValue> {
    let quoted = quote(text);
    let usual = "write it as \"500ms\", \"10s\", \"2m\" or \"1h30m\"";
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("{quoted} has no unit");
        return Err(BadValue::new(
            message,
            format!(
                "write it as \"{}s\" if it is seconds",
                quoted.trim_matches('"')
            ),
        ));
    }
    let bad = || BadValue::new(format!("{quoted} is not a length of time"), usual);
    let mut rest = text;
    let mut total: u64 = 0;
    let mut allowed = 0;
    while !rest.is_empty() || allowed == 0 {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len()
            - tail
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, tail) = tail.split_at(letters);
        let index = UNITS.iter().position(|(name, _)| *name == unit);
        let index = index
            .filter(|i| *i >= allowed && digits > 0)
            .ok_or_else(bad)?;
        let part = number
            .parse()
            .ok()
            .and_then(|n: u64| n.checked_mul(UNITS[index].1));
        total = part
            .and_then(|part| total.checked_add(part))
            .unwrap_or(u64::MAX);
        allowed = index + 1;
        rest = tail;
    }
    if total > DURATION_MAX * 1000 {
        return Err(BadValue::new(
            format!("{quoted} is more than a year"),
            usual,
        ));
    }
    Ok(Duration::from_millis(total))
}

/// Writes a length of time as [`duration`] reads it; less than a millisecond is dropped.
pub fn write_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        let count = rest / milliseconds;
        rest %= milliseconds;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// The longest pause between keepalive probes, in seconds: MAX_TCP_KEEPIDLE of the kernel's
/// include/net/tcp.h.
const KEEPALIVE_MAX: u64 = 32_767;

/// Checks the pause between keepalive probes of tcp(7); zero means no probes.
pub fn check_keepalive(pause: Duration) -> Result<(), BadValue> {
    if pause.subsec_nanos() == 0 && pause.as_secs() <= KEEPALIVE_MAX {
        return Ok(());
    }
    Err(BadValue::new(
        format!("keepalive probes are whole seconds apart, {KEEPALIVE_MAX} at most"),
        "write it as \"15s\"; \"0s\" switches them off",
    ))
}

/// Reads a number of threads from 1 to 64, or `auto`.
pub fn workers(text: &str) -> Result<Workers, BadValue> {
    if text == AUTO {
        return Ok(Workers::Auto);
    }
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let count = digits.then(|| text.parse().ok()).flatten();
    let fits = count.filter(|count: &u32| WORKERS.contains(&i64::from(*count)));
    fits.map(Workers::Exactly).ok_or_else(|| {
        BadValue::new(
            format!("{} is no number of workers", quote(text)),
            format!(
                "it is between {} and {}, or \"{AUTO}\"",
                WORKERS.start(),
                WORKERS.end()
            ),
        )
    })
}

/// Splits `ADDRESS/LENGTH`; without a length it is that of a single address.
fn net(text: &str, usual: &str) -> Result<IpNet, BadValue> {
    let quoted = quote(text);
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(ip) = address.parse::<IpAddr>() else {
        let message = format!("{quoted} is not an IP address");
        return Err(BadValue::new(message, usual));
    };
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => Some(most),
        Some(l) if l.len() > 3 || !l.bytes().all(|b| b.is_ascii_digit()) => None,
        Some(l) => l.parse().ok().filter(|l| *l <= most),
    };
    length
        .and_then(|length| IpNet::new(ip, length).ok())
        .ok_or_else(|| {
            let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
            BadValue::new(
                format!("{quoted} has a bad prefix length"),
                format!("for {family} it is a number from 0 to {most}"),
            )
        })
}

/// Reads the address of an interface, host bits and all.
pub fn interface_address(text: &str) -> Result<InterfaceAddress, BadValue> {
    let usual = "write it as \"10.20.0.1/24\" or \"fd20::1/64\"";
    let net = net(text, usual)?;
    let what = match net.addr() {
        ip if ip.is_unspecified() => "the unspecified address",
        ip if ip.is_multicast() => "a multicast address",
        IpAddr::V4(ip) if ip.is_broadcast() => "the broadcast address",
        // Refused by ipv6_add_addr() in the kernel's net/ipv6/addrconf.c.
        IpAddr::V6(ip) if ip.is_loopback() => "the address of \"lo\"",
        _ => return Ok(InterfaceAddress(net)),
    };
    Err(BadValue::new(
        format!("{} is {what}, which no interface can have", quote(text)),
        usual,
    ))
}

/// Reads the prefix that a route leads to.
pub fn prefix(text: &str) -> Result<IpNet, BadValue> {
    let net = net(
        text,
        "write it as \"default\", \"10.0.0.0/8\" or \"fd00::/8\"",
    )?;
    if net.trunc() == net {
        return Ok(net);
    }
    Err(BadValue::new(
        format!("{} has bits set behind its prefix", quote(text)),
        format!("the prefix is \"{}\"", net.trunc()),
    ))
}

/// Reads an address, of whatever kind.
pub fn ip(text: &str) -> Result<IpAddr, BadValue> {
    let usual = "write it as \"192.0.2.1\" or \"2001:db8::1\"";
    match text.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => {
            let message = format!("{} is the unspecified address", quote(text));
            Err(BadValue::new(message, usual))
        }
        Ok(ip) => Ok(ip),
        Err(_) => {
            let message = format!("{} is not an IP address", quote(text));
            Err(BadValue::new(message, usual))
        }
    }
}

/// Reads the name of a link that is there.
pub fn interface(text: &str) -> Result<InterfaceName, BadValue> {
    InterfaceName::parse(text).map_err(|error| BadValue {
        message: format!("{} {error}", quote(text)),
        hint: "write the name of a link".to_owned(),
    })
}

/// Reads the name of a namespace, or `default`; whether there is such a one is not known yet.
pub fn netns(text: &str) -> Result<NetnsRef, BadValue> {
    NetnsRef::parse(text).map_err(|error| BadValue {
        message: format!("{} {error}", quote(text)),
        hint: "write the name of a declared namespace, or \"default\"".to_owned(),
    })
}

/// Reads an address that a link can have at its own level.
pub fn mac(text: &str) -> Result<MacAddress, BadValue> {
    MacAddress::parse(text).ok_or_else(|| BadValue {
        message: format!("{} is no address that a link can have", quote(text)),
        hint: "write six bytes, such as \"02:00:00:00:00:01\"; the first is even, not all are zero"
            .to_owned(),
    })
}

/// Reads a gateway.
pub fn gateway(text: &str) -> Result<IpAddr, BadValue> {
    let usual = "write it as \"192.168.77.1\" or \"fd77::1\"";
    let Ok(ip) = text.parse::<IpAddr>() else {
        let message = format!("{} is not an IP address", quote(text));
        let hint = match text.split_once('/') {
            Some((ip, _)) if ip.parse::<IpAddr>().is_ok() => {
                "a gateway has no prefix length".to_owned()
            }
            _ => usual.to_owned(),
        };
        return Err(BadValue::new(message, hint));
    };
    let what = match ip {
        ip if ip.is_unspecified() => "the unspecified address",
        ip if ip.is_multicast() => "a multicast address",
        ip if ip.is_loopback() => "a loopback address",
        _ => return Ok(ip),
    };
    Err(BadValue::new(
        format!("{} is {what}, which no gateway can have", quote(text)),
        usual,
    ))
}

/// Reads an entry for `nameserver` in resolv.conf(5): an address, or an IPv6 link-local one with
/// its interface behind a `%`. True stands for an address of the namespace itself.
pub fn nameserver(text: &str) -> Result<bool, BadValue> {
    let bad = |hint: &str| {
        let message = format!("{} is not an IP address", quote(text));
        Err(BadValue::new(message, hint))
    };
    let (address, scope) = match text.split_once('%') {
        Some((address, scope)) => (address, Some(scope)),
        None => (text, None),
    };
    let Ok(ip) = address.parse::<IpAddr>() else {
        return match text.parse::<std::net::SocketAddr>() {
            Ok(_) => bad("resolv.conf takes no port"),
            Err(_) => bad(
                "write it as \"1.1.1.1\" or \"2606:4700:4700::1111\"; names are not resolved here",
            ),
        };
    };
    let link_local = is_link_local(ip);
    match scope {
        Some(scope) if !link_local || InterfaceName::parse(scope).is_err() => {
            return bad(
                "\"%INTERFACE\" follows link-local addresses only, such as \"fe80::1%host\"",
            );
        }
        None if link_local => {
            return Err(BadValue::new(
                format!(
                    "{} is a link-local address without its interface",
                    quote(text)
                ),
                format!("write it as \"{ip}%INTERFACE\""),
            ));
        }
        _ => {}
    }
    if ip.is_multicast() {
        return bad("a multicast address answers no questions");
    }
    // The C library takes the unspecified address for the local host.
    Ok(ip.to_canonical().is_loopback() || ip.is_unspecified())
}

/// The first character of `text` that has no place in one line of a file.
pub(super) fn control_character(text: &str) -> Option<char> {
    text.chars().find(|c| is_control(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, milliseconds) in [
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("1d2h3m4s5ms", 93_784_005),
        ] {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(write_duration(read), text);
        }
        for bad in [
            "",
            "10",
            "s",
            "1.5s",
            "-1s",
            "1s1m",
            "1s1s",
            "1 s",
            "1w",
            "400d",
            "99999999999999999999h",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_keep_their_host_bits() {
        for (text, read) in [
            ("10.20.0.1/24", "10.20.0.1/24"),
            ("10.20.0.1", "10.20.0.1/32"),
            ("fd20::1", "fd20::1/128"),
            ("fe80::1/64", "fe80::1/64"),
        ] {
            assert_eq!(interface_address(text).unwrap().to_string(), read);
        }
        for bad in [
            "10.20.0.1/33",
            "::1/129",
            "10.0.0.1/",
            "10.0.0.1/+1",
            "10.0.0",
            "224.0.0.1",
            "::",
            "::1",
            "ff02::1",
            "a/24",
        ] {
            assert!(interface_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nameservers_that_are_this_host_are_seen() {
        for (text, own) in [
            ("127.0.0.53", true),
            ("::1", true),
            ("0.0.0.0", true),
            ("::ffff:127.0.0.1", true),
            ("1.1.1.1", false),
            ("fe80::1%host", false),
        ] {
            assert_eq!(nameserver(text), Ok(own), "{text}");
        }
        for bad in [
            "1.1.1.1:53",
            "[::1]:53",
            "dns.example",
            "1.1.1.1%host",
            "fe80::1",
            "224.0.0.251",
            "",
        ] {
            assert!(nameserver(bad).is_err(), "{bad}");
        }
    }
}
