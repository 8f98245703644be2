//! What netnsctl notes of a namespace.

use crate::name::NetnsRef;
use crate::observed::Applied;

use super::{Change, Kind, Value, Verb};

/// The record of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    /// What it shall say may be in the namespace.
    pub applied: Applied,
}

impl Kind for RecordFile {
    const WORD: &'static str = "record";

    fn describe(&self, _: Verb, _: &[Change], of: &NetnsRef) -> String {
        format!("record /run/netnsctl/{of}.json")
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
