//! Datagrams: sessions of a client with the target.
//!
//! A session is one client address writing to one local address of one listener. It owns a socket
//! connected to the target, so the target sees one port per client and the kernel says which
//! client an answer, or an ICMP error, belongs to. Answers leave from the address the client wrote
//! to.
//!
//! All that passes goes through one batch. What clients sent is sent on at once, since each
//! session has a socket of its own; what targets sent is gathered over all sessions of a round and
//! leaves by as few calls as there are listeners.
//!
//! Errors stay with their session: they are counted and the next datagram tries again. One that
//! says that the session's own address or route is gone ends the session, so that the next
//! datagram makes a new one.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use netnsctl_sys::datagram::{self, Batch, Destination, Local, SLOTS};
use netnsctl_sys::errno::words;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto};

use crate::context::{Core, Kind, Seldom, Token};
use crate::counters::{Reasons, count, count_word};
use crate::errno;
use crate::listener::{Listener, grow_buffer};
use crate::options::Options;

mod crowd;
mod send;
mod session;

use crowd::Crowd;
use send::{Letter, Sent};
use session::{Key, Session, Sessions};

/// Bytes of a slot: more than any UDP datagram without jumbograms has, and as much as the kernel
/// coalesces.
const SLOT: usize = 1 << 16;

/// Batches per turn of one socket.
const TURN: usize = 4;

/// Slots offered to a session at first. Most have few datagrams waiting, and every slot offered
/// costs a little.
const FEW: usize = 4;

/// A listener and what is known of it.
struct Port {
    listener: Listener,
    /// The address all its datagrams were sent to, if it is bound to one.
    fixed: Option<Local>,
    /// Whether the kernel may cut messages to clients into datagrams.
    segments: bool,
    /// How many datagrams the socket had lost when the last one came in.
    lost: u32,
    crowd: Crowd,
}

/// Why a datagram of a newcomer starts no session.
enum Refusal {
    /// The kernel's answer.
    Errno(Errno),
    /// A reason of ours.
    Reason(&'static str),
}

/// Everything UDP.
pub(crate) struct Udp {
    ports: Vec<Port>,
    sessions: Sessions,
    batch: Batch,
    /// What is to be sent of the batch to clients of the listener `outgoing`.
    letters: Vec<Letter>,
    outgoing: usize,
    told_busy: Seldom,
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
        let port = |listener: Listener| Port {
            segments: datagram::can_segment(&listener.fd),
            fixed: listener.address().inet().and_then(|it| fixed(it.ip())),
            listener,
            lost: 0,
            crowd: Crowd::default(),
        };
        Ok(Self {
            ports: listeners.into_iter().map(port).collect(),
            sessions: Sessions::new(),
            batch: Batch::new(slot),
            letters: Vec::new(),
            outgoing: 0,
            told_busy: Seldom::default(),
            told_full: Seldom::default(),
            told_short: Seldom::default(),
        })
    }

    /// Goes by other options than `before` from now on.
    pub(crate) fn follow(&mut self, before: &Options, core: &mut Core<'_>) {
        if before.connect == core.options.connect {
            return;
        }
        // A client that goes on writing would stay with the old target for as long as it does.
        while let Some(least) = self.sessions.least() {
            self.remove(least, core);
        }
    }

    /// Takes what clients sent to listener `index`, for one turn.
    pub(crate) fn take_requests(&mut self, index: usize, core: &mut Core<'_>) {
        for _ in 0..TURN {
            self.flush(core);
            let Some(port) = self.ports.get_mut(index) else {
                return;
            };
            match self.batch.receive(&port.listener.fd, SLOTS) {
                Ok(received) => {
                    note_losses(&self.batch, &mut port.lost, &mut core.counters.udp.dropped);
                    port.crowd.look(&port.listener.fd, received == SLOTS);
                    self.deliver(index, core);
                    self.batch.clear();
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
        if let Some(port) = self.ports.get_mut(index) {
            let token = Token::fixed(Kind::UdpListener, index);
            core.requeue(token, &mut port.listener.queued);
        }
    }

    /// Sends a batch from clients on, each run of one session's datagrams by one call.
    fn deliver(&mut self, listener: usize, core: &mut Core<'_>) {
        let mut next = 0;
        while next < self.batch.len() {
            let start = next;
            next += 1;
            let key = match self.key(listener, start) {
                Ok(key) => key,
                Err(reason) => {
                    let lost = self.datagrams(start, next);
                    count_lost(&mut core.counters.udp.dropped, reason, lost);
                    continue;
                }
            };
            while self.key(listener, next) == Ok(key) {
                next += 1;
            }
            match self.session(key, core) {
                Ok(index) => self.request(index, (start, next), core),
                Err(Refusal::Errno(error)) => {
                    for _ in 0..self.datagrams(start, next) {
                        count(&mut core.counters.udp.dropped, error);
                    }
                }
                Err(Refusal::Reason(reason)) => {
                    let lost = self.datagrams(start, next);
                    count_lost(&mut core.counters.udp.dropped, reason, lost);
                }
            }
        }
    }

    /// The number of datagrams in slots `start` to `end`.
    fn datagrams(&self, start: usize, end: usize) -> usize {
        let slots = (start..end).filter_map(|slot| self.batch.get(slot));
        slots.map(|it| it.count()).sum()
    }

    /// The session key of the datagram in slot `index`, or why it has none.
    fn key(&self, listener: usize, index: usize) -> Result<Key, &'static str> {
        let datagram = self.batch.get(index).ok_or("no address")?;
        let fixed = self.ports.get(listener).and_then(|it| it.fixed);
        let local = fixed.or(datagram.local.map(pinned));
        let (Some(client), Some(local)) = (datagram.source, local) else {
            return Err("no address");
        };
        if datagram.truncated {
            return Err("truncated");
        }
        Ok(Key {
            client,
            local,
            listener,
        })
    }

    /// Finds or makes the session for `key`.
    fn session(&mut self, key: Key, core: &mut Core<'_>) -> Result<usize, Refusal> {
        if let Some(index) = self.sessions.find(&key) {
            return Ok(index);
        }
        if core.draining {
            return Err(Refusal::Reason("draining"));
        }
        let port = self.ports.get_mut(key.listener);
        if !port.is_none_or(|port| port.crowd.admits()) {
            return Err(Refusal::Reason("too many new clients"));
        }
        self.make_room(core);
        let made = self.make(key, core);
        let index = match made {
            // Strangers give way to others not only where the table ends.
            Err(error) if errno::is_shortage(error) => {
                self.tell_short(error, core);
                let Some(stranger) = self.sessions.stranger() else {
                    return Err(Refusal::Errno(error));
                };
                self.evict(stranger, core);
                self.make(key, core).map_err(Refusal::Errno)?
            }
            made => made.map_err(Refusal::Errno)?,
        };
        core.counters.udp.sessions_ever += 1;
        core.counters.udp.sessions_now = self.sessions.len() as u64;
        self.tell_busy(core);
        Ok(index)
    }

    /// Makes room for one more session.
    fn make_room(&mut self, core: &mut Core<'_>) {
        let limit = core.options.max_sessions.max(1);
        while self.sessions.len() >= limit {
            let Some(least) = self.sessions.least() else {
                return;
            };
            self.evict(least, core);
            if self.told_full.due(core.now) {
                core.log(&format!(
                    "all {limit} UDP sessions in use, the least recent gives way"
                ));
            }
        }
    }

    fn make(&mut self, key: Key, core: &mut Core<'_>) -> Result<usize, Errno> {
        let fd = open_target(core)?;
        let generation = core.generation();
        let token = Token {
            kind: Kind::Session,
            generation,
            index: self.sessions.next_index(),
        };
        core.watch(&fd, token, EventFlags::IN)?;
        let mut session = Session::new(fd, key, generation, core.now);
        session.segments = self.ports.get(key.listener).is_some_and(|it| it.segments);
        Ok(self.sessions.insert(session))
    }

    /// Tells now and then that the table is nearly full.
    fn tell_busy(&mut self, core: &Core<'_>) {
        let (len, limit) = (self.sessions.len(), core.options.max_sessions);
        let nearly = limit - limit / 5;
        if len >= nearly && len < limit && self.told_busy.due(core.now) {
            core.log(&format!("{len} of {limit} UDP sessions in use"));
        }
    }

    /// Tells now and then of sessions not made for want of descriptors or memory.
    fn tell_short(&mut self, error: Errno, core: &Core<'_>) {
        if self.told_short.due(core.now) {
            let kept = self.sessions.len();
            core.log(&format!(
                "cannot make one more UDP session than {kept}: {}",
                words(&error)
            ));
        }
    }

    /// Sends datagrams of the batch to the target.
    fn request(&mut self, index: usize, slots: (usize, usize), core: &mut Core<'_>) {
        let asked = self.datagrams(slots.0, slots.1);
        self.sessions.asked(index, asked, core.now);
        let Some(session) = self.sessions.at(index) else {
            return;
        };
        send::address(
            &self.batch,
            slots,
            None,
            session.segments,
            &mut self.letters,
        );
        let counters = &mut core.counters.udp;
        let sent = send::send(&self.batch, &session.fd, &self.letters, counters);
        self.letters.clear();
        session.segments &= sent.uncut.is_none();
        counters.datagrams_to_target += sent.datagrams;
        counters.bytes_to_target += sent.bytes;
        if sent.stale {
            self.remove(index, core);
        }
    }

    /// Takes what the target sent to a session, for one turn.
    pub(crate) fn take_replies(&mut self, token: Token, core: &mut Core<'_>) {
        let mut most = FEW;
        for _ in 0..TURN {
            if self.batch.len() == SLOTS {
                self.flush(core);
            }
            let Some(session) = self.sessions.get(token.index, token.generation) else {
                return;
            };
            let start = self.batch.len();
            let most_now = most.min(SLOTS - start);
            match self.batch.receive_connected(&session.fd, most_now) {
                Ok(received) => {
                    note_losses(
                        &self.batch,
                        &mut session.lost,
                        &mut core.counters.udp.dropped,
                    );
                    self.reply(token.index, start, core);
                    if received < most_now {
                        return;
                    }
                    most = SLOTS;
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                // What ICMP told of a datagram sent before.
                Err(error) => count(&mut core.counters.udp.dropped, error),
            }
        }
        if let Some(session) = self.sessions.get(token.index, token.generation) {
            core.requeue(token, &mut session.queued);
        }
    }

    /// Has what the batch holds from slot `start` sent to the session's client.
    fn reply(&mut self, index: usize, start: usize, core: &mut Core<'_>) {
        let end = self.batch.len();
        let answered = self.datagrams(start, end);
        self.sessions.answered(index, answered, core.now);
        let Some(session) = self.sessions.at(index) else {
            return;
        };
        let Key {
            client,
            local,
            listener,
        } = session.key;
        if listener != self.outgoing {
            self.send_letters(core);
            self.outgoing = listener;
        }
        let Some(port) = self.ports.get(listener) else {
            return;
        };
        let from = Some(local).filter(|it| port.fixed.is_none() && !it.address.is_multicast());
        let destination = Some(Destination { to: client, from });
        let segments = port.segments;
        let slots = (start, end);
        send::address(&self.batch, slots, destination, segments, &mut self.letters);
    }

    /// Sends what was gathered for clients. To be called before the loop waits.
    pub(crate) fn flush(&mut self, core: &mut Core<'_>) {
        self.send_letters(core);
        self.batch.clear();
    }

    fn send_letters(&mut self, core: &mut Core<'_>) {
        let Some(port) = self.ports.get_mut(self.outgoing) else {
            return;
        };
        let counters = &mut core.counters.udp;
        let sent = send::send(&self.batch, &port.listener.fd, &self.letters, counters);
        self.letters.clear();
        let Sent {
            datagrams, bytes, ..
        } = sent;
        counters.datagrams_to_client += datagrams;
        counters.bytes_to_client += bytes;
        // Too long a segment is a matter of one client's path, the rest one of the kernel.
        let refused = sent.uncut.is_some_and(|error| error != Errno::MSGSIZE);
        port.segments &= !refused;
    }

    /// Clears the mark of a turn that is about to be given.
    pub(crate) fn dequeue(&mut self, token: Token) {
        if token.kind == Kind::UdpListener {
            if let Some(port) = self.ports.get_mut(token.index) {
                port.listener.queued = false;
            }
        } else if let Some(session) = self.sessions.get(token.index, token.generation) {
            session.queued = false;
        }
    }

    fn evict(&mut self, index: usize, core: &mut Core<'_>) {
        self.remove(index, core);
        core.counters.udp.sessions_evicted += 1;
    }

    fn remove(&mut self, index: usize, core: &mut Core<'_>) {
        self.sessions.remove(index);
        core.counters.udp.sessions_now = self.sessions.len() as u64;
    }

    /// The next time [`expire`](Self::expire) has something to do.
    pub(crate) fn deadline(&self, core: &Core<'_>) -> Option<Instant> {
        let (end, _) = self.sessions.first_to_end(&core.options)?;
        Some(end)
    }

    /// Ends the sessions that were unused for too long.
    pub(crate) fn expire(&mut self, core: &mut Core<'_>) {
        while let Some((end, index)) = self.sessions.first_to_end(&core.options) {
            if end > core.now {
                return;
            }
            self.remove(index, core);
        }
    }
}

fn count_lost(dropped: &mut Reasons, word: &'static str, datagrams: usize) {
    for _ in 0..datagrams {
        count_word(dropped, word);
    }
}

/// Counts what a socket lost before the last datagram in `batch`, which it received.
fn note_losses(batch: &Batch, before: &mut u32, dropped: &mut Reasons) {
    let last = batch.len().checked_sub(1).and_then(|slot| batch.get(slot));
    let now = last.map_or(*before, |it| it.lost);
    let lost = now.wrapping_sub(*before);
    if lost > 0 {
        *dropped.entry("receive buffer full".into()).or_default() += u64::from(lost);
        *before = now;
    }
}

/// The local end of all that comes in at a socket bound to `address`: no need to ask for it.
fn fixed(address: IpAddr) -> Option<Local> {
    let interface = 0;
    (!address.is_unspecified()).then_some(Local { address, interface })
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
    datagram::report_losses(&target)?;
    // Without it, datagrams come one by one.
    let _ = datagram::coalesce(&target);
    Ok(target)
}
