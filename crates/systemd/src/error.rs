//! What can go wrong between systemd and this program.

use std::io;

use netnsctl_sys::errno::{Errno, words};

use crate::SOCKET;

/// A call of systemd that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// systemd does not listen here, or does not let this process in.
    #[error("cannot connect to systemd at {SOCKET}: {}", Errno::of(.0))]
    Connect(#[source] io::Error),
    /// The connection broke, or an answer is malformed or late.
    #[error("cannot talk to systemd at {SOCKET}: {}", words(.0))]
    Talk(#[source] io::Error),
    /// systemd answered with an error.
    #[error("systemd refuses {member}: {words:?} ({name:?})")]
    Refused {
        /// The method that was called.
        member: String,
        /// The name of the D-Bus error.
        name: String,
        /// The text that came with it.
        words: String,
    },
}

impl Error {
    /// A next step, where one is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect(_) => Some("is systemd the init of this machine, and are you root?"),
            Self::Talk(_) | Self::Refused { .. } => None,
        }
    }
}
