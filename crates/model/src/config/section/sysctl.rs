//! `sysctl` of a namespace: kernel parameters.

use std::collections::BTreeMap;

use super::part::{self, Part};
use super::{Section, Shape};
use crate::config::diagnostic::{Place, Report};
use crate::config::fields::Fields;
use crate::config::text::quote;
use crate::config::tree::{Entry, Value};
use crate::desired::Desired;
use crate::name::{NameError, NetnsRef, SysctlKey};

/// `sysctl` of a namespace; its keys are the kernel's.
pub static SECTION: Section = Section {
    word: "sysctl",
    shape: Shape::Parameters,
    title: "\"sysctl\" of a namespace",
    heading: "KERNEL PARAMETERS",
    summary: "kernel parameters, by name; all begin with net",
    about: "Keys are names of kernel parameters under \"net.\", in quotes, as sysctl(8) writes \
            them. Values are strings, integers, true or false. Whether there is such a parameter is \
            looked up in the namespace. Refused: names outside of \"net.\", and the switches for \
            forwarding, which have keys of their own in the namespace.",
    more: "\"net.ipv4.ip_unprivileged_port_start\" = 0\n",
    ..Section::EMPTY
};

/// What is declared.
#[derive(Debug, Default)]
pub(super) struct Declared(BTreeMap<SysctlKey, String>);

impl Part for Declared {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        let entries = given.iter().flat_map(Fields::entries);
        Self(entries.filter_map(|entry| sysctl(entry, report)).collect())
    }

    fn build(self, here: &NetnsRef, desired: &mut Desired) -> Option<()> {
        if let Some(netns) = part::named(desired, here) {
            netns.sysctl = self.0;
        }
        Some(())
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
