//! The start that all long-running parts share.

use std::io;

use netnsctl_sys::errno::words;
use netnsctl_sys::signal::{SIGINT, SIGTERM, SignalFd};
use rustix::process::{Pid, getppid, parent_process_death_signal};

use crate::confine::{ConfineError, confine};

/// Why a long-running part did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// signalfd(2) or sigprocmask(2) failed.
    #[error("cannot read signals: {}", words(.0))]
    Signals(io::Error),
    /// The process keeps rights that it must not have.
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// prctl(2) failed.
    #[error("cannot find out whether this process ends with its parent: {}", words(.0))]
    DeathSignal(io::Error),
    /// The parent ended during the start, and nothing else would end this process.
    #[error("the process that started this daemon has ended")]
    Orphan,
}

/// A long-running part that still has the rights that it was started with.
#[derive(Debug)]
pub struct Start {
    parent: Option<Pid>,
}

impl Start {
    /// Begins the start. Gives the calling thread the program's name.
    pub fn begin() -> Self {
        // `serve` starts it by way of /proc/self/exe, and ps(1) would call it "exe".
        let _ = rustix::thread::set_name(c"netnsctl");
        Self { parent: getppid() }
    }

    /// Blocks SIGTERM and SIGINT, gives up all rights as [`confine`] does, and returns the descriptor
    /// that reads those signals. Call it before any other thread exists, and after everything that
    /// needs rights: afterwards the process runs as user "nobody", who may not be allowed to connect
    /// to the service manager.
    ///
    /// Errors: [`StartError`] with the cause. Earlier steps stay done.
    pub fn confine(self) -> Result<SignalFd, StartError> {
        let signals = SignalFd::new(&[SIGTERM, SIGINT]).map_err(StartError::Signals)?;
        confine()?;
        // A change of user removes, for a moment, the signal that the parent's death sends.
        let signal =
            parent_process_death_signal().map_err(|errno| StartError::DeathSignal(errno.into()))?;
        if signal.is_some() && getppid() != self.parent {
            return Err(StartError::Orphan);
        }
        Ok(signals)
    }
}
