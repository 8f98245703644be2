//! Carries TCP and UDP ports, and unix stream sockets, from one network namespace into another.
//!
//! A socket keeps the namespace it was made in. The listeners are made in one namespace (by a
//! service manager, or by [`bind_listener`] on a thread that stands there) and handed to [`run`],
//! whose thread stands in the other, where it connects to the target. No descriptor and no byte
//! needs a route between the two.
//!
//! [`run`] is one edge-triggered epoll loop on the calling thread, or one on each of several. It
//! never waits for anything but events: accept does not wait for connect, one blocked peer stops
//! only its own direction, and every wake-up does a bounded amount of work before the next one gets
//! its turn. Bytes pass through one buffer per loop, bulk through pipes; a connection owns memory or
//! a pipe only while a write of its is blocked.
//!
//! | module | holds |
//! |---|---|
//! | `engine`, `context` | the loop: events, the queue of unfinished work, deadlines, draining |
//! | `workers` | the start: one such loop on each of several threads |
//! | `tcp`, `client`, `connection` | accepting; one connection |
//! | `relay`, `pipe` | one direction of a connection: copied or spliced |
//! | `target`, `waiting`, `proxy_header` | connecting; what the target is told about the client |
//! | `address`, `listener` | where sockets are; making those that listen |
//! | `udp` | sessions, their addresses and expiry; sending in batches |
//! | `shortage` | pauses for want of descriptors |
//! | `orders` | other options while it serves |
//! | `ask`, `control`, `counters`, `trace` | what is counted and who may read it; lines for each connection |
//! | `seal`, `filter` | giving up all but the data path |
#![forbid(unsafe_code)]

mod address;
mod ask;
mod client;
mod connection;
mod context;
mod control;
mod counters;
mod engine;
mod errno;
// The numbers of system calls differ, and the filter's compiler knows these three.
#[cfg_attr(
    not(any(
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "x86_64"
    )),
    path = "no_filter.rs"
)]
mod filter;
mod list;
mod listener;
mod options;
mod orders;
mod pipe;
mod proxy_header;
mod relay;
mod seal;
mod shortage;
mod target;
mod tcp;
mod trace;
mod udp;
mod waiting;
mod workers;

pub use address::Address;
pub use ask::ask;
pub use counters::{Counters, ParseCountersError, Reasons, TcpCounters, UdpCounters};
pub use engine::{Control, RunError};
pub use listener::{Listener, ListenerError, Protocol, bind_listener};
pub use options::{ConnectTarget, Keepalive, Options, ParseTargetError, available_workers};
pub use orders::{Obstacle, Orders};
pub use proxy_header::proxy_header;
pub use seal::{MissingLayer, seal};
pub use workers::run;
