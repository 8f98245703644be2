//! Views of namespaces.

use std::collections::BTreeSet;

use crate::name::NetnsRef;

use super::{Change, Kind, Value, Verb};

/// The view of a namespace: added before a command needs it, or changed where something else shows
/// in it than should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The paths where something else shows.
    pub outdated: BTreeSet<String>,
}

impl Kind for View {
    const WORD: &'static str = "view";

    fn describe(&self, verb: Verb, _: &[Change], of: &NetnsRef) -> String {
        match verb {
            Verb::Add | Verb::Restore | Verb::Remove => format!("view /run/netns-{of}/mntns"),
            Verb::Change => {
                let paths: Vec<&str> = self.outdated.iter().map(String::as_str).collect();
                format!(
                    "view, where {} is not the namespace's own",
                    paths.join(", ")
                )
            }
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let outdated = self.outdated.iter().cloned().collect();
        vec![("outdated", Value::List(outdated))]
    }
}
