//! The loop: waits for events, hands each to its part, and gives every part a bounded turn.
//!
//! A round is: the events that have come, one more turn for each that ended its last turn with
//! work left, what is overdue. While some have work left the loop does not wait, so none of them
//! starves and none starves the others.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use netnsctl_sys::errno::words;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventFlags};
use rustix::io::Errno;

use crate::context::{Core, Kind, Shared, Token};
use crate::control;
use crate::listener::{Listener, Protocol};
use crate::options::ConnectTarget;
use crate::orders::Orders;
use crate::tcp::Tcp;
use crate::udp::Udp;

/// Events fetched per round.
const EVENTS: usize = 256;

/// Time between two attempts to answer at the control socket while descriptors are short.
const CONTROL_PAUSE: Duration = Duration::from_millis(100);

/// Where orders come in, and where each loop is told of one.
const ORDERS: Token = Token::fixed(Kind::Options, 0);
const BELL: Token = Token::fixed(Kind::Options, 1);

/// Why a forwarder did not start, or ended without being told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The epoll instance could not be made.
    #[error("cannot create an epoll instance: {}", words(errno))]
    Create {
        /// The kernel's answer.
        errno: Errno,
    },
    /// A descriptor could not be put under watch.
    #[error("cannot watch {what}: {}", words(errno))]
    Watch {
        /// What it is: `the control socket`, `the stop descriptor`, `TCP 127.0.0.1:80`.
        what: String,
        /// The kernel's answer; `EPERM` for a file that knows no events.
        errno: Errno,
    },
    /// A worker's thread could not be started.
    #[error("cannot start a thread: {}", words(error))]
    Thread {
        /// The system's answer.
        error: io::Error,
    },
    /// A UDP listener was to lead to a unix socket, which takes connections.
    #[error("cannot forward {what} to {target}: datagrams need an address and a port")]
    Datagrams {
        /// The listener.
        what: String,
        /// The target.
        target: ConnectTarget,
    },
    /// Waiting failed.
    #[error("cannot wait for events: {}", words(errno))]
    Wait {
        /// The kernel's answer.
        errno: Errno,
    },
}

/// How a forwarder is looked at and told while it serves.
#[derive(Debug, Default)]
pub struct Control<'a> {
    /// Whoever connects is sent the [`Counters`](crate::Counters) as one line of JSON, and then the
    /// end of the stream.
    pub counters: Option<UnixListener>,
    /// Other options.
    pub orders: Option<Orders<'a>>,
}

pub(crate) struct Engine<'a> {
    pub(crate) core: Core<'a>,
    tcp: Tcp,
    udp: Udp,
    control: Control<'a>,
    /// Whether the control socket has a turn coming.
    control_queued: bool,
    /// When to try again to answer after a failure.
    control_due: Option<Instant>,
    /// When draining ends, once it has begun.
    drained_by: Option<Instant>,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(
        listeners: Vec<Listener>,
        control: Control<'a>,
        stops: [BorrowedFd<'_>; 2],
        shared: &'a Shared,
        worker: usize,
    ) -> Result<Self, RunError> {
        let core = Core::new(shared, worker);
        let mut core = core.map_err(|errno| RunError::Create { errno })?;
        let at = |what: &str| {
            let what = what.to_owned();
            move |errno| RunError::Watch { what, errno }
        };
        for stop in stops {
            core.watch(stop, Token::fixed(Kind::Stop, 0), EventFlags::IN)
                .map_err(at("the stop descriptor"))?;
        }
        if let Some(counters) = &control.counters {
            rustix::io::ioctl_fionbio(counters, true).map_err(at("the control socket"))?;
            let token = Token::fixed(Kind::Control, 0);
            core.watch(counters.as_fd(), token, EventFlags::IN)
                .map_err(at("the control socket"))?;
        }
        if let Some(orders) = &control.orders {
            core.watch(&orders.socket, ORDERS, EventFlags::IN)
                .map_err(at("the socket for orders"))?;
        }
        core.watch(shared.bell(worker), BELL, EventFlags::IN)
            .map_err(at("changes of options"))?;
        let (tcp, udp) = listeners
            .into_iter()
            .partition(|it| it.protocol() == Protocol::Tcp);
        let refused = |(listener, errno): (Listener, Errno)| RunError::Watch {
            what: listener.to_string(),
            errno,
        };
        let tcp = Tcp::new(tcp, &mut core).map_err(refused)?;
        let udp = Udp::new(udp, &mut core).map_err(refused)?;
        Ok(Self {
            core,
            tcp,
            udp,
            control,
            control_queued: false,
            control_due: None,
            drained_by: None,
        })
    }

    /// Runs until told to stop and done.
    pub(crate) fn serve(mut self) -> Result<(), RunError> {
        let mut events = Vec::with_capacity(EVENTS);
        let (shared, worker) = (self.core.shared, self.core.worker);
        loop {
            self.wait(&mut events)?;
            let mut counters = shared.counters(worker);
            std::mem::swap(&mut *counters, &mut self.core.counters);
            self.round(&events);
            let finished = self.is_finished();
            std::mem::swap(&mut *counters, &mut self.core.counters);
            if finished {
                return Ok(());
            }
        }
    }

    /// Waits until something happens or is due. Signals end the wait early.
    fn wait(&mut self, events: &mut Vec<Event>) -> Result<(), RunError> {
        let timeout = if self.core.turns() == 0 {
            let parts = [self.tcp.deadline(), self.udp.deadline(&self.core)];
            let due = parts.into_iter().chain([self.control_due, self.drained_by]);
            due.flatten().min().map(until)
        } else {
            Some(Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            })
        };
        events.clear();
        let result = epoll::wait(self.core.epoll(), spare_capacity(events), timeout.as_ref());
        self.core.now = Instant::now();
        match result {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(RunError::Wait { errno }),
        }
    }

    fn round(&mut self, events: &[Event]) {
        // Those that were left over, not those that this round leaves over.
        let left_over = self.core.turns();
        for event in events {
            if let Some(token) = Token::decode(event.data.u64()) {
                self.event(token, event.flags);
            }
        }
        for _ in 0..left_over {
            if let Some(token) = self.core.next_turn() {
                self.again(token);
            }
        }
        self.udp.flush(&mut self.core);
        self.tcp.expire(&mut self.core);
        self.udp.expire(&mut self.core);
        if self.control_due.is_some_and(|due| due <= self.core.now) {
            self.answer();
        }
    }

    fn event(&mut self, token: Token, flags: EventFlags) {
        match token.kind {
            Kind::Client | Kind::Target => self.tcp.event(token, flags, &mut self.core),
            Kind::Stop => self.drain(),
            Kind::Control => self.answer(),
            Kind::Session => self.udp.take_replies(token, &mut self.core),
            Kind::TcpListener => self.tcp.accept(token.index, &mut self.core),
            Kind::UdpListener => self.udp.take_requests(token.index, &mut self.core),
            Kind::Options if token == BELL => self.follow(),
            Kind::Options => self.take_orders(),
        }
    }

    /// Gives what `token` names the turn it was queued for.
    fn again(&mut self, token: Token) {
        match token.kind {
            Kind::Client | Kind::Target => return self.tcp.again(token, &mut self.core),
            Kind::TcpListener => return self.tcp.accept_again(token.index, &mut self.core),
            Kind::Session | Kind::UdpListener => self.udp.dequeue(token),
            Kind::Control => self.control_queued = false,
            Kind::Stop | Kind::Options => {}
        }
        self.event(token, EventFlags::empty());
    }

    fn answer(&mut self) {
        let Some(counters) = &self.control.counters else {
            return;
        };
        self.control_due = None;
        match control::answer(counters, &mut self.core) {
            Ok(false) => {}
            Ok(true) => {
                self.core
                    .requeue(Token::fixed(Kind::Control, 0), &mut self.control_queued);
            }
            Err(_) => self.control_due = Some(self.core.after(CONTROL_PAUSE)),
        }
    }

    /// Takes the orders that have come; the last one counts.
    fn take_orders(&mut self) {
        let Some(orders) = &self.control.orders else {
            return;
        };
        let mut now = self.core.shared.options();
        while let Some(order) = orders.next(&now) {
            match order {
                Ok(options) => {
                    self.core.shared.change(options);
                    now = self.core.shared.options();
                }
                Err(reason) => self.core.log(&format!(
                    "new options are refused, those before stay in force: {reason}"
                )),
            }
        }
    }

    /// Goes on with the options in force.
    fn follow(&mut self) {
        // However often it rang, once is enough.
        let _ = rustix::io::read(self.core.shared.bell(self.core.worker), &mut [0; 8]);
        let now = self.core.shared.options();
        let before = std::mem::replace(&mut self.core.options, now);
        if self.core.draining {
            return;
        }
        self.tcp.follow(&before, &mut self.core);
        self.udp.follow(&before, &mut self.core);
        // One loop speaks for all.
        if self.core.worker == 0 {
            let target = &self.core.options.connect;
            self.core
                .log(&format!("other options, connecting to {target}"));
        }
    }

    /// Begins to stop.
    fn drain(&mut self) {
        if self.core.draining {
            return;
        }
        self.core.draining = true;
        self.drained_by = Some(self.core.after(self.core.options.drain));
        self.tcp.stop_accepting(&self.core);
        // One loop speaks for all.
        if self.core.worker > 0 {
            return;
        }
        let seconds = self.core.options.drain.as_secs_f32();
        match self.core.shared.connections() {
            0 => {}
            1 => self
                .core
                .log(&format!("stopping, 1 connection has {seconds} s to end")),
            left => self.core.log(&format!(
                "stopping, {left} connections have {seconds} s to end"
            )),
        }
    }

    /// Whether the order to stop has been carried out.
    fn is_finished(&mut self) -> bool {
        if !self.core.draining {
            return false;
        }
        if self
            .drained_by
            .is_some_and(|deadline| deadline <= self.core.now)
        {
            let left = self.tcp.len();
            if left > 0 {
                self.core.log(&format!(
                    "time to stop is over, resetting {left} connections"
                ));
            }
            self.tcp.reset_all(&mut self.core);
        }
        self.tcp.is_empty()
    }
}

/// The time from now to `deadline`, rounded up to whole milliseconds so that it has come then.
fn until(deadline: Instant) -> Timespec {
    /// A day: long enough to be no load, short enough for every kernel interface.
    const LONGEST: Duration = Duration::from_secs(86_400);
    let left = deadline
        .saturating_duration_since(Instant::now())
        .min(LONGEST);
    let left = left + Duration::from_micros(999);
    let milliseconds = i64::from(left.subsec_millis());
    let tv_sec = i64::try_from(left.as_secs()).unwrap_or_default();
    Timespec {
        tv_sec,
        tv_nsec: milliseconds * 1_000_000,
    }
}
