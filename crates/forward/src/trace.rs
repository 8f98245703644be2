//! Two lines for every connection, for whoever looks for a fault. Without a reader of them nothing
//! is kept and nothing is written.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use netnsctl_daemon::Log;
use netnsctl_sys::errno::words;
use rustix::io::Errno;
use rustix::net::{self, SocketAddrAny};

use crate::address::Address;
use crate::context::Core;
use crate::options::Options;

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// The target could not be reached.
    Connect(Errno),
    /// Both directions in order.
    Done,
    /// The client left before the target had answered.
    Left,
    /// By a reset of one side or both.
    Reset { by_client: bool, by_target: bool },
    /// By the half-close timer.
    Silent,
    /// By the order to stop.
    Stopped,
}

impl End {
    fn words(self, options: &Options) -> String {
        let words = match self {
            Self::Connect(error) => {
                let words = words(&error);
                return format!("reset, cannot connect to {}: {words}", options.connect);
            }
            Self::Done => "ended",
            Self::Left => "left before the target answered",
            Self::Reset {
                by_client: true,
                by_target: false,
            } => "reset by the client",
            Self::Reset {
                by_client: false,
                by_target: true,
            } => "reset by the target",
            Self::Reset { .. } => "reset by both sides",
            Self::Silent => "reset, half-closed and silent for too long",
            Self::Stopped => "reset, the time to stop is over",
        };
        words.to_owned()
    }
}

/// What is known of the connections there are.
#[derive(Debug)]
pub(crate) struct Trace {
    log: Option<Log>,
    open: BTreeMap<usize, Open>,
}

#[derive(Debug)]
struct Open {
    name: String,
    since: Instant,
    to_target: u64,
    to_client: u64,
}

impl Trace {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            log: options.trace.clone(),
            open: BTreeMap::new(),
        }
    }

    /// A client was taken up under `key`.
    pub(crate) fn begin(&mut self, key: usize, client: &OwnedFd, core: &Core<'_>) {
        let Some(log) = &self.log else { return };
        let name = name(client);
        log.line(&format!("{name}: connecting to {}", core.options.connect));
        let open = Open {
            name,
            since: core.now,
            to_target: 0,
            to_client: 0,
        };
        self.open.insert(key, open);
    }

    /// A client could not be taken up.
    pub(crate) fn refused(&self, client: &OwnedFd, error: Errno, core: &Core<'_>) {
        let Some(log) = &self.log else { return };
        let words = End::Connect(error).words(&core.options);
        log.line(&format!("{}: {words}", name(client)));
    }

    /// Bytes were carried for the connection under `key`.
    pub(crate) fn carried(&mut self, key: usize, to_target: u64, to_client: u64) {
        // Empty unless somebody reads, and then nothing is looked up.
        if let Some(open) = self.open.get_mut(&key) {
            open.to_target += to_target;
            open.to_client += to_client;
        }
    }

    /// The connection under `key` has ended.
    pub(crate) fn end(&mut self, key: usize, end: End, core: &Core<'_>) {
        let (Some(log), Some(open)) = (&self.log, self.open.remove(&key)) else {
            return;
        };
        let seconds = core.now.duration_since(open.since).as_secs_f32();
        log.line(&format!(
            "{}: {} after {seconds:.3} s, {} bytes there, {} back",
            open.name,
            end.words(&core.options),
            open.to_target,
            open.to_client
        ));
    }
}

/// A client and where it came in. Both sides of a unix socket may be without an address.
fn name(client: &OwnedFd) -> String {
    let peer = address(net::getpeername(client).ok().flatten());
    let own = address(net::getsockname(client).ok());
    format!("client {peer} at {own}")
}

fn address(address: Option<SocketAddrAny>) -> String {
    let address = address.and_then(|it| Address::read(it).ok());
    address.map_or_else(|| "(no address)".to_owned(), |it| it.to_string())
}
