//! The counters, for whoever connects to the control socket.
//!
//! A socket just accepted has an empty buffer of some 200 KiB and the counters are a few KiB, so
//! one write takes all of it and the reply needs no state: no client can make the loop wait or
//! remember anything.

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;

use rustix::io::Errno;
use rustix::net::{self, SendFlags, SocketFlags};

use crate::context::Core;

/// Clients answered per turn.
const TURN: usize = 16;

/// Answers those who wait and returns whether some may be left.
///
/// Errors: what accept failed with, which is a shortage of descriptors or memory.
pub(crate) fn answer(control: &UnixListener, core: &mut Core<'_>) -> Result<bool, Errno> {
    for _ in 0..TURN {
        match net::accept_with(
            control.as_fd(),
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        ) {
            Ok(client) => {
                let json = core.all_counters().to_json();
                // A client that left early, or one short of memory, learns nothing.
                let _ = net::send(client, json.as_bytes(), SendFlags::NOSIGNAL);
            }
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
