//! Text that comes from outside: names of processes and of other people's links, lines of files, answers
//! of other programs. Their owners choose it, so it is never shown as it stands.

use std::fmt::{self, Write as _};

use crate::name::is_control;

/// Text from outside as it may be shown on a terminal or in a log: a character that could change what is
/// shown around it, such as an escape or one that turns the direction of text, becomes U+FFFD.
///
/// Everything that prints text from outside goes by this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outside<'a>(pub &'a str);

impl fmt::Display for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            let is_harmless = !is_control(c);
            f.write_char(if is_harmless {
                c
            } else {
                char::REPLACEMENT_CHARACTER
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_reorder_or_clear_the_text_around_it() {
        let shown = Outside("a\u{202e}b\u{1b}[2J\u{2066}c\nd\u{9b}").to_string();
        assert_eq!(shown, "a\u{fffd}b\u{fffd}[2J\u{fffd}c\u{fffd}d\u{fffd}");
        assert_eq!(Outside("nginx: worker é").to_string(), "nginx: worker é");
    }
}
