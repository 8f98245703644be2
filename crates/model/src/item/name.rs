//! Names of namespaces: the files in /run/netns.

use crate::name::NetnsRef;

use super::{Change, Kind, Value, Verb};

/// The name of a namespace. Given to a new one once its files are there, so that nothing that goes
/// by the name is without them; removed where no namespace is mounted on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name;

impl Kind for Name {
    const WORD: &'static str = "name";

    fn describe(&self, verb: Verb, _: &[Change], of: &NetnsRef) -> String {
        let not_one = match verb {
            Verb::Remove => ", which is no namespace",
            Verb::Add | Verb::Change | Verb::Restore => "",
        };
        format!("file /run/netns/{of}{not_one}")
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
