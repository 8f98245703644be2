//! Network namespaces.

use crate::name::NetnsRef;
use crate::observed::Applied;

use super::{Change, Kind, Value, Verb};

/// A network namespace: added without a name, changed to be ours, or removed with all that was
/// made for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Netns {
    /// What may be put into it, for its record; nothing where it is removed.
    pub applied: Applied,
}

impl Kind for Netns {
    const WORD: &'static str = "netns";

    fn describe(&self, verb: Verb, _: &[Change], _: &NetnsRef) -> String {
        let text = match verb {
            Verb::Add | Verb::Restore => "network namespace",
            Verb::Change => "take over the namespace, which somebody else made",
            Verb::Remove => "network namespace, no longer declared",
        };
        text.to_owned()
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
