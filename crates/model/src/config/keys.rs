//! What may be written where: every section and key, once.
//!
//! Decoders take type words and examples from here, unknown keys are compared with it, and
//! whatever describes the configuration (schema, reference page) is to be made from it.

pub(super) mod form;
mod forward;

pub use self::form::Form;
pub use self::forward::{AUTO, FORWARD, PROTOCOLS, TCP_KEYS, UDP_KEYS, WORKERS};
use crate::desired::HolderKind;

/// A table of the configuration.
#[derive(Debug)]
pub struct Section {
    /// How its header is written in TOML.
    pub header: &'static str,
    /// What it is, for sentences.
    pub title: &'static str,
    /// What may be in it.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    /// The word.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// A value, as TOML and JSON both write it; empty for tables.
    pub example: &'static str,
    /// What holds if it is not given; none where there is nothing to hold or it must be given.
    pub default: Option<Fallback>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is for, in one line.
    pub about: &'static str,
}

/// What holds if a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, as TOML and JSON both write it.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
}

/// What a value is.
#[derive(Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number between two others, both included.
    Integer(i64, i64),
    /// Such a number or a word.
    IntegerOr(i64, i64, &'static str),
    /// Text of some form.
    String(Form),
    /// A list of such texts.
    Strings(Form),
    /// Sysctl keys with strings, integers or booleans.
    Sysctls,
    /// A table.
    Table(&'static Section),
    /// A list of tables.
    Tables(&'static Section),
}

impl Kind {
    /// What a value of this kind is called, with its article.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer(..) => "an integer",
            Self::IntegerOr(..) => "an integer or a word",
            Self::String(_) => "a string",
            Self::Strings(_) => "an array of strings",
            Self::Sysctls | Self::Table(_) => "a table",
            Self::Tables(_) => "an array of tables",
        }
    }

    /// What is refused of such values, in words; to stand behind "Refused: ".
    pub fn refused(&self) -> Option<&'static str> {
        match self {
            Self::String(form) | Self::Strings(form) => Some(form.refused()),
            Self::Integer(..) | Self::IntegerOr(..) => Some("numbers outside of the range"),
            Self::Boolean | Self::Sysctls | Self::Table(_) | Self::Tables(_) => None,
        }
    }
}

impl Section {
    /// The key of that name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of all keys.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }
}

impl Key {
    const fn new(
        name: &'static str,
        kind: Kind,
        example: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            example,
            default: None,
            required: false,
            about,
        }
    }

    const fn or(self, value: &'static str) -> Self {
        Self {
            default: Some(Fallback::Value(value)),
            ..self
        }
    }

    const fn or_as_said(self, words: &'static str) -> Self {
        Self {
            default: Some(Fallback::Words(words)),
            ..self
        }
    }

    const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }
}

/// Words for `interface_kind`.
pub const INTERFACE_KINDS: &[&str] = &["auto", "dummy", "ifb", "bridge"];
const _: () = assert!(INTERFACE_KINDS.len() == HolderKind::PREFERENCE.len() + 1);

/// MTUs a veth takes: ETH_MIN_MTU and ETH_MAX_MTU of linux/if_ether.h.
pub const MTU: std::ops::RangeInclusive<i64> = 68..=65535;

/// MTU of a veth whose declaration gives none.
pub const DEFAULT_MTU: u32 = 1400;

/// A whole file.
pub static FILE: Section = Section {
    header: "",
    title: "a configuration file",
    keys: &[
        Key::new("netns", Kind::Table(&NETNS), "", "the namespaces, by name"),
        Key::new(
            "$schema",
            Kind::String(Form::Schema),
            "\"/usr/share/netnsctl/netnsctl.schema.json\"",
            "where an editor finds what \"netnsctl schema\" prints; means nothing to netnsctl",
        ),
    ],
};

/// A namespace.
pub static NETNS: Section = Section {
    header: "[netns.NAME]",
    title: "a namespace",
    keys: &[
        Key::new(
            "interface",
            Kind::String(Form::Link),
            "\"office\"",
            "name of the link that holds the addresses",
        )
        .or_as_said("the namespace's name"),
        Key::new(
            "interface_kind",
            Kind::String(Form::OneOf(INTERFACE_KINDS)),
            "\"auto\"",
            "kind of that link; auto takes the first this kernel has",
        )
        .or("\"auto\""),
        Key::new(
            "address",
            Kind::Strings(Form::Address),
            "[\"10.20.0.1/24\", \"fd20::1/64\"]",
            "addresses of that link; without a prefix length /32 or /128 is meant",
        )
        .or("[]"),
        Key::new(
            "ipv4_forwarding",
            Kind::Boolean,
            "true",
            "whether the namespace routes IPv4",
        )
        .or("false"),
        Key::new(
            "ipv6_forwarding",
            Kind::Boolean,
            "true",
            "whether the namespace routes IPv6",
        )
        .or("false"),
        Key::new("dns", Kind::Table(&DNS), "", "what its resolv.conf says"),
        Key::new("nscd", Kind::Table(&NSCD), "", "its name-service daemon"),
        Key::new(
            "sysctl",
            Kind::Sysctls,
            "",
            "kernel parameters, by name; all begin with net",
        ),
        FORWARDS,
        VETHS,
        Key::new(
            "route",
            Kind::Tables(&ROUTE),
            "",
            "routes, besides those to its addresses",
        ),
        ACCESS,
    ],
};

/// The home namespace: it is never created or deleted, so there is nothing else to say of it.
pub static HOME: Section = Section {
    header: "[netns.default]",
    title: "[netns.default]",
    keys: &[FORWARDS, VETHS, ACCESS],
};

const FORWARDS: Key = Key::new(
    "forward",
    Kind::Tables(&FORWARD),
    "",
    "ports that lead elsewhere",
);
const VETHS: Key = Key::new(
    "veth",
    Kind::Tables(&VETH),
    "",
    "veth pairs to other namespaces, declared at one end",
);
const ACCESS: Key = Key::new(
    "run",
    Kind::Table(&RUN),
    "",
    "who but root may run commands in it",
);

/// `dns` of a namespace.
pub static DNS: Section = Section {
    header: "[netns.NAME.dns]",
    title: "\"dns\" of a namespace",
    keys: &[
        Key::new(
            "nameservers",
            Kind::Strings(Form::Nameserver),
            "[\"1.1.1.1\"]",
            "servers to ask",
        )
        .or("[\"2606:4700:4700::1111\", \"2001:4860:4860::8888\", \"1.1.1.1\", \"8.8.8.8\"]"),
        Key::new(
            "search",
            Kind::Strings(Form::Word),
            "[\"example.org\"]",
            "domains in which short names are looked up",
        )
        .or("[]"),
        Key::new(
            "options",
            Kind::Strings(Form::Word),
            "[\"timeout:1\"]",
            "options of resolv.conf(5)",
        )
        .or("[]"),
    ],
};

/// `nscd` of a namespace.
pub static NSCD: Section = Section {
    header: "[netns.NAME.nscd]",
    title: "\"nscd\" of a namespace",
    keys: &[
        Key::new(
            "enable",
            Kind::Boolean,
            "true",
            "whether there is one for the namespace",
        )
        .or("true"),
        Key::new(
            "cache",
            Kind::String(Form::Duration),
            "\"10s\"",
            "how long answers may be reused; 0s: those of unchanged files only",
        )
        .or("\"0s\""),
    ],
};

/// `sysctl` of a namespace; its keys are the kernel's.
pub static SYSCTL: Section = Section {
    header: "[netns.NAME.sysctl]",
    title: "\"sysctl\" of a namespace",
    keys: &[],
};

/// One `veth` of a namespace.
pub static VETH: Section = Section {
    header: "[[netns.NAME.veth]]",
    title: "a veth pair",
    keys: &[
        Key::new(
            "netns",
            Kind::String(Form::Netns),
            "\"default\"",
            "the namespace of the other end",
        )
        .or("\"default\""),
        Key::new(
            "interface",
            Kind::String(Form::Link),
            "\"host\"",
            "name of this end",
        )
        .or_as_said("\"host\" towards default, else the other namespace's name"),
        Key::new(
            "peer_interface",
            Kind::String(Form::Link),
            "\"office\"",
            "name of the other end",
        )
        .or_as_said("\"host\" if this end is in default, else this namespace's name"),
        Key::new(
            "mtu",
            Kind::Integer(*MTU.start(), *MTU.end()),
            "1400",
            "MTU of both ends, in bytes",
        )
        .or("1400"),
        Key::new(
            "mac",
            Kind::String(Form::Mac),
            "\"02:00:00:00:00:01\"",
            "link-layer address of this end",
        )
        .or("\"02:00:00:00:00:01\""),
        Key::new(
            "peer_mac",
            Kind::String(Form::Mac),
            "\"02:00:00:00:00:00\"",
            "link-layer address of the other end",
        )
        .or("\"02:00:00:00:00:00\""),
        Key::new(
            "address",
            Kind::Strings(Form::Address),
            "[\"192.168.77.2/30\"]",
            "addresses of this end",
        )
        .or("[]"),
        Key::new(
            "peer_address",
            Kind::Strings(Form::Address),
            "[\"192.168.77.1/30\"]",
            "addresses of the other end",
        )
        .or("[]"),
    ],
};

/// One `route` of a namespace.
pub static ROUTE: Section = Section {
    header: "[[netns.NAME.route]]",
    title: "a route",
    keys: &[
        Key::new(
            "to",
            Kind::String(Form::Destination),
            "\"default\"",
            "where it leads",
        )
        .required(),
        Key::new(
            "via",
            Kind::String(Form::Gateway),
            "\"192.168.77.1\"",
            "the gateway; its address is on a link of the namespace",
        ),
        Key::new(
            "interface",
            Kind::String(Form::Interface),
            "\"host\"",
            "the link it leaves by",
        ),
    ],
};

/// `run` of a namespace.
pub static RUN: Section = Section {
    header: "[netns.NAME.run]",
    title: "\"run\" of a namespace",
    keys: &[
        Key::new(
            "users",
            Kind::Strings(Form::Account),
            "[\"alice\"]",
            "users who may run commands in the namespace, without a password where polkit is",
        )
        .or("[]"),
        Key::new(
            "groups",
            Kind::Strings(Form::Account),
            "[\"office\"]",
            "groups whose members may",
        )
        .or("[]"),
    ],
};
