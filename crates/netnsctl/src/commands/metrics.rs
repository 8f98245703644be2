//! `metrics`: the counters of all forwards in the text format of Prometheus, version 0.0.4.
//!
//! Forwards are those declared and those the running `serve` carries, so that one which was taken
//! out of the configuration is seen until it ends. Namespaces are not looked at: asking a forward
//! takes some microseconds, whatever else the machine has.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use netnsctl_forward::{Reasons, TcpCounters, UdpCounters};
use netnsctl_model::desired::{Desired, Forward, Protocol};
use netnsctl_model::name::NetnsRef;

use crate::cli::Metrics;
use crate::config_files;
use crate::output::{self, Exit, Failure};
use crate::published::{self, ForwardKey, forward_key};
use crate::status::ForwardState;

/// Every forward, and what is known of its forwarder.
pub(crate) type Forwards = BTreeMap<ForwardKey, ForwardState>;

pub(super) fn metrics(config: &[PathBuf], arguments: &Metrics) -> Result<Exit, Failure> {
    super::enter_sandbox(&arguments.sandbox)?;
    // What runs is worth counting also when the configuration is wrong or missing.
    let (desired, exit) = config_files::load_if_right(config)?;
    output::print(&exposition(&gather(&desired)?))?;
    Ok(exit)
}

/// Asks all forwards that are declared or run.
///
/// Errors: it is not known what a running `serve` publishes.
pub(crate) fn gather(desired: &Desired) -> Result<Forwards, Failure> {
    let declared = desired.all_forwards();
    let of_unit = |(netns, number, forward): (NetnsRef, usize, &Forward)| {
        let control = netnsctl_units::control_path(&netns, number, forward.protocol);
        (forward_key(&netns, forward), control.map(PathBuf::from))
    };
    let mut controls: BTreeMap<ForwardKey, Option<PathBuf>> = declared.map(of_unit).collect();
    let running = published::running()?.map(|state| state.forwards);
    let running = running.into_iter().flatten();
    controls.extend(running.map(|forward| (forward.key, Some(forward.control))));
    let answer = |control: Option<PathBuf>| {
        let asked = control.map(|path| ForwardState::ask(&path));
        asked.unwrap_or(ForwardState::DoesNotRun)
    };
    Ok(controls
        .into_iter()
        .map(|(key, control)| (key, answer(control)))
        .collect())
}

/// What is told under one name.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Samples,
}

/// Where the samples of a family come from: of forwards of one protocol, or of both.
enum Samples {
    Up,
    Tcp(fn(&TcpCounters) -> Vec<Sample>),
    Udp(fn(&UdpCounters) -> Vec<Sample>),
    Both(
        fn(&TcpCounters) -> Vec<Sample>,
        fn(&UdpCounters) -> Vec<Sample>,
    ),
}

/// A number, and the label that tells it from others of its forward and family.
struct Sample {
    label: Option<(&'static str, String)>,
    value: u64,
}

fn one(value: u64) -> Vec<Sample> {
    vec![Sample { label: None, value }]
}

fn directions(to_target: u64, to_client: u64) -> Vec<Sample> {
    let both = [("to_target", to_target), ("to_client", to_client)];
    let sample = |(direction, value): (&str, u64)| Sample {
        label: Some(("direction", direction.to_owned())),
        value,
    };
    both.into_iter().map(sample).collect()
}

fn reasons(label: &'static str, reasons: &Reasons) -> Vec<Sample> {
    let sample = |(reason, value): (&_, &u64)| Sample {
        label: Some((label, String::from(Cow::clone(reason)))),
        value: *value,
    };
    reasons.iter().map(sample).collect()
}

/// Everything told. docs/metrics.md has the same words, which a test sees to.
const FAMILIES: &[Family] = &[
    Family {
        name: "netnsctl_forward_up",
        kind: "gauge",
        help: "Whether the forwarder answers (1) or not (0).",
        samples: Samples::Up,
    },
    Family {
        name: "netnsctl_forward_connections",
        kind: "gauge",
        help: "TCP clients accepted and not yet done with.",
        samples: Samples::Tcp(|tcp| one(tcp.connections_now)),
    },
    Family {
        name: "netnsctl_forward_connections_connecting",
        kind: "gauge",
        help: "TCP clients whose target has not answered yet.",
        samples: Samples::Tcp(|tcp| one(tcp.connecting_now)),
    },
    Family {
        name: "netnsctl_forward_connections_total",
        kind: "counter",
        help: "TCP clients ever accepted.",
        samples: Samples::Tcp(|tcp| one(tcp.connections_ever)),
    },
    Family {
        name: "netnsctl_forward_resets_total",
        kind: "counter",
        help: "TCP connections that stood and ended by a reset or a timer.",
        samples: Samples::Tcp(|tcp| one(tcp.resets)),
    },
    Family {
        name: "netnsctl_forward_connect_errors_total",
        kind: "counter",
        help: "TCP clients reset because the target could not be reached.",
        samples: Samples::Tcp(|tcp| reasons("errno", &tcp.connect_errors)),
    },
    Family {
        name: "netnsctl_forward_accept_errors_total",
        kind: "counter",
        help: "Failures to accept a TCP client or to make a socket for its target.",
        samples: Samples::Tcp(|tcp| reasons("errno", &tcp.accept_errors)),
    },
    Family {
        name: "netnsctl_forward_sessions",
        kind: "gauge",
        help: "UDP sessions kept.",
        samples: Samples::Udp(|udp| one(udp.sessions_now)),
    },
    Family {
        name: "netnsctl_forward_sessions_total",
        kind: "counter",
        help: "UDP sessions ever made.",
        samples: Samples::Udp(|udp| one(udp.sessions_ever)),
    },
    Family {
        name: "netnsctl_forward_sessions_evicted_total",
        kind: "counter",
        help: "UDP sessions given up early because the table was full.",
        samples: Samples::Udp(|udp| one(udp.sessions_evicted)),
    },
    Family {
        name: "netnsctl_forward_datagrams_total",
        kind: "counter",
        help: "UDP datagrams handed to the kernel.",
        samples: Samples::Udp(|udp| directions(udp.datagrams_to_target, udp.datagrams_to_client)),
    },
    Family {
        name: "netnsctl_forward_datagrams_dropped_total",
        kind: "counter",
        help: "UDP datagrams lost.",
        samples: Samples::Udp(|udp| reasons("reason", &udp.dropped)),
    },
    Family {
        name: "netnsctl_forward_bytes_total",
        kind: "counter",
        help: "Payload bytes handed to the kernel.",
        samples: Samples::Both(
            |tcp| directions(tcp.bytes_to_target, tcp.bytes_to_client),
            |udp| directions(udp.bytes_to_target, udp.bytes_to_client),
        ),
    },
];

impl Samples {
    /// Those of a forward of `protocol`. None of one of which nothing is known.
    fn of(&self, protocol: Protocol, forwarder: &ForwardState) -> Vec<Sample> {
        let counters = match (forwarder, self) {
            (ForwardState::Runs(counters), _) => counters,
            (ForwardState::DoesNotRun, Self::Up) => return one(0),
            _ => return Vec::new(),
        };
        let is_udp = protocol == Protocol::Udp;
        match self {
            Self::Up => one(1),
            Self::Tcp(of) | Self::Both(of, _) if !is_udp => of(&counters.tcp),
            Self::Udp(of) | Self::Both(_, of) if is_udp => of(&counters.udp),
            Self::Tcp(_) | Self::Udp(_) | Self::Both(..) => Vec::new(),
        }
    }
}

/// The whole text. A family without samples is left out, as is everything if there is no forward.
fn exposition(forwards: &Forwards) -> String {
    let mut text = String::new();
    for family in FAMILIES {
        let mut lines = String::new();
        for (key, forwarder) in forwards {
            for sample in family.samples.of(key.protocol, forwarder) {
                line(&mut lines, family.name, key, &sample);
            }
        }
        if !lines.is_empty() {
            let Family {
                name, kind, help, ..
            } = family;
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            text.push_str(&lines);
        }
    }
    text
}

fn line(text: &mut String, name: &str, key: &ForwardKey, sample: &Sample) {
    let connect = key.connect.to_string();
    let of_forward = [
        ("netns", key.listen_netns.as_str()),
        ("protocol", key.protocol.as_str()),
        ("listen", &key.listen),
        ("connect_netns", &key.netns),
        ("connect", &connect),
    ];
    let own = sample.label.iter();
    let own = own.map(|(label, value)| (*label, value.as_ref()));
    let labels: Vec<String> = of_forward
        .into_iter()
        .chain(own)
        .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
        .collect();
    let _ = writeln!(text, "{name}{{{}}} {}", labels.join(","), sample.value);
}

/// A label's value as the format wants it: backslash, double quote and line feed are escaped.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
#[path = "../../tests/machine/prometheus.rs"]
mod prometheus;

#[cfg(test)]
mod tests {
    use netnsctl_forward::{Counters, Reasons};

    use super::prometheus::{Exposition, parse};
    use super::*;

    fn key(netns: &str, protocol: &str, listen: &str) -> ForwardKey {
        ForwardKey {
            listen_netns: netns.to_owned(),
            protocol: protocol.parse().unwrap(),
            listen: listen.to_owned(),
            netns: "default".to_owned(),
            connect: "127.0.0.1:80".parse().unwrap(),
        }
    }

    /// Names and values.
    type Labels = &'static [(&'static str, &'static str)];

    /// Counters of which no two are the same.
    fn busy() -> Counters {
        let mut counters = Counters::default();
        let tcp = &mut counters.tcp;
        (tcp.connections_now, tcp.connections_ever) = (3, u64::MAX);
        (tcp.connecting_now, tcp.resets) = (1, 4);
        (tcp.bytes_to_target, tcp.bytes_to_client) = (5, 6);
        tcp.connect_errors = Reasons::from([("ECONNREFUSED".into(), 7), ("ETIMEDOUT".into(), 8)]);
        tcp.accept_errors = Reasons::from([("EMFILE".into(), 9)]);
        let udp = &mut counters.udp;
        (udp.sessions_now, udp.sessions_ever, udp.sessions_evicted) = (10, 11, 12);
        (udp.datagrams_to_target, udp.datagrams_to_client) = (13, 14);
        (udp.bytes_to_target, udp.bytes_to_client) = (15, 16);
        udp.dropped = Reasons::from([("no address".into(), 17)]);
        counters
    }

    fn forwards() -> Forwards {
        Forwards::from([
            (key("right", "udp", "[::]:53"), ForwardState::Runs(busy())),
            (
                key("left", "tcp", "127.0.0.1:8080"),
                ForwardState::Runs(busy()),
            ),
            (
                key("left", "tcp", "127.0.0.1:9090"),
                ForwardState::DoesNotRun,
            ),
            (
                key("left", "tcp", "127.0.0.1:7070"),
                ForwardState::Unknown("no answer".to_owned()),
            ),
        ])
    }

    #[test]
    fn every_number_is_told_under_its_name() {
        let told = parse(&exposition(&forwards())).unwrap();
        let value = |name: &str, more: Labels| {
            let of = |protocol, netns| told.value(name, &[&[protocol, netns], more].concat());
            let tcp = of(("protocol", "tcp"), ("netns", "left"));
            tcp.or_else(|| of(("protocol", "udp"), ("netns", "right")))
        };
        let cases: &[(&str, Labels, u64)] = &[
            ("connections", &[], 3),
            ("connections_connecting", &[], 1),
            ("connections_total", &[], u64::MAX),
            ("resets_total", &[], 4),
            ("bytes_total", &[("direction", "to_target")], 5),
            ("bytes_total", &[("direction", "to_client")], 6),
            ("connect_errors_total", &[("errno", "ECONNREFUSED")], 7),
            ("connect_errors_total", &[("errno", "ETIMEDOUT")], 8),
            ("accept_errors_total", &[("errno", "EMFILE")], 9),
            ("sessions", &[], 10),
            ("sessions_total", &[], 11),
            ("sessions_evicted_total", &[], 12),
            ("datagrams_total", &[("direction", "to_target")], 13),
            ("datagrams_total", &[("direction", "to_client")], 14),
            ("datagrams_dropped_total", &[("reason", "no address")], 17),
        ];
        for (name, labels, expected) in cases {
            let name = format!("netnsctl_forward_{name}");
            assert_eq!(value(&name, labels), Some(*expected), "{name} {labels:?}");
        }
        let udp = [("protocol", "udp"), ("direction", "to_client")];
        assert_eq!(told.value("netnsctl_forward_bytes_total", &udp), Some(16));
        assert_eq!(told.samples(), cases.len() + 2 + 3);
    }

    #[test]
    fn one_that_does_not_answer_is_down_and_has_no_numbers() {
        let told = parse(&exposition(&forwards())).unwrap();
        let of = |listen| told.value("netnsctl_forward_up", &[("listen", listen)]);
        assert_eq!(of("127.0.0.1:9090"), Some(0));
        assert_eq!(of("127.0.0.1:8080"), Some(1));
        // Nothing is known of this one.
        assert_eq!(of("127.0.0.1:7070"), None);
        let silent = [("listen", "127.0.0.1:9090")];
        assert_eq!(told.value("netnsctl_forward_connections", &silent), None);
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        assert_eq!(exposition(&Forwards::new()), "");
        assert_eq!(parse("").unwrap(), Exposition::default());
    }

    #[test]
    fn odd_characters_come_out_as_they_went_in() {
        for odd in [
            "unix:/run/a\"b",
            "back\\slash",
            "\\n",
            "a\nb",
            "{=,}",
            "ü",
            "",
        ] {
            let forwards = Forwards::from([(key("left", "tcp", odd), ForwardState::DoesNotRun)]);
            let told = parse(&exposition(&forwards)).unwrap();
            let value = told.value("netnsctl_forward_up", &[("listen", odd)]);
            assert_eq!(value, Some(0), "{odd:?}");
        }
    }

    #[test]
    fn the_reader_of_these_tests_refuses_what_the_format_forbids() {
        let head = "# HELP a_total x\n# TYPE a_total counter\n";
        let good = format!("{head}a_total{{l=\"1\"}} 2\n");
        assert_eq!(
            parse(&good).unwrap().value("a_total", &[("l", "1")]),
            Some(2)
        );
        let bad = [
            good.trim_end().to_owned(),
            good.clone() + &good,
            good.clone() + "a_total{l=\"1\"} 3\n",
            good.clone() + "b_total{l=\"1\"} 3\n",
            format!("{head}# HELP b x\n# TYPE b gauge\nb{{l=\"1\"}} 2\n"),
            good.replace("counter", "gauge"),
            good.replace("# TYPE a_total counter\n", ""),
            good.replace("\"1\"", "\"1"),
            good.replace("\"1\"", "\"\\1\""),
            good.replace("l=", "9l="),
            good.replace("l=\"1\"", "l=\"1\",l=\"1\""),
            good.replace("} 2", "} two"),
            good.replace("} 2", "}  2"),
        ];
        for text in bad {
            assert!(parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_page_about_metrics_has_all_of_them_in_the_same_words() {
        let page = include_str!("../../../../docs/metrics.md");
        let rows: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert_eq!(rows.len(), FAMILIES.len());
        for (row, family) in rows.into_iter().zip(FAMILIES) {
            let start = format!("| `{}` | {} |", family.name, family.kind);
            assert!(row.starts_with(&start), "{row}");
            assert!(row.ends_with(&format!("| {} |", family.help)), "{row}");
        }
    }
}
