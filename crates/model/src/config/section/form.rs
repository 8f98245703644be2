//! What texts of the configuration look like.
//!
//! The parsers decide; this describes them, for people in words and for editors as a pattern. A
//! pattern refuses nothing that the parser takes. What takes arithmetic (bytes of a name, bits
//! behind a prefix, IPv6 to the letter) it leaves to the parser.

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The name of a user or a group.
    Account,
    /// An interface address with or without the length of its prefix.
    Address,
    /// `default` or a prefix.
    Destination,
    /// A length of time such as `1m30s`.
    Duration,
    /// `ADDRESS:PORT` or `unix:PATH`.
    Endpoint,
    /// The address of a gateway.
    Gateway,
    /// The name of a link that is there.
    Interface,
    /// An address.
    Ip,
    /// The name of a link that will be made.
    Link,
    /// A link-layer address.
    Mac,
    /// An address for resolv.conf(5).
    Nameserver,
    /// The name of a namespace, or `default`.
    Netns,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A length of time between keepalive probes.
    Pause,
    /// A prefix; an address stands for the whole of itself.
    Prefix,
    /// Where a JSON Schema is.
    Schema,
    /// A length of time other than zero.
    Timeout,
    /// A word of resolv.conf(5), without white space.
    Word,
}

/// What [`crate::name::is_control`] refuses, as part of a class of characters.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069";

/// No `.` or `..`, and no `-` in front.
const FILE_NAME: &str = r"(?!\.{1,2}$)(?!-)";

/// Four numbers up to 255, without leading zeros.
const IPV4: &str = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}";

/// Two colons at least.
const IPV6: &str = r"(?=[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:)[0-9A-Fa-f:.]{2,45}";

/// A length up to 32.
const IPV4_LENGTH: &str = "/(0{0,2}[0-9]|0?[12][0-9]|0?3[0-2])";

/// A length up to 128.
const IPV6_LENGTH: &str = "/(0{0,2}[0-9]|0?[1-9][0-9]|1[01][0-9]|12[0-8])";

/// A number from 1 to 65535.
const PORT: &str =
    "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";

/// Whole numbers with units, the larger ones first.
const DURATION: &str = "([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?";

/// Something that starts with a digit which is not zero.
const NOT_ZERO: &str = "(?=.*[1-9])";

/// What the name of a namespace looks like; not the name of home.
pub(crate) fn netns_name() -> String {
    format!("^{FILE_NAME}[^/{CONTROL}]{{1,200}}$")
}

/// Names of namespaces after which no link can be named.
pub(crate) fn no_link_name() -> String {
    r"^(lo|all|.{16,}|.*[:%\s].*)$".to_owned()
}

/// What a kernel parameter's name looks like; those that have a key of their own are left out.
pub(crate) fn sysctl_name() -> String {
    let own = r"net\.(ipv4\.ip_forward|ipv[46]\.conf\.(all|default)\.forwarding)$";
    format!(r"^(?!{own})net(\.(?!//?(\.|$))[^.\s{CONTROL}]+)+$")
}

/// What the value of a kernel parameter looks like; of control characters it may have tabs.
pub(crate) fn sysctl_value() -> String {
    format!(
        "^[^{}]*$",
        CONTROL.replacen(r"\u001f", r"\u0008\u000a-\u001f", 1)
    )
}

/// An IPv6 address that is no multicast one, with an interface exactly if it is link-local.
fn scoped(link: &str) -> String {
    let local = "[Ff][Ee][89ABab]";
    format!("((?![Ff][Ff]..:)(?!{local}.:){IPV6}|{local}{IPV6}%{link})")
}

impl Form {
    /// What a value is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Account => "name in the user or group database",
            Self::Address => "IP address, or one with the length of its prefix",
            Self::Destination => "\"default\", an IP address, or a prefix",
            Self::Duration | Self::Pause | Self::Timeout => "length of time",
            Self::Endpoint => "ADDRESS:PORT, [IPV6]:PORT or unix:PATH",
            Self::Gateway | Self::Ip => "IP address",
            Self::Interface | Self::Link => "name of a link",
            Self::Mac => "link-layer address",
            Self::Nameserver => "IP address, a link-local one with %INTERFACE behind it",
            Self::Netns => "name of a declared namespace, or \"default\"",
            Self::OneOf(_) => "word",
            Self::Prefix => "IP address or a prefix",
            Self::Schema => "path or URL",
            Self::Word => "word",
        }
    }

    /// What is refused, in words; to stand behind "Refused: ".
    pub fn refused(self) -> &'static str {
        match self {
            Self::Account => "an empty name, control characters",
            Self::Address => {
                "host names, the unspecified address, multicast, the broadcast address, ::1, one \
                 address twice in a namespace, a prefix longer than the address"
            }
            Self::Destination => "host names, bits set behind the prefix",
            Self::Duration => "a number without a unit, more than a year",
            Self::Endpoint => {
                "host names, port 0, multicast, a link-local address without %INTERFACE, a path \
                 that is relative, longer than 107 bytes or has a part that is empty, \".\" or \
                 \"..\""
            }
            Self::Gateway => {
                "the unspecified address, multicast, loopback, a prefix length, a link-local \
                 address if no interface is given, one of another family than the destination"
            }
            Self::Interface => {
                "more than 15 bytes, \".\", \"..\", a leading \"-\", and \"/\", \":\", \"%\", white \
                 space or control characters in it"
            }
            Self::Ip => "host names, the unspecified address, a prefix length",
            Self::Link => {
                "more than 15 bytes, \"lo\", \"all\", \"default\", \".\", \"..\", a leading \"-\", \
                 \"/\", \":\", \"%\", white space or control characters in it, two links of one \
                 name in one namespace"
            }
            Self::Mac => "multicast addresses, all zeros, the address of the other end",
            Self::Nameserver => {
                "host names, a port, multicast, a link-local address without %INTERFACE"
            }
            Self::Netns => "namespaces that are not declared",
            Self::OneOf(_) => "all others",
            Self::Pause => "parts of a second, more than 32767 seconds",
            Self::Prefix => "host names, bits set after the prefix, a prefix of no length",
            Self::Schema => "nothing: it is for editors",
            Self::Timeout => "a number without a unit, zero, more than a year",
            Self::Word => "an empty string, white space, control characters",
        }
    }

    /// What a value looks like, as a regular expression that JSON Schema and its validators have in
    /// common; none for words of a list, and for what is never looked at.
    pub fn pattern(self) -> Option<String> {
        let link = format!(r"{FILE_NAME}[^/:%\s{CONTROL}]{{1,15}}");
        let ip = format!("({IPV4}|{IPV6})");
        let pattern = match self {
            Self::Account => format!("[^{CONTROL}]+"),
            Self::Address => {
                let v4 = r"(?!0\.0\.0\.0(/|$))(?!2(2[4-9]|3[0-9])\.)(?!255\.255\.255\.255(/|$))";
                let v6 = "(?!::1?(/|$))(?![Ff][Ff]..:)";
                format!("({v4}{IPV4}({IPV4_LENGTH})?|{v6}{IPV6}({IPV6_LENGTH})?)")
            }
            Self::Destination => {
                format!("(default|{IPV4}({IPV4_LENGTH})?|{IPV6}({IPV6_LENGTH})?)")
            }
            Self::Duration => format!("(?=[0-9]){DURATION}"),
            Self::Endpoint => {
                let path = format!(
                    r"unix:(?!.*//)(?!.*/\.{{1,2}}(/|$))/[^{CONTROL}]{{0,105}}[^/{CONTROL}]"
                );
                let v4 = format!(r"(?!2(2[4-9]|3[0-9])\.){IPV4}");
                format!(r"({path}|({v4}|\[{}\]):{PORT})", scoped(&link))
            }
            Self::Gateway => {
                let v4 = r"(?!0\.0\.0\.0$)(?!127\.)(?!2(2[4-9]|3[0-9])\.)";
                format!("{v4}(?!::1?$)(?![Ff][Ff]..:){ip}")
            }
            Self::Interface => link,
            Self::Ip => format!(r"(?!0\.0\.0\.0$)(?!::$){ip}"),
            Self::Link => format!("(?!(lo|all|default)$){link}"),
            Self::Mac => "(?!00(:00){5}$)[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}".to_owned(),
            Self::Nameserver => {
                let v4 = r"(?!2(2[4-9]|3[0-9])\.)";
                format!("({v4}{IPV4}|{})", scoped(&link))
            }
            Self::Netns => return Some(netns_name()),
            Self::OneOf(_) | Self::Schema => return None,
            Self::Prefix => format!("({IPV4}({IPV4_LENGTH})?|{IPV6}({IPV6_LENGTH})?)"),
            Self::Pause => format!("(?=[0-9])(?!.*[1-9][0-9]{{0,2}}ms){DURATION}"),
            Self::Timeout => format!("{NOT_ZERO}{DURATION}"),
            Self::Word => format!(r"[^\s{CONTROL}]+"),
        };
        Some(format!("^{pattern}$"))
    }
}
