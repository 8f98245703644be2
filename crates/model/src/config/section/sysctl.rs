//! `sysctl` of a namespace: kernel parameters.

use std::collections::BTreeMap;

use super::part::{Part, Target};
use super::{Section, Shape};
use crate::config::contradictions::{Contradictions, RuledOut, Subject};
use crate::config::diagnostic::{At, Place, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::config::text::quote;
use crate::config::tree::{Entry, Value};
use crate::name::{InterfaceName, NameError, NetnsRef, SysctlKey};

/// `sysctl` of a namespace; its keys are the kernel's.
pub static SECTION: Section = Section {
    word: "sysctl",
    shape: Shape::Parameters,
    title: "\"sysctl\" of a namespace",
    heading: "KERNEL PARAMETERS",
    summary: "kernel parameters, by name; all begin with net",
    about: "Keys are names of kernel parameters under \"net.\", in quotes, as sysctl(8) writes \
            them. Values are strings, integers, true or false. Whether there is such a parameter is \
            looked up in the namespace. Refused: names outside of \"net.\", the switches for \
            forwarding, which have keys of their own in the namespace, and values that rule out what \
            other keys need, such as IPv6 off on a link with IPv6 addresses.",
    more: "\"net.ipv4.ip_unprivileged_port_start\" = 0\n",
    ..Section::EMPTY
};

/// What is declared.
#[derive(Debug, Default)]
pub(super) struct Declared(BTreeMap<SysctlKey, At<String>>);

impl Part for Declared {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        let entries = given.iter().flat_map(Fields::entries);
        Self(entries.filter_map(|entry| sysctl(entry, report)).collect())
    }

    /// A link without IPv6 takes no address (EACCES, `ipv6_add_addr()` in the kernel's
    /// net/ipv6/addrconf.c) and no route.
    fn rule_out<'d>(
        &'d self,
        here: &'d NetnsRef,
        links: &Links<'d>,
        found: &mut Contradictions<'d>,
    ) {
        if let Some(key) = self.ports_privileged() {
            found.rule_out(Subject::PrivilegedPorts(here), key);
        }
        let switches: BTreeMap<String, (&SysctlKey, &At<String>)> = self
            .0
            .iter()
            .filter_map(|(key, value)| Some((ipv6_switch(key)?, (key, value))))
            .collect();
        // A link has its value from its own key, else from that of new links, else from that of all.
        let mut look = |link: &InterfaceName, from: &[&str]| {
            let mut found_in = from.iter().filter_map(|which| switches.get(*which));
            if let Some((key, value)) = found_in.next().filter(|(_, value)| value.value != "0") {
                found.rule_out(
                    Subject::Ipv6(here, link.clone()),
                    off(key, value.place, link, here),
                );
            }
        };
        if switches.is_empty() {
            return;
        }
        for link in links.of(here).iter().map(|link| &link.name.name) {
            look(link, &[link.as_str(), "default", "all"]);
        }
        // It is there before any key is written, and so does not have that of new links.
        if let Ok(lo) = InterfaceName::parse("lo") {
            look(&lo, &["lo", "all"]);
        }
    }

    fn need<'d>(&'d self, here: &'d NetnsRef, found: &mut Contradictions<'d>) {
        for (key, value) in &self.0 {
            if key.as_str() == PRIVILEGED {
                found.need(Subject::PrivilegedPorts(here), value.place);
            }
            if let Some(link) = key.interface()
                && key.as_str().starts_with("net.ipv6.")
            {
                found.need(Subject::Ipv6Parameters(here, link), value.place);
            }
        }
    }

    fn build(self, target: &mut Target<'_>) -> Option<()> {
        if let Some(netns) = &mut target.netns {
            let values = self.0.into_iter().map(|(key, it)| (key, it.value));
            netns.sysctl = values.collect();
        }
        Some(())
    }
}

/// The first port that needs no privilege, and the range of ports for outgoing connections. The kernel
/// refuses values that overlap (`ipv4_privileged_ports()` in its net/ipv4/sysctl_net_ipv4.c).
const PRIVILEGED: &str = "net.ipv4.ip_unprivileged_port_start";
const OUTGOING: &str = "net.ipv4.ip_local_port_range";

impl Declared {
    /// The range of ports for outgoing connections, if some of them need a privilege.
    fn ports_privileged(&self) -> Option<RuledOut> {
        let value = |wanted| {
            let mut all = self.0.iter();
            let (_, value) = all.find(|(key, _)| key.as_str() == wanted)?;
            let first = value.value.split_whitespace().next()?;
            Some((first.parse::<u32>().ok()?, value.place))
        };
        let ((start, _), (lowest, place)) = (value(PRIVILEGED)?, value(OUTGOING)?);
        (start > lowest).then(|| RuledOut {
            place,
            message: format!(
                "outgoing connections begin at port {lowest}, where ports below {start} need a privilege"
            ),
            hint: format!("begin the range at {start} or above"),
            needed: "the ports that need a privilege are set here",
        })
    }
}

/// What a key that turns IPv6 off is about: a link, `all` or `default`.
fn ipv6_switch(key: &SysctlKey) -> Option<String> {
    let parts: Vec<_> = key.parts().collect();
    let [net, ipv6, conf, which, switch] = parts.as_slice() else {
        return None;
    };
    let is_switch = [net, ipv6, conf, switch] == ["net", "ipv6", "conf", "disable_ipv6"];
    is_switch.then(|| which.clone())
}

fn off(key: &SysctlKey, place: Place, link: &InterfaceName, here: &NetnsRef) -> RuledOut {
    RuledOut {
        place,
        message: format!(
            "{} leaves link {} of namespace {} without IPv6",
            quote(key.as_str()),
            quote(link.as_str()),
            quote(here.as_str())
        ),
        hint: "set the parameter to 0, or remove what needs IPv6".to_owned(),
        needed: "IPv6 is needed here",
    }
}

fn sysctl(entry: &Entry, report: &mut Report<'_>) -> Option<(SysctlKey, At<String>)> {
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
    Some((
        key?,
        At {
            value: value?,
            place,
        },
    ))
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
