//! The file as a whole, and a namespace's own keys.

use super::declared::{Declared, LinkName, Namespace, addresses, default_link_name, link_name};
use super::diagnostic::{At, Place, Report};
use super::fields::Fields;
use super::keys;
use super::text::{list, nearest, quote};
use super::tree::{Entry, Node, Value};
use super::values::{self, control_character};
use super::{forward, route, veth};
use crate::desired::{Dns, HolderChoice, HolderKind, Nscd, RunAccess};
use crate::name::{NameError, NetnsRef, SysctlKey};

/// Reads everything that one file declares.
pub(super) fn read_file(root: &Node, declared: &mut Declared, report: &mut Report<'_>) {
    let Some(file) = Fields::open(root, &keys::FILE, report) else {
        return;
    };
    // For editors alone.
    let _ = file.string("$schema", report);
    let Some(entry) = file.entry("netns") else {
        return;
    };
    let Value::Table(entries) = &entry.node.value else {
        let is = entry.node.value.type_words();
        report
            .error(
                entry.node.place,
                format!("\"netns\" is {is}, but has to be a table"),
            )
            .hint("namespaces stand in it by name, each a table");
        return;
    };
    for entry in entries {
        read_netns(entry, declared, report);
    }
}

fn read_netns(entry: &Entry, declared: &mut Declared, report: &mut Report<'_>) {
    let place = entry.key_place;
    let name = match NetnsRef::parse(&entry.key) {
        Ok(name) => Some(name),
        Err(error) => {
            report
                .error(place, format!("{} {error}", quote(&entry.key)))
                .hint("a namespace's name is a file name of up to 200 bytes");
            None
        }
    };
    let namespace = match &name {
        Some(NetnsRef::Home) => home(entry, report),
        _ => named(entry, name.is_some(), report),
    };
    let Some(name) = name else {
        return;
    };
    match declared.netns.get_mut(&name) {
        Some(home) if name == NetnsRef::Home => home.join(namespace),
        Some(first) => {
            let message = format!(
                "namespace {} is declared in two files",
                quote(name.as_str())
            );
            report
                .error(place, message)
                .hint("declare all of it in one of them")
                .related(first.place, "first declared here");
        }
        None => {
            declared.netns.insert(name, namespace);
        }
    }
}

fn home(entry: &Entry, report: &mut Report<'_>) -> Namespace {
    let mut namespace = Namespace::new(entry.key_place);
    if let Some(fields) = Fields::open(&entry.node, &keys::HOME, report) {
        common(&fields, &NetnsRef::Home, &mut namespace, report);
    }
    namespace
}

/// Keys that every namespace takes, home included.
fn common(
    fields: &Fields<'_>,
    name: &NetnsRef,
    namespace: &mut Namespace,
    report: &mut Report<'_>,
) {
    let forwards = fields.tables("forward", report);
    namespace.forwards = (forwards.iter())
        .map(|f| forward::read(f, report))
        .collect();
    let veths = fields.tables("veth", report);
    namespace.veths = (veths.iter())
        .map(|v| veth::read(v, name, report))
        .collect();
    namespace.run = run(fields, report);
}

/// `valid` is whether the name is one; if not, nothing is named after it.
fn named(entry: &Entry, valid: bool, report: &mut Report<'_>) -> Namespace {
    let mut namespace = Namespace::new(entry.key_place);
    let Some(fields) = Fields::open(&entry.node, &keys::NETNS, report) else {
        return namespace;
    };
    if valid {
        namespace.holder = holder_name(&fields, entry, report);
    } else if let Some(text) = fields.string("interface", report) {
        link_name(text, "interface", report);
    }
    namespace.kind = holder_kind(&fields, report);
    namespace.address = addresses(fields.strings("address", report), report);
    namespace.ipv4_forwarding = fields.boolean("ipv4_forwarding", report).unwrap_or(false);
    namespace.ipv6_forwarding = fields.boolean("ipv6_forwarding", report).unwrap_or(false);
    namespace.dns = dns(&fields, report);
    namespace.nscd = nscd(&fields, report);
    sysctls(&fields, &mut namespace, report);
    let routes = fields.tables("route", report);
    namespace.routes = (routes.iter()).map(|r| route::read(r, report)).collect();
    let name = NetnsRef::parse(&entry.key).unwrap_or(NetnsRef::Home);
    common(&fields, &name, &mut namespace, report);
    namespace
}

fn holder_name(fields: &Fields<'_>, entry: &Entry, report: &mut Report<'_>) -> Option<LinkName> {
    match fields.entry("interface") {
        Some(_) => link_name(fields.string("interface", report)?, "interface", report),
        // It may be in the part that is not understood.
        None if report.is_broken(entry.key_place.file) => None,
        None => default_link_name(&entry.key, entry.key_place, "interface", report),
    }
}

fn holder_kind(fields: &Fields<'_>, report: &mut Report<'_>) -> HolderChoice {
    let word = one_of(fields, "interface_kind", keys::INTERFACE_KINDS, report);
    (word.and_then(HolderKind::parse)).map_or(HolderChoice::Auto, HolderChoice::Exactly)
}

/// The value of `key`, if it is one of `words`.
pub(super) fn one_of<'t>(
    fields: &Fields<'t>,
    key: &str,
    words: &[&'static str],
    report: &mut Report<'_>,
) -> Option<&'t str> {
    let text = fields.string(key, report)?;
    if words.contains(&text.value) {
        return Some(text.value);
    }
    let hint = match nearest(text.value, words.iter().copied()) {
        Some(word) => format!("a similar word is known: {}", quote(word)),
        None => format!("it is {}", list(words.iter().copied(), "or")),
    };
    report
        .error(
            text.place,
            format!("{} cannot be {}", quote(key), quote(text.value)),
        )
        .hint(hint);
    None
}

/// Reads a length of time.
pub(super) fn duration(
    fields: &Fields<'_>,
    key: &str,
    report: &mut Report<'_>,
) -> Option<At<std::time::Duration>> {
    if let Some(entry) = fields.entry(key)
        && let Value::Integer(_) = entry.node.value
    {
        let place = entry.node.place;
        let written = report.text(place);
        report
            .error(place, format!("{} is a number without a unit", quote(key)))
            .hint(format!("write it as \"{written}s\" if it is seconds"));
        return None;
    }
    let text = fields.string(key, report)?;
    match values::duration(text.value) {
        Ok(value) => Some(At {
            value,
            place: text.place,
        }),
        Err(bad) => {
            report.error(text.place, bad.message).hint(bad.hint);
            None
        }
    }
}

fn dns(fields: &Fields<'_>, report: &mut Report<'_>) -> Dns {
    let mut dns = Dns::default();
    let Some(fields) = fields.table("dns", report) else {
        return dns;
    };
    if let Some(texts) = fields.strings("nameservers", report) {
        if let (true, Some(entry)) = (texts.is_empty(), fields.entry("nameservers")) {
            report
                .warning(entry.node.place, "there are no nameservers")
                .hint(
                    "resolv.conf(5) then means 127.0.0.1; leave the key out for the default ones",
                );
        }
        dns.nameservers = texts.iter().map(|text| text.value.to_owned()).collect();
        for text in texts {
            nameserver(text, report);
        }
    }
    let mut words = |key| {
        let texts = fields.strings(key, report).unwrap_or_default();
        for text in &texts {
            word(*text, key, report);
        }
        texts.iter().map(|text| text.value.to_owned()).collect()
    };
    dns.search = words("search");
    dns.options = words("options");
    dns
}

fn nameserver(text: At<&str>, report: &mut Report<'_>) {
    match values::nameserver(text.value) {
        Ok(false) => {}
        Ok(true) => {
            report
                .warning(text.place, format!("nameserver {} is the namespace itself", quote(text.value)))
                .hint("a loopback address is not shared with home; name a server that can be reached from the namespace");
        }
        Err(bad) => {
            report.error(text.place, bad.message).hint(bad.hint);
        }
    }
}

/// Checks a word of resolv.conf(5).
fn word(text: At<&str>, key: &str, report: &mut Report<'_>) {
    let quoted = quote(text.value);
    let message = if text.value.is_empty() {
        format!("an empty string in {}", quote(key))
    } else if let Some(bad) = control_character(text.value) {
        format!("{quoted} contains {}", bad.escape_default())
    } else if text.value.contains(char::is_whitespace) {
        format!("{quoted} contains white space")
    } else {
        return;
    };
    report
        .error(text.place, message)
        .hint("each string of the list is one word of resolv.conf(5)");
}

fn nscd(fields: &Fields<'_>, report: &mut Report<'_>) -> Nscd {
    let default = Nscd::default();
    let Some(fields) = fields.table("nscd", report) else {
        return default;
    };
    let cache = duration(&fields, "cache", report);
    Nscd {
        enable: fields.boolean("enable", report).unwrap_or(default.enable),
        cache: cache.map_or(default.cache, |cache| cache.value),
    }
}

fn run(fields: &Fields<'_>, report: &mut Report<'_>) -> Option<RunAccess> {
    let fields = fields.table("run", report)?;
    let mut names = |key| {
        let texts = fields.strings(key, report).unwrap_or_default();
        for text in &texts {
            account(*text, key, report);
        }
        texts.iter().map(|text| text.value.to_owned()).collect()
    };
    Some(RunAccess {
        users: names("users"),
        groups: names("groups"),
    })
}

fn account(text: At<&str>, key: &str, report: &mut Report<'_>) {
    let message = if text.value.is_empty() {
        format!("an empty string in {}", quote(key))
    } else if let Some(bad) = control_character(text.value) {
        format!("{} contains {}", quote(text.value), bad.escape_default())
    } else {
        return;
    };
    let whose = if key == "users" { "user" } else { "group" };
    report.error(text.place, message).hint(format!(
        "write the name of a {whose} as it is in the system's database"
    ));
}

fn sysctls(fields: &Fields<'_>, namespace: &mut Namespace, report: &mut Report<'_>) {
    let Some(entry) = fields.entry("sysctl") else {
        return;
    };
    let Some(entries) = fields.sysctls(entry, report) else {
        return;
    };
    for entry in entries {
        if let Some((key, value)) = sysctl(entry, report) {
            namespace.sysctl.insert(key, value);
        }
    }
}

fn sysctl(entry: &Entry, report: &mut Report<'_>) -> Option<(SysctlKey, String)> {
    let (place, quoted) = (entry.key_place, quote(&entry.key));
    if let Value::Table(inner) = &entry.node.value {
        let path = dotted_path(&entry.key, inner);
        report
            .error(
                place,
                format!("{quoted} is a table, but has to be a kernel parameter"),
            )
            .hint(format!("put the whole name in quotes: {}", quote(&path)));
        return None;
    }
    let key = sysctl_key(&entry.key, place, report);
    let value = sysctl_value(entry, report);
    Some((key?, value?))
}

/// The name that was meant by keys joined with dots outside of quotes.
fn dotted_path(key: &str, inner: &[Entry]) -> String {
    let mut path = key.to_owned();
    let mut next = inner.first();
    while let Some(entry) = next {
        path = format!("{path}.{}", entry.key);
        next = match &entry.node.value {
            Value::Table(inner) => inner.first(),
            _ => None,
        };
    }
    path
}

fn sysctl_key(text: &str, place: Place, report: &mut Report<'_>) -> Option<SysctlKey> {
    let own = match text {
        "net.ipv4.ip_forward"
        | "net.ipv4.conf.all.forwarding"
        | "net.ipv4.conf.default.forwarding" => Some("ipv4_forwarding"),
        "net.ipv6.conf.all.forwarding" | "net.ipv6.conf.default.forwarding" => {
            Some("ipv6_forwarding")
        }
        _ => None,
    };
    if let Some(own) = own {
        report
            .error(place, format!("{} has a key of its own", quote(text)))
            .hint(format!("give {} in the namespace's table", quote(own)));
        return None;
    }
    match SysctlKey::parse(text) {
        Ok(key) => Some(key),
        Err(error) => {
            let why = match error {
                NameError::Empty if !text.is_empty() => "has an empty part".to_owned(),
                NameError::Dots => "has a part that leads to another folder".to_owned(),
                error => error.to_string(),
            };
            report
                .error(place, format!("{} {why}", quote(text)))
                .hint("write it as sysctl(8) does, such as \"net.ipv4.tcp_syncookies\"");
            None
        }
    }
}

fn sysctl_value(entry: &Entry, report: &mut Report<'_>) -> Option<String> {
    let place = entry.node.place;
    let hint = "give an integer, a string, true or false";
    match &entry.node.value {
        Value::Integer(Some(number)) => Some(number.to_string()),
        Value::Boolean(boolean) => Some(u8::from(*boolean).to_string()),
        Value::String(text) => match text
            .chars()
            .find(|c| *c != '\t' && crate::name::is_control(*c))
        {
            Some(bad) => {
                let message = format!("{} contains {}", quote(text), bad.escape_default());
                report
                    .error(place, message)
                    .hint("several values are separated by spaces or tabs");
                None
            }
            None => Some(text.clone()),
        },
        Value::Integer(None) => {
            let written = report.text(place);
            report
                .error(
                    place,
                    format!("{written} is too large for a kernel parameter"),
                )
                .hint(hint);
            None
        }
        other => {
            let is = other.type_words();
            let message = format!("{} is {is}", quote(&entry.key));
            report.error(place, message).hint(hint);
            None
        }
    }
}
