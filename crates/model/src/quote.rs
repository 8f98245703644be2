//! Text in quotes, for files that netnsctl writes.

use std::fmt::Write as _;

use crate::name::is_control;

/// `text` in double quotes, as TOML and JSON both read it. Characters that could disturb a terminal are
/// escaped by their number.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\t' => quoted.push_str("\\t"),
            // All of them have at most 16 bits.
            c if is_control(c) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `text` as a key of TOML: in quotes only if it needs them.
pub fn toml_key(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use toml::de::DeTable;

    proptest! {
        #[test]
        fn toml_and_json_read_what_was_quoted(text: String) {
            let quoted = quoted(&text);
            prop_assert!(!quoted.contains(is_control), "{}", quoted);
            let json: String = serde_json::from_str(&quoted).unwrap();
            prop_assert_eq!(&json, &text);
            let line = format!("{} = {quoted}", toml_key(&text));
            let table = DeTable::parse(&line).unwrap();
            let (key, value) = table.get_ref().iter().next().unwrap();
            prop_assert_eq!(key.get_ref(), &text);
            prop_assert_eq!(value.get_ref().as_str(), Some(text.as_str()));
        }
    }
}
