//! Connections that wait for room in the queue of a unix socket.
//!
//! No event tells of that room, so it is asked for: by the connection that has waited longest, on
//! behalf of all, since they want the same queue. So it costs one connect(2) per pause however many
//! wait, and they are let in in the order in which they came.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The first pause between two attempts; it doubles with each that fails.
const FIRST: Duration = Duration::from_millis(1);

/// The longest. A program that was suspended is noticed a moment after it goes on.
const LONGEST: Duration = Duration::from_millis(64);

/// A connection's key and generation.
pub(crate) type Entry = (usize, u32);

/// Those that wait, and when the first of them tries again. Entries of connections that ended
/// meanwhile stay until their turn comes.
#[derive(Debug)]
pub(crate) struct Waiting {
    entries: VecDeque<Entry>,
    due: Instant,
    pause: Duration,
}

impl Waiting {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            entries: VecDeque::new(),
            due: now,
            pause: FIRST,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the next attempt is due; none if nobody waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        (!self.is_empty()).then_some(self.due)
    }

    /// Adds one that just failed, or that found others waiting.
    pub(crate) fn push(&mut self, entry: Entry, now: Instant) {
        if self.is_empty() {
            self.pause = FIRST;
            self.due = now + FIRST;
        }
        self.entries.push_back(entry);
    }

    /// The one whose attempt is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Entry> {
        if self.due <= now {
            self.entries.pop_front()
        } else {
            None
        }
    }

    /// Puts back the one that failed again; all wait longer.
    pub(crate) fn put_back(&mut self, entry: Entry, now: Instant) {
        self.entries.push_front(entry);
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST);
    }

    /// Notes that there was room.
    pub(crate) fn succeed(&mut self) {
        self.pause = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tries_for_all_ever_more_seldom() {
        let mut now = Instant::now();
        let mut waiting = Waiting::new(now);
        assert_eq!((waiting.due(), waiting.pop_due(now)), (None, None));
        waiting.push((1, 0), now);
        waiting.push((2, 0), now);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            let due = waiting.due().unwrap();
            pauses.push((due - now).as_millis());
            assert_eq!(waiting.pop_due(now), None);
            now = due;
            assert_eq!(waiting.pop_due(now), Some((1, 0)));
            waiting.put_back((1, 0), now);
        }
        assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 64, 64]);
        now = waiting.due().unwrap();
        assert_eq!(waiting.pop_due(now), Some((1, 0)));
        waiting.succeed();
        assert_eq!(waiting.pop_due(now), Some((2, 0)));
        waiting.put_back((2, 0), now);
        assert_eq!(waiting.due(), Some(now + FIRST));
    }
}
