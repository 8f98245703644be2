//! Files of ours in `/etc/netns/NAME`.

use crate::name::NetnsRef;
use crate::observed::EtcFile;

use super::{Change, Kind, Value, Verb};

/// A file of ours in `/etc/netns/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Which.
    pub file: EtcFile,
    /// What it shall say; empty for one that is removed.
    pub content: String,
}

impl Kind for File {
    const WORD: &'static str = "file";

    fn describe(&self, _: Verb, _: &[Change], of: &NetnsRef) -> String {
        format!("file /etc/netns/{of}/{}", self.file.file_name())
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        vec![("file", self.file.file_name().into())]
    }
}
