//! Datagrams: sessions of a client with the target.
//!
//! A session is one client address writing to one local address of one listener. It owns a socket
//! connected to the target, so the target sees one port per client and the kernel says which
//! client an answer, or an ICMP error, belongs to. Answers leave from the address the client wrote
//! to. All sessions are in one list by the time of their last datagram either way; its front is
//! the next to expire and the next to be replaced when the table is full.
//!
//! Errors stay with their session: they are counted and the next datagram tries again. One that
//! says that the session's own address or route is gone ends the session, so that the next
//! datagram makes a new one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use netnsctl_sys::datagram::{Batch, Destination, Local, SLOTS};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto};
use slab::Slab;

use crate::context::{Core, Kind, Seldom, Token};
use crate::counters::{count, count_word};
use crate::errno;
use crate::list::{Linked, Links, List};
use crate::listener::{Listener, grow_buffer};

/// Bytes of a slot: more than any UDP datagram without jumbograms has.
const SLOT: usize = 1 << 16;

/// Batches per turn of one socket.
const TURN: usize = 4;

/// What a session is found by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Key {
    client: SocketAddr,
    local: Local,
    listener: usize,
}

struct Session {
    fd: OwnedFd,
    key: Key,
    used: Instant,
    generation: u32,
    /// Whether it has a turn coming.
    queued: bool,
    links: Links,
}

impl Linked for Session {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

/// Everything UDP.
pub(crate) struct Udp {
    listeners: Vec<Listener>,
    sessions: Slab<Session>,
    by_key: HashMap<Key, usize>,
    recent: List,
    batch: Batch,
    told_full: Seldom,
    told_short: Seldom,
}

impl Udp {
    /// Registers `listeners`. On failure tells which one and why.
    pub(crate) fn new(
        listeners: Vec<Listener>,
        core: &mut Core<'_>,
    ) -> Result<Self, (Listener, Errno)> {
        for (index, listener) in listeners.iter().enumerate() {
            let token = Token::fixed(Kind::UdpListener, index);
            if let Err(error) = core.watch(&listener.fd, token, EventFlags::IN) {
                let mut listeners = listeners;
                return Err((listeners.swap_remove(index), error));
            }
        }
        let slot = if listeners.is_empty() { 0 } else { SLOT };
        Ok(Self {
            listeners,
            sessions: Slab::new(),
            by_key: HashMap::new(),
            recent: List::new(),
            batch: Batch::new(slot),
            told_full: Seldom::default(),
            told_short: Seldom::default(),
        })
    }

    /// Takes what clients sent to listener `index`, for one turn.
    pub(crate) fn take_requests(&mut self, index: usize, core: &mut Core<'_>) {
        for _ in 0..TURN {
            let Some(listener) = self.listeners.get(index) else {
                return;
            };
            match self.batch.receive(&listener.fd) {
                Ok(received) => {
                    self.deliver(index, received, core);
                    // A batch that is not full ended because the socket was empty.
                    if received < SLOTS {
                        return;
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => count(&mut core.counters.udp.dropped, error),
            }
        }
        if let Some(listener) = self.listeners.get_mut(index) {
            core.requeue(Token::fixed(Kind::UdpListener, index), &mut listener.queued);
        }
    }

    /// Sends a batch from clients on, each run of one session's datagrams by one call.
    fn deliver(&mut self, listener: usize, received: usize, core: &mut Core<'_>) {
        let mut next = 0;
        while next < received {
            let start = next;
            next += 1;
            let key = match self.key(listener, start) {
                Ok(key) => key,
                Err(reason) => {
                    count_word(&mut core.counters.udp.dropped, reason);
                    continue;
                }
            };
            while next < received && self.key(listener, next) == Ok(key) {
                next += 1;
            }
            match self.session(key, core) {
                Ok(index) => self.request(index, start..next, core),
                Err(Some(error)) => {
                    for _ in start..next {
                        count(&mut core.counters.udp.dropped, error);
                    }
                }
                Err(None) => {
                    for _ in start..next {
                        count_word(&mut core.counters.udp.dropped, "draining");
                    }
                }
            }
        }
    }

    /// The session key of the datagram in slot `index`, or why it has none.
    fn key(&self, listener: usize, index: usize) -> Result<Key, &'static str> {
        let datagram = self.batch.get(index).ok_or("no address")?;
        let (Some(client), Some(local)) = (datagram.source, datagram.local) else {
            return Err("no address");
        };
        if datagram.truncated {
            return Err("truncated");
        }
        Ok(Key {
            client,
            local: pinned(local),
            listener,
        })
    }

    /// Finds or makes the session for `key`. None as error: none is made any more.
    fn session(&mut self, key: Key, core: &mut Core<'_>) -> Result<usize, Option<Errno>> {
        if let Some(&index) = self.by_key.get(&key) {
            return Ok(index);
        }
        if core.draining {
            return Err(None);
        }
        let limit = core.options.max_sessions.max(1);
        while self.sessions.len() >= limit {
            let Some(oldest) = self.recent.front() else {
                break;
            };
            self.remove(oldest, core);
            core.counters.udp.sessions_evicted += 1;
            if self.told_full.due(core.now) {
                core.log(&format!(
                    "all {limit} sessions in use, the least recent gives way"
                ));
            }
        }
        let fd = open_target(core).map_err(|error| self.short(error, core))?;
        let generation = core.generation();
        let index = self.sessions.vacant_key();
        let token = Token {
            kind: Kind::Session,
            generation,
            index,
        };
        core.watch(&fd, token, EventFlags::IN)
            .map_err(|error| self.short(error, core))?;
        let (used, links) = (core.now, Links::default());
        let session = Session {
            fd,
            key,
            used,
            generation,
            queued: false,
            links,
        };
        self.sessions.insert(session);
        self.recent.push(&mut self.sessions, index);
        self.by_key.insert(key, index);
        core.counters.udp.sessions_ever += 1;
        core.counters.udp.sessions_now = self.sessions.len() as u64;
        Ok(index)
    }

    /// Tells now and then of sessions not made for want of descriptors or memory.
    fn short(&mut self, error: Errno, core: &Core<'_>) -> Option<Errno> {
        if errno::is_shortage(error) && self.told_short.due(core.now) {
            let kept = self.sessions.len();
            core.log(&format!(
                "cannot make a session: {error}; {kept} sessions go on"
            ));
        }
        Some(error)
    }

    /// Sends datagrams of the batch to the target.
    fn request(&mut self, index: usize, slots: Range<usize>, core: &mut Core<'_>) {
        self.touch(index, core.now);
        let sent = send(&self.batch, &self.sessions[index].fd, slots, None, core);
        core.counters.udp.datagrams_to_target += sent.datagrams;
        core.counters.udp.bytes_to_target += sent.bytes;
        if sent.stale {
            self.remove(index, core);
        }
    }

    /// Takes what the target sent to a session, for one turn.
    pub(crate) fn take_replies(&mut self, token: Token, core: &mut Core<'_>) {
        let index = token.index;
        for _ in 0..TURN {
            let Some(session) = self.sessions.get(index) else {
                return;
            };
            if session.generation != token.generation {
                return;
            }
            match self.batch.receive_connected(&session.fd) {
                Ok(received) => {
                    self.reply(index, received, core);
                    if received < SLOTS {
                        return;
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                // What ICMP told of a datagram sent before.
                Err(error) => count(&mut core.counters.udp.dropped, error),
            }
        }
        if let Some(session) = self.sessions.get_mut(index) {
            core.requeue(token, &mut session.queued);
        }
    }

    /// Sends a batch from the target to the session's client.
    fn reply(&mut self, index: usize, received: usize, core: &mut Core<'_>) {
        self.touch(index, core.now);
        let Key {
            client,
            local,
            listener,
        } = self.sessions[index].key;
        let Some(listener) = self.listeners.get(listener) else {
            return;
        };
        let from = Some(local).filter(|local| !local.address.is_multicast());
        let destination = Destination { to: client, from };
        let sent = send(
            &self.batch,
            &listener.fd,
            0..received,
            Some(&destination),
            core,
        );
        core.counters.udp.datagrams_to_client += sent.datagrams;
        core.counters.udp.bytes_to_client += sent.bytes;
    }

    /// Clears the mark of a turn that is about to be given.
    pub(crate) fn dequeue(&mut self, token: Token) {
        match token.kind {
            Kind::UdpListener => {
                if let Some(listener) = self.listeners.get_mut(token.index) {
                    listener.queued = false;
                }
            }
            _ => {
                let session = self.sessions.get_mut(token.index);
                if let Some(session) = session.filter(|it| it.generation == token.generation) {
                    session.queued = false;
                }
            }
        }
    }

    fn touch(&mut self, index: usize, now: Instant) {
        self.sessions[index].used = now;
        self.recent.touch(&mut self.sessions, index);
    }

    fn remove(&mut self, index: usize, core: &mut Core<'_>) {
        self.recent.remove(&mut self.sessions, index);
        let session = self.sessions.remove(index);
        if let Entry::Occupied(entry) = self.by_key.entry(session.key) {
            entry.remove();
        }
        core.counters.udp.sessions_now = self.sessions.len() as u64;
    }

    /// The next time [`expire`](Self::expire) has something to do.
    pub(crate) fn deadline(&self, core: &Core<'_>) -> Option<Instant> {
        let oldest = self.recent.front()?;
        self.sessions[oldest]
            .used
            .checked_add(core.options.udp_timeout)
    }

    /// Ends the sessions that were unused for too long.
    pub(crate) fn expire(&mut self, core: &mut Core<'_>) {
        while self
            .deadline(core)
            .is_some_and(|deadline| deadline <= core.now)
        {
            let Some(oldest) = self.recent.front() else {
                return;
            };
            self.remove(oldest, core);
        }
    }
}

/// The part of `local` that answers are pinned to. The interface matters only where the address
/// does not say it; elsewhere routes decide, and a client that changes its path keeps its session.
fn pinned(local: Local) -> Local {
    match local.address {
        IpAddr::V6(address) if address.is_unicast_link_local() || address.is_multicast() => local,
        _ => Local {
            interface: 0,
            ..local
        },
    }
}

/// Makes a socket for one session, connected to the target.
fn open_target(core: &Core<'_>) -> Result<OwnedFd, Errno> {
    let connect = &core.options.connect;
    let family = if connect.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let target = net::socket_with(family, SocketType::DGRAM, flags, Some(ipproto::UDP))?;
    let address = connect.resolve(target.as_fd())?;
    net::connect(&target, &address)?;
    grow_buffer(&target);
    Ok(target)
}

/// What became of a run of datagrams.
#[derive(Default)]
struct Sent {
    datagrams: u64,
    bytes: u64,
    /// The socket's own address or route is gone.
    stale: bool,
}

/// Sends the datagrams of `slots`, counting each that is lost by its errno.
fn send(
    batch: &Batch,
    socket: &OwnedFd,
    mut slots: Range<usize>,
    destination: Option<&Destination>,
    core: &mut Core<'_>,
) -> Sent {
    let mut sent = Sent::default();
    let mut repeated = false;
    while !slots.is_empty() {
        match batch.send(socket, slots.clone(), destination) {
            Ok(0) => break,
            Ok(count) => {
                let done = slots.start..slots.start + count;
                let lengths = done
                    .filter_map(|slot| batch.get(slot))
                    .map(|it| it.payload.len());
                sent.bytes += lengths.sum::<usize>() as u64;
                sent.datagrams += count as u64;
                slots.start += count;
                repeated = false;
            }
            Err(Errno::INTR) => {}
            // This tells of an earlier datagram and kept this one from being sent; the error is
            // cleared by being told, so once more.
            Err(error) if is_reported(error) && !repeated => {
                count(&mut core.counters.udp.dropped, error);
                repeated = true;
            }
            Err(error) => {
                count(&mut core.counters.udp.dropped, error);
                sent.stale |= is_stale(error);
                slots.start += 1;
                repeated = false;
            }
        }
    }
    sent
}

/// Errors that only ICMP causes.
fn is_reported(error: Errno) -> bool {
    matches!(error, Errno::CONNREFUSED | Errno::NOPROTOOPT | Errno::PROTO)
}

/// Errors that last as long as the socket keeps its address or route.
fn is_stale(error: Errno) -> bool {
    matches!(
        error,
        Errno::ADDRNOTAVAIL
            | Errno::HOSTUNREACH
            | Errno::INVAL
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NODEV
            | Errno::NXIO
    )
}
