//! A forwarder on a thread of its own, with clients and targets on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod bulk;
mod control;
mod orders;
mod proxy_header;
mod sockets;
mod stop;
mod tcp;
mod trace;
mod trouble;
mod udp;
mod udp_crowd;
mod udp_errors;
mod udp_whole;
mod unix;
mod workers;
