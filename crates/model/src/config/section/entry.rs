//! Sections of a namespace that declare entries of the kernel's tables, whatever the kind.

use std::collections::BTreeMap;

use super::part::Target;
use crate::config::diagnostic::{At, Place, Report};
use crate::config::fields::Fields;
use crate::item::entry::KINDS;
use crate::item::{Entry, EntryKind, Kind as _};

/// The entries of a namespace.
#[derive(Debug, Default)]
pub(super) struct Declared(Vec<At<Entry>>);

impl Declared {
    /// Reads the sections of every kind that `fields`, those of a namespace, may have.
    pub(super) fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Self {
        let mut entries = Vec::new();
        for kind in KINDS {
            let given = fields.section(kind.section, report);
            entries.extend(given.iter().map(|fields| read(kind, fields, report)));
        }
        Self(entries)
    }

    /// Refuses two that are the same.
    pub(super) fn check(&self, report: &mut Report<'_>) {
        let mut seen = BTreeMap::<&Entry, Place>::new();
        for entry in &self.0 {
            if let Some(first) = seen.insert(&entry.value, entry.place) {
                let message = format!("this {} is declared twice", entry.value.word());
                report
                    .error(entry.place, message)
                    .hint("keep one of them")
                    .related(first, "first declared here");
            }
        }
    }

    /// Puts them into the desired state.
    pub(super) fn build(self, target: &mut Target<'_>) {
        if let Some(netns) = &mut target.netns {
            netns.entries = self.0.into_iter().map(|entry| entry.value).collect();
        }
    }
}

/// Reads one table.
fn read(kind: &'static EntryKind, fields: &Fields<'_>, report: &mut Report<'_>) -> At<Entry> {
    let (mut values, is_whole) = fields.values(kind.section.keys(), report);
    (kind.complete)(&mut values);
    if let Some(wrong) = (kind.check)(&values).filter(|_| is_whole) {
        let entry = fields.entry(wrong.word);
        let place = entry.map_or(fields.place, |entry| entry.node.place);
        report.error(place, wrong.message).hint(wrong.hint);
    }
    At {
        value: Entry { kind, values },
        place: fields.place,
    }
}
