//! Words for messages: quoted, listed, and the nearest of several.

use crate::name::is_control;

/// Characters of a value that a message repeats; more would drown it.
pub(super) const QUOTED_MAX: usize = 60;

/// `text` in quotes, what could confuse a terminal escaped, what is too long cut.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for (n, character) in text.chars().enumerate() {
        if n == QUOTED_MAX {
            quoted.push('…');
            break;
        }
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            c if is_control(c) => quoted.extend(c.escape_default()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `"a", "b" and "c"`.
pub(super) fn list<'w>(words: impl IntoIterator<Item = &'w str>, last: &str) -> String {
    let words: Vec<_> = words.into_iter().map(quote).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// The one of `known` that `text` was most likely meant to be.
pub(super) fn nearest<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = text.chars().count();
    // Beyond any known word by more than can be a slip: not worth comparing.
    if length > 300 {
        return None;
    }
    known
        .into_iter()
        .map(|word| (distance(text, word), word))
        .filter(|(distance, word)| {
            let shorter = word.chars().count().min(length);
            *distance <= (shorter / 3).max(1) && *distance < shorter
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The name that shares a word with `text`, as "interface_addresses" does with "address": the last
/// word of `text` says most.
pub(super) fn akin<'k>(
    text: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
) -> Option<&'k str> {
    if text.chars().count() > 300 {
        return None;
    }
    // Shorter ones, such as "ip" and "of", are part of too much.
    let mut words = text.rsplit(['_', '-']).filter(|word| word.len() >= 4);
    words.find_map(|word| {
        let contains = |name: &&str| name.contains(&word.to_lowercase());
        nearest(word, known.clone()).or_else(|| known.clone().into_iter().find(contains))
    })
}

/// Letters to insert, delete, replace or swap with their neighbour to make `b` of `a`, case and
/// the difference between `-` and `_` aside (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| -> Vec<char> {
        let lower = text.chars().flat_map(char::to_lowercase);
        lower.map(|c| if c == '-' { '_' } else { c }).collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

/// What stands for a character that must not reach a terminal.
pub(super) fn picture(character: char) -> Option<char> {
    match character {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)),
        '\u{7f}' => Some('\u{2421}'),
        c if is_control(c) => Some(char::REPLACEMENT_CHARACTER),
        _ => None,
    }
}

/// `text` on one line with pictures for control characters. Messages quote names already
/// escaped; this is for what other crates put into theirs, and for paths.
pub(super) fn visible(text: &str) -> String {
    text.chars().map(|c| picture(c).unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["interface", "address", "forward", "netns", "mtu"];
        for (slip, meant) in [
            ("interfcae", Some("interface")),
            ("adress", Some("address")),
            ("Forward", Some("forward")),
            ("net-ns", Some("netns")),
            ("mut", Some("mtu")),
            ("gateway", None),
            ("m", None),
            ("", None),
        ] {
            assert_eq!(nearest(slip, known), meant, "{slip}");
        }
    }

    #[test]
    fn names_with_a_word_in_common_are_found() {
        let known = ["interface", "address", "ipv4_forwarding", "nameservers"];
        for (text, meant) in [
            ("interface_addresses", Some("address")),
            ("Link-Address", Some("address")),
            ("ip_forwarding", Some("ipv4_forwarding")),
            ("dns_server", Some("nameservers")),
            ("address_of_it", Some("address")),
            ("ip_of_us", None),
            ("gateway", None),
            ("_", None),
            ("", None),
        ] {
            assert_eq!(akin(text, known), meant, "{text}");
        }
    }

    #[test]
    fn quoted_text_cannot_move_the_cursor() {
        assert_eq!(
            quote("a\u{1b}[2J\u{202e}\"\\"),
            r#""a\u{1b}[2J\u{202e}\"\\""#
        );
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 63);
    }
}
