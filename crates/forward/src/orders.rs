//! New options for a forwarder that serves: connections stay, and none has to wait.
//!
//! They come as datagrams of a unix socket, each whole and without an answer. Who gave an order
//! sees by the counters whether it is followed: they tell the label of the options in force.

use std::fmt;
use std::os::unix::net::UnixDatagram;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::options::{ConnectTarget, Options};

/// Most bytes of an order.
const MOST: usize = 16 * 1024;

/// Reads an order. The text of an error is logged.
type Read<'a> = dyn Fn(&[u8]) -> Result<Options, String> + Send + 'a;

/// Where new options come from, and who reads them.
pub struct Orders<'a> {
    pub(crate) socket: UnixDatagram,
    read: Box<Read<'a>>,
}

impl<'a> Orders<'a> {
    /// Those that come in at `socket`, as `read` understands them. It is called on a thread that may
    /// be sealed, so it opens nothing.
    ///
    /// Whoever may write to the socket decides where connections go.
    pub fn new(
        socket: UnixDatagram,
        read: impl Fn(&[u8]) -> Result<Options, String> + Send + 'a,
    ) -> Self {
        let read = Box::new(read);
        Self { socket, read }
    }

    /// Takes the next order; none if none waits. The other error is why one cannot be followed.
    pub(crate) fn next(&self, now: &Options) -> Option<Result<Options, String>> {
        let mut bytes = vec![0; MOST];
        loop {
            let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
            return match recv(&self.socket, &mut bytes[..], flags) {
                Ok((_, length)) if length > MOST => Some(Err("it is too long".to_owned())),
                Ok((length, _)) => Some(self.read(&bytes[..length], now)),
                Err(Errno::INTR) => continue,
                Err(_) => None,
            };
        }
    }

    fn read(&self, bytes: &[u8], now: &Options) -> Result<Options, String> {
        let mut new = (self.read)(bytes)?;
        now.may_become(&new)
            .map_err(|obstacle| obstacle.to_string())?;
        new.log = now.log.clone();
        new.trace.clone_from(&now.trace);
        new.seal = now.seal;
        Ok(new)
    }
}

impl fmt::Debug for Orders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let socket = &self.socket;
        f.debug_struct("Orders").field("socket", socket).finish()
    }
}

/// Why a forwarder has to be started anew for other options.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// Threads are started once, before they are sealed.
    #[error("it wants another number of workers")]
    Workers,
    /// The seal lets through sockets of one family; and what may be seen of files, a service
    /// manager has decided.
    #[error("it wants a target of another kind")]
    Target,
}

impl Options {
    /// Whether a forwarder that has these may be ordered to have `new` ones.
    ///
    /// Errors: [`Obstacle`] if it has to be started anew for them.
    pub fn may_become(&self, new: &Self) -> Result<(), Obstacle> {
        use ConnectTarget::Unix;
        let same_kind = match (&self.connect, &new.connect) {
            (Unix(now), Unix(new)) => now == new,
            (Unix(_), _) | (_, Unix(_)) => false,
            (now, new) => now.is_ipv6() == new.is_ipv6(),
        };
        match (same_kind, self.workers == new.workers) {
            (false, _) => Err(Obstacle::Target),
            (_, false) => Err(Obstacle::Workers),
            (true, true) => Ok(()),
        }
    }
}
