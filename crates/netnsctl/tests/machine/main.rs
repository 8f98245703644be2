//! Tests of the whole program, each on a machine of its own (crates/machine).
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod access;
mod caller;
mod change;
mod check;
mod chroot;
mod complete;
mod cost;
mod datagrams;
mod doctor;
mod drift;
mod errno;
mod exits;
mod failure;
mod forward;
mod graph;
mod harm;
mod holders;
mod import;
mod interop;
mod json;
mod kills;
mod leftovers;
mod links;
mod metrics;
mod mistakes;
mod names;
mod nscd;
mod options;
mod order;
mod ownership;
mod parts;
mod prometheus;
mod pty;
mod reload;
mod rules;
mod run;
mod sandbox;
mod scale;
mod sealed;
mod serve;
mod served;
mod solicitations;
mod status;
mod support;
mod tasks;
mod top;
mod traffic;
mod units;
mod unix;
mod unknown;
mod up;
mod veth;
mod view;
mod waits;

use netnsctl_machine::net;

fn main() -> std::process::ExitCode {
    netnsctl_machine::main(env!("CARGO_PKG_NAME"))
}
