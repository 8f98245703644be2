//! `forward` of a namespace: ports, what listens here and where it leads.
//!
//! The options of `netnsctl forward` are keys of this section too, [`OPTIONS`].

mod endpoint;
mod options;
mod ports;

use std::net::{IpAddr, Ipv6Addr};

use self::endpoint::{address, odd_target};
pub use self::options::{OPTIONS, Written, parse_option, written};
use super::part::{Everywhere, Part, Target};
use super::{Condition, Fallback, Form, Key, Kind, Others, Section, Selector, Shape};
use crate::config::contradictions::{Contradictions, Subject};
use crate::config::diagnostic::{At, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::config::values;
use crate::desired::{Forward, ForwardOptions, Protocol};
use crate::forward_address::ForwardAddress;
use crate::name::{InterfaceName, NetnsRef};

/// Words for `protocol`.
const PROTOCOLS: &[&str] = &["tcp", "udp"];

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
    also: &["ports", "port", "publish", "portMappings"],
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

    fn build(self, target: &mut Target<'_>) -> Option<()> {
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
        match &mut target.netns {
            Some(netns) => netns.forwards = forwards,
            None => target.home.forwards = forwards,
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
        options: options::read(fields, report),
    }
}
