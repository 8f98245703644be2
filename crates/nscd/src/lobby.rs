//! Clients that keep us waiting: they have not sent their request yet, or not read their answer.
//!
//! They are watched by one epoll loop, with little memory and a deadline each. What a client has
//! asked, once it is whole, is looked up on a thread of its own, as looking up may wait.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use slab::Slab;

use crate::request::{MOST_REQUEST, Malformed, frame};

/// Time a client has to finish. glibc's own patience with us.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients at once. One more takes the place of the one that has waited longest.
const MOST: usize = 1024;

/// Bytes of answers that wait to be read, of all clients.
const MOST_BYTES: usize = 64 << 20;

/// Events fetched at once.
const EVENTS: usize = 64;

/// The tokens of the eventfd that wakes the loop, of the descriptor that stops it, and of the one
/// that tells of changed files.
const WAKE: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;
const FILES: u64 = u64::MAX - 2;

/// A client that keeps us waiting.
#[derive(Debug)]
pub(crate) struct Waiting {
    client: OwnedFd,
    /// The request as far as it has come, or the rest of the answer.
    bytes: Vec<u8>,
    is_answered: bool,
    deadline: Instant,
}

impl Waiting {
    /// One that has sent only this of its request.
    pub(crate) fn to_ask(client: OwnedFd, bytes: &[u8]) -> Self {
        Self::new(client, bytes, false)
    }

    /// One that has yet to read this.
    pub(crate) fn to_read(client: OwnedFd, bytes: &[u8]) -> Self {
        Self::new(client, bytes, true)
    }

    fn new(client: OwnedFd, bytes: &[u8], is_answered: bool) -> Self {
        Self {
            client,
            bytes: bytes.to_owned(),
            is_answered,
            deadline: Instant::now() + PATIENCE,
        }
    }
}

#[derive(Debug, Default)]
struct Room {
    clients: Slab<Waiting>,
    /// Bytes of all clients.
    bytes: usize,
    stop: bool,
}

impl Room {
    /// Takes a client out; closes it if nobody wants it.
    fn remove(&mut self, key: usize) -> Option<Waiting> {
        let waiting = self.clients.try_remove(key)?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes.len());
        Some(waiting)
    }

    fn oldest(&self) -> Option<usize> {
        let oldest = self.clients.iter().min_by_key(|(_, it)| it.deadline);
        oldest.map(|(key, _)| key)
    }
}

/// The clients that keep us waiting, and the loop that watches them.
#[derive(Debug)]
pub(crate) struct Lobby {
    epoll: OwnedFd,
    wake: OwnedFd,
    room: Mutex<Room>,
}

/// Why the loop has woken up.
#[derive(Debug, Default)]
pub(crate) struct Awake {
    /// Whether it is time to stop.
    pub(crate) stop: bool,
    /// Whether files near those of the namespace have changed.
    pub(crate) files: bool,
    /// Clients that have sent a whole request.
    pub(crate) asked: Vec<(OwnedFd, Vec<u8>)>,
    /// What was sent that is no request. Its senders are closed.
    pub(crate) malformed: Vec<Malformed>,
}

impl Lobby {
    /// An empty one, which stops when `stop` becomes readable, and tells when `files` does.
    pub(crate) fn new(stop: BorrowedFd<'_>, files: Option<BorrowedFd<'_>>) -> Result<Self, Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let watch = EventFlags::IN;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), watch)?;
        // Told once, as it stays readable.
        let once = watch | EventFlags::ONESHOT;
        epoll::add(&epoll, stop, EventData::new_u64(STOP), once)?;
        if let Some(files) = files {
            epoll::add(&epoll, files, EventData::new_u64(FILES), watch)?;
        }
        let room = Mutex::default();
        Ok(Self { epoll, wake, room })
    }

    /// Has a client watched. One that cannot be is closed, and looks up by itself.
    pub(crate) fn admit(&self, waiting: Waiting) {
        let mut room = self.room();
        if room.clients.len() >= MOST
            && let Some(oldest) = room.oldest()
        {
            drop(room.remove(oldest));
        }
        if room.bytes + waiting.bytes.len() > MOST_BYTES {
            return;
        }
        let was_empty = room.clients.is_empty();
        let watch = if waiting.is_answered {
            EventFlags::OUT
        } else {
            EventFlags::IN
        };
        room.bytes += waiting.bytes.len();
        let entry = room.clients.vacant_entry();
        let key = entry.key();
        let data = EventData::new_u64(key as u64);
        let added = epoll::add(&self.epoll, &waiting.client, data, watch);
        entry.insert(waiting);
        if added.is_err() {
            drop(room.remove(key));
        } else if was_empty {
            // The loop may be waiting without a deadline.
            self.wake_if(true);
        }
    }

    /// Makes the loop stop.
    pub(crate) fn stop(&self) {
        self.room().stop = true;
        self.wake_if(true);
    }

    /// Has the loop look around, if `condition` holds.
    pub(crate) fn wake_if(&self, condition: bool) {
        if condition {
            // It fails only if the counter is full, and then the loop wakes up anyway.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }

    /// Waits until there is something to do, `until` at the latest. Answers are written and clients
    /// whose time is over are closed on the way.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Result<Awake, Errno> {
        let deadline = self.room().clients.iter().map(|(_, it)| it.deadline).min();
        let due = deadline.into_iter().chain(until).min();
        let timeout = due.map(until_then);
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let mut awake = Awake::default();
        let mut room = self.room();
        for event in &events {
            match event.data.u64() {
                STOP => awake.stop = true,
                FILES => awake.files = true,
                WAKE => {
                    let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
                }
                key => {
                    let key = usize::try_from(key).unwrap_or(usize::MAX);
                    self.go_on(&mut room, key, &mut awake);
                }
            }
        }
        awake.stop |= room.stop;
        let now = Instant::now();
        room.clients.retain(|_, it| it.deadline > now);
        room.bytes = room.clients.iter().map(|(_, it)| it.bytes.len()).sum();
        Ok(awake)
    }

    /// Reads from or writes to a client that is ready for it. Hands it over once its request is
    /// whole.
    fn go_on(&self, room: &mut Room, key: usize, awake: &mut Awake) {
        let Some(waiting) = room.clients.get_mut(key) else {
            return;
        };
        let before = waiting.bytes.len();
        let step = if waiting.is_answered {
            write_on(waiting)
        } else {
            read_on(waiting)
        };
        let after = waiting.bytes.len();
        room.bytes = (room.bytes + after).saturating_sub(before);
        if matches!(step, Step::Wait) {
            return;
        }
        let waiting = room.remove(key);
        match (step, waiting) {
            (Step::Refuse(error), _) => awake.malformed.push(error),
            (Step::Answer, Some(waiting))
                if epoll::delete(&self.epoll, waiting.client.as_fd()).is_ok() =>
            {
                awake.asked.push((waiting.client, waiting.bytes));
            }
            _ => {}
        }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is next for a client.
enum Step {
    Answer,
    Close,
    Refuse(Malformed),
    Wait,
}

fn read_on(waiting: &mut Waiting) -> Step {
    let mut buffer = [0; MOST_REQUEST];
    match recv(&waiting.client, &mut buffer[..], RecvFlags::DONTWAIT) {
        Ok((length @ 1.., _)) => {
            let more = buffer.get(..length.min(MOST_REQUEST)).unwrap_or_default();
            waiting.bytes.extend_from_slice(more);
            match frame(&waiting.bytes) {
                Ok(Some(_)) => Step::Answer,
                Ok(None) => Step::Wait,
                Err(error) => Step::Refuse(error),
            }
        }
        Err(Errno::AGAIN | Errno::INTR) => Step::Wait,
        Ok((0, _)) | Err(_) => Step::Close,
    }
}

fn write_on(waiting: &mut Waiting) -> Step {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    match send(&waiting.client, &waiting.bytes, flags) {
        Ok(sent) => {
            waiting.bytes.drain(..sent.min(waiting.bytes.len()));
            if waiting.bytes.is_empty() {
                Step::Close
            } else {
                Step::Wait
            }
        }
        Err(Errno::AGAIN | Errno::INTR) => Step::Wait,
        Err(_) => Step::Close,
    }
}

/// The time from now to `due`, rounded up to whole milliseconds so that it has come then.
fn until_then(due: Instant) -> Timespec {
    let left = due.saturating_duration_since(Instant::now());
    let left = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX) + 1);
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    }
}
