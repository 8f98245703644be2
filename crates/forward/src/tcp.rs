//! Accepting clients and looking after their connections.
//!
//! A client is accepted, a connect to the target is begun and the loop goes on; the answer is an
//! event like any other. When descriptors or memory run out, accepting pauses for a moment and a
//! client already accepted is held until a socket for its target can be had; clients beyond that
//! one wait in the kernel's queue. Unix sockets are served and connected to in the same way; where
//! they differ, `target` and `waiting` say how.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::sockopt;
use slab::Slab;

use crate::client::{Client, accept, is_of_client};
use crate::connection::{Connection, Outcome, Phase, note};
use crate::context::{Core, Kind, Token, Trouble};
use crate::counters::count;
use crate::errno;
use crate::list::List;
use crate::listener::{Listener, tune};
use crate::options::Options;
use crate::relay::Scratch;
use crate::shortage::Shortage;
use crate::target::{Attempt, connect, is_self, make_socket};
use crate::trace::{End, Trace};
use crate::waiting::Waiting;

/// Clients accepted per turn of a listener.
const TURN: usize = 64;

/// Everything TCP.
pub(crate) struct Tcp {
    listeners: Vec<Listener>,
    connections: Slab<Connection>,
    connecting: List,
    closing: List,
    /// Those among `connecting` whose target has no room for them.
    waiting: Waiting,
    scratch: Scratch,
    /// A client accepted when no socket for its target could be had.
    held: Option<Client>,
    shortage: Shortage,
    trace: Trace,
}

impl Tcp {
    /// Registers `listeners`. On failure tells which one and why.
    pub(crate) fn new(
        listeners: Vec<Listener>,
        core: &mut Core<'_>,
    ) -> Result<Self, (Listener, Errno)> {
        let mut what = EventFlags::IN;
        // One client need not wake all loops.
        what.set(EventFlags::EXCLUSIVE, core.shared.workers() > 1);
        for (index, listener) in listeners.iter().enumerate() {
            let token = Token::fixed(Kind::TcpListener, index);
            let tuned = if listener.is_unix() {
                Ok(())
            } else {
                tune(&listener.fd, core.options.keepalive.as_ref())
            };
            let result = tuned.and_then(|()| core.watch(&listener.fd, token, what));
            if let Err(error) = result {
                let mut listeners = listeners;
                return Err((listeners.swap_remove(index), error));
            }
        }
        Ok(Self {
            listeners,
            connections: Slab::new(),
            connecting: List::new(),
            closing: List::new(),
            waiting: Waiting::new(core.now),
            scratch: Scratch::new(),
            held: None,
            shortage: Shortage::default(),
            trace: Trace::new(&core.options),
        })
    }

    /// Goes by other options than `before` from now on.
    pub(crate) fn follow(&mut self, before: &Options, core: &mut Core<'_>) {
        let keepalive = core.options.keepalive;
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            if keepalive != before.keepalive && !listener.is_unix() {
                // It was set before, so the kernel knows it.
                let _ = tune(&listener.fd, keepalive.as_ref());
                listener.passes_on = false;
            }
            // Clients that the limit kept out may come in now, and no event will tell of them.
            core.requeue(Token::fixed(Kind::TcpListener, index), &mut listener.queued);
        }
    }

    /// Whether no client is connected or held.
    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.held.is_none()
    }

    /// The number of clients connected.
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Accepts who waits at listener `index`, for one turn.
    pub(crate) fn accept(&mut self, index: usize, core: &mut Core<'_>) {
        for _ in 0..TURN {
            if self.shortage.is_pause() || Self::is_full(core) {
                return;
            }
            let Some(listener) = self.listeners.get_mut(index) else {
                return;
            };
            match accept(listener, &core.options) {
                Ok(client) => {
                    core.counters.tcp.connections_ever += 1;
                    self.begin(client, core);
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => {
                    count(&mut core.counters.tcp.accept_errors, error);
                    if !is_of_client(error) {
                        return self.pause("accept a client", error, core);
                    }
                }
            }
        }
        if let Some(listener) = self.listeners.get_mut(index) {
            core.requeue(Token::fixed(Kind::TcpListener, index), &mut listener.queued);
        }
    }

    fn is_full(core: &Core<'_>) -> bool {
        if !core.is_full() {
            return false;
        }
        if core.shared.is_due(Trouble::Full, core.now) {
            let limit = core.options.max_connections.unwrap_or_default();
            core.log(&format!(
                "limit of {limit} connections reached, further clients wait"
            ));
        }
        true
    }

    fn pause(&mut self, step: &str, error: Errno, core: &Core<'_>) {
        self.shortage
            .pause(step, error, self.connections.len(), core);
    }

    /// Takes up `client`: begins to connect to the target, or holds or resets it.
    fn begin(&mut self, client: Client, core: &mut Core<'_>) {
        match make_socket(&core.options) {
            Err(error) if errno::is_shortage(error) => {
                count(&mut core.counters.tcp.accept_errors, error);
                self.pause("make a socket for the target", error, core);
                self.held = Some(client);
            }
            made => match made.and_then(|target| self.attempt(target, core)) {
                Ok((target, attempt)) => self.enter(client, target, attempt, core),
                Err(error) => {
                    count(&mut core.counters.tcp.connect_errors, error);
                    // Its close is a reset.
                    self.trace.refused(&client.fd, error, core);
                }
            },
        }
        self.recount(core);
    }

    /// Begins to connect `target`, unless others came first and wait for room.
    fn attempt(&self, target: OwnedFd, core: &Core<'_>) -> Result<(OwnedFd, Attempt), Errno> {
        let attempt = match self.waiting.is_empty() {
            true => connect(&target, &core.options)?,
            false => Attempt::Full,
        };
        Ok((target, attempt))
    }

    /// Puts a pair of sockets into the table and under watch.
    fn enter(&mut self, client: Client, target: OwnedFd, attempt: Attempt, core: &mut Core<'_>) {
        let generation = core.generation();
        let deadline = core.after(core.options.connect_timeout);
        let mut connection = Connection::new(client.fd, target, deadline, generation);
        connection.send_first(client.header);
        // A read from a unix socket ends early where a descriptor was passed along (unix(7)).
        connection.client.read_to_end = client.is_unix;
        connection.target.read_to_end = core.options.connect.path().is_some();
        let key = self.connections.insert(connection);
        self.connecting.push(&mut self.connections, key);
        core.counters.tcp.connecting_now += 1;
        self.trace
            .begin(key, &self.connections[key].client.fd, core);
        let watched = match attempt {
            // What is not connected has nothing to tell but that it is not.
            Attempt::Full => self.watch(key, Kind::Client, core),
            Attempt::Begun | Attempt::Done => self
                .watch(key, Kind::Target, core)
                .and_then(|()| self.watch(key, Kind::Client, core)),
        };
        match (watched, attempt) {
            (Err(error), _) => self.fail_connect(key, error, core),
            (Ok(()), Attempt::Begun) => {}
            (Ok(()), Attempt::Done) => self.open(key, core),
            (Ok(()), Attempt::Full) => self.waiting.push((key, generation), core.now),
        }
    }

    /// Puts one socket of a connection under watch.
    fn watch(&self, key: usize, kind: Kind, core: &Core<'_>) -> Result<(), Errno> {
        let connection = &self.connections[key];
        let side = match kind {
            Kind::Client => &connection.client,
            _ => &connection.target,
        };
        let token = Token {
            kind,
            generation: connection.generation,
            index: key,
        };
        let what = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::PRI;
        core.watch(&side.fd, token, what)
    }

    /// Tries again for those that wait for room at the target, for one turn.
    fn retry(&mut self, core: &mut Core<'_>) {
        for _ in 0..TURN {
            let Some(entry) = self.waiting.pop_due(core.now) else {
                return;
            };
            let (key, generation) = entry;
            let connection = self.connections.get(key);
            let Some(connection) = connection.filter(|it| it.generation == generation) else {
                continue;
            };
            match connect(&connection.target.fd, &core.options) {
                Ok(Attempt::Full) => return self.waiting.put_back(entry, core.now),
                Ok(Attempt::Begun | Attempt::Done) => {
                    self.waiting.succeed();
                    match self.watch(key, Kind::Target, core) {
                        Ok(()) => self.open(key, core),
                        Err(error) => self.fail_connect(key, error, core),
                    }
                }
                Err(error) => self.fail_connect(key, error, core),
            }
        }
    }

    /// Acts on an event of a connection's client or target.
    pub(crate) fn event(&mut self, token: Token, event: EventFlags, core: &mut Core<'_>) {
        let key = token.index;
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.generation != token.generation {
            return;
        }
        if connection.phase != Phase::Connecting {
            let client = token.kind == Kind::Client;
            let Connection {
                client: near,
                target: far,
                ..
            } = connection;
            note(if client { near } else { far }, event);
            self.turn(key, core);
        } else if token.kind == Kind::Client {
            note(&mut connection.client, event);
            if connection.client.broken {
                self.remove(key, End::Left, core);
            }
        } else {
            // Without either mark there is no error to ask for.
            let failed = event.intersects(EventFlags::ERR | EventFlags::HUP);
            let answer = match failed {
                true => sockopt::socket_error(&connection.target.fd),
                false => Ok(Ok(())),
            };
            match answer {
                Ok(Ok(())) if event.contains(EventFlags::OUT) => {
                    note(&mut connection.target, event);
                    self.open(key, core);
                }
                Ok(Ok(())) => {}
                Ok(Err(error)) | Err(error) => self.fail_connect(key, error, core),
            }
        }
    }

    /// Gives the connection that `token` names the turn it was queued for.
    pub(crate) fn again(&mut self, token: Token, core: &mut Core<'_>) {
        let Some(connection) = self.connections.get_mut(token.index) else {
            return;
        };
        if connection.generation == token.generation {
            connection.queued = false;
            self.turn(token.index, core);
        }
    }

    /// Gives listener `index` the turn it was queued for.
    pub(crate) fn accept_again(&mut self, index: usize, core: &mut Core<'_>) {
        if let Some(listener) = self.listeners.get_mut(index) {
            listener.queued = false;
        }
        self.accept(index, core);
    }

    fn open(&mut self, key: usize, core: &mut Core<'_>) {
        let target = &self.connections[key].target.fd;
        if (core.options.connect.port()).is_some_and(|port| is_self(target, port)) {
            return self.fail_connect(key, Errno::CONNREFUSED, core);
        }
        self.connecting.remove(&mut self.connections, key);
        core.counters.tcp.connecting_now -= 1;
        self.connections[key].phase = Phase::Open;
        self.turn(key, core);
    }

    fn turn(&mut self, key: usize, core: &mut Core<'_>) {
        let tcp = &mut core.counters.tcp;
        let before = (tcp.bytes_to_target, tcp.bytes_to_client);
        let connection = &mut self.connections[key];
        let outcome = connection.run(&mut self.scratch, tcp);
        let there = tcp.bytes_to_target - before.0;
        let back = tcp.bytes_to_client - before.1;
        self.trace.carried(key, there, back);
        match outcome {
            Outcome::Done => return self.remove(key, End::Done, core),
            Outcome::Reset => {
                let end = End::Reset {
                    by_client: connection.client.broken,
                    by_target: connection.target.broken,
                };
                return self.remove(key, end, core);
            }
            Outcome::Again => {
                let generation = connection.generation;
                let token = Token {
                    kind: Kind::Client,
                    generation,
                    index: key,
                };
                core.requeue(token, &mut connection.queued);
            }
            Outcome::Wait => {}
        }
        if connection.phase == Phase::Open && connection.is_closing() {
            connection.phase = Phase::Closing;
            connection.deadline = core.after(core.options.half_close_timeout);
            self.closing.push(&mut self.connections, key);
        } else if connection.phase == Phase::Closing && there + back > 0 {
            connection.deadline = core.after(core.options.half_close_timeout);
            self.closing.touch(&mut self.connections, key);
        }
    }

    fn fail_connect(&mut self, key: usize, error: Errno, core: &mut Core<'_>) {
        count(&mut core.counters.tcp.connect_errors, error);
        self.remove(key, End::Connect(error), core);
    }

    /// Ends a connection: in order when all is shut, else by a reset.
    fn remove(&mut self, key: usize, end: End, core: &mut Core<'_>) {
        match self.connections[key].phase {
            Phase::Connecting => {
                self.connecting.remove(&mut self.connections, key);
                core.counters.tcp.connecting_now -= 1;
            }
            Phase::Closing => self.closing.remove(&mut self.connections, key),
            Phase::Open => {}
        }
        let connection = self.connections.remove(key);
        self.trace.end(key, end, core);
        if end == End::Done {
            connection.end_in_order();
        } else {
            core.counters.tcp.resets += u64::from(connection.phase != Phase::Connecting);
        }
        drop(connection);
        self.recount(core);
        if core.take_full() {
            self.wake_listeners(core);
        }
    }

    fn recount(&self, core: &mut Core<'_>) {
        core.set_connections(self.connections.len() + usize::from(self.held.is_some()));
    }

    fn wake_listeners(&mut self, core: &mut Core<'_>) {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            core.requeue(Token::fixed(Kind::TcpListener, index), &mut listener.queued);
        }
    }

    /// The next time [`expire`](Self::expire) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let front = |list: &List| list.front().map(|key| self.connections[key].deadline);
        let fronts = [
            front(&self.connecting),
            front(&self.closing),
            self.shortage.deadline(),
            self.waiting.due(),
        ];
        fronts.into_iter().flatten().min()
    }

    /// Resets what waited too long, and accepts again after a pause.
    pub(crate) fn expire(&mut self, core: &mut Core<'_>) {
        while let Some(key) = self.overdue(&self.connecting, core.now) {
            self.fail_connect(key, Errno::TIMEDOUT, core);
        }
        self.retry(core);
        while let Some(key) = self.overdue(&self.closing, core.now) {
            self.remove(key, End::Silent, core);
        }
        if self.shortage.has_passed(core) {
            if let Some(client) = self.held.take() {
                self.begin(client, core);
            }
            self.wake_listeners(core);
        }
    }

    fn overdue(&self, list: &List, now: Instant) -> Option<usize> {
        list.front()
            .filter(|&key| self.connections[key].deadline <= now)
    }

    /// Closes the listeners. Clients still in their queues are reset by the kernel, unless another
    /// process holds the socket and goes on accepting.
    pub(crate) fn stop_accepting(&mut self, core: &Core<'_>) {
        for listener in self.listeners.drain(..) {
            core.unwatch(&listener.fd);
        }
    }

    /// Resets every connection.
    pub(crate) fn reset_all(&mut self, core: &mut Core<'_>) {
        self.held = None;
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.remove(key, End::Stopped, core);
        }
    }
}

#[cfg(test)]
mod tests;
