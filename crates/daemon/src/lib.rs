//! What every long-running part of netnsctl is made of, whatever it serves.
//!
//! | module | holds |
//! |---|---|
//! | `confine` | giving up privileges after set-up |
//! | `folder` | the folder of such a socket, and who else can change it |
//! | `socket_file` | unix sockets that listen at a path, and the files that remain of them |
//! | `start` | name, signals, rights and parent of a part that starts |
//! | `log` | where lines go |
#![forbid(unsafe_code)]

mod confine;
mod folder;
mod log;
mod socket_file;
mod start;

use netnsctl_sys::errno::words;
use rustix::io::Errno;

pub use confine::{ConfineError, confine, raise_file_limit};
pub use folder::Exposed;
pub use log::Log;
pub use socket_file::{SocketFile, bind_unix_listener};
pub use start::{Start, StartError};

/// Connections the kernel may queue for us. The most that net.core.somaxconn allows by default:
/// a queue that overflows makes clients wait a second for their SYN to be sent again.
pub const BACKLOG: i32 = 4096;

/// Why a socket was not made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} for {what}: {}", words(errno))]
pub struct BindError {
    /// What failed: `create a socket`, `set SO_REUSEADDR`, `bind`, ….
    pub step: &'static str,
    /// What was asked for: `TCP 127.0.0.1:80`, `unix:/run/app.sock`.
    pub what: String,
    /// The kernel's answer.
    pub errno: Errno,
}
