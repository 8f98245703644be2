//! How a draft becomes a declaration that is accepted: what the loader of configuration refuses is
//! taken out of the draft and becomes a comment, until it refuses nothing.

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_model::config::{Diagnostic, Format, Severity, Source, load};

use crate::draft::{Draft, Item, NOT_EXPRESSED, origin};
use crate::write::{Written, section, write};

impl Draft {
    /// The text, once it is one that `netnsctl check` accepts.
    pub(crate) fn settle(mut self) -> String {
        loop {
            let written = write(&self);
            let source = Source::new("import", Format::Toml, written.text.clone());
            let diagnostics = load(&[source]).diagnostics;
            let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error);
            let refused: BTreeMap<Item, String> = errors
                .filter_map(|error| Some((self.item_at(&written, error)?, error.message.clone())))
                .collect();
            if refused.is_empty() {
                return written.text;
            }
            let whole: BTreeSet<String> = refused
                .keys()
                .filter(|item| matches!(item, Item::Space(_)))
                .map(|item| item.netns().to_owned())
                .collect();
            for (item, message) in refused.iter().rev() {
                if matches!(item, Item::Space(_)) || !whole.contains(item.netns()) {
                    self.refuse(item, message);
                }
            }
        }
    }

    /// The smallest part of the draft that is at fault; any namespace if it is none of them.
    fn item_at(&self, written: &Written, error: &Diagnostic) -> Option<Item> {
        let inside = written.items.iter().filter(|(span, _)| {
            span.start <= error.span.start && error.span.start < span.end.max(span.start + 1)
        });
        let smallest = inside.min_by_key(|(span, _)| span.len());
        let first = || self.netns.keys().next().cloned().map(Item::Space);
        smallest.map(|(_, item)| item.clone()).or_else(first)
    }

    /// Takes a part out and says so.
    fn refuse(&mut self, item: &Item, why: &str) {
        let name = item.netns().to_owned();
        if let Item::Space(_) = item {
            let Some(space) = self.netns.remove(&name) else {
                return;
            };
            let from = origin(space.origin.as_ref());
            self.head
                .push(format!("{NOT_EXPRESSED}netns {name}{from}: {why}"));
            self.head.extend(section(&name, &space));
            return;
        }
        let Some(space) = self.netns.get_mut(&name) else {
            return;
        };
        if let Some(words) = space.take(item) {
            self.not_expressed(Some(&name), format!("{words}: {why}"));
        }
    }
}
