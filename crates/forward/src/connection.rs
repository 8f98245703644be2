//! One connection: a client, a target, and the two directions between them.
//!
//! | phase | list it waits in | ends by |
//! |---|---|---|
//! | connecting | `connecting`, for the connect timeout | the target's answer |
//! | open | none | an end or failure of either side |
//! | closing | `closing`, for the half-close timeout since bytes last moved | both directions shut, or a reset |
//!
//! A reset of one side is passed on as a reset, after what that side had sent before has been
//! written to the other: what was read is never thrown away while the other side takes it. What
//! the *kernel* still holds for the other side then goes the way of every abortive close.
//!
//! Unix sockets know no reset: a peer sees ECONNRESET only if what it had sent was not read yet.
//! So one that comes from a unix socket is passed on, and one that goes to a unix socket arrives as
//! an end of the stream, unless bytes cross it.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::net::sockopt;

use crate::counters::TcpCounters;
use crate::list::{Linked, Links};
use crate::listener::end_in_order;
use crate::relay::{Direction, Scratch, Side, Stage};

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Connecting,
    Open,
    Closing,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Nothing more until the next event.
    Wait,
    /// The turn ended before the work did.
    Again,
    /// Both directions ended in order.
    Done,
    /// Both sides are to be reset.
    Reset,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: Side,
    pub(crate) target: Side,
    to_target: Direction,
    to_client: Direction,
    pub(crate) phase: Phase,
    /// When it is given up, in a phase that waits in a list.
    pub(crate) deadline: Instant,
    pub(crate) generation: u32,
    /// Whether it has a turn coming.
    pub(crate) queued: bool,
    links: Links,
}

impl Linked for Connection {
    fn links(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl Connection {
    pub(crate) fn new(
        client: OwnedFd,
        target: OwnedFd,
        deadline: Instant,
        generation: u32,
    ) -> Self {
        Self {
            client: Side::new(client),
            target: Side::new(target),
            to_target: Direction::default(),
            to_client: Direction::default(),
            phase: Phase::Connecting,
            deadline,
            generation,
            queued: false,
            links: Links::default(),
        }
    }

    /// Has the target get `bytes` before anything of the client's. They are not counted.
    pub(crate) fn send_first(&mut self, bytes: Vec<u8>) {
        self.to_target.prepend(bytes);
    }

    /// Carries bytes both ways for one turn. The connection is not connecting any more.
    pub(crate) fn run(&mut self, scratch: &mut Scratch, counters: &mut TcpCounters) -> Outcome {
        let Self {
            client,
            target,
            to_target,
            to_client,
            ..
        } = self;
        loop {
            let failed = (client.broken, target.broken);
            let (up, down) = (&mut counters.bytes_to_target, &mut counters.bytes_to_client);
            let last = to_client.stage == Stage::Shut;
            let more_up = to_target.run(client, target, last, scratch, up);
            let last = to_target.stage == Stage::Shut;
            let more_down = to_client.run(target, client, last, scratch, down);
            let more = more_up | more_down;
            if failed != (client.broken, target.broken) {
                // What a direction learnt of its sink matters to the other one too.
                continue;
            }
            if (to_target.stage, to_client.stage) == (Stage::Shut, Stage::Shut) {
                return Outcome::Done;
            }
            let lost = |side: &Side, from: &Direction| {
                side.broken && from.stage != Stage::Open && from.is_flushed()
            };
            if lost(client, to_target) || lost(target, to_client) {
                return Outcome::Reset;
            }
            return if more { Outcome::Again } else { Outcome::Wait };
        }
    }

    /// Whether one direction has ended, so that the connection must not stay for ever.
    pub(crate) fn is_closing(&self) -> bool {
        let ended = |direction: &Direction| direction.stage != Stage::Open;
        ended(&self.to_target) || ended(&self.to_client) || self.client.broken || self.target.broken
    }

    /// Makes the close of both sockets an orderly end instead of a reset.
    pub(crate) fn end_in_order(&self) {
        for side in [&self.client, &self.target] {
            end_in_order(&side.fd);
        }
    }
}

/// Notes what an event says about `side`.
pub(crate) fn note(side: &mut Side, event: EventFlags) {
    let ended = EventFlags::HUP | EventFlags::ERR;
    let marked = EventFlags::RDHUP | EventFlags::PRI;
    side.readable |= event.intersects(EventFlags::IN | marked | ended);
    side.writable |= event.intersects(EventFlags::OUT | ended);
    side.read_to_end |= event.intersects(marked | ended);
    // Taking the error here, and not by a read or write, keeps it from hiding what was received
    // before it, and tells of a reset when nothing is left to be read or written.
    if event.contains(EventFlags::ERR) && matches!(sockopt::socket_error(&side.fd), Ok(Err(_))) {
        side.fail();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_takes_few_bytes() {
        // And nothing besides: what is pending, and only that, is kept elsewhere.
        let bytes = size_of::<Connection>();
        assert!(bytes <= 240, "{bytes} bytes");
    }
}
