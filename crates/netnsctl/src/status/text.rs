//! `status` as a person reads it at night: a heading that says whether all is well, then a line
//! for each thing, what differs marked.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use netnsctl_forward::{Counters, Reasons, TcpCounters, UdpCounters};
use netnsctl_model::address::InterfaceAddress;
use netnsctl_model::desired::Protocol;
use netnsctl_model::observed::kind_word;

use super::hints;
use super::wire::{Drift, Forward, Link, Netns, Report, Veth, unknown};
use crate::published::forward_line;

/// How many processes are named before the rest is only counted.
const PROCESSES_SHOWN: usize = 8;

/// The whole report.
pub(crate) fn render(report: &Report, color: bool) -> String {
    let paint = Paint { color };
    let mut text = String::new();
    for netns in &report.netns {
        heading(&mut text, netns, paint);
        let mut rows = Rows::default();
        netns_rows(&mut rows, netns);
        text.push_str(&rows.finish());
        hints(&mut text, &netns.forwards);
        trouble(&mut text, netns, paint);
        text.push('\n');
    }
    if !report.home_forwards.is_empty() {
        let _ = writeln!(text, "{}", paint.bold("default (home)"));
        let mut rows = Rows::default();
        report
            .home_forwards
            .iter()
            .for_each(|forward| rows.forward(forward, true));
        text.push_str(&rows.finish());
        hints(&mut text, &report.home_forwards);
        text.push('\n');
    }
    if let Some(line) = hints::nobody_runs(report) {
        let _ = writeln!(text, "{line}");
    }
    for drift in &report.elsewhere {
        let _ = writeln!(text, "{}", paint.yellow(&self::drift(drift)));
    }
    for note in &report.notes {
        let _ = writeln!(text, "note: {note}");
    }
    if !report.unmanaged.is_empty() {
        let _ = writeln!(text, "not managed here: {}", report.unmanaged.join(", "));
    }
    if text.is_empty() {
        text.push_str("no network namespaces, declared or otherwise\n");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn drift(drift: &Drift) -> String {
    let sign = drift.change.sign();
    format!("drift: \"up\" would {sign} {}", drift.description)
}

/// What to do about clients that were turned away.
fn hints(text: &mut String, forwards: &[Forward]) {
    for hint in forwards.iter().flat_map(hints::about) {
        let _ = writeln!(text, "  hint: {hint}");
    }
}

fn heading(text: &mut String, netns: &Netns, paint: Paint) {
    let (words, is_well) = state(netns);
    let state = if is_well {
        paint.green(&words)
    } else {
        paint.red(&words)
    };
    let _ = writeln!(text, "{}: {state}", paint.bold(&netns.name));
}

/// How a namespace is, and whether that is well.
pub(crate) fn state(netns: &Netns) -> (String, bool) {
    let differs = netns.drift.len();
    let words = match (netns.state, netns.declared) {
        ("up", true) if differs == 0 && netns.problems.is_empty() => {
            return match netns.waiting.is_empty() {
                true => ("up, as declared".to_owned(), true),
                false => ("up, waiting for a link".to_owned(), false),
            };
        }
        ("up", true) if differs == 0 => "up, with trouble",
        ("up", true) => {
            let s = if differs == 1 { "" } else { "s" };
            let words = format!("up, {differs} difference{s} from what is declared");
            return (words, false);
        }
        ("up", false) => "up, no longer declared",
        ("foreign", _) => "there, but not made by netnsctl",
        ("stale", _) => "down: a name without a namespace",
        (_, true) => "down",
        (_, false) => "gone, but for a record",
    };
    (words.to_owned(), false)
}

fn netns_rows(rows: &mut Rows, netns: &Netns) {
    if let Some(holder) = &netns.holder {
        rows.link("holder", &holder.interface, holder);
    }
    for veth in &netns.veths {
        rows.veth(veth);
    }
    for link in netns.links.iter().chain(&netns.other_links) {
        rows.link("link", &link.interface, link);
    }
    for route in &netns.routes {
        rows.add("route", route, "", "");
    }
    for entry in netns.entries.iter().filter(|entry| entry.present) {
        rows.add(entry.kind, &entry.description, "", "");
    }
    for sysctl in &netns.sysctl_differs {
        let value = sysctl.value.as_deref().unwrap_or("(no such key)");
        rows.add(
            "sysctl",
            &sysctl.key,
            value,
            &format!("declared {}", sysctl.declared),
        );
    }
    for forward in &netns.forwards {
        rows.forward(forward, netns.inode.is_some());
    }
    rows.nscd(netns);
    let more = netns.processes.len().saturating_sub(PROCESSES_SHOWN);
    for process in netns.processes.iter().take(PROCESSES_SHOWN) {
        rows.add("process", &process.pid.to_string(), &process.command, "");
    }
    if more > 0 {
        rows.add("process", &format!("and {more} more"), "", "");
    }
}

fn trouble(text: &mut String, netns: &Netns, paint: Paint) {
    if matches!(netns.state, "absent" | "stale") && netns.declared {
        let _ = writeln!(text, "  \"netnsctl up {}\" makes it", netns.name);
    }
    let drift: &[_] = if netns.state == "up" {
        &netns.drift
    } else {
        &[]
    };
    for drift in drift {
        let _ = writeln!(text, "  {}", paint.yellow(&self::drift(drift)));
    }
    for service in &netns.stale_services {
        let line = format!(
            "  problem: {service} is in an older namespace of this name; \"systemctl restart {service}\" moves it"
        );
        let _ = writeln!(text, "{}", paint.red(&line));
    }
    for problem in &netns.problems {
        let _ = writeln!(text, "{}", paint.red(&format!("  problem: {problem}")));
    }
    for line in &netns.waiting {
        let _ = writeln!(text, "  {}", paint.yellow(line));
    }
}

/// Aligned lines of four columns.
#[derive(Default)]
struct Rows(Vec<[String; 4]>);

impl Rows {
    fn add(&mut self, what: &str, name: &str, state: &str, details: &str) {
        self.0.push([what, name, state, details].map(str::to_owned));
    }

    fn veth(&mut self, veth: &Veth) {
        let link = &veth.link;
        let peer = match (&veth.peer_netns, &veth.peer_interface) {
            (Some(netns), Some(interface)) => format!("{} ⇄ {netns}:{interface}", link.interface),
            _ => format!("{} ⇄ (a namespace without a name)", link.interface),
        };
        self.link("veth", &peer, link);
    }

    fn link(&mut self, what: &str, name: &str, link: &Link) {
        let name = if link.declared {
            name.to_owned()
        } else {
            format!("{name} (extra)")
        };
        self.add(what, &name, &link_state(link), &addresses(link));
    }

    /// A forward that listens in a namespace that `is_there`, or was.
    fn forward(&mut self, forward: &Forward, is_there: bool) {
        let Forward {
            protocol,
            listen,
            netns,
            connect,
            ..
        } = forward;
        let name = forward_line(*protocol, listen, netns, connect);
        match &forward.counters {
            Some(counters) => {
                let state = if is_there {
                    "running"
                } else {
                    "running where nobody comes any more"
                };
                self.add("forward", &name, state, &traffic(*protocol, counters));
            }
            None if forward.running.is_none() => {
                let why = forward.error.as_deref().unwrap_or_default();
                self.add("forward", &name, &unknown(why), "");
            }
            None => self.add("forward", &name, "not running", ""),
        }
    }

    /// A daemon that is not wanted and not there is no news.
    fn nscd(&mut self, netns: &Netns) {
        let nscd = &netns.nscd;
        let state = match (nscd.running, nscd.enabled) {
            (Some(true), true) => "running".to_owned(),
            (Some(true), false) => "running, though not declared".to_owned(),
            (Some(false), true) if netns.inode.is_some() => "not running".to_owned(),
            (Some(false), _) => return,
            (None, _) => nscd.unknown(),
        };
        self.add("nscd", &nscd.socket, &state, "");
    }

    fn finish(self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.add_rows(self.0);
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding(if at == 0 { (2, 1) } else { (0, 1) });
        }
        let lines = table.to_string();
        lines
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| format!("{}\n", line.trim_end()))
            .collect()
    }
}

/// The addresses, without the link-local ones that the kernel makes up for itself.
pub(crate) fn addresses(link: &Link) -> String {
    let is_link_local = |address: &str| {
        let address = address.parse::<InterfaceAddress>();
        address.is_ok_and(|address| address.is_link_local())
    };
    let own = |address: &&String| link.kind.as_deref() == Some("veth") || !is_link_local(address);
    let shown = link.addresses.iter().filter(own).map(|address| {
        if link.declared && link.extra_addresses.contains(address) {
            format!("{address} (extra)")
        } else {
            address.clone()
        }
    });
    shown.collect::<Vec<_>>().join("  ")
}

/// The kind and state of a link.
pub(crate) fn link_state(link: &Link) -> String {
    let kind = kind_word(link.kind.as_deref());
    let state = match (link.up, link.carrier) {
        (false, _) => "DOWN",
        (true, false) if kind != "bridge" => "up, NO CARRIER",
        (true, _) => "up",
    };
    let parent = link.values.get("parent").map(|parent| {
        let netns = link.values.get("parent_netns");
        let netns = netns.map_or_else(String::new, |netns| format!("{netns}:"));
        format!(" on {netns}{parent}")
    });
    let parent = parent.unwrap_or_default();
    format!("{kind}{parent}, {state}, mtu {}", link.mtu)
}

/// What a forward has carried, in words.
pub(crate) fn traffic(protocol: Protocol, counters: &Counters) -> String {
    let mut parts = match protocol {
        Protocol::Tcp => tcp_traffic(&counters.tcp),
        Protocol::Udp => udp_traffic(&counters.udp),
    };
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

fn tcp_traffic(tcp: &TcpCounters) -> Vec<String> {
    vec![
        format!("{} open", tcp.connections_now),
        if_any(tcp.connecting_now, "connecting"),
        format!("{} ever", tcp.connections_ever),
        format!("{} there", bytes(tcp.bytes_to_target)),
        format!("{} back", bytes(tcp.bytes_to_client)),
        if_any(tcp.resets, "reset"),
        reasons("failed", &tcp.connect_errors),
        reasons("not accepted", &tcp.accept_errors),
    ]
}

fn udp_traffic(udp: &UdpCounters) -> Vec<String> {
    let s = if udp.sessions_now == 1 { "" } else { "s" };
    let (there, back) = (bytes(udp.bytes_to_target), bytes(udp.bytes_to_client));
    vec![
        format!("{} session{s}", udp.sessions_now),
        format!("{} ever", udp.sessions_ever),
        format!("{} datagrams ({there}) there", udp.datagrams_to_target),
        format!("{} ({back}) back", udp.datagrams_to_client),
        if_any(udp.sessions_evicted, "evicted"),
        reasons("lost", &udp.dropped),
    ]
}

/// What need not be said of nothing.
fn if_any(count: u64, what: &str) -> String {
    if count == 0 {
        String::new()
    } else {
        format!("{count} {what}")
    }
}

fn reasons(what: &str, reasons: &Reasons) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let listed = reasons.iter().map(|(reason, n)| format!("{n} × {reason}"));
    format!("{what}: {}", listed.collect::<Vec<_>>().join(", "))
}

/// Bytes in binary units, one digit behind the point.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut tenths, mut unit) = (count.saturating_mul(10) / 1024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    fn green(self, text: &str) -> String {
        self.with("32", text)
    }
    fn red(self, text: &str) -> String {
        self.with("31", text)
    }
    fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_is_told_in_full_and_trouble_only_where_there_was_some() {
        let mut counters = Counters::default();
        let quiet = traffic(Protocol::Tcp, &counters);
        assert_eq!(quiet, "0 open, 0 ever, 0 B there, 0 B back");
        let quiet = traffic(Protocol::Udp, &counters);
        assert_eq!(
            quiet,
            "0 sessions, 0 ever, 0 datagrams (0 B) there, 0 (0 B) back"
        );
        let tcp = &mut counters.tcp;
        (tcp.connections_now, tcp.connections_ever) = (3, 9);
        (tcp.connecting_now, tcp.resets) = (1, 4);
        (tcp.bytes_to_target, tcp.bytes_to_client) = (5, 6);
        tcp.connect_errors = Reasons::from([("ECONNREFUSED".into(), 7), ("ETIMEDOUT".into(), 8)]);
        tcp.accept_errors = Reasons::from([("EMFILE".into(), 2)]);
        let udp = &mut counters.udp;
        (udp.sessions_now, udp.sessions_ever, udp.sessions_evicted) = (1, 20, 10);
        (udp.datagrams_to_target, udp.bytes_to_target) = (21, 22);
        (udp.datagrams_to_client, udp.bytes_to_client) = (23, 24);
        udp.dropped = Reasons::from([("ENOBUFS".into(), 25)]);
        assert_eq!(
            traffic(Protocol::Tcp, &counters),
            "3 open, 1 connecting, 9 ever, 5 B there, 6 B back, 4 reset, \
             failed: 7 × ECONNREFUSED, 8 × ETIMEDOUT, not accepted: 2 × EMFILE"
        );
        assert_eq!(
            traffic(Protocol::Udp, &counters),
            "1 session, 20 ever, 21 datagrams (22 B) there, 23 (24 B) back, 10 evicted, \
             lost: 25 × ENOBUFS"
        );
    }

    #[test]
    fn bytes_are_shown_in_units_a_person_reads() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
        ];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(bytes(u64::MAX), "1638.3 PiB");
    }
}
