//! What only makes sense together: names that must be declared somewhere, links and units of one
//! name. What concerns one section alone is checked by that section.

use super::contradictions::Contradictions;
use super::diagnostic::Report;
use super::links;
use super::section::file::Declared;
use super::text::{list, nearest, quote};
use crate::name::NetnsRef;

/// Checks all that is declared against each other.
pub(super) fn check(declared: &Declared, report: &mut Report<'_>) {
    references(declared, report);
    let links = declared.links();
    links::names(&links, report);
    links::addresses(&links, report);
    unit_names(declared, report);
    declared.check(&links, report);
    let mut found = Contradictions::default();
    declared.rule_out(&links, &mut found);
    found.need_addresses(&links);
    declared.need(&mut found);
    found.check(report);
}

/// Refuses to lead into a namespace that nobody declares.
fn references(declared: &Declared, report: &mut Report<'_>) {
    // It may be in the part that is not understood.
    if report.any_broken() {
        return;
    }
    for namespace in declared.netns.values() {
        for netns in namespace.references() {
            if netns.value == NetnsRef::Home || declared.netns.contains_key(&netns.value) {
                continue;
            }
            let names = || {
                declared
                    .netns
                    .keys()
                    .map(NetnsRef::as_str)
                    .filter(|n| *n != NetnsRef::HOME)
            };
            let near = || nearest(netns.value.as_str(), names());
            let hint = match report.may_suggest().then(near).flatten() {
                Some(name) => format!("a similar name is declared: {}", quote(name)),
                None => format!(
                    "declared are {}",
                    list(names().take(10).chain([NetnsRef::HOME]), "and")
                ),
            };
            let message = format!("there is no namespace {}", quote(netns.value.as_str()));
            report.error(netns.place, message).hint(hint);
        }
    }
}

/// What follows a namespace's name in the names of the units of its parts. Parts that are counted
/// have their number next.
const UNIT_SUFFIXES: [(&str, bool); 5] = [
    ("-mntns", false),
    ("-nscd", false),
    ("-port-forward-", true),
    ("-extra-veth-", true),
    ("-link-", true),
];

/// The names of which `name` would be the unit of a part, each with the suffix that shows it.
fn bases(name: &str) -> impl Iterator<Item = (&str, &'static str)> {
    UNIT_SUFFIXES
        .into_iter()
        .flat_map(move |(suffix, is_counted)| {
            name.match_indices(suffix).filter_map(move |(at, _)| {
                let rest = &name[at + suffix.len()..];
                let is_part = match is_counted {
                    true => rest.starts_with(|next: char| next.is_ascii_digit()),
                    false => rest.is_empty(),
                };
                is_part.then_some((&name[..at], suffix))
            })
        })
}

/// Refuses names of which one is that of the other with the suffix of a part: the units of the
/// two, `netns-NAME-SUFFIX.service`, would be the same file, or be taken for each other's.
fn unit_names(declared: &Declared, report: &mut Report<'_>) {
    for (name, namespace) in &declared.netns {
        for (base, suffix) in bases(name.as_str()) {
            let Ok(base) = NetnsRef::parse(base) else {
                continue;
            };
            if let Some(other) = declared.netns.get(&base) {
                let (name, base) = (quote(name.as_str()), quote(base.as_str()));
                report
                    .error(namespace.place, format!("namespaces {base} and {name} cannot both be declared"))
                    .hint(format!("a unit of the former has the name of the latter's; choose one without {} in it", quote(suffix)))
                    .related(other.place, "the other is declared here");
            }
        }
    }
}
