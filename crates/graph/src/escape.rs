//! Text that nothing in it can end, in the languages that are written.

use netnsctl_model::name::is_control;

/// For text and attributes of XML, and for labels of dot(1) that are like HTML. Characters that XML
/// cannot have at all become U+FFFD; names never have them.
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            character if is_control(character) => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

/// For quoted text of Mermaid, whose `#NNN;` is a character by its number. All is written so that
/// could mean something in its grammar, in Markdown or in HTML.
pub(crate) fn mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let plain = character.is_alphanumeric() || " ./:-,()+=→×".contains(character);
        if plain {
            escaped.push(character);
        } else {
            escaped.push_str(&format!("#{};", u32::from(character)));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_its_text() {
        assert_eq!(
            xml("a<b>&\"'\u{7}\u{ffff}ß"),
            "a&lt;b&gt;&amp;&quot;&#39;\u{fffd}\u{fffd}ß"
        );
        assert_eq!(mermaid("a\"b#`_<"), "a#34;b#35;#96;#95;#60;");
    }
}
