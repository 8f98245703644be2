//! What every part of the loop works with: the epoll instance, the clock, the counters.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::counters::Counters;
use crate::options::Options;

/// Time between two log lines about the same lasting trouble.
const QUIET: Duration = Duration::from_secs(30);

/// A hundred years: as good as never, and no clock overflows.
const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What an event is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Client,
    Control,
    Session,
    Stop,
    Target,
    TcpListener,
    UdpListener,
}

/// The number a descriptor is registered under: what it is, where its entry lies, and which of the
/// entries that lay there in turn. An event fetched together with the one that removed its entry
/// is recognised by the generation, even if the place is taken again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) generation: u32,
    pub(crate) index: usize,
}

/// Bits of a token below its kind, which has the top three.
const GENERATION_BITS: u32 = 29;
const INDEX_BITS: u32 = 32;

impl Token {
    /// A token of something that is never replaced.
    pub(crate) fn fixed(kind: Kind, index: usize) -> Self {
        Self {
            kind,
            generation: 0,
            index,
        }
    }

    fn encode(self) -> u64 {
        // Descriptors are ints, so no slab of entries that hold one outgrows 32 bits.
        let index = self.index as u64 & ((1 << INDEX_BITS) - 1);
        let generation = u64::from(self.generation) << INDEX_BITS;
        (self.kind as u64) << (INDEX_BITS + GENERATION_BITS) | generation | index
    }

    /// Reads what [`encode`](Self::encode) made.
    pub(crate) fn decode(data: u64) -> Option<Self> {
        let kind = match data >> (INDEX_BITS + GENERATION_BITS) {
            0 => Kind::Client,
            1 => Kind::Control,
            2 => Kind::Session,
            3 => Kind::Stop,
            4 => Kind::Target,
            5 => Kind::TcpListener,
            6 => Kind::UdpListener,
            _ => return None,
        };
        let generation = u32::try_from((data >> INDEX_BITS) & ((1 << GENERATION_BITS) - 1)).ok()?;
        let index = usize::try_from(data & ((1 << INDEX_BITS) - 1)).ok()?;
        Some(Self {
            kind,
            generation,
            index,
        })
    }
}

/// The shared part of the loop.
pub(crate) struct Core<'a> {
    pub(crate) counters: Counters,
    /// Set once the order to stop has come.
    pub(crate) draining: bool,
    epoll: OwnedFd,
    generation: u32,
    /// When the present round of events began. Read once per round.
    pub(crate) now: Instant,
    pub(crate) options: &'a Options,
    /// What ended its turn with work left; each gets one more turn per round.
    ready: VecDeque<Token>,
}

impl<'a> Core<'a> {
    pub(crate) fn new(options: &'a Options) -> Result<Self, Errno> {
        Ok(Self {
            counters: Counters::default(),
            draining: false,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            generation: 0,
            now: Instant::now(),
            options,
            ready: VecDeque::new(),
        })
    }

    pub(crate) fn epoll(&self) -> &OwnedFd {
        &self.epoll
    }

    /// Registers `fd`, edge-triggered. What is ready already is reported too.
    pub(crate) fn watch(&self, fd: impl AsFd, token: Token, what: EventFlags) -> Result<(), Errno> {
        let data = EventData::new_u64(token.encode());
        epoll::add(&self.epoll, fd, data, what | EventFlags::ET)
    }

    /// Ends the registration of `fd`. Closing does so by itself only if no other process holds
    /// the socket, which is why listeners from a service manager need this.
    pub(crate) fn unwatch(&self, fd: impl AsFd) {
        // It was registered, so the only thing to fail is memory for nothing.
        let _ = epoll::delete(&self.epoll, fd);
    }

    /// A generation for a new entry.
    pub(crate) fn generation(&mut self) -> u32 {
        self.generation = (self.generation + 1) & ((1 << GENERATION_BITS) - 1);
        self.generation
    }

    /// Gives `token` a turn in the next round. `queued` is its owner's mark that it has one coming,
    /// which keeps it from being in the queue twice; whoever gives the turn clears it.
    pub(crate) fn requeue(&mut self, token: Token, queued: &mut bool) {
        if !std::mem::replace(queued, true) {
            self.ready.push_back(token);
        }
    }

    /// The number of turns due in this round.
    pub(crate) fn turns(&self) -> usize {
        self.ready.len()
    }

    /// The next turn due.
    pub(crate) fn next_turn(&mut self) -> Option<Token> {
        self.ready.pop_front()
    }

    /// The time `duration` after this round began; a far one stands for any farther.
    pub(crate) fn after(&self, duration: Duration) -> Instant {
        self.now + duration.min(FAR)
    }

    pub(crate) fn log(&self, line: &str) {
        self.options.log.line(line);
    }
}

/// Lets a log line about one lasting trouble through once per period.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Option<Instant>);

impl Seldom {
    /// Whether to log now.
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        let due = self.0.is_none_or(|last| now.duration_since(last) >= QUIET);
        if due {
            self.0 = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_round_trip() {
        use Kind::*;
        for kind in [
            Client,
            Control,
            Session,
            Stop,
            Target,
            TcpListener,
            UdpListener,
        ] {
            for generation in [0, 1, (1 << GENERATION_BITS) - 1] {
                for index in [0, 77, u32::MAX as usize] {
                    let token = Token {
                        kind,
                        generation,
                        index,
                    };
                    assert_eq!(Token::decode(token.encode()), Some(token));
                }
            }
        }
        assert_eq!(Token::decode(u64::MAX), None);
    }

    #[test]
    fn a_lasting_trouble_is_logged_once_per_period() {
        let mut seldom = Seldom::default();
        let start = Instant::now();
        assert!(seldom.due(start));
        assert!(!seldom.due(start + QUIET / 2));
        assert!(seldom.due(start + QUIET));
    }
}
