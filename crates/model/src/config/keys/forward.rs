//! The keys of a forward.

use super::{Form, Key, Kind, Section};

/// Words for `protocol`.
pub const PROTOCOLS: &[&str] = &["tcp", "udp"];

/// The word for as many workers as there are processors.
pub const AUTO: &str = "auto";

/// Workers a forward can have. Each is a thread with an event loop of its own.
pub const WORKERS: std::ops::RangeInclusive<i64> = 1..=64;

/// Keepalive probes that tcp(7) takes: MAX_TCP_KEEPCNT of the kernel's include/net/tcp.h.
const KEEPALIVE_PROBES: std::ops::RangeInclusive<i64> = 1..=127;

/// One `forward` of a namespace.
pub static FORWARD: Section = Section {
    header: "[[netns.NAME.forward]]",
    title: "a forward",
    keys: &[
        Key::new(
            "protocol",
            Kind::String(Form::OneOf(PROTOCOLS)),
            "\"tcp\"",
            "what is forwarded",
        )
        .or("\"tcp\""),
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
        .or("\"default\""),
        Key::new(
            "connect",
            Kind::String(Form::Endpoint),
            "\"127.0.0.1:80\"",
            "where to connect, in that namespace; or unix:PATH",
        )
        .required(),
        Key::new(
            "connect_timeout",
            Kind::String(Form::Timeout),
            "\"10s\"",
            "tcp: how long the target may take to answer",
        )
        .or("\"10s\""),
        Key::new(
            "half_close_timeout",
            Kind::String(Form::Timeout),
            "\"5m\"",
            "tcp: how long a connection with one direction closed may stay silent",
        )
        .or("\"5m\""),
        Key::new(
            "keepalive",
            Kind::String(Form::Pause),
            "\"15s\"",
            "tcp: silence before a peer is probed, and between probes; 0s: no probes",
        )
        .or("\"15s\""),
        Key::new(
            "keepalive_probes",
            Kind::Integer(*KEEPALIVE_PROBES.start(), *KEEPALIVE_PROBES.end()),
            "3",
            "tcp: unanswered probes before a peer counts as gone",
        )
        .or("3"),
        Key::new(
            "proxy_protocol",
            Kind::Boolean,
            "true",
            "tcp: whether the target gets a PROXY header (version 2) that names the client",
        )
        .or("false"),
        Key::new(
            "drain",
            Kind::String(Form::Duration),
            "\"30s\"",
            "tcp: how long connections may go on when the forward changes or goes",
        )
        .or("\"30s\""),
        Key::new(
            "max_connections",
            Kind::Integer(1, u32::MAX as i64),
            "1000",
            "tcp: connections at once",
        )
        .or_as_said("as many as there are descriptors for"),
        Key::new(
            "udp_timeout",
            Kind::String(Form::Timeout),
            "\"2m\"",
            "udp: how long a session without traffic is kept",
        )
        .or("\"2m\""),
        Key::new(
            "max_sessions",
            Kind::Integer(1, u32::MAX as i64),
            "16384",
            "udp: sessions at once",
        )
        .or("16384"),
        Key::new(
            "workers",
            Kind::IntegerOr(*WORKERS.start(), *WORKERS.end(), AUTO),
            "\"auto\"",
            "threads that share the work; auto: one for each processor, 8 at most",
        )
        .or("1"),
    ],
};

/// Keys of a forward that mean something for one protocol alone.
pub const TCP_KEYS: &[&str] = &[
    "connect_timeout",
    "drain",
    "half_close_timeout",
    "keepalive",
    "keepalive_probes",
    "max_connections",
    "proxy_protocol",
];

/// Keys of a forward that mean something for one protocol alone.
pub const UDP_KEYS: &[&str] = &["udp_timeout", "max_sessions"];
