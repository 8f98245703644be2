//! The three tables: which columns they have, and what stands in their rows.

use std::cmp::Ordering;

use netnsctl_forward::{Counters, Reasons};
use netnsctl_model::desired::Protocol;
use netnsctl_model::name::NetnsRef;

use super::rates::{ForwardRate, LinkRate, Rates, sum};
use super::sample::{LinkKey, Sample};
use super::text::{self, number};
use crate::published::ForwardKey;
use crate::status::ForwardState;
use crate::status::wire::{Forward, Link, Netns};

/// Which table is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    #[default]
    Netns,
    Links,
    Forwards,
}

/// What a row stands for, whatever is in it at the moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Netns(String),
    Link(LinkKey),
    Forward(ForwardKey),
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Characters.
    pub(super) width: u16,
    /// Whether it shares in what is left of the line, and gives way where there is too little.
    pub(super) grows: bool,
    /// Those of the highest number go first where the terminal is narrow.
    pub(super) rank: u8,
}

const fn column(title: &'static str, width: u16, rank: u8) -> Column {
    Column {
        title,
        width,
        grows: false,
        rank,
    }
}

const fn growing(title: &'static str, width: u16) -> Column {
    Column {
        title,
        width,
        grows: true,
        rank: 0,
    }
}

const NETNS: &[Column] = &[
    growing("NETNS", 16),
    column("STATE", 12, 1),
    column("IN B/s", 7, 0),
    column("OUT B/s", 7, 2),
    column("IN p/s", 6, 5),
    column("OUT p/s", 7, 6),
    column("CONN/s", 6, 4),
    column("OPEN", 5, 3),
    column("UDP", 5, 8),
    column("DRIFT", 5, 7),
];

const LINKS: &[Column] = &[
    growing("LINK", 12),
    growing("NETNS", 12),
    column("STATE", 12, 3),
    column("IN B/s", 7, 1),
    column("OUT B/s", 7, 2),
    column("IN p/s", 6, 4),
    column("OUT p/s", 7, 5),
    column("DROP", 5, 7),
    column("ERR", 5, 6),
];

const FORWARDS: &[Column] = &[
    growing("FORWARD", 40),
    column("NETNS", 12, 4),
    column("STATE", 12, 3),
    column("THERE B/s", 9, 1),
    column("BACK B/s", 8, 2),
    column("CONN/s", 6, 6),
    column("OPEN", 5, 5),
    column("p/s", 5, 8),
    column("ERR", 5, 7),
];

impl Tab {
    pub(super) const ALL: [Self; 3] = [Self::Netns, Self::Links, Self::Forwards];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Netns => "namespaces",
            Self::Links => "links",
            Self::Forwards => "forwards",
        }
    }

    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Netns => NETNS,
            Self::Links => LINKS,
            Self::Forwards => FORWARDS,
        }
    }

    /// The column that a table is sorted by at first: that of the bytes that come in.
    pub(super) fn busiest(self) -> usize {
        match self {
            Self::Netns => 2,
            Self::Links | Self::Forwards => 3,
        }
    }
}

/// What stands in a column of a row. Numbers that are not known, or make no sense there, are none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Bytes(Option<f64>),
    Count(Option<f64>),
    Text(String),
}

impl Cell {
    pub(super) fn show(&self) -> String {
        match self {
            Self::Bytes(Some(number)) => text::bytes(*number),
            Self::Count(Some(number)) => text::count(*number),
            Self::Bytes(None) | Self::Count(None) => "-".to_owned(),
            Self::Text(text) => text.clone(),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        !matches!(self, Self::Text(_))
    }

    /// The order of a column as people want it at first: names from a to z, the most first.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let amount = |cell: &Self| match cell {
            Self::Bytes(number) | Self::Count(number) => number.unwrap_or(-1.0),
            Self::Text(_) => -1.0,
        };
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            _ => amount(other).total_cmp(&amount(self)),
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) id: Id,
    pub(super) cells: Vec<Cell>,
    /// Whether something of it wants a look.
    pub(super) trouble: bool,
}

impl Row {
    /// Whether one of its texts has `words` in it, in capitals or not.
    pub(super) fn has(&self, words: &str) -> bool {
        let words = words.to_lowercase();
        let texts = self.cells.iter().filter_map(|cell| match cell {
            Cell::Text(text) => Some(text),
            Cell::Bytes(_) | Cell::Count(_) => None,
        });
        texts
            .into_iter()
            .any(|text| text.to_lowercase().contains(&words))
    }
}

/// All rows of a table, in no order that matters.
pub(super) fn rows(tab: Tab, sample: &Sample, rates: &Rates) -> Vec<Row> {
    match tab {
        Tab::Netns => netns_rows(sample, rates),
        Tab::Links => link_rows(sample, rates),
        Tab::Forwards => forward_rows(sample, rates),
    }
}

/// The namespaces that have rows: those of the report, home if it has anything to do with them, and
/// those that are not managed. What is told of them comes with the first.
fn netns_rows(sample: &Sample, rates: &Rates) -> Vec<Row> {
    let report = &sample.report;
    let mut rows: Vec<Row> = (report.netns.iter())
        .map(|netns| {
            let (state, trouble) = netns_state(netns);
            let drift = Some(number(netns.drift.len() as u64));
            netns_row(sample, rates, (&netns.name, state, trouble), drift)
        })
        .collect();
    let home = NetnsRef::Home.to_string();
    if !report.home_forwards.is_empty() || sample.links.keys().any(|(netns, _)| *netns == home) {
        rows.push(netns_row(sample, rates, (&home, "home", false), None));
    }
    for name in &report.unmanaged {
        rows.push(netns_row(sample, rates, (name, "not managed", false), None));
    }
    rows
}

fn netns_row(
    sample: &Sample,
    rates: &Rates,
    (name, state, trouble): (&str, &str, bool),
    drift: Option<f64>,
) -> Row {
    let link = links_rate(sample, rates, name);
    let forwards = || forwards_of(sample, name);
    let forward = sum(forwards().map(|key| rates.forwards.get(key).copied()));
    let known = |count: fn(&Counters) -> u64| {
        let counters = forwards().filter_map(|key| sample.forwards.get(key)?.counters());
        counters.map(|it| number(count(it))).reduce(|a, b| a + b)
    };
    Row {
        id: Id::Netns(name.to_owned()),
        cells: vec![
            Cell::Text(name.to_owned()),
            state_cell(state, trouble),
            Cell::Bytes(link.map(|it| it.bytes.there)),
            Cell::Bytes(link.map(|it| it.bytes.back)),
            Cell::Count(link.map(|it| it.packets.there)),
            Cell::Count(link.map(|it| it.packets.back)),
            Cell::Count(forward.map(|it| it.begun)),
            Cell::Count(known(|it| it.tcp.connections_now)),
            Cell::Count(known(|it| it.udp.sessions_now)),
            Cell::Count(drift),
        ],
        trouble,
    }
}

/// The rate of all links of a namespace but `lo`.
pub(super) fn links_rate(sample: &Sample, rates: &Rates, netns: &str) -> Option<LinkRate> {
    let links = sample.links.keys();
    let links = links.filter(|(of, link)| of == netns && link != "lo");
    sum(links.map(|key| rates.links.get(key).copied()))
}

/// The forwards that listen in a namespace.
pub(super) fn forwards_of<'a>(
    sample: &'a Sample,
    netns: &'a str,
) -> impl Iterator<Item = &'a ForwardKey> {
    let all = sample.forwards.keys();
    all.filter(move |key| key.listen_netns == netns)
}

/// A word for the state of a namespace, and whether it wants a look.
pub(super) fn netns_state(netns: &Netns) -> (&'static str, bool) {
    let has_trouble = !netns.problems.is_empty() || !netns.stale_services.is_empty();
    match (netns.state, netns.declared) {
        ("up", true) if !netns.drift.is_empty() => ("differs", true),
        ("up", true) if has_trouble => ("trouble", true),
        ("up", true) => ("as declared", false),
        ("up", false) => ("undeclared", true),
        ("foreign", _) => ("foreign", true),
        ("stale", _) => ("stale name", true),
        (_, true) => ("down", true),
        (_, false) => ("gone", true),
    }
}

/// A state that wants a look is marked with more than a colour.
fn state_cell(state: &str, trouble: bool) -> Cell {
    Cell::Text(format!("{}{state}", if trouble { "!" } else { "" }))
}

/// What the report says of a link of a namespace.
pub(super) fn find_link<'a>(sample: &'a Sample, key: &LinkKey) -> Option<&'a Link> {
    let netns = sample.report.netns.iter().find(|it| it.name == key.0)?;
    let veths = netns.veths.iter().map(|veth| &veth.link);
    let mut all = netns
        .holder
        .iter()
        .chain(veths)
        .chain(&netns.links)
        .chain(&netns.other_links);
    all.find(|link| link.interface == key.1)
}

fn link_rows(sample: &Sample, rates: &Rates) -> Vec<Row> {
    let links = sample.links.iter().filter(|((_, link), _)| link != "lo");
    let row = |(key, traffic): (&LinkKey, &netnsctl_netlink::Traffic)| {
        let rate = rates.links.get(key);
        let link = find_link(sample, key);
        let (state, trouble) = link.map_or(("", false), link_state);
        let flows = [traffic.received, traffic.sent];
        let total = |of: fn(&netnsctl_netlink::Flow) -> u64| {
            Some(flows.iter().map(|flow| number(of(flow))).sum())
        };
        Row {
            id: Id::Link(key.clone()),
            cells: vec![
                Cell::Text(key.1.clone()),
                Cell::Text(key.0.clone()),
                state_cell(state, trouble),
                Cell::Bytes(rate.map(|it| it.bytes.there)),
                Cell::Bytes(rate.map(|it| it.bytes.back)),
                Cell::Count(rate.map(|it| it.packets.there)),
                Cell::Count(rate.map(|it| it.packets.back)),
                Cell::Count(total(|flow| flow.dropped)),
                Cell::Count(total(|flow| flow.errors)),
            ],
            trouble,
        }
    };
    links.map(row).collect()
}

fn link_state(link: &Link) -> (&'static str, bool) {
    match (link.up, link.carrier) {
        (false, _) => ("down", true),
        (true, false) if link.kind.as_deref() != Some("bridge") => ("no carrier", true),
        _ if !link.declared => ("extra", false),
        _ => ("up", false),
    }
}

fn forward_rows(sample: &Sample, rates: &Rates) -> Vec<Row> {
    let shown = |key: &&ForwardKey| is_shown(sample, &key.listen_netns);
    let keys = sample.forwards.keys().filter(shown);
    keys.map(|key| forward_row(sample, rates.forwards.get(key), key))
        .collect()
}

/// Whether a namespace is among those asked for.
fn is_shown(sample: &Sample, netns: &str) -> bool {
    let report = &sample.report;
    report.netns.iter().any(|it| it.name == netns)
        || (netns == NetnsRef::Home.as_str() && !report.home_forwards.is_empty())
}

/// What the report says of a forward.
pub(super) fn find_forward<'a>(sample: &'a Sample, key: &ForwardKey) -> Option<&'a Forward> {
    let report = &sample.report;
    let netns = report.netns.iter().find(|it| it.name == key.listen_netns);
    let forwards = netns.map_or(&report.home_forwards, |netns| &netns.forwards);
    forwards.iter().find(|it| {
        (it.protocol, &it.listen, &it.netns, &it.connect)
            == (key.protocol, &key.listen, &key.netns, &key.connect)
    })
}

/// A word for the state of a forward, and whether it wants a look.
pub(super) fn forward_state(sample: &Sample, key: &ForwardKey) -> (&'static str, bool) {
    let is_declared = find_forward(sample, key).is_some();
    match sample.forwards.get(key) {
        Some(ForwardState::Runs(_)) if is_declared => ("running", false),
        Some(ForwardState::Runs(_)) => ("undeclared", true),
        Some(ForwardState::DoesNotRun) | None => ("not running", true),
        Some(ForwardState::Unknown(_)) => ("unknown", true),
    }
}

fn forward_row(sample: &Sample, rate: Option<&ForwardRate>, key: &ForwardKey) -> Row {
    let counters = sample.forwards.get(key).and_then(ForwardState::counters);
    let (state, trouble) = forward_state(sample, key);
    let is_udp = key.protocol == Protocol::Udp;
    let open = |it: &Counters| it.tcp.connections_now + it.udp.sessions_now;
    let datagrams = rate.map(|it| it.datagrams.there + it.datagrams.back);
    Row {
        id: Id::Forward(key.clone()),
        cells: vec![
            Cell::Text(text::forward(key)),
            Cell::Text(key.listen_netns.clone()),
            state_cell(state, trouble),
            Cell::Bytes(rate.map(|it| it.bytes.there)),
            Cell::Bytes(rate.map(|it| it.bytes.back)),
            Cell::Count(rate.map(|it| it.begun)),
            Cell::Count(counters.map(|it| number(open(it)))),
            Cell::Count(datagrams.filter(|_| is_udp)),
            Cell::Count(counters.map(|it| number(failures(it)))),
        ],
        trouble,
    }
}

/// Everything that went wrong in a forward.
fn failures(counters: &Counters) -> u64 {
    let all: [&Reasons; 3] = [
        &counters.tcp.connect_errors,
        &counters.tcp.accept_errors,
        &counters.udp.dropped,
    ];
    let times = all.into_iter().flat_map(|reasons| reasons.values());
    times.fold(0, |sum: u64, times| sum.saturating_add(*times))
}
