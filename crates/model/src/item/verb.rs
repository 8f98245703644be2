//! What is done with an item.

/// What a step does with its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Something new.
    Add,
    /// Something that stays and changes.
    Change,
    /// Something goes.
    Remove,
    /// Something is added again that the kernel may drop along with another item.
    Restore,
}

impl Verb {
    /// `+`, `~` or `-`.
    pub fn sign(self) -> char {
        match self {
            Self::Add => '+',
            Self::Change | Self::Restore => '~',
            Self::Remove => '-',
        }
    }

    /// The word for it, which `Display` writes too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Change | Self::Restore => "change",
            Self::Remove => "remove",
        }
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
