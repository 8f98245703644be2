//! Folders in /etc.

use crate::name::NetnsRef;

use super::{Change, Kind, Value, Verb};

/// A folder in /etc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path.
    pub path: String,
}

impl Kind for Directory {
    const WORD: &'static str = "directory";

    fn describe(&self, _: Verb, _: &[Change], _: &NetnsRef) -> String {
        format!("folder {}", self.path)
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        vec![("path", self.path.as_str().into())]
    }
}
