//! What can be typed to watch namespaces live.

use std::time::Duration;

use clap::Args;

use super::Sandbox;

/// What the help says of its keys, and examples.
pub(super) const AFTER_HELP: &str = "Rates are those of the last interval. A namespace's are \
those of its links but lo, and of the forwards that listen in it. Bytes are counted in steps of \
1024, everything else in steps of 1000. A state that wants a look has a \"!\" before it.

Keys: Up and Down move, Enter looks into a row and Esc leads back; Tab changes between namespaces, \
links and forwards; Left and Right choose the column to sort by, r reverses; / filters, p pauses, \
? shows all keys, q ends.

Examples:
  netnsctl top
  netnsctl top office lab --interval 0.5
  netnsctl top --sandbox                    in a running \"serve --sandbox\"";

/// Seconds between two samples: shorter ones would mostly measure themselves.
const SHORTEST: f64 = 0.1;
const LONGEST: f64 = 3600.0;

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Namespaces; all there are if none
    pub(crate) names: Vec<String>,
    /// Time between two samples, 0.1 to 3600
    #[arg(long, short, value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub(crate) interval: Duration,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    seconds
        .filter(|seconds| (SHORTEST..=LONGEST).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("a number of seconds from {SHORTEST} to {LONGEST} is wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_seconds_within_bounds() {
        for (text, millis) in [
            ("1", 1000),
            ("0.1", 100),
            ("3600", 3_600_000),
            ("2.5", 2500),
        ] {
            assert_eq!(interval(text), Ok(Duration::from_millis(millis)));
        }
        for text in ["", "0", "-1", "0.09", "3601", "inf", "NaN", "1s", "1e400"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
