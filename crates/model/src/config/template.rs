//! Namespaces that one table declares many times (`count`, and `{n}` in its texts), and what a
//! file's `[defaults]` add to its namespaces. Both work on the tree, before any section is read, so
//! that no section knows of them.

use std::net::IpAddr;

use super::diagnostic::{Place, Report};
use super::section::{Defaults, NETNS};
use super::text::quote;
use super::tree::{Entry, Node, Value};
use crate::address::MacAddress;
use crate::name::NetnsRef;

/// What stands for the number of a namespace.
const NUMBER: &str = "{n}";

/// The most namespaces that one table may declare.
pub(super) const COUNT_MAX: i64 = 10_000;

/// `count` in the table of `entry`.
fn count_entry(entry: &Entry) -> Option<&Entry> {
    match &entry.node.value {
        Value::Table(entries) => entries.iter().find(|entry| entry.key == "count"),
        _ => None,
    }
}

/// How many namespaces the table of `entry` declares, if it is a template with a valid count.
pub(super) fn count(entry: &Entry) -> Option<u32> {
    match count_entry(entry)?.node.value {
        Value::Integer(Some(number)) if (1..=COUNT_MAX).contains(&number) => {
            u32::try_from(number).ok()
        }
        _ => None,
    }
}

/// Whether the name of a template makes its namespaces differ; a mistake if not.
pub(super) fn has_number(entry: &Entry, report: &mut Report<'_>) -> bool {
    let has_number = entry.key.contains(NUMBER);
    if !has_number {
        let name = quote(&entry.key);
        let example = quote(&format!("{}{NUMBER}", entry.key));
        report
            .error(
                entry.key_place,
                format!(
                    "\"count\" declares several namespaces, but the name {name} has no {NUMBER}"
                ),
            )
            .hint(format!("write [netns.{example}]"));
    }
    has_number
}

/// Refuses `{n}` in a namespace that does not count.
pub(super) fn refuse_number(entry: &Entry, report: &mut Report<'_>) {
    if count_entry(entry).is_some() {
        // Its value is wrong, which is reported by itself.
        return;
    }
    let mut found = None;
    walk(entry, &mut |text, place| {
        if found.is_none() && text.contains(NUMBER) {
            found = Some(place);
        }
    });
    if let Some(place) = found {
        report
            .error(place, format!("{NUMBER} stands for no number here"))
            .hint("it needs \"count\" in the table of its namespace");
    }
}

/// Calls `each` with every key and text of `entry`.
fn walk(entry: &Entry, each: &mut impl FnMut(&str, Place)) {
    each(&entry.key, entry.key_place);
    walk_node(&entry.node, each);
}

fn walk_node(node: &Node, each: &mut impl FnMut(&str, Place)) {
    match &node.value {
        Value::String(text) => each(text, node.place),
        Value::Array(nodes) => nodes.iter().for_each(|node| walk_node(node, each)),
        Value::Table(entries) => entries.iter().for_each(|entry| walk(entry, each)),
        _ => {}
    }
}

/// Every place of `entry`: what is wrong there is wrong in each namespace, and reported once.
pub(super) fn places(entry: &Entry) -> Vec<Place> {
    fn add(node: &Node, places: &mut Vec<Place>) {
        places.push(node.place);
        match &node.value {
            Value::Array(nodes) => nodes.iter().for_each(|node| add(node, places)),
            Value::Table(entries) => {
                for entry in entries {
                    places.push(entry.key_place);
                    add(&entry.node, places);
                }
            }
            _ => {}
        }
    }
    let mut places = vec![entry.key_place];
    add(&entry.node, &mut places);
    places
}

/// The namespace of that number; none after a mistake, which is reported.
pub(super) fn instance(entry: &Entry, number: u32, report: &mut Report<'_>) -> Option<Entry> {
    let key = match counted(&entry.key, number) {
        Ok(key) => key,
        Err(bad) => {
            bad.report(entry.key_place, number, report);
            return None;
        }
    };
    Some(Entry {
        key,
        key_place: entry.key_place,
        node: instance_node(&entry.node, number, report)?,
    })
}

fn instance_node(node: &Node, number: u32, report: &mut Report<'_>) -> Option<Node> {
    let value = match &node.value {
        Value::String(text) => match counted(text, number) {
            Ok(text) => Value::String(text),
            Err(bad) => {
                bad.report(node.place, number, report);
                return None;
            }
        },
        Value::Array(nodes) => {
            let nodes = nodes.iter().map(|node| instance_node(node, number, report));
            Value::Array(nodes.collect::<Option<_>>()?)
        }
        Value::Table(entries) => {
            let entries = entries.iter().map(|entry| instance(entry, number, report));
            Value::Table(entries.collect::<Option<_>>()?)
        }
        other => other.clone(),
    };
    Some(Node {
        value,
        place: node.place,
    })
}

/// Why a text cannot count.
#[derive(Debug, PartialEq, Eq)]
enum BadNumber {
    /// `{n}` is only a part of a number of the address.
    Part,
    /// The address leads out of the prefix that is written with it.
    Outside(String),
    /// There is no such address.
    End,
}

impl BadNumber {
    fn report(self, place: Place, number: u32, report: &mut Report<'_>) {
        let (message, hint) = match self {
            Self::Part => (
                format!("{NUMBER} is only a part of a number of this address"),
                "let it stand for all that is between two dots or colons",
            ),
            Self::Outside(address) => (
                format!("number {number} would be {address}, which is outside of the prefix"),
                "lower \"count\", or write a shorter prefix",
            ),
            Self::End => (
                format!("there is no address for number {number}"),
                "lower \"count\"",
            ),
        };
        report.error(place, message).hint(hint);
    }
}

/// `text` with the number for each `{n}`. An address counts as a number: 10.0.0.{n} goes on with
/// 10.0.1.0 after 10.0.0.255, and fd00::{n} with fd00::a after fd00::9.
fn counted(text: &str, number: u32) -> Result<String, BadNumber> {
    if !text.contains(NUMBER) {
        return Ok(text.to_owned());
    }
    let (before, address, after) = address_in(text);
    let written = |n: &str| address.replace(NUMBER, n);
    let counted = if !address.contains(NUMBER) {
        address.to_owned()
    } else if let (Ok(zero), Ok(one)) = (written("0").parse(), written("1").parse()) {
        whole_groups(address)?;
        count_ip(zero, one, number, prefix_length(after))?
    } else if let (Some(zero), Some(one)) = (mac(&written("00")), mac(&written("01"))) {
        count_mac(zero, one, number)?
    } else {
        written(&number.to_string())
    };
    let number = number.to_string();
    let [before, after] = [before, after].map(|text| text.replace(NUMBER, &number));
    Ok(format!("{before}{counted}{after}"))
}

/// The part of `text` that would be an address, and what is before and after: `[`ADDRESS`]:PORT`,
/// ADDRESS`:PORT`, ADDRESS`/LENGTH`, ADDRESS`%LINK`.
fn address_in(text: &str) -> (&str, &str, &str) {
    if let Some((address, after)) = text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        return ("[", address, &text[1 + address.len()..][..1 + after.len()]);
    }
    let end = text.find(['/', '%']).unwrap_or(text.len());
    let end = match text[..end].split_once(':') {
        Some((address, port)) if address.contains('.') && !port.contains(':') => address.len(),
        _ => end,
    };
    ("", &text[..end], &text[end..])
}

/// The length of the prefix that begins `after`, if one does.
fn prefix_length(after: &str) -> Option<u32> {
    after.strip_prefix('/')?.parse().ok()
}

/// Refuses `{n}` beside other digits of its number.
fn whole_groups(address: &str) -> Result<(), BadNumber> {
    let mut groups = address.split(['.', ':']);
    match groups.any(|group| group.contains(NUMBER) && group != NUMBER) {
        true => Err(BadNumber::Part),
        false => Ok(()),
    }
}

/// The address `number` steps after `zero`, each as long as that to `one`.
fn count_ip(
    zero: IpAddr,
    one: IpAddr,
    number: u32,
    length: Option<u32>,
) -> Result<String, BadNumber> {
    let (bits, zero, one): (u32, u128, u128) = match (zero, one) {
        (IpAddr::V4(zero), IpAddr::V4(one)) => (32, zero.to_bits().into(), one.to_bits().into()),
        (IpAddr::V6(zero), IpAddr::V6(one)) => (128, zero.to_bits(), one.to_bits()),
        _ => return Err(BadNumber::End),
    };
    let step: u128 = one - zero;
    let address = step
        .checked_mul(number.into())
        .and_then(|far| zero.checked_add(far))
        .ok_or(BadNumber::End)?;
    let text = match bits {
        32 => u32::try_from(address)
            .map_err(|_| BadNumber::End)
            .map(|address| IpAddr::from(address.to_be_bytes()).to_string())?,
        _ => IpAddr::from(address.to_be_bytes()).to_string(),
    };
    // The bits after the prefix; where the number is part of the prefix, each has its own.
    let host = length.and_then(|length| bits.checked_sub(length));
    let host = host.and_then(|host| 1_u128.checked_shl(host));
    match host {
        Some(host) if step < host && address / host != zero / host => Err(BadNumber::Outside(text)),
        _ => Ok(text),
    }
}

/// Six bytes in hexadecimal, whether a link may have that address or not.
fn mac(text: &str) -> Option<u64> {
    let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().ok()?;
    let whole = bytes.len() == 6;
    whole.then(|| {
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    })
}

fn count_mac(zero: u64, one: u64, number: u32) -> Result<String, BadNumber> {
    let address = zero + (one - zero) * u64::from(number);
    match address.to_be_bytes() {
        [0, 0, mac @ ..] => Ok(MacAddress(mac).to_string()),
        _ => Err(BadNumber::End),
    }
}

/// The namespace with what the file's `[defaults]` add to it: sections as their [`Defaults`] says,
/// and keys to each table of a list that has such a key. The host namespace takes keys only.
pub(super) fn with_defaults(entry: &Entry, defaults: &[Entry]) -> Entry {
    let mut entry = entry.clone();
    let Value::Table(own) = &mut entry.node.value else {
        return entry;
    };
    let is_host = entry.key == NetnsRef::HOME;
    for default in defaults {
        let Some(section) = NETNS.child(&default.key) else {
            own.iter_mut()
                .filter(|it| has_key(&it.key, &default.key))
                .for_each(|it| add_to_each(&mut it.node, default));
            continue;
        };
        match own.iter_mut().find(|own| own.key == default.key) {
            Some(own) if section.defaults == Defaults::ByKey => {
                add(&mut own.node, &default.node);
            }
            None if !is_host => own.push(default.clone()),
            _ => {}
        }
    }
    entry
}

/// Whether the tables of the section `word` have the key `key`.
fn has_key(word: &str, key: &str) -> bool {
    NETNS
        .child(word)
        .is_some_and(|section| section.key(key, None).is_some())
}

/// Adds `key` to each table of a list that does not have it.
fn add_to_each(list: &mut Node, key: &Entry) {
    if let Value::Array(tables) = &mut list.value {
        for table in tables {
            if let Value::Table(entries) = &mut table.value
                && !entries.iter().any(|entry| entry.key == key.key)
            {
                entries.push(key.clone());
            }
        }
    }
}

/// Adds the keys of one table to another that does not have them.
fn add(to: &mut Node, from: &Node) {
    if let (Value::Table(to), Value::Table(from)) = (&mut to.value, &from.value) {
        for key in from {
            if !to.iter().any(|entry| entry.key == key.key) {
                to.push(key.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BadNumber, counted};

    #[test]
    fn addresses_count_as_numbers_and_other_texts_as_texts() {
        let texts = [
            ("host{n}", 12, "host12"),
            ("10.0.0.{n}/16", 7, "10.0.0.7/16"),
            ("10.0.0.{n}/16", 300, "10.0.1.44/16"),
            ("10.{n}.0.1/24", 3, "10.3.0.1/24"),
            ("10.0.{n}.1/24", 256, "10.1.0.1/24"),
            ("10.0.0.{n}:80", 256, "10.0.1.0:80"),
            ("127.0.0.1:{n}", 8080, "127.0.0.1:8080"),
            ("fd00::{n}/64", 10, "fd00::a/64"),
            ("fd00:0:0:{n}::1/64", 17, "fd00:0:0:11::1/64"),
            ("[fd00::{n}]:80", 16, "[fd00::10]:80"),
            ("fe80::{n}%h{n}", 10, "fe80::a%h10"),
            ("02:00:00:00:00:{n}", 10, "02:00:00:00:00:0a"),
            ("02:00:00:00:00:{n}", 256, "02:00:00:00:01:00"),
            ("unix:/run/{n}.sock", 3, "unix:/run/3.sock"),
        ];
        for (text, number, right) in texts {
            assert_eq!(counted(text, number).as_deref(), Ok(right), "{text}");
        }
    }

    #[test]
    fn an_address_that_cannot_count_that_far_is_refused() {
        let outside = BadNumber::Outside("10.0.1.0".to_owned());
        assert_eq!(counted("10.0.0.{n}/24", 256), Err(outside));
        assert_eq!(counted("255.255.255.{n}", 256), Err(BadNumber::End));
        assert_eq!(counted("10.0.0.1{n}/24", 2), Err(BadNumber::Part));
        assert_eq!(counted("{n}.0.0.1/8", 256), Err(BadNumber::End));
        assert_eq!(counted("ff:ff:ff:ff:ff:{n}", 256), Err(BadNumber::End));
    }
}
