//! The text of one unit.

use std::fmt::Write as _;

use netnsctl_model::name::NetnsRef;

use crate::escape;

/// Where the program is described.
const DOCUMENTATION: &str = env!("CARGO_PKG_REPOSITORY");

/// A unit in the making, line by line.
#[derive(Debug)]
pub(crate) struct Unit {
    text: String,
}

impl Unit {
    /// Its first lines. `description` is of outside text and may not be its own end.
    pub(crate) fn new(netns: &NetnsRef, description: &str) -> Self {
        let text = format!(
            "# Made by netnsctl from the declaration of netns {:?}; to change it, change that, or \
             add to it with \"systemctl edit\".\n",
            netns.as_str()
        );
        let mut unit = Self { text };
        unit.section("Unit");
        unit.set("Description", escape::value(description));
        unit.set("Documentation", DOCUMENTATION);
        unit
    }

    /// A drop-in for a unit of somebody else.
    pub(crate) fn drop_in(purpose: &str) -> Self {
        Self {
            text: format!("# {purpose} Made by \"netnsctl service-config\".\n"),
        }
    }

    /// Begins a section.
    pub(crate) fn section(&mut self, name: &str) {
        let _ = write!(self.text, "\n[{name}]\n");
    }

    /// A line of reason for what follows.
    pub(crate) fn comment(&mut self, line: &str) {
        let _ = writeln!(self.text, "# {line}");
    }

    /// One setting. `value` is escaped already.
    pub(crate) fn set(&mut self, key: &str, value: impl AsRef<str>) {
        let _ = writeln!(self.text, "{key}={}", value.as_ref());
    }

    /// Settings from a table.
    pub(crate) fn set_all(&mut self, settings: &[(&str, &str)]) {
        for (key, value) in settings {
            self.set(key, value);
        }
    }

    /// One setting for each value.
    pub(crate) fn set_each(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = impl AsRef<str>>,
    ) {
        for value in values {
            self.set(key, value);
        }
    }

    /// The text.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}
