//! Kernel parameters under `net.`.

use crate::name::{NetnsRef, SysctlKey};

use super::{Change, Kind, Value, Verb};

/// A kernel parameter of a namespace, written from inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// The key.
    pub key: SysctlKey,
    /// The value to write.
    pub value: String,
}

impl Kind for Sysctl {
    const WORD: &'static str = "sysctl";

    fn describe(&self, _: Verb, changes: &[Change], _: &NetnsRef) -> String {
        let Self { key, value } = self;
        let from = changes.iter().find_map(|change| change.from.as_ref());
        match from {
            Some(from) => {
                let from = from.to_string();
                let from: Vec<_> = from.split_whitespace().collect();
                format!("sysctl {key} {} → {value}", from.join(" "))
            }
            None => format!("sysctl {key} = {value}"),
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("key", self.key.as_str().into()),
            ("value", self.value.as_str().into()),
        ]
    }
}
