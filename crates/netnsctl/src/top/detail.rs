//! Everything that is known of one namespace, link or forward, line by line.

use netnsctl_forward::{Counters, Reasons};
use netnsctl_model::desired::Protocol;
use netnsctl_netlink::{Flow, Traffic};

use super::rates::{ForwardRate, LinkRate, Rates};
use super::sample::{LinkKey, Sample};
use super::table::{self, Id};
use super::text::{self, number};
use crate::published::ForwardKey;
use crate::status::ForwardState;
use crate::status::text::{addresses, link_state, state};
use crate::status::wire::{Link, Netns, unknown};

/// A line: what it tells of, which is empty if that is what the line above tells of, and what it
/// tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) label: &'static str,
    pub(super) text: String,
    /// Whether it wants a look.
    pub(super) trouble: bool,
}

/// A heading for `id` and the lines below it.
pub(super) fn detail(id: &Id, sample: &Sample, rates: &Rates) -> (String, Vec<Line>) {
    let mut lines = Lines {
        sample,
        rates,
        lines: Vec::new(),
    };
    let heading = match id {
        Id::Netns(name) => lines.netns(name),
        Id::Link(key) => lines.link(key),
        Id::Forward(key) => lines.forward(key),
    };
    (heading, lines.lines)
}

struct Lines<'a> {
    sample: &'a Sample,
    rates: &'a Rates,
    lines: Vec<Line>,
}

impl Lines<'_> {
    fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.lines.push(Line {
            label,
            text: text.into(),
            trouble: false,
        });
    }

    fn add_trouble(&mut self, label: &'static str, text: impl Into<String>) {
        self.add(label, text);
        if let Some(line) = self.lines.last_mut() {
            line.trouble = true;
        }
    }

    fn netns(&mut self, name: &str) -> String {
        let (sample, rates) = (self.sample, self.rates);
        let report = sample.report.netns.iter().find(|it| it.name == name);
        if let Some(netns) = report {
            self.what_is_wrong(netns);
        }
        self.link_flows("all links", table::links_rate(sample, rates, name), None);
        for (key, traffic) in sample.links.iter().filter(|((netns, _), _)| netns == name) {
            self.link_in_netns(report, key, traffic);
        }
        for key in table::forwards_of(sample, name) {
            let (state, trouble) = table::forward_state(sample, key);
            let text = format!("{}, {state}", text::forward(key));
            match trouble {
                true => self.add_trouble("forward", text),
                false => self.add("forward", text),
            }
            self.forward_flows(key);
        }
        if let Some(netns) = report {
            self.rest(netns);
        }
        let words = match report {
            Some(netns) => state(netns).0,
            None if sample.report.unmanaged.iter().any(|it| it == name) => "not managed".to_owned(),
            None => "home".to_owned(),
        };
        format!("{name}: {words}")
    }

    fn what_is_wrong(&mut self, netns: &Netns) {
        // Of one that is down, everything would be made; "up" says it shorter.
        let drift = netns.drift.iter().filter(|_| netns.state == "up");
        for drift in drift {
            let text = format!("\"up\" would {} {}", drift.change, drift.description);
            self.add_trouble("drift", text);
        }
        for service in &netns.stale_services {
            let text = format!("{service} is in an older namespace of this name");
            self.add_trouble("problem", text);
        }
        for problem in &netns.problems {
            self.add_trouble("problem", problem);
        }
    }

    fn link_in_netns(&mut self, netns: Option<&Netns>, key: &LinkKey, traffic: &Traffic) {
        let link = table::find_link(self.sample, key);
        let is_holder = netns.is_some_and(|netns| {
            let holder = netns.holder.as_ref();
            holder.is_some_and(|holder| holder.interface == key.1)
        });
        let label = match link.and_then(|link| link.kind.as_deref()) {
            _ if is_holder => "holder",
            Some("veth") => "veth",
            _ => "link",
        };
        let mut text = key.1.clone();
        if let Some(peer) = netns.and_then(|netns| peer(netns, &key.1)) {
            text = format!("{text} ⇄ {peer}");
        }
        if let Some(link) = link {
            text = format!("{text}, {}, {}", link_state(link), addresses(link));
        }
        self.add(label, text.trim_end_matches([',', ' ']));
        self.link_flows("", self.rates.links.get(key).copied(), Some(traffic));
    }

    /// What came in and went out: rates, and totals where there are any.
    fn link_flows(&mut self, label: &'static str, rate: Option<LinkRate>, total: Option<&Traffic>) {
        let flow = |name: &str, rate: Option<(f64, f64)>, flow: Option<&Flow>| {
            let now = rate.map_or_else(
                || "-".to_owned(),
                |(bytes, packets)| {
                    format!("{} B/s {} p/s", text::bytes(bytes), text::count(packets))
                },
            );
            let ever = flow.map_or_else(String::new, |flow| format!(" ({})", flow_total(flow)));
            format!("{name} {now}{ever}")
        };
        let received = rate.map(|it| (it.bytes.there, it.packets.there));
        let sent = rate.map(|it| (it.bytes.back, it.packets.back));
        self.add(label, flow("in ", received, total.map(|it| &it.received)));
        self.add("", flow("out", sent, total.map(|it| &it.sent)));
    }

    /// What is neither wrong nor moves.
    fn rest(&mut self, netns: &Netns) {
        let nscd = &netns.nscd;
        match (nscd.running, nscd.enabled) {
            (Some(true), _) => self.add("nscd", format!("running, {}", nscd.socket)),
            (Some(false), true) if netns.inode.is_some() => self.add("nscd", "not running"),
            (Some(false), _) => {}
            (None, _) => self.add("nscd", nscd.unknown()),
        }
        for route in &netns.routes {
            self.add("route", route);
        }
        for sysctl in &netns.sysctl_differs {
            let value = sysctl.value.as_deref().unwrap_or("(no such key)");
            let text = format!("{} {value}, declared {}", sysctl.key, sysctl.declared);
            self.add_trouble("sysctl", text);
        }
        for process in &netns.processes {
            self.add("process", format!("{} {}", process.pid, process.command));
        }
        if let Some(inode) = netns.inode {
            self.add("inode", inode.to_string());
        }
    }

    fn link(&mut self, key: &LinkKey) -> String {
        let (sample, rates) = (self.sample, self.rates);
        let netns = sample.report.netns.iter().find(|it| it.name == key.0);
        self.add("netns", &key.0);
        if let Some(peer) = netns.and_then(|netns| peer(netns, &key.1)) {
            self.add("other end", peer);
        }
        if let Some(link) = table::find_link(sample, key) {
            self.nature(link);
        }
        match sample.links.get(key) {
            Some(traffic) => {
                let rate = rates.links.get(key);
                let received = rate.map(|it| (it.bytes.there, it.packets.there));
                let sent = rate.map(|it| (it.bytes.back, it.packets.back));
                self.flow("received", received, &traffic.received);
                self.flow("sent", sent, &traffic.sent);
            }
            None => self.add_trouble("state", "gone"),
        }
        key.1.clone()
    }

    fn nature(&mut self, link: &Link) {
        self.add("state", link_state(link));
        self.add("declared", if link.declared { "yes" } else { "no" });
        if let Some(mac) = &link.mac {
            self.add("mac", mac);
        }
        let mut label = "address";
        for address in &link.addresses {
            let extra = if link.extra_addresses.contains(address) {
                " (extra)"
            } else {
                ""
            };
            self.add(label, format!("{address}{extra}"));
            label = "";
        }
    }

    fn flow(&mut self, label: &'static str, rate: Option<(f64, f64)>, flow: &Flow) {
        let (bytes, packets) = match rate {
            Some((bytes, packets)) => (text::bytes(bytes), text::count(packets)),
            None => ("-".to_owned(), "-".to_owned()),
        };
        self.add(label, format!("{bytes} B/s, {} B ever", flow.bytes));
        self.add("", format!("{packets} packets/s, {} ever", flow.packets));
        let text = format!("{} dropped, {} errors", flow.dropped, flow.errors);
        self.add("", text);
    }

    fn forward(&mut self, key: &ForwardKey) -> String {
        let (state, trouble) = table::forward_state(self.sample, key);
        match trouble {
            true => self.add_trouble("state", state),
            false => self.add("state", state),
        }
        self.add("listens", format!("{} in {}", key.listen, key.listen_netns));
        self.add("connects", format!("{} in {}", key.connect, key.netns));
        self.forward_flows(key);
        text::forward(key)
    }

    /// What a forward carries, and what went wrong, by errno.
    fn forward_flows(&mut self, key: &ForwardKey) {
        let counters = match self.sample.forwards.get(key) {
            Some(ForwardState::Runs(counters)) => counters,
            Some(ForwardState::Unknown(why)) => return self.add("why", unknown(why)),
            Some(ForwardState::DoesNotRun) | None => return,
        };
        let rate = self.rates.forwards.get(key).copied();
        let per_second = |of: fn(&ForwardRate) -> f64, show: fn(f64) -> String| {
            rate.map_or_else(|| "-".to_owned(), |rate| show(of(&rate)))
        };
        let begun = per_second(|it| it.begun, text::count);
        let there = per_second(|it| it.bytes.there, text::bytes);
        let back = per_second(|it| it.bytes.back, text::bytes);
        let packets_there = per_second(|it| it.datagrams.there, text::count);
        let packets_back = per_second(|it| it.datagrams.back, text::count);
        // What is declared is shown above, and these are no number.
        let Counters {
            tcp,
            udp,
            options: _,
        } = counters;
        if key.protocol == Protocol::Udp {
            let (bytes, count) = (udp.bytes_to_target, udp.datagrams_to_target);
            self.add(
                "there",
                direction(&there, bytes, Some((&packets_there, count))),
            );
            let (bytes, count) = (udp.bytes_to_client, udp.datagrams_to_client);
            self.add(
                "back",
                direction(&back, bytes, Some((&packets_back, count))),
            );
            let (now, ever, evicted) = (udp.sessions_now, udp.sessions_ever, udp.sessions_evicted);
            let text = format!("{now} kept, {begun} new/s, {ever} ever, {evicted} evicted");
            self.add("sessions", text);
            self.reasons("lost", &udp.dropped);
        } else {
            self.add("there", direction(&there, tcp.bytes_to_target, None));
            self.add("back", direction(&back, tcp.bytes_to_client, None));
            let (now, connecting) = (tcp.connections_now, tcp.connecting_now);
            let (ever, resets) = (tcp.connections_ever, tcp.resets);
            let text = format!(
                "{now} open, {connecting} connecting, {begun} new/s, {ever} ever, {resets} reset"
            );
            self.add("connections", text);
            self.reasons("failed", &tcp.connect_errors);
            self.reasons("not accepted", &tcp.accept_errors);
        }
    }

    fn reasons(&mut self, label: &'static str, reasons: &Reasons) {
        for (reason, times) in reasons {
            self.add_trouble(label, format!("{times} × {reason}"));
        }
    }
}

/// Where the veth end `interface` of a namespace leads.
fn peer(netns: &Netns, interface: &str) -> Option<String> {
    let mut veths = netns.veths.iter();
    let veth = veths.find(|veth| veth.link.interface == interface)?;
    Some(match (&veth.peer_netns, &veth.peer_interface) {
        (Some(netns), Some(interface)) => format!("{netns}:{interface}"),
        _ => "(a namespace without a name)".to_owned(),
    })
}

fn flow_total(flow: &Flow) -> String {
    let mut text = format!(
        "{} B {} p ever",
        text::bytes(number(flow.bytes)),
        text::count(number(flow.packets))
    );
    for (count, what) in [(flow.dropped, "dropped"), (flow.errors, "errors")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text
}

/// A direction of a forward, with datagrams if there are any: how many a second and ever.
fn direction(rate: &str, ever: u64, datagrams: Option<(&str, u64)>) -> String {
    let bytes = format!("{rate} B/s, {ever} B ever");
    match datagrams {
        Some((rate, ever)) => format!("{bytes}; {rate} datagrams/s, {ever} ever"),
        None => bytes,
    }
}
