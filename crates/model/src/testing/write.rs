//! A state written out as configuration, every key spelled out.

use std::fmt::Write as _;

use crate::config::section::Key;
use crate::config::section::forward::{Written, written};
use crate::config::values::write_duration;
use crate::desired::{
    Desired, Dns, Forward, ForwardOptions, Holder, HolderChoice, Link, Netns, Nscd, Route,
    RunAccess, VethPair,
};
use crate::item;
use crate::name::NetnsRef;
use crate::quote::{quoted, toml_key};

/// The state as a TOML file that declares it.
pub fn to_toml(desired: &Desired) -> String {
    let mut text = String::new();
    toml_table(&mut text, "", &document(desired));
    text
}

/// The state as a JSON file that declares it.
pub fn to_json(desired: &Desired) -> String {
    let mut text = String::new();
    json(&mut text, &Value::Table(document(desired)), 0);
    text.push('\n');
    text
}

#[derive(PartialEq)]
enum Value {
    Array(Vec<Value>),
    /// A number or a boolean, as both languages write it.
    Bare(String),
    String(String),
    Table(Table),
}

type Table = Vec<(String, Value)>;

fn bare(value: impl ToString) -> Value {
    Value::Bare(value.to_string())
}

fn string(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

fn strings<T: ToString>(values: impl IntoIterator<Item = T>) -> Value {
    Value::Array(values.into_iter().map(string).collect())
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    let own = |(key, value): (&str, Value)| (key.to_owned(), value);
    entries.into_iter().map(own).collect()
}

fn document(desired: &Desired) -> Table {
    let mut all = Table::new();
    let veths = |here: &NetnsRef| {
        let pairs = desired.veths.iter().filter(|pair| pair.near.netns == *here);
        Value::Array(pairs.map(|pair| Value::Table(veth(pair))).collect())
    };
    let mut home = table([
        ("forward", forwards(&desired.home.forwards)),
        ("veth", veths(&NetnsRef::Home)),
    ]);
    home.extend(desired.home.run.as_ref().map(declared_run));
    all.push((NetnsRef::HOME.to_owned(), Value::Table(home)));
    for (name, netns) in &desired.netns {
        let mut entries = own(netns);
        let veths = veths(&NetnsRef::Named(name.clone()));
        entries.push(("veth".to_owned(), veths));
        all.push((name.to_string(), Value::Table(entries)));
    }
    table([("netns", Value::Table(all))])
}

fn own(netns: &Netns) -> Table {
    let Holder {
        interface,
        kind,
        address,
    } = &netns.holder;
    let kind = match kind {
        HolderChoice::Auto => "auto",
        HolderChoice::Exactly(kind) => kind.as_str(),
    };
    let sysctls = netns.sysctl.iter();
    let sysctls = sysctls.map(|(key, value)| (key.to_string(), string(value)));
    let routes = netns.routes.iter().map(|r| Value::Table(route(r)));
    let links = netns.links.iter().map(|it| Value::Table(own_link(it)));
    let mut entries = table([
        ("interface", string(interface)),
        ("interface_kind", string(kind)),
        ("address", strings(address)),
        ("ipv4_forwarding", bare(netns.ipv4_forwarding)),
        ("ipv6_forwarding", bare(netns.ipv6_forwarding)),
        ("sysctl", Value::Table(sysctls.collect())),
        ("route", Value::Array(routes.collect())),
        ("dns", dns(&netns.dns)),
        ("nscd", nscd(&netns.nscd)),
        ("forward", forwards(&netns.forwards)),
        ("link", Value::Array(links.collect())),
    ]);
    for kind in item::entry::KINDS {
        let all = netns.entries.iter().filter(|entry| entry.kind == *kind);
        let tables = all.map(|entry| Value::Table(values(&entry.values)));
        entries.push((kind.word().to_owned(), Value::Array(tables.collect())));
    }
    entries.extend(netns.run.as_ref().map(declared_run));
    entries
}

fn own_link(link: &Link) -> Table {
    let mut entries = table([
        ("interface", string(&link.interface)),
        ("kind", string(link.kind.word)),
        ("address", strings(&link.address)),
        ("up", bare(link.up)),
    ]);
    entries.extend(link.mtu.map(|mtu| ("mtu".to_owned(), bare(mtu))));
    entries.extend(link.mac.map(|mac| ("mac".to_owned(), string(mac))));
    entries.extend(values(&link.values));
    entries
}

fn values(values: &item::Values) -> Table {
    let value = |value: &item::Value| match value {
        item::Value::Flag(flag) => bare(flag),
        item::Value::Number(number) => bare(number),
        other => string(other),
    };
    let values = values.iter();
    values
        .map(|(word, it)| (word.to_owned(), value(it)))
        .collect()
}

fn dns(dns: &Dns) -> Value {
    Value::Table(table([
        ("nameservers", strings(&dns.nameservers)),
        ("search", strings(&dns.search)),
        ("options", strings(&dns.options)),
    ]))
}

fn nscd(nscd: &Nscd) -> Value {
    Value::Table(table([
        ("enable", bare(nscd.enable)),
        ("cache", string(write_duration(nscd.cache))),
    ]))
}

fn declared_run(run: &RunAccess) -> (String, Value) {
    let members = table([
        ("users", strings(&run.users)),
        ("groups", strings(&run.groups)),
    ]);
    ("run".to_owned(), Value::Table(members))
}

fn route(route: &Route) -> Table {
    let mut entries = table([("to", string(route.to))]);
    let via = route.via.map(|via| ("via".to_owned(), string(via)));
    let interface = route.interface.as_ref();
    let interface = interface.map(|i| ("interface".to_owned(), string(i)));
    entries.extend(via.into_iter().chain(interface));
    entries
}

fn forwards(forwards: &[Forward]) -> Value {
    Value::Array(forwards.iter().map(|f| Value::Table(forward(f))).collect())
}

fn forward(forward: &Forward) -> Table {
    let mut entries = table([
        ("protocol", string(forward.protocol)),
        ("listen", string(&forward.listen)),
        ("netns", string(&forward.netns)),
        ("connect", string(&forward.connect)),
    ]);
    let given = written(&forward.options).into_iter();
    let default = written(&ForwardOptions::DEFAULT);
    // What means nothing for the protocol draws a warning, so it is written only where it must be.
    let useless = |key: &Key| !key.is_of(forward.protocol.as_str());
    let options = given
        .zip(default)
        .filter_map(|((key, value), (_, default))| {
            let must = !useless(key) || value != default;
            let value = match value.filter(|_| must)? {
                Written::Switch(switch) => bare(switch),
                Written::Number(number) => bare(number),
                Written::Text(text) => string(text),
            };
            Some((key.name.to_owned(), value))
        });
    entries.extend(options);
    entries
}

fn veth(pair: &VethPair) -> Table {
    table([
        ("netns", string(&pair.far.netns)),
        ("interface", string(&pair.near.interface)),
        ("peer_interface", string(&pair.far.interface)),
        ("mtu", bare(pair.mtu)),
        ("mac", string(pair.near.mac)),
        ("peer_mac", string(pair.far.mac)),
        ("address", strings(&pair.near.address)),
        ("peer_address", strings(&pair.far.address)),
    ])
}

/// Keys first, then the tables with headers of their own.
fn toml_table(text: &mut String, path: &str, table: &Table) {
    let is_table = |value: &Value| matches!(value, Value::Table(_));
    let (inner, plain): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| match value {
        Value::Array(values) => values.iter().any(is_table),
        value => is_table(value),
    });
    for (key, value) in plain {
        let mut inline = String::new();
        json(&mut inline, value, 0);
        let _ = writeln!(text, "{} = {inline}", toml_key(key));
    }
    for (key, value) in inner {
        let key = toml_key(key);
        let path = if path.is_empty() {
            key
        } else {
            format!("{path}.{key}")
        };
        match value {
            Value::Table(table) => {
                let _ = writeln!(text, "\n[{path}]");
                toml_table(text, &path, table);
            }
            Value::Array(values) => {
                for value in values {
                    let _ = writeln!(text, "\n[[{path}]]");
                    if let Value::Table(table) = value {
                        toml_table(text, &path, table);
                    }
                }
            }
            Value::Bare(_) | Value::String(_) => {}
        }
    }
}

fn json(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Bare(bare) => text.push_str(bare),
        Value::String(string) => text.push_str(&quoted(string)),
        Value::Array(values) => {
            text.push('[');
            for (n, value) in values.iter().enumerate() {
                text.push_str(if n == 0 { "" } else { ", " });
                json(text, value, depth);
            }
            text.push(']');
        }
        Value::Table(table) => {
            text.push('{');
            for (n, (key, value)) in table.iter().enumerate() {
                let comma = if n == 0 { "" } else { "," };
                let _ = write!(text, "{comma}\n{indent}{}: ", quoted(key));
                json(text, value, depth + 1);
            }
            if !table.is_empty() {
                let _ = write!(text, "\n{}", "  ".repeat(depth));
            }
            text.push('}');
        }
    }
}
