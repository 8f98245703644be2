//! The sessions, in the order in which they end.
//!
//! Three lists, each by the time of the last datagram either way. A session with one datagram
//! each way so far, as a question and its answer are, is in one of its own because it ends sooner.
//! One whose client wrote again after an answer is established. When there is no room for one
//! more, the least recent that is not established gives way, so no number of strangers ends what
//! is going on; established ones give way only when there are no others. This is a segmented
//! least-recently-used cache, and what `ASSURED` means to the kernel's connection tracking.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use netnsctl_sys::datagram::Local;
use slab::Slab;

use crate::list::{Linked, Links, List};
use crate::options::Options;

/// What a session is found by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key {
    pub(super) client: SocketAddr,
    pub(super) local: Local,
    pub(super) listener: usize,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// Answered, with more than one datagram one way, but the client has not written since.
    Answered,
    /// One datagram from the client.
    Asked,
    /// The client wrote again after an answer.
    Established,
    /// Nothing yet.
    New,
    /// One datagram each way.
    Single,
    /// Several datagrams from the client.
    Waiting,
}

impl Stage {
    /// The stage after `count` more datagrams from the client.
    fn asked(self, count: usize) -> Self {
        match self {
            Self::New if count == 1 => Self::Asked,
            Self::Asked | Self::New | Self::Waiting => Self::Waiting,
            Self::Answered | Self::Established | Self::Single => Self::Established,
        }
    }

    /// The stage after `count` more datagrams from the target.
    fn answered(self, count: usize) -> Self {
        match self {
            Self::Asked if count == 1 => Self::Single,
            Self::Established => Self::Established,
            _ => Self::Answered,
        }
    }

    /// The list it is in.
    fn list(self) -> usize {
        match self {
            Self::Single => SINGLE,
            Self::Established => ESTABLISHED,
            _ => OTHERS,
        }
    }
}

const OTHERS: usize = 0;
const SINGLE: usize = 1;
const ESTABLISHED: usize = 2;

/// A client and its socket to the target.
pub(super) struct Session {
    pub(super) fd: OwnedFd,
    pub(super) key: Key,
    pub(super) generation: u32,
    /// Whether it has a turn coming.
    pub(super) queued: bool,
    /// Whether the kernel may cut messages to the target into datagrams.
    pub(super) segments: bool,
    /// How many datagrams the socket had lost when the last one came in.
    pub(super) lost: u32,
    stage: Stage,
    used: Instant,
    links: Links,
}

impl Session {
    /// One whose client is about to be heard.
    pub(super) fn new(fd: OwnedFd, key: Key, generation: u32, now: Instant) -> Self {
        Self {
            fd,
            key,
            generation,
            queued: false,
            segments: true,
            lost: 0,
            stage: Stage::New,
            used: now,
            links: Links::default(),
        }
    }
}

impl Linked for Session {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// All sessions.
pub(super) struct Sessions {
    table: Slab<Session>,
    by_key: HashMap<Key, usize>,
    lists: [List; 3],
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self {
            table: Slab::new(),
            by_key: HashMap::new(),
            lists: [List::new(), List::new(), List::new()],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn find(&self, key: &Key) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// The session at `index`, if it is still the one of that generation.
    pub(super) fn get(&mut self, index: usize, generation: u32) -> Option<&mut Session> {
        let session = self.table.get_mut(index)?;
        (session.generation == generation).then_some(session)
    }

    pub(super) fn at(&mut self, index: usize) -> Option<&mut Session> {
        self.table.get_mut(index)
    }

    /// Where the next session will be.
    pub(super) fn next_index(&self) -> usize {
        self.table.vacant_key()
    }

    /// Adds `session`, whose key no other has, and returns where it is.
    pub(super) fn insert(&mut self, session: Session) -> usize {
        let (key, list) = (session.key, session.stage.list());
        let index = self.table.insert(session);
        self.lists[list].push(&mut self.table, index);
        self.by_key.insert(key, index);
        index
    }

    pub(super) fn remove(&mut self, index: usize) {
        let Some(session) = self.table.get(index) else {
            return;
        };
        self.lists[session.stage.list()].remove(&mut self.table, index);
        let session = self.table.remove(index);
        self.by_key.remove(&session.key);
    }

    /// Notes `count` datagrams from the client.
    pub(super) fn asked(&mut self, index: usize, count: usize, now: Instant) {
        if let Some(session) = self.table.get(index) {
            self.touch(index, session.stage.asked(count), now);
        }
    }

    /// Notes `count` datagrams from the target.
    pub(super) fn answered(&mut self, index: usize, count: usize, now: Instant) {
        if let Some(session) = self.table.get(index) {
            self.touch(index, session.stage.answered(count), now);
        }
    }

    fn touch(&mut self, index: usize, stage: Stage, now: Instant) {
        let session = &mut self.table[index];
        session.used = now;
        let (from, to) = (session.stage.list(), stage.list());
        session.stage = stage;
        if from == to {
            self.lists[to].touch(&mut self.table, index);
        } else {
            self.lists[from].remove(&mut self.table, index);
            self.lists[to].push(&mut self.table, index);
        }
    }

    /// The session unused for longest of those that are not established.
    pub(super) fn stranger(&self) -> Option<usize> {
        let fronts = [OTHERS, SINGLE].map(|list| self.lists[list].front());
        let fronts = fronts.into_iter().flatten();
        fronts.min_by_key(|&index| self.table[index].used)
    }

    /// The session to give way to another: a stranger, or else the one unused for longest.
    pub(super) fn least(&self) -> Option<usize> {
        self.stranger().or_else(|| self.lists[ESTABLISHED].front())
    }

    /// The session that ends next, and when.
    pub(super) fn first_to_end(&self, options: &Options) -> Option<(Instant, usize)> {
        let long = options.udp_timeout;
        let limits = [long, long.min(options.udp_single_timeout), long];
        let ends = self.lists.iter().zip(limits).filter_map(|(list, limit)| {
            let front = list.front()?;
            Some((self.table[front].used.checked_add(limit)?, front))
        });
        ends.min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rustix::net::{AddressFamily, SocketType};

    use super::*;

    fn session(number: u16) -> Session {
        let fd = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None).unwrap();
        let client = SocketAddr::from(([192, 0, 2, 1], number));
        let local = Local {
            address: client.ip(),
            interface: 0,
        };
        let key = Key {
            client,
            local,
            listener: 0,
        };
        Session::new(fd, key, 0, Instant::now())
    }

    fn options() -> Options {
        Options::new(SocketAddr::from(([127, 0, 0, 1], 9)).into())
    }

    #[test]
    fn only_a_client_that_writes_after_an_answer_is_established() {
        use Stage::*;
        assert_eq!(New.asked(1), Asked);
        assert_eq!(New.asked(2), Waiting);
        assert_eq!(Asked.asked(1), Waiting);
        assert_eq!(Asked.answered(1), Single);
        assert_eq!(Asked.answered(2), Answered);
        assert_eq!(Waiting.answered(1), Answered);
        assert_eq!(Single.answered(1), Answered);
        for stage in [Single, Answered, Established] {
            assert_eq!(stage.asked(1), Established);
        }
        assert_eq!(Established.answered(1), Established);
    }

    #[test]
    fn strangers_give_way_first_and_the_established_in_order() {
        let mut sessions = Sessions::new();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let all: Vec<usize> = (0..4).map(|it| sessions.insert(session(it))).collect();
        for &index in &all {
            sessions.asked(index, 1, at(0));
            sessions.answered(index, 1, at(1));
        }
        sessions.asked(all[0], 1, at(2));
        sessions.asked(all[2], 1, at(3));
        sessions.answered(all[1], 1, at(4));
        let order = std::iter::from_fn(|| {
            let least = sessions.least()?;
            sessions.remove(least);
            Some(least)
        });
        let order: Vec<usize> = order.collect();
        assert_eq!(order, [all[3], all[1], all[0], all[2]]);
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn a_single_exchange_ends_sooner() {
        let mut sessions = Sessions::new();
        let options = options();
        let start = Instant::now();
        let index = sessions.insert(session(1));
        let ends = |sessions: &Sessions| {
            let (end, _) = sessions.first_to_end(&options).unwrap();
            end - start
        };
        sessions.asked(index, 1, start);
        assert_eq!(ends(&sessions), options.udp_timeout);
        sessions.answered(index, 1, start);
        assert_eq!(ends(&sessions), options.udp_single_timeout);
        sessions.answered(index, 1, start);
        assert_eq!(ends(&sessions), options.udp_timeout);
        let mut short = options.clone();
        short.udp_timeout = Duration::from_secs(1);
        let other = sessions.insert(session(2));
        sessions.asked(other, 1, start);
        sessions.answered(other, 1, start);
        let (end, _) = sessions.first_to_end(&short).unwrap();
        assert_eq!(end - start, short.udp_timeout);
    }

    proptest! {
        #[test]
        fn the_lists_hold_what_the_table_holds(steps in prop::collection::vec((0u16..8, 0u8..4), 0..80)) {
            let mut sessions = Sessions::new();
            let start = Instant::now();
            for (time, (number, what)) in (0..).zip(steps) {
                let now = start + Duration::from_secs(time);
                let key = session(number).key;
                match (sessions.find(&key), what) {
                    (None, _) => {
                        let index = sessions.insert(session(number));
                        sessions.asked(index, 1, now);
                    }
                    (Some(index), 0) => sessions.remove(index),
                    (Some(index), 1) => sessions.asked(index, 1, now),
                    (Some(index), more) => sessions.answered(index, more.into(), now),
                }
                prop_assert_eq!(sessions.table.len(), sessions.by_key.len());
            }
            let mut left = sessions.len();
            while let Some(least) = sessions.least() {
                let used = sessions.table[least].used;
                let established = sessions.table[least].stage == Stage::Established;
                for (_, other) in &sessions.table {
                    let lasts = other.stage == Stage::Established;
                    prop_assert!(lasts >= established);
                    prop_assert!(lasts != established || other.used >= used);
                }
                sessions.remove(least);
                left -= 1;
            }
            prop_assert_eq!(left, 0);
        }
    }
}
