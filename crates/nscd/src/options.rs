//! What can be set about the daemon.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::family::Bounds;

/// How to answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many look-ups may go on at once.
    pub bounds: Bounds,
    /// How long a reply may be given again, while the files it came from do not change. Zero: never.
    pub cache: Duration,
    /// How long look-ups may go on after the order to stop. One second.
    pub drain: Duration,
    /// Where state changes are told.
    pub log: Log,
    /// Where each request is told, with its outcome, for whoever looks for a fault. None: nowhere.
    pub trace: Option<Log>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            cache: Duration::ZERO,
            drain: Duration::from_secs(1),
            log: Log::default(),
            trace: None,
        }
    }
}

/// A sink for lines of text, without a line break at the end.
///
/// Called on any thread. The default discards.
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(&str) + Send + Sync>);

impl Log {
    /// Passes every line to `sink`.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    pub(crate) fn line(&self, line: &str) {
        (self.0)(line);
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}
