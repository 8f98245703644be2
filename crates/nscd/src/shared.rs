//! What the threads share: limits, the cache, the numbers, and whether descriptors are short.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use netnsctl_daemon::Log;
use netnsctl_sys::errno::words;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use crate::cache::Cache;
use crate::family::Rooms;
use crate::lobby::Lobby;
use crate::options::Options;
use crate::request::Malformed;
use crate::statistics::Statistics;

/// Time without a failure to accept after which a shortage is over.
const OVER: Duration = Duration::from_secs(1);

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) lobby: Lobby,
    pub(crate) rooms: Rooms,
    pub(crate) cache: Cache,
    pub(crate) statistics: Statistics,
    log: Log,
    trace: Option<Log>,
    /// Whether accepting fails for want of something, which is told once, and when it last did.
    short: AtomicBool,
    failed: Mutex<Option<Instant>>,
}

impl Shared {
    pub(crate) fn new(lobby: Lobby, options: &Options) -> Self {
        Self {
            lobby,
            rooms: Rooms::new(options.bounds),
            cache: Cache::new(options.cache),
            statistics: Statistics::default(),
            log: options.log.clone(),
            trace: options.trace.clone(),
            short: AtomicBool::new(false),
            failed: Mutex::default(),
        }
    }

    pub(crate) fn malformed(&self, error: &Malformed) {
        self.statistics.count_malformed();
        self.trace(|| format!("a request that is none: {error}"));
    }

    pub(crate) fn trace(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            trace.line(&line());
        }
    }

    /// Whether accepting has failed lately for want of descriptors or memory.
    pub(crate) fn has_shortage(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// Whether descriptors are so short that a look-up may have gone without: nobody could be
    /// accepted lately, or no new descriptor is to be had now.
    pub(crate) fn lacks_descriptors(&self) -> bool {
        if let Err(error) = eventfd(0, EventfdFlags::CLOEXEC) {
            self.is_short(Some(("look up", error)));
        }
        self.has_shortage()
    }

    /// Tells of the beginning of a shortage, and of its end once there was none for a while.
    pub(crate) fn is_short(&self, failure: Option<(&str, Errno)>) {
        if failure.is_none() && !self.has_shortage() {
            return;
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Some((step, error)) => {
                *failed = Some(Instant::now());
                if !self.short.swap(true, Ordering::Relaxed) {
                    self.log.line(&format!(
                        "cannot {step}: {}; clients wait or look up by themselves meanwhile",
                        words(&error)
                    ));
                }
            }
            None if failed.is_some_and(|at| at.elapsed() < OVER) => {}
            None => {
                if self.short.swap(false, Ordering::Relaxed) {
                    self.log.line("accepting and looking up again");
                }
            }
        }
    }
}
