//! A draft as TOML, with the place of each part that could be refused.

use std::fmt::Write as _;
use std::ops::Range;

use netnsctl_model::config::section::veth::DEFAULT_MTU;
use netnsctl_model::item::Value;
use netnsctl_model::name::{NetnsRef, is_control};
use netnsctl_model::quote::{quoted, toml_key};

use crate::draft::{Draft, Item, Route, Said, Space, Table, Veth};

/// The text, and which bytes of it are which part.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) items: Vec<(Range<usize>, Item)>,
}

/// What a comment may hold: no character that ends the line or disturbs a terminal.
pub(crate) fn comment(words: &str) -> String {
    let mut safe = String::new();
    for character in words.chars() {
        match character {
            '\t' => safe.push(' '),
            c if is_control(c) => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe.trim_end().to_owned()
}

/// A value of any type, as TOML has it.
fn value_of(value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::List(texts) => {
            let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
            format!("[{}]", texts.join(", "))
        }
        other => quoted(&other.to_string()),
    }
}

/// The value of a sysctl: a number where it is one.
fn sysctl_value(text: &str) -> String {
    let number = text.parse::<i64>().ok();
    match number.filter(|number| number.to_string() == text) {
        Some(number) => number.to_string(),
        None => quoted(text),
    }
}

/// The whole file.
pub(crate) fn write(draft: &Draft) -> Written {
    let mut written = Written::default();
    for line in &draft.head {
        written.line(&format!("# {}", comment(line)));
    }
    for (name, space) in &draft.netns {
        written.line("");
        for note in &space.notes {
            written.line(&format!("# {}", comment(note)));
        }
        written.item(Item::Space(name.clone()), |written| {
            written.space(name, space);
        });
    }
    written
}

/// A namespace as lines of a comment.
pub(crate) fn section(name: &str, space: &Space) -> Vec<String> {
    let mut written = Written::default();
    written.space(name, space);
    let lines = space.notes.iter().cloned();
    lines
        .chain(written.text.lines().map(|line| format!("  {line}")))
        .collect()
}

impl Written {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Notes that what `write` adds is `item`.
    fn item(&mut self, item: Item, write: impl FnOnce(&mut Self)) {
        let start = self.text.len();
        write(self);
        self.items.push((start..self.text.len(), item));
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.line(&format!("{name} = {}", quoted(value)));
    }

    /// A list of which each element may be refused alone.
    fn list(&mut self, name: &str, values: &[Said], item: impl Fn(usize) -> Item) {
        if values.is_empty() {
            return;
        }
        let _ = write!(self.text, "{name} = [");
        for (at, said) in values.iter().enumerate() {
            self.text.push_str(if at == 0 { "" } else { ", " });
            self.item(item(at), |written| {
                written.text.push_str(&quoted(&said.text));
            });
        }
        self.text.push_str("]\n");
    }

    fn words(&mut self, name: &str, words: &[String]) {
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        self.line(&format!("{name} = [{}]", words.join(", ")));
    }

    fn space(&mut self, name: &str, space: &Space) {
        let path = format!("netns.{}", toml_key(name));
        self.line(&format!("[{path}]"));
        if let Some(interface) = space.interface.as_ref().filter(|link| *link != name) {
            self.pair("interface", interface);
        }
        if let Some(kind) = &space.kind {
            self.pair("interface_kind", kind);
        }
        self.list("address", &space.address, |at| {
            Item::Address(name.to_owned(), at)
        });
        for (flag, key) in [
            (space.ipv4_forwarding, "ipv4_forwarding"),
            (space.ipv6_forwarding, "ipv6_forwarding"),
        ] {
            if flag {
                self.line(&format!("{key} = true"));
            }
        }
        if let Some(dns) = &space.dns {
            self.item(Item::Dns(name.to_owned()), |written| {
                written.line(&format!("\n[{path}.dns]"));
                written.words("nameservers", &dns.nameservers);
                for (key, words) in [("search", &dns.search), ("options", &dns.options)] {
                    if !words.is_empty() {
                        written.words(key, words);
                    }
                }
            });
        }
        if !space.sysctl.is_empty() {
            self.line(&format!("\n[{path}.sysctl]"));
        }
        for (key, value) in &space.sysctl {
            let item = Item::Sysctl(name.to_owned(), key.clone());
            self.item(item, |written| {
                let value = sysctl_value(&value.text);
                written.line(&format!("{} = {value}", quoted(key)));
            });
        }
        for (at, veth) in space.veths.iter().enumerate() {
            self.item(Item::Veth(name.to_owned(), at), |written| {
                written.line(&format!("\n[[{path}.veth]]"));
                written.veth(name, at, veth);
            });
        }
        self.tables(name, &path, &space.tables);
        for (at, route) in space.routes.iter().enumerate() {
            self.item(Item::Route(name.to_owned(), at), |written| {
                written.line(&format!("\n[[{path}.route]]"));
                written.route(route);
            });
        }
    }

    fn tables(&mut self, name: &str, path: &str, tables: &[Table]) {
        for (at, table) in tables.iter().enumerate() {
            self.item(Item::Table(name.to_owned(), at), |written| {
                written.line(&format!("\n[[{path}.{}]]", table.section));
                for (key, value) in &table.values {
                    written.line(&format!("{key} = {}", value_of(value)));
                }
            });
        }
    }

    fn veth(&mut self, name: &str, number: usize, veth: &Veth) {
        let home = NetnsRef::HOME;
        if veth.netns != home {
            self.pair("netns", &veth.netns);
        }
        let default = if veth.netns == home {
            "host"
        } else {
            &veth.netns
        };
        if veth.interface != default {
            self.pair("interface", &veth.interface);
        }
        if veth.peer_interface != name {
            self.pair("peer_interface", &veth.peer_interface);
        }
        if let Some(mtu) = veth.mtu.filter(|mtu| *mtu != DEFAULT_MTU) {
            self.line(&format!("mtu = {mtu}"));
        }
        for (key, mac, default) in [
            ("mac", &veth.mac, "02:00:00:00:00:01"),
            ("peer_mac", &veth.peer_mac, "02:00:00:00:00:00"),
        ] {
            if let Some(mac) = mac.as_ref().filter(|mac| *mac != default) {
                self.pair(key, mac);
            }
        }
        self.list("address", &veth.address, |at| {
            Item::VethAddress(name.to_owned(), number, false, at)
        });
        self.list("peer_address", &veth.peer_address, |at| {
            Item::VethAddress(name.to_owned(), number, true, at)
        });
    }

    fn route(&mut self, route: &Route) {
        self.pair("to", &route.to);
        if let Some(via) = &route.via {
            self.pair("via", via);
        }
        if let Some(interface) = &route.interface {
            self.pair("interface", interface);
        }
    }
}
