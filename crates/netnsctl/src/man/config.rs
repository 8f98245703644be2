//! netnsctl.toml(5), from the table of keys.

use netnsctl_model::config::keys::{self, Fallback, Form, Key, Kind, Section};

use super::mdoc::{Mdoc, argument, escape};

/// The order in which the sections are told.
const SECTIONS: [&Section; 8] = [
    &keys::NETNS,
    &keys::HOME,
    &keys::DNS,
    &keys::NSCD,
    &keys::SYSCTL,
    &keys::FORWARD,
    &keys::VETH,
    &keys::ROUTE,
];

/// The page.
pub(super) fn page() -> String {
    let mut page = Mdoc::new("netnsctl.toml", 5, "what is declared of network namespaces");
    introduction(&mut page);
    for section in SECTIONS.into_iter().chain([&keys::RUN]) {
        page.line(&format!(".Sh {}", heading(section)));
        page.line(&format!(".Dl {}", escape(section.header)))
            .line(".Pp");
        page.prose(about(section));
        if section.keys.is_empty() {
            continue;
        }
        page.line(".Bl -tag -width Ds");
        for key in section.keys {
            describe(&mut page, key);
        }
        page.line(".El");
    }
    page.line(".Sh EXAMPLES");
    page.prose("A namespace with a link to home, its own default route, and a port of its own:");
    page.literal(include_str!("example.toml").lines());
    page.prose("All keys are in /usr/share/doc/netnsctl/examples/every-key.toml.");
    diagnostics(&mut page);
    page.see_also(&[
        ("netnsctl", 1),
        ("netnsctl-check", 1),
        ("netnsctl-schema", 1),
        ("resolv.conf", 5),
        ("netnsctl", 7),
        ("sysctl", 8),
    ]);
    page.finish()
}

fn introduction(page: &mut Mdoc) {
    page.line(".Sh SYNOPSIS");
    page.line(".Bl -item -compact");
    for folder in crate::config_files::FOLDERS {
        page.line(".It").line(&format!(".Pa {folder}/*.toml"));
        page.line(".It").line(&format!(".Pa {folder}/*.json"));
    }
    page.line(".El").line(".Sh DESCRIPTION");
    page.prose(
        "The files are TOML (version 1.1) or JSON, which has the same keys; their names tell which. \
         They are read in the order of their names. A file in an earlier folder masks one of the \
         same name in a later one, and `--config` names others to be read in place of all. One file \
         may declare many namespaces, but all of a namespace is declared in one file. Only \
         of `[netns.default]`, which is there without being made, several files may declare parts.",
    );
    page.line(".Pp").prose(
        "Each key is listed with what its value is, what holds if it is not given, and what is \
         refused. A key that is not known is refused everywhere, as is a value of another type and, \
         in TOML and JSON alike, a key that is given twice. Lengths of time are whole numbers with \
         units, such as \"500ms\", \"10s\", \"2m\" or \"1h30m\". `$schema` may say where an editor finds \
         the schema of netnsctl-schema(1); it means nothing else.",
    );
    page.line(".Pp").prose(
        "NAME is the name of a namespace: a file name of up to 200 bytes, not \".\", \"..\" and not \
         with \"-\" in front, without \"/\" and control characters. A name that no link can have, \
         such as one over 15 bytes, needs `interface`. The name \"default\" means home, the \
         namespace that the machine booted in.",
    );
}

fn heading(section: &Section) -> &'static str {
    if std::ptr::eq(section, &raw const keys::NETNS) {
        "NAMESPACES"
    } else if std::ptr::eq(section, &raw const keys::HOME) {
        "HOME"
    } else if std::ptr::eq(section, &raw const keys::DNS) {
        "NAME SERVERS"
    } else if std::ptr::eq(section, &raw const keys::NSCD) {
        "NAME-SERVICE DAEMON"
    } else if std::ptr::eq(section, &raw const keys::SYSCTL) {
        "KERNEL PARAMETERS"
    } else if std::ptr::eq(section, &raw const keys::FORWARD) {
        "FORWARDS"
    } else if std::ptr::eq(section, &raw const keys::VETH) {
        "VETH PAIRS"
    } else if std::ptr::eq(section, &raw const keys::ROUTE) {
        "ROUTES"
    } else {
        "ACCESS"
    }
}

fn about(section: &Section) -> &'static str {
    match heading(section) {
        "NAMESPACES" => {
            "A namespace, and the link that holds its addresses. Forwarding is written before there \
             is any link, and also where it is false."
        }
        "HOME" => {
            "The namespace the machine booted in takes no other keys, as it is never created or \
             deleted. What they mean is below."
        }
        "NAME SERVERS" => {
            "The resolv.conf(5) of the namespace. If /etc/netns/NAME/resolv.conf is there and does \
             not say that netnsctl wrote it, it is left alone and these keys mean nothing. A server \
             with a loopback address gets a warning, since that is the namespace itself."
        }
        "NAME-SERVICE DAEMON" => {
            "What answers programs inside that look up users, groups, hosts and services; see \
             netnsctl-nscd(1)."
        }
        "KERNEL PARAMETERS" => {
            "Keys are names of kernel parameters under \"net.\", in quotes, as sysctl(8) writes \
             them. Values are strings, integers, true or false. Whether there is such a parameter is \
             looked up in the namespace. Refused: names outside of \"net.\", and the switches for \
             forwarding, which have keys of their own in the namespace."
        }
        "FORWARDS" => {
            "A port, or a unix stream socket: what connects to it in this namespace reaches \
             something in another. Keys that begin with \"tcp:\" or \"udp:\" mean something for that \
             protocol only. Refused: two listeners at one endpoint, forwards that lead in a circle, \
             and unix sockets for udp."
        }
        "VETH PAIRS" => {
            "A pair of links with one end here and one in another namespace. It is declared at one \
             end only, no matter which. Both ends have a link-local address made of their MAC \
             address; with the default ones they are fe80::ff:fe00:1 here and fe80::ff:fe00:0 there. \
             Refused: both ends in one namespace, and a pair declared at both ends."
        }
        "ROUTES" => {
            "A route of the namespace. `via` or `interface` has to be given. Refused: two routes to \
             one destination. A gateway that no address of the namespace reaches and a link that is \
             not declared get a warning."
        }
        _ => {
            "Who but root may use netnsctl-run(1) for this namespace. Without the table nobody gets \
             there without a password."
        }
    }
}

fn describe(page: &mut Mdoc, key: &Key) {
    let kind = match key.kind {
        Kind::Table(section) | Kind::Tables(section) => escape(section.header),
        Kind::Sysctls => escape(keys::SYSCTL.header),
        _ => escape(&type_words(&key.kind)),
    };
    page.line(&format!(".It Ic {} Pq {}", argument(key.name), kind));
    let mut characters = key.about.chars();
    let first = characters.next().map(|c| c.to_ascii_uppercase());
    let about: String = match key.about.split_once(": ") {
        Some(("tcp" | "udp", _)) => key.about.to_owned(),
        _ => first.into_iter().chain(characters).collect(),
    };
    page.prose(&format!("{about}."));
    match key.default {
        Some(Fallback::Value(value)) => drop(page.prose(&format!("Default: {value}."))),
        Some(Fallback::Words(words)) => drop(page.prose(&format!("Default: {words}."))),
        None if key.required => drop(page.prose("Must be given.")),
        None => {}
    }
    if let Some(refused) = key.kind.refused() {
        page.prose(&format!("Refused: {refused}."));
    }
    if !key.example.is_empty() {
        page.prose(&format!("Example: {}.", key.example));
    }
}

fn type_words(kind: &Kind) -> String {
    let text = |form: Form| match form {
        Form::OneOf(words) => words.join(", "),
        form => form.words().to_owned(),
    };
    match *kind {
        Kind::Integer(least, most) => format!("integer from {least} to {most}"),
        Kind::IntegerOr(least, most, word) => {
            format!("integer from {least} to {most}, or {word:?}")
        }
        Kind::String(form) => text(form),
        Kind::Strings(form) => format!("list of: {}", text(form)),
        _ => kind.words().to_owned(),
    }
}

fn diagnostics(page: &mut Mdoc) {
    page.line(".Sh DIAGNOSTICS").prose(
        "All mistakes are told in one run, before anything is touched: file, line, column, the text \
         at fault with a mark below, and what would have been right. netnsctl-check(1) does only \
         that.",
    );
}
