//! What can be set about the daemon.

use std::time::Duration;

use netnsctl_daemon::Log;

use crate::family::Bounds;

/// How to answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many look-ups may go on at once.
    pub bounds: Bounds,
    /// How long a reply may be given again, while the files it came from do not change. Zero: only
    /// if it came from files alone.
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
