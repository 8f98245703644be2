//! The width of text in cells of a monospaced font, and lines that are not too wide.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells that `text` takes; an ideograph takes two.
pub(crate) fn cells(text: &str) -> i32 {
    i32::try_from(text.width()).unwrap_or(i32::MAX)
}

/// Cuts `text` into lines of at most `limit` cells: behind a space where there is one in the second
/// half of the line, else anywhere. Nothing is left out but spaces at the cuts.
pub(crate) fn wrap(text: &str, limit: i32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while cells(rest) > limit {
        let mut cut = rest.chars().next().map_or(0, char::len_utf8);
        let mut width = 0;
        for (at, character) in rest.char_indices() {
            width += character
                .width()
                .map_or(0, |width| i32::from(width > 0) + i32::from(width > 1));
            if width > limit {
                break;
            }
            cut = cut.max(at + character.len_utf8());
        }
        let space = rest[..cut].rfind(' ').filter(|space| *space >= cut / 2);
        let (line, after) = rest.split_at(space.unwrap_or(cut));
        lines.push(line.trim_end().to_owned());
        rest = after.trim_start();
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_spaces_or_anywhere() {
        assert_eq!(wrap("3 open, 9 ever", 20), ["3 open, 9 ever"]);
        assert_eq!(wrap("3 open, 9 ever", 8), ["3 open,", "9 ever"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日", 1), ["日"]);
    }
}
