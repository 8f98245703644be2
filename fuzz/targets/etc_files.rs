//! Any text as a resolv.conf or nsswitch.conf: what is written for a namespace reads back, and
//! nothing in it asks the host's systemd-resolved.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use netnsctl_model::desired::Dns;
use netnsctl_model::etc_files::{
    hosts_line, is_ours, name_servers, nsswitch_conf, resolv_conf, uses_tcp,
};
use netnsctl_model::name::NetnsName;

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

/// The services for hosts of a line, as glibc reads it (nss_database.c, nss_action_parse.c).
fn services(line: &[u8]) -> Option<Vec<&[u8]>> {
    let end = line.iter().position(|byte| *byte == b'#');
    let line = &line[..end.unwrap_or(line.len())];
    let line = line.trim_ascii_start();
    let line = line.strip_prefix(b"\x0b").unwrap_or(line);
    let end = line
        .iter()
        .position(|byte| is_space(*byte) || *byte == b':')?;
    (&line[..end] == b"hosts").then_some(())?;
    let (mut found, mut in_action) = (vec![&b""[..]], false);
    for (at, byte) in line.iter().enumerate().skip(end) {
        in_action |= *byte == b'[';
        let is_part = !in_action && !is_space(*byte) && (*byte != b':' || !found[0].is_empty());
        match found.last_mut().filter(|_| is_part) {
            Some(last) => *last = &line[at - last.len()..=at],
            None => found.push(b""),
        }
        in_action &= *byte != b']';
    }
    Some(found)
}

fuzz_target!(|input: (&str, Vec<IpAddr>)| {
    let (text, nameservers) = input;
    let name = NetnsName::parse("office").expect("a name");

    let servers = name_servers(text);
    assert!((1..=3).contains(&servers.len()));
    assert!(
        servers
            .iter()
            .all(|it| !it.is_empty() && !it.contains(char::is_whitespace))
    );
    let _ = uses_tcp(text);
    let dns = Dns {
        nameservers: nameservers
            .iter()
            .take(3)
            .map(ToString::to_string)
            .collect(),
        ..Dns::default()
    };
    let written = resolv_conf(&name, &dns);
    assert!(is_ours(&written) && !uses_tcp(&written));
    if !dns.nameservers.is_empty() {
        assert_eq!(name_servers(&written), dns.nameservers);
    }

    // A text with a NUL is another one for the C library.
    if text.contains('\0') {
        return;
    }
    let written = nsswitch_conf(&name, text);
    assert!(is_ours(&written));
    for line in written.lines() {
        for service in services(line.as_bytes()).into_iter().flatten() {
            assert_ne!(service, b"resolve", "{line:?}");
        }
    }
    assert_eq!(hosts_line(text).is_some(), hosts_line(&written).is_some());
    let again = nsswitch_conf(&name, &written);
    assert_eq!(hosts_line(&again), hosts_line(&written));
});
