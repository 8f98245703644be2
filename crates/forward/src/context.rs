//! What every part of the loop works with: the epoll instance, the clock, the counters.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
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
    /// Other options: index 0 where they come from, 1 where each loop is told.
    Options,
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
    pub(crate) const fn fixed(kind: Kind, index: usize) -> Self {
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
            7 => Kind::Options,
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

/// What the loops of one forwarder have in common. A loop works with what is its own alone; here
/// is only what one must know of the others.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The counters of each loop.
    counters: Vec<Mutex<Counters>>,
    /// The options in force, which each loop takes over when its bell rings.
    options: Mutex<Arc<Options>>,
    bells: Vec<OwnedFd>,
    /// Clients connected to or held by any of them.
    connections: AtomicUsize,
    /// Whether clients may be waiting that `max_connections` kept out.
    full: AtomicBool,
    told_full: Mutex<Seldom>,
    told_shortage: Mutex<Seldom>,
}

/// A lasting trouble that all loops are likely to meet, and one tells of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// `max_connections` is reached.
    Full,
    /// No descriptors or no memory.
    Shortage,
}

impl Shared {
    /// Errors: what kept the bells (eventfd(2)) from being made.
    pub(crate) fn new(options: Options) -> Result<Self, Errno> {
        let workers = options.workers.get();
        let bell = |_| eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Self {
            counters: (0..workers).map(|_| Mutex::default()).collect(),
            options: Mutex::new(Arc::new(options)),
            bells: (0..workers).map(bell).collect::<Result<_, _>>()?,
            connections: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            told_full: Mutex::default(),
            told_shortage: Mutex::default(),
        })
    }

    /// The options in force.
    pub(crate) fn options(&self) -> Arc<Options> {
        let options = self.options.lock();
        options.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has all loops take `options` over.
    pub(crate) fn change(&self, options: Options) {
        let now = self.options.lock();
        *now.unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
        for bell in &self.bells {
            // Adding one to a counter that is read does not fail.
            let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
        }
    }

    /// What becomes readable in loop `worker` when there are other options.
    pub(crate) fn bell(&self, worker: usize) -> &OwnedFd {
        &self.bells[worker]
    }

    /// The counters of loop `worker`, which holds them during its rounds.
    pub(crate) fn counters(&self, worker: usize) -> MutexGuard<'_, Counters> {
        self.counters[worker]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn workers(&self) -> usize {
        self.counters.len()
    }

    /// Whether the loop that asks is to tell of `trouble` now.
    pub(crate) fn is_due(&self, trouble: Trouble, now: Instant) -> bool {
        let told = match trouble {
            Trouble::Full => &self.told_full,
            Trouble::Shortage => &self.told_shortage,
        };
        told.lock().unwrap_or_else(PoisonError::into_inner).due(now)
    }

    /// The number of clients connected to or held by any loop.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The part of a loop that all its parts work with.
pub(crate) struct Core<'a> {
    pub(crate) counters: Counters,
    /// Set once the order to stop has come.
    pub(crate) draining: bool,
    epoll: OwnedFd,
    generation: u32,
    own_connections: usize,
    /// When the present round of events began. Read once per round.
    pub(crate) now: Instant,
    /// The options that this loop goes by.
    pub(crate) options: Arc<Options>,
    pub(crate) shared: &'a Shared,
    /// Which of the loops this is.
    pub(crate) worker: usize,
    /// What ended its turn with work left; each gets one more turn per round.
    ready: VecDeque<Token>,
}

impl<'a> Core<'a> {
    pub(crate) fn new(shared: &'a Shared, worker: usize) -> Result<Self, Errno> {
        Ok(Self {
            counters: Counters::default(),
            draining: false,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            generation: 0,
            own_connections: 0,
            now: Instant::now(),
            options: shared.options(),
            shared,
            worker,
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

    /// The sum of the counters of all loops. Waits for rounds of the others to end, so only one loop
    /// may ask.
    pub(crate) fn all_counters(&self) -> Counters {
        let mut sum = self.counters.clone();
        sum.options.clone_from(&self.options.label);
        for worker in (0..self.shared.workers()).filter(|&it| it != self.worker) {
            sum += &self.shared.counters(worker);
        }
        sum
    }

    /// Notes how many clients this loop has, connected or held.
    pub(crate) fn set_connections(&mut self, now: usize) {
        let before = std::mem::replace(&mut self.own_connections, now);
        if now >= before {
            let more = now - before;
            self.shared.connections.fetch_add(more, Ordering::SeqCst);
        } else {
            let fewer = before - now;
            self.shared.connections.fetch_sub(fewer, Ordering::SeqCst);
        }
        self.counters.tcp.connections_now = now as u64;
    }

    /// Whether `max_connections` allows no further client now. With several loops at once it may
    /// be passed by one for each.
    pub(crate) fn is_full(&self) -> bool {
        let Some(limit) = self.options.max_connections else {
            return false;
        };
        let full = || self.shared.connections() >= limit.max(1);
        if !full() {
            return false;
        }
        self.shared.full.store(true, Ordering::SeqCst);
        // A place that became free before this was noted would be told to nobody.
        full()
    }

    /// Whether clients may have been kept out for want of the place that has become free. Says so
    /// once. To be asked after the place was given back: of that and what [`is_full`](Self::is_full)
    /// does, each sees the other's first half, which takes the order of SeqCst also for reading.
    pub(crate) fn take_full(&self) -> bool {
        self.shared.full.load(Ordering::SeqCst) && self.shared.full.swap(false, Ordering::SeqCst)
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
        use Kind::{Client, Control, Options, Session, Stop, Target, TcpListener, UdpListener};
        for kind in [
            Client,
            Control,
            Session,
            Stop,
            Target,
            TcpListener,
            UdpListener,
            Options,
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
