//! Keeps outside text inside the directive it stands in.
//!
//! A name may hold anything but control characters and slashes, so a line cannot be ended by one.
//! What is left: `%` begins a specifier (systemd.unit(5)), `$` a variable in a command line
//! (systemd.service(5)), and white space, quotes and backslashes have their meanings in values
//! that are lists of words (systemd.syntax(7)). A value that is no list is taken as it stands, but
//! for white space at its ends and a backslash at its end, which joins it with the next line: such
//! text cannot be a value at all, see [`is_line`].

use netnsctl_model::name::is_control;

/// The part of a unit's name that stands for `text`: what systemd.unit(5) does not allow becomes
/// `\xNN`. Unlike systemd-escape(1) it keeps dashes, since every name here is full of them.
pub(crate) fn unit_name(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'-' | b'_' | b'.' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("\\x{other:02x}")),
        }
    }
    escaped
}

/// Whether `text` can be a value as it stands.
pub(crate) fn is_line(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with(|c: char| c.is_whitespace() || c == '\\')
        && !text.chars().any(is_control)
}

/// `text` in a value that is no list of words.
pub(crate) fn value(text: &str) -> String {
    text.replace('%', "%%")
}

/// `text` as one word of a list.
pub(crate) fn word(text: &str) -> String {
    quote(&value(text))
}

/// `text` as one word of a command line.
pub(crate) fn argument(text: &str) -> String {
    quote(&value(text).replace('$', "$$"))
}

/// The path of a program, in which `$` has no meaning.
pub(crate) fn program(path: &str) -> String {
    word(path)
}

/// In double quotes, unless nothing in `text` needs them. A double quote cannot be escaped in
/// every kind of value, so it stands between single ones.
fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+./:=,@%$[]".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let inner = text.replace('\\', "\\\\").replace('"', "\"'\"'\"");
    format!("\"{inner}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_unit_name_cannot_have_is_written_as_bytes() {
        assert_eq!(unit_name("vpn-1.a_b:c"), "vpn-1.a_b:c");
        assert_eq!(unit_name("a b@%"), "a\\x20b\\x40\\x25");
        assert_eq!(unit_name("ä\\"), "\\xc3\\xa4\\x5c");
    }

    #[test]
    fn words_are_quoted_where_they_would_be_several() {
        assert_eq!(word("/etc/netns/a/hosts"), "/etc/netns/a/hosts");
        assert_eq!(word("a b"), "\"a b\"");
        assert_eq!(word("50%"), "50%%");
        assert_eq!(word("a\"b\\"), "\"a\"'\"'\"b\\\\\"");
        assert_eq!(word("it's"), "\"it's\"");
        assert_eq!(word(""), "\"\"");
        assert_eq!(argument("$HOME%h"), "$$HOME%%h");
        assert_eq!(argument(";"), "\";\"");
    }

    #[test]
    fn what_would_not_stay_on_its_line_is_no_value() {
        for text in ["", "a\\", "a ", " a", "a\nExecStart=/bin/sh"] {
            assert!(!is_line(text), "{text:?}");
        }
        assert!(is_line("a b\\c d"));
    }
}
