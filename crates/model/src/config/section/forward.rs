//! `forward` of a namespace: ports, what listens here and where it leads.
//!
//! The options of `netnsctl forward` are keys of this section too, [`OPTIONS`].

mod endpoint;
mod ports;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use self::endpoint::{address, odd_target};
use super::part::{self, Everywhere, Part};
use super::{Condition, Fallback, Form, Key, Kind, Others, Section, Selector, Shape};
use crate::config::contradictions::{Contradictions, Subject};
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::config::text::quote;
use crate::config::values::{self, AUTO, WORKERS};
use crate::desired::{Desired, Forward, ForwardOptions, Protocol, Workers};
use crate::forward_address::ForwardAddress;
use crate::name::{InterfaceName, NetnsRef};

/// Words for `protocol`.
const PROTOCOLS: &[&str] = &["tcp", "udp"];

/// Keepalive probes that tcp(7) takes: MAX_TCP_KEEPCNT of the kernel's include/net/tcp.h.
const KEEPALIVE_PROBES: std::ops::RangeInclusive<i64> = 1..=127;

/// One `forward` of a namespace.
pub static SECTION: Section = Section {
    word: "forward",
    shape: Shape::List,
    title: "a forward",
    heading: "FORWARDS",
    summary: "ports that lead elsewhere",
    about: "A port, or a unix stream socket: what connects to it in this namespace reaches \
            something in another. Keys that begin with \"tcp:\" or \"udp:\" mean something for that \
            protocol only. Refused: two listeners at one endpoint, forwards that lead in a circle, \
            and unix sockets for udp.",
    keys: &[ENDS, OPTIONS],
    selector: Some(Selector {
        key: "protocol",
        others: Others::Warned,
    }),
    conditions: &[Condition::Matches(
        "protocol",
        "^udp$",
        &[("listen", "^(?!unix:)"), ("connect", "^(?!unix:)")],
    )],
    is_in_host: true,
    more: "\n[[netns.NAME.forward]]   # a unix stream socket, at either end\n\
           listen = \"unix:/run/office-in.sock\"\n\
           connect = \"unix:/run/app.sock\"   # user nobody must be allowed to write to it\n",
    ..Section::EMPTY
};

static ENDS: &[Key] = &[
    Key::new(
        "protocol",
        Kind::String(Form::OneOf(PROTOCOLS)),
        "\"tcp\"",
        "what is forwarded",
    )
    .or(Fallback::Text("tcp")),
    Key::new(
        "listen",
        Kind::String(Form::Endpoint),
        "\"127.0.0.1:8080\"",
        "where to listen, in this namespace; or unix:PATH",
    )
    .required(),
    Key::new(
        "netns",
        Kind::String(Form::Netns),
        "\"default\"",
        "the namespace to connect in",
    )
    .or(Fallback::Text(NetnsRef::HOME)),
    Key::new(
        "connect",
        Kind::String(Form::Endpoint),
        "\"127.0.0.1:80\"",
        "where to connect, in that namespace; or unix:PATH",
    )
    .required(),
];

/// How it goes about it: keys that are options of `netnsctl forward` too. The words in the units
/// have this order, by which a running forwarder is compared with its unit.
pub static OPTIONS: &[Key] = &[
    Key::new(
        "connect_timeout",
        Kind::String(Form::Timeout),
        "\"10s\"",
        "how long the target may take to answer",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.connect_timeout))
    .of(&["tcp"]),
    Key::new(
        "half_close_timeout",
        Kind::String(Form::Timeout),
        "\"5m\"",
        "how long a connection with one direction closed may stay silent",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.half_close_timeout))
    .of(&["tcp"]),
    Key::new(
        "keepalive",
        Kind::String(Form::Pause),
        "\"15s\"",
        "silence before a peer is probed, and between probes; 0s: no probes",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.keepalive))
    .of(&["tcp"]),
    Key::new(
        "keepalive_probes",
        Kind::Integer(*KEEPALIVE_PROBES.start(), *KEEPALIVE_PROBES.end()),
        "3",
        "unanswered probes before a peer counts as gone",
    )
    .or(Fallback::Integer(ForwardOptions::DEFAULT.keepalive_probes))
    .of(&["tcp"]),
    Key::new(
        "udp_timeout",
        Kind::String(Form::Timeout),
        "\"2m\"",
        "how long a session without traffic is kept",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.udp_timeout))
    .of(&["udp"]),
    Key::new(
        "drain",
        Kind::String(Form::Duration),
        "\"30s\"",
        "how long connections may go on when the forward changes or goes",
    )
    .or(Fallback::Time(ForwardOptions::DEFAULT.drain))
    .of(&["tcp"]),
    Key::new(
        "max_sessions",
        Kind::Integer(1, u32::MAX as i64),
        "16384",
        "sessions at once",
    )
    .or(Fallback::Integer(ForwardOptions::DEFAULT.max_sessions))
    .of(&["udp"]),
    Key::new(
        "workers",
        Kind::IntegerOr(*WORKERS.start(), *WORKERS.end(), AUTO),
        "\"auto\"",
        "threads that share the work; auto: one for each processor, 8 at most",
    )
    .or(Fallback::Integer(1)),
    Key::new(
        "proxy_protocol",
        Kind::Boolean,
        "true",
        "whether the target gets a PROXY header (version 2) that names the client",
    )
    .or(Fallback::Boolean(ForwardOptions::DEFAULT.proxy_protocol))
    .of(&["tcp"]),
    Key::new(
        "max_connections",
        Kind::Integer(1, u32::MAX as i64),
        "1000",
        "connections at once",
    )
    .or(Fallback::Words("as many as there are descriptors for"))
    .of(&["tcp"]),
];

/// An option as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A switch.
    Switch(bool),
    /// A number.
    Number(u32),
    /// Text.
    Text(String),
}

/// Every option with its value; none for one that is not given.
pub fn written(options: &ForwardOptions) -> [(&'static str, Option<Written>); 10] {
    let time = |time| Some(Written::Text(values::write_duration(time)));
    let number = |number| Some(Written::Number(number));
    let workers = match options.workers {
        Workers::Auto => Written::Text(AUTO.to_owned()),
        Workers::Exactly(count) => Written::Number(count),
    };
    [
        ("connect_timeout", time(options.connect_timeout)),
        ("half_close_timeout", time(options.half_close_timeout)),
        ("keepalive", time(options.keepalive)),
        ("keepalive_probes", number(options.keepalive_probes)),
        ("udp_timeout", time(options.udp_timeout)),
        ("drain", time(options.drain)),
        ("max_sessions", number(options.max_sessions)),
        ("workers", Some(workers)),
        (
            "proxy_protocol",
            Some(Written::Switch(options.proxy_protocol)),
        ),
        ("max_connections", options.max_connections.and_then(number)),
    ]
}

/// One forward.
#[derive(Debug)]
pub(super) struct Declared {
    protocol: Protocol,
    listen: Option<At<ForwardAddress>>,
    netns: Option<At<NetnsRef>>,
    connect: Option<At<ForwardAddress>>,
    options: ForwardOptions,
}

impl Part for Vec<Declared> {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        given.iter().map(|fields| read(fields, report)).collect()
    }

    fn join(&mut self, more: Self) {
        self.extend(more);
    }

    fn references(&self) -> Vec<&At<NetnsRef>> {
        self.iter()
            .filter_map(|forward| forward.netns.as_ref())
            .collect()
    }

    /// The IPv6 loopback address is on `lo`.
    fn need<'d>(&'d self, here: &'d NetnsRef, found: &mut Contradictions<'d>) {
        let Ok(lo) = InterfaceName::parse("lo") else {
            return;
        };
        for forward in self {
            let there = forward.netns.as_ref().map(|there| &there.value);
            for (netns, end) in [(Some(here), &forward.listen), (there, &forward.connect)] {
                let endpoint = end.as_ref().and_then(|end| end.value.endpoint());
                if let (Some(netns), Some(end), Some(endpoint)) = (netns, end, endpoint)
                    && endpoint.ip == IpAddr::V6(Ipv6Addr::LOCALHOST)
                {
                    found.need(Subject::Ipv6(netns, lo.clone()), end.place);
                }
            }
        }
    }

    fn check(all: &Everywhere<'_, Self>, links: &Links<'_>, report: &mut Report<'_>) {
        ports::listeners(all, report);
        ports::circles(all, links, report);
        for (here, forwards) in all {
            for forward in *forwards {
                let there = forward.netns.as_ref().map(|there| &there.value);
                let ends = [(Some(*here), &forward.listen), (there, &forward.connect)];
                for (netns, end) in ends {
                    let (Some(netns), Some(end)) = (netns, end) else {
                        continue;
                    };
                    // Whether there is such a namespace is a question of its own.
                    let scope = end.value.endpoint().and_then(|it| it.scope.as_ref());
                    if let Some(scope) = scope.filter(|_| all.contains_key(netns)) {
                        links.expect(end.place, scope, netns, report);
                    }
                }
            }
        }
    }

    fn build(self, here: &NetnsRef, desired: &mut Desired) -> Option<()> {
        let forward = |forward: Declared| {
            Some(Forward {
                protocol: forward.protocol,
                listen: forward.listen?.value,
                netns: forward.netns?.value,
                connect: forward.connect?.value,
                options: forward.options,
            })
        };
        let forwards = self.into_iter().map(forward).collect::<Option<_>>()?;
        match part::named(desired, here) {
            Some(netns) => netns.forwards = forwards,
            None => desired.home.forwards = forwards,
        }
        Some(())
    }
}

/// Reads one `forward`.
fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Declared {
    let protocol = match fields.one_of("protocol", report) {
        Some("udp") => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    let listen = address(fields, "listen", protocol, report);
    let connect = address(fields, "connect", protocol, report);
    if let Some(connect) = &connect {
        odd_target(fields, connect, report);
    }
    let netns = match fields.entry("netns") {
        Some(_) => fields.value("netns", report, values::netns),
        None => Some(At {
            value: NetnsRef::Home,
            place: fields.place,
        }),
    };
    Declared {
        protocol,
        listen,
        netns,
        connect,
        options: options(fields, report),
    }
}

fn options(fields: &Fields<'_>, report: &mut Report<'_>) -> ForwardOptions {
    let default = ForwardOptions::DEFAULT;
    let integer = |key, report: &mut Report<'_>| fields.integer(key, report).map(|it| it.value);
    let given = fields.integer_or_word("workers", report);
    let workers = given.and_then(|given| {
        let read = values::workers(&given.value);
        read.map_err(|bad| {
            report.error(given.place, bad.message).hint(bad.hint);
        })
        .ok()
    });
    let patience = |key, default, report: &mut Report<'_>| timeout(fields, key, default, report);
    ForwardOptions {
        connect_timeout: patience("connect_timeout", default.connect_timeout, report),
        drain: fields
            .duration("drain", report)
            .map_or(default.drain, |it| it.value),
        half_close_timeout: patience("half_close_timeout", default.half_close_timeout, report),
        keepalive: keepalive(fields, report).unwrap_or(default.keepalive),
        keepalive_probes: integer("keepalive_probes", report).unwrap_or(default.keepalive_probes),
        max_connections: integer("max_connections", report),
        proxy_protocol: fields
            .boolean("proxy_protocol", report)
            .unwrap_or(default.proxy_protocol),
        udp_timeout: patience("udp_timeout", default.udp_timeout, report),
        max_sessions: integer("max_sessions", report).unwrap_or(default.max_sessions),
        workers: workers.unwrap_or(default.workers),
    }
}

fn keepalive(fields: &Fields<'_>, report: &mut Report<'_>) -> Option<Duration> {
    let given = fields.duration("keepalive", report)?;
    if let (true, Some(probes)) = (given.value.is_zero(), fields.entry("keepalive_probes")) {
        report
            .warning(
                probes.key_place,
                "\"keepalive_probes\" means nothing without probes",
            )
            .hint("keepalive = \"0s\" switches them off");
    }
    match values::check_keepalive(given.value) {
        Ok(()) => Some(given.value),
        Err(bad) => {
            report.error(given.place, bad.message).hint(bad.hint);
            None
        }
    }
}

fn timeout(
    fields: &Fields<'_>,
    key: &'static str,
    default: Duration,
    report: &mut Report<'_>,
) -> Duration {
    match fields.duration(key, report) {
        Some(given) if given.value.is_zero() => {
            report
                .error(given.place, format!("{} cannot be zero", quote(key)))
                .hint("nothing would live long enough to be of use; write a time such as \"10s\"");
            default
        }
        Some(given) => given.value,
        None => default,
    }
}
