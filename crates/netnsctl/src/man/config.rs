//! netnsctl.toml(5), from the tree of sections and keys.

use netnsctl_model::config::section::{FILE, Form, Key, Kind, Member, Section, sentence};

use super::mdoc::{Mdoc, argument, escape};

/// The page.
pub(super) fn page() -> String {
    let mut page = Mdoc::new("netnsctl.toml", 5, "what is declared of network namespaces");
    introduction(&mut page);
    for section in FILE.all().into_iter().skip(1) {
        page.line(&format!(".Sh {}", section.heading));
        page.line(&format!(".Dl {}", escape(&section.header())))
            .line(".Pp");
        page.prose(section.about);
        let members = section.members();
        if members.is_empty() {
            continue;
        }
        page.line(".Bl -tag -width Ds");
        for member in members {
            match member {
                Member::Key(_) => {
                    let same = section.keys().filter(|key| key.name == member.name());
                    same.for_each(|key| describe(&mut page, key));
                }
                Member::Section(child) => refer(&mut page, child),
            }
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

fn refer(page: &mut Mdoc, section: &Section) {
    let header = escape(&section.header());
    page.line(&format!(".It Ic {} Pq {header}", argument(section.word)));
    page.prose(&sentence(section.summary));
}

fn describe(page: &mut Mdoc, key: &Key) {
    let kind = escape(&type_words(&key.kind));
    page.line(&format!(".It Ic {} Pq {kind}", argument(key.name)));
    page.prose(&key.sentence());
    match key.default {
        Some(default) => drop(page.prose(&format!("Default: {default}."))),
        None if key.required => drop(page.prose("Must be given.")),
        None => {}
    }
    if let Some(refused) = key.kind.refused() {
        page.prose(&format!("Refused: {refused}."));
    }
    page.prose(&format!("Example: {}.", key.example));
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
        Kind::Range(least, most) => {
            format!("integer from {least} to {most}, or the first and the last of several")
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
