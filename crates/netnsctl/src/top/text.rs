//! Numbers and states in few characters.

use crate::published::{ForwardKey, forward_line};

/// A number in at most five characters: `0`, `0.4`, `999`, `1.2K`, `345M`. Steps are `step`, 1000 or
/// 1024.
pub(super) fn short(number: f64, step: f64) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let (mut number, mut unit) = (number.max(0.0), 0);
    // What would be rounded up to four digits is shown in the next unit.
    while number >= 999.5 && unit + 1 < UNITS.len() {
        number /= step;
        unit += 1;
    }
    // Below the first unit a whole number is one, and 0.04 is not nothing.
    let is_whole = unit == 0 && number.fract() == 0.0;
    if is_whole || number >= 9.95 {
        format!("{number:.0}{}", UNITS[unit])
    } else {
        format!("{:.1}{}", number.max(0.1), UNITS[unit])
    }
}

/// Bytes, or bytes a second.
pub(super) fn bytes(number: f64) -> String {
    short(number, 1024.0)
}

/// Anything else.
pub(super) fn count(number: f64) -> String {
    short(number, 1000.0)
}

/// A counter.
#[expect(
    clippy::cast_precision_loss,
    reason = "fifteen digits are more than are shown"
)]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// A forward in one line.
pub(super) fn forward(key: &ForwardKey) -> String {
    let ForwardKey {
        protocol,
        listen,
        netns,
        connect,
        ..
    } = key;
    forward_line(*protocol, listen, netns, connect)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        let cases = [
            (0.0, "0"),
            (0.04, "0.1"),
            (0.5, "0.5"),
            (3.0, "3"),
            (9.99, "10"),
            (999.0, "999"),
            (999.7, "1.0K"),
            (1536.0, "1.5K"),
            (1_048_576.0, "1.0M"),
            (f64::MAX, "E"),
        ];
        for (number, wanted) in cases {
            let shown = bytes(number);
            assert!(
                shown == wanted || wanted == "E" && shown.ends_with('E'),
                "{shown}"
            );
        }
        assert_eq!(count(1500.0), "1.5K");
    }

    proptest! {
        #[test]
        fn every_counter_fits(number in 0.0..1.8e19_f64) {
            prop_assert!(bytes(number).len() <= 5, "{}", bytes(number));
            prop_assert!(count(number).len() <= 5, "{}", count(number));
        }
    }
}
