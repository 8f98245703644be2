//! The kinds of entries: one file for each, and one list of them.

mod rule;

use super::EntryKind;
use crate::config::section::Section;

/// Makes what goes over all kinds from the list of them.
macro_rules! kinds {
    ($($kind:ident,)*) => {
        /// All of them.
        pub static KINDS: &[&EntryKind] = &[$(&$kind::KIND,)*];

        /// Their sections of a namespace.
        pub static SECTIONS: &[&Section] = &[$(&$kind::SECTION,)*];
    };
}

kinds! {
    rule,
}

/// The kind of that word.
pub fn kind(word: &str) -> Option<&'static EntryKind> {
    KINDS.iter().copied().find(|kind| kind.word() == word)
}
