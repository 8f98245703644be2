//! Replies that may be given again, as long as the files they came from are the same.
//!
//! A reply is kept with the stamp of its files, taken *before* it was looked up, and given again
//! only while they have that stamp: so a changed /etc/passwd or /etc/resolv.conf counts at the next
//! request, not a moment later. What [came from files alone](crate::sources) is kept for as long as
//! that. What modules learn elsewhere (name servers, directories) is as old as the cache's time
//! allows, and not kept without one. Only what was found, and what was said not to exist, is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::family::Family;
use crate::lookup::Outcome;
use crate::request::{Frame, Kind};
use crate::sources::Sources;
use crate::stamp::Stamp;

/// Most replies that are kept.
const MOST_REPLIES: usize = 16_384;

/// Most bytes of keys, replies and what is noted of them.
const MOST_BYTES: usize = 8 << 20;

/// The key of a reply in the table.
type Key = (Kind, Box<[u8]>);

#[derive(Debug)]
struct Kept {
    key: Arc<Key>,
    reply: Arc<[u8]>,
    outcome: Outcome,
    stamp: Stamp,
    /// None: for as long as the files are the same.
    until: Option<Instant>,
    /// The reply used next before this one, and the one used next after it.
    older: Option<usize>,
    newer: Option<usize>,
}

impl Kept {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.1.len() + self.reply.len()
    }
}

/// Replies, and the order in which they were used.
#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<Arc<Key>, usize>,
    replies: Slab<Kept>,
    oldest: Option<usize>,
    newest: Option<usize>,
    bytes: usize,
}

/// The cache; one for all threads.
#[derive(Debug)]
pub(crate) struct Cache {
    /// How long what does not come from files alone may be given again.
    time: Duration,
    sources: Sources,
    table: Mutex<Table>,
}

/// Where a reply may be kept once it is there.
pub(crate) struct Slot {
    key: Key,
    stamp: Stamp,
}

/// What is known of a request.
#[expect(
    clippy::large_enum_variant,
    reason = "lives for one look-up, on the stack"
)]
pub(crate) enum Known {
    /// It is answered by this.
    Reply(Arc<[u8]>, Outcome),
    /// It has to be looked up, and may be kept then.
    Nothing(Option<Slot>),
}

impl Cache {
    /// One whose replies are given again for `time`, if they do not come from files alone.
    pub(crate) fn new(time: Duration) -> Self {
        Self {
            time,
            sources: Sources::default(),
            table: Mutex::default(),
        }
    }

    /// Finds the reply to a request.
    pub(crate) fn find(&self, frame: Frame<'_>) -> Known {
        let Some(stamp) = Stamp::of(frame.kind) else {
            return Known::Nothing(None);
        };
        let key: Key = (frame.kind, frame.key.into());
        let mut table = self.table();
        if let Some(index) = table.by_key.get(&key).copied() {
            match table.replies.get(index) {
                Some(kept) if kept.stamp == stamp && !kept.is_over() => {
                    let (reply, outcome) = (kept.reply.clone(), kept.outcome);
                    table.use_again(index);
                    return Known::Reply(reply, outcome);
                }
                _ => table.remove(index),
            }
        }
        Known::Nothing(Some(Slot { key, stamp }))
    }

    /// Keeps a reply, if it is one that holds for a while.
    pub(crate) fn keep(&self, slot: Slot, outcome: Outcome, reply: &[u8]) {
        let Slot { key, stamp } = slot;
        let bytes = key.1.len() + reply.len();
        if !matches!(outcome, Outcome::Found | Outcome::NotFound) || bytes > MOST_BYTES / 16 {
            return;
        }
        let until = if self.sources.is_of_files(key.0, stamp, outcome, reply) {
            None
        } else if self.time.is_zero() {
            return;
        } else {
            Some(Instant::now() + self.time)
        };
        let kept = Kept {
            key: Arc::new(key),
            reply: reply.into(),
            outcome,
            stamp,
            until,
            older: None,
            newer: None,
        };
        self.table().insert(kept);
    }

    /// Forgets everything of a family.
    pub(crate) fn forget(&self, family: Family) {
        let mut table = self.table();
        let is_of = |(_, kept): &(usize, &Kept)| Family::of(kept.key.0) == Some(family);
        let all: Vec<usize> = table.replies.iter().filter(is_of).map(|it| it.0).collect();
        all.into_iter().for_each(|index| table.remove(index));
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn insert(&mut self, kept: Kept) {
        if let Some(index) = self.by_key.get(&kept.key).copied() {
            self.remove(index);
        }
        while self.replies.len() >= MOST_REPLIES || self.bytes + kept.bytes() > MOST_BYTES {
            match self.oldest {
                Some(oldest) => self.remove(oldest),
                None => break,
            }
        }
        self.bytes += kept.bytes();
        let key = kept.key.clone();
        let index = self.replies.insert(kept);
        self.by_key.insert(key, index);
        self.link(index);
    }

    fn remove(&mut self, index: usize) {
        self.unlink(index);
        if let Some(kept) = self.replies.try_remove(index) {
            self.bytes -= kept.bytes();
            self.by_key.remove(&kept.key);
        }
    }

    fn use_again(&mut self, index: usize) {
        if self.newest != Some(index) {
            self.unlink(index);
            self.link(index);
        }
    }

    /// Puts a reply that is in no order at the newest end.
    fn link(&mut self, index: usize) {
        let before = self.newest.replace(index);
        if let Some(kept) = self.replies.get_mut(index) {
            (kept.older, kept.newer) = (before, None);
        }
        match before.and_then(|before| self.replies.get_mut(before)) {
            Some(before) => before.newer = Some(index),
            None => self.oldest = Some(index),
        }
    }

    fn unlink(&mut self, index: usize) {
        let Some(kept) = self.replies.get(index) else {
            return;
        };
        let (older, newer) = (kept.older, kept.newer);
        match older.and_then(|older| self.replies.get_mut(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match newer.and_then(|newer| self.replies.get_mut(newer)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(key: &[u8]) -> Frame<'_> {
        let kind = Kind::UserByName;
        Frame { kind, key }
    }

    fn keep(cache: &Cache, key: &[u8], outcome: Outcome, reply: &[u8]) {
        let key: Key = (Kind::UserByName, key.into());
        let stamp = Stamp::of(Kind::UserByName).unwrap_or_default();
        cache.keep(Slot { key, stamp }, outcome, reply);
    }

    fn found(cache: &Cache, key: &[u8]) -> Option<Vec<u8>> {
        match cache.find(frame(key)) {
            Known::Reply(reply, _) => Some(reply.to_vec()),
            Known::Nothing(_) => None,
        }
    }

    /// A table of replies of some size, as many as there are numbers.
    fn table(numbers: std::ops::Range<u32>, size: usize) -> Table {
        let mut table = Table::default();
        for number in numbers {
            table.insert(Kept {
                key: Arc::new((Kind::UserById, number.to_ne_bytes().into())),
                reply: vec![0; size].into(),
                outcome: Outcome::Found,
                stamp: Stamp::default(),
                until: None,
                older: None,
                newer: None,
            });
        }
        table
    }

    fn has(table: &Table, number: u32) -> bool {
        let key: Key = (Kind::UserById, number.to_ne_bytes().into());
        table.by_key.contains_key(&key)
    }

    #[test]
    fn only_answers_are_kept_and_their_family_can_be_forgotten() {
        let cache = Cache::new(Duration::from_secs(3600));
        keep(&cache, b"a\0", Outcome::Found, b"reply");
        keep(&cache, b"b\0", Outcome::NotFound, b"none");
        keep(&cache, b"c\0", Outcome::Passing, b"later");
        keep(&cache, b"d\0", Outcome::Refused, b"never");
        assert_eq!(found(&cache, b"a\0").as_deref(), Some(&b"reply"[..]));
        assert_eq!(found(&cache, b"b\0").as_deref(), Some(&b"none"[..]));
        assert_eq!(found(&cache, b"c\0"), None);
        assert_eq!(found(&cache, b"d\0"), None);
        cache.forget(Family::Hosts);
        assert!(found(&cache, b"a\0").is_some());
        cache.forget(Family::Users);
        assert_eq!(found(&cache, b"a\0"), None);
    }

    #[test]
    fn a_reply_is_not_given_after_its_time_or_with_another_stamp() {
        let cache = Cache::new(Duration::from_nanos(1));
        keep(&cache, b"a\0", Outcome::Found, b"reply");
        assert_eq!(found(&cache, b"a\0"), None);
        let cache = Cache::new(Duration::from_secs(3600));
        let (key, stamp): (Key, _) = ((Kind::UserByName, (*b"a\0").into()), Stamp::default());
        cache.keep(Slot { key, stamp }, Outcome::Found, b"reply");
        assert_eq!(found(&cache, b"a\0"), None);
        assert_eq!(cache.table().bytes, 0);
    }

    #[test]
    fn what_was_used_last_stays_when_room_is_short() {
        let most = u32::try_from(MOST_REPLIES).unwrap();
        let mut full = table(0..most, 1);
        assert!(has(&full, 0));
        let first = *full.by_key.values().min().unwrap();
        full.use_again(first);
        let more = table(most..most + 1, 1);
        let (_, kept) = more.replies.into_iter().next().unwrap();
        full.insert(kept);
        assert!(has(&full, 0) && !has(&full, 1) && has(&full, 2) && has(&full, most));
        assert_eq!(full.replies.len(), MOST_REPLIES);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let full = table(0..1000, MOST_BYTES / 100);
        assert!(full.bytes <= MOST_BYTES);
        assert!((90..100).contains(&full.replies.len()));
        assert!(has(&full, 999) && !has(&full, 0));
        let sum: usize = full.replies.iter().map(|(_, kept)| kept.bytes()).sum();
        assert_eq!(sum, full.bytes);
    }
}
