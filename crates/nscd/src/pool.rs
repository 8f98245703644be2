//! The threads: each accepts a client, serves it and accepts the next.
//!
//! One rule keeps the daemon alive: a thread looks something up only while another one accepts. Who
//! leaves the door last starts a successor first, or, where no thread can be had, tells its client to
//! look up by itself and goes back to the door. Threads that nobody needs go home.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::desk::Desk;
use crate::lobby::Lobby;
use crate::options::Options;
use crate::shared::Shared;

/// Bytes of a thread's stack. Modules of others run on it; glibc's daemon gives them as much. What
/// they do not touch takes no memory.
const STACK: usize = 1 << 20;

/// Threads beyond those that look something up: they read, answer and accept.
const SPARE: usize = 16;

/// Threads that stay at the door when there is nothing to do.
const KEPT: usize = 2;

/// Time at the door after which a thread goes home.
pub(crate) const PATIENCE_AT_DOOR: Duration = Duration::from_secs(10);

/// Time between two attempts to accept while descriptors or memory are short.
const PAUSE: Duration = Duration::from_millis(100);

/// The threads, and what each works with.
pub(crate) struct Pool {
    pub(crate) shared: Shared,
    listener: OwnedFd,
    /// Threads there may be.
    most: usize,
    /// Threads there are.
    threads: AtomicUsize,
    /// Threads at the door: those in accept, and those just started that have not got there yet.
    at_door: AtomicUsize,
    stopping: AtomicBool,
}

/// What a new thread does before it goes to the door.
pub(crate) enum Task {
    /// Nothing.
    None,
    /// Serves a client of the lobby, which has sent this.
    Serve(OwnedFd, Vec<u8>),
}

impl Pool {
    pub(crate) fn new(listener: OwnedFd, lobby: Lobby, options: &Options) -> Self {
        Self {
            shared: Shared::new(lobby, options),
            listener,
            most: options.bounds.sum() + SPARE,
            threads: AtomicUsize::new(0),
            at_door: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// Lets no thread accept again, but for those that wait for a client already.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// How many threads are with a client.
    pub(crate) fn busy(&self) -> usize {
        let at_door = self.at_door.load(Ordering::SeqCst);
        self.threads.load(Ordering::SeqCst).saturating_sub(at_door)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Makes sure that somebody is at the door while the calling thread is not.
    fn is_door_kept(self: &Arc<Self>) -> bool {
        self.at_door.load(Ordering::SeqCst) > 0 || self.hire(Task::None).is_ok()
    }

    /// Starts the first threads. Errors: the system's, if not one can be started.
    pub(crate) fn open(self: &Arc<Self>) -> Result<(), std::io::Error> {
        self.hire(Task::None).map_err(|(_, error)| error)?;
        for _ in 1..KEPT {
            // One is enough to begin with.
            let _ = self.hire(Task::None);
        }
        Ok(())
    }

    /// Starts a thread, which goes to the door after its task. Gives the task back if none can be
    /// had.
    pub(crate) fn hire(self: &Arc<Self>, task: Task) -> Result<(), (Task, std::io::Error)> {
        let more = |count| (count < self.most).then_some(count + 1);
        let order = Ordering::SeqCst;
        if self.threads.fetch_update(order, order, more).is_err() {
            return Err((task, std::io::ErrorKind::QuotaExceeded.into()));
        }
        let is_for_door = matches!(task, Task::None);
        if is_for_door {
            self.at_door.fetch_add(1, order);
        }
        // Kept here, so that it is not lost with a thread that does not come about.
        let task = Arc::new(Mutex::new(Some(task)));
        let (pool, given) = (self.clone(), task.clone());
        let take = |task: &Mutex<Option<Task>>| {
            let mut task = task.lock().unwrap_or_else(PoisonError::into_inner);
            task.take().unwrap_or(Task::None)
        };
        let builder = thread::Builder::new()
            .name("look-up".into())
            .stack_size(STACK);
        match builder.spawn(move || pool.work(take(&given))) {
            Ok(_) => Ok(()),
            Err(error) => {
                if is_for_door {
                    self.at_door.fetch_sub(1, order);
                }
                self.threads.fetch_sub(1, order);
                Err((take(&task), error))
            }
        }
    }

    /// The life of a thread.
    fn work(self: Arc<Self>, task: Task) {
        let mut desk = Desk::new(&self.shared);
        if let Task::Serve(client, bytes) = task {
            let look_up = self.is_door_kept();
            desk.serve_whole(client, &bytes, look_up);
            drop(bytes);
            self.at_door.fetch_add(1, Ordering::SeqCst);
        }
        self.accept(&mut desk);
        self.threads.fetch_sub(1, Ordering::SeqCst);
        self.shared.lobby.wake_if(self.is_stopping());
    }

    /// Accepts one client after the other. The thread counts as being at the door when this begins,
    /// and not any more when it ends.
    fn accept(self: &Arc<Self>, desk: &mut Desk<'_>) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            if self.is_stopping() {
                self.at_door.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            // accept(2) takes its descriptor before it waits, so each thread at the door holds one
            // (__sys_accept4_file in the kernel's net/socket.c).
            if self.shared.has_shortage() && self.is_one_too_many() {
                return;
            }
            match accept_with(&self.listener, flags) {
                Ok(client) => {
                    self.shared.is_short(None);
                    self.at_door.fetch_sub(1, Ordering::SeqCst);
                    let look_up = self.is_door_kept();
                    desk.serve(client, look_up);
                    self.at_door.fetch_add(1, Ordering::SeqCst);
                    self.shared.lobby.wake_if(self.is_stopping());
                }
                // Nobody came for a while.
                Err(Errno::AGAIN) => {
                    if self.is_one_too_many() {
                        return;
                    }
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => {
                    self.shared.is_short(Some(("accept a client", error)));
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Takes the calling thread from the door if enough others are there.
    fn is_one_too_many(&self) -> bool {
        let fewer = |count| (count > KEPT).then(|| count - 1);
        let order = Ordering::SeqCst;
        self.at_door.fetch_update(order, order, fewer).is_ok()
    }
}
