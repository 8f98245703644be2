//! The daemon's start and end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use netnsctl_sys::errno::words;
use netnsctl_sys::nss;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, sockopt};

use crate::desk::Desk;
use crate::lobby::{Awake, Lobby};
use crate::options::Options;
use crate::own_files::OwnFiles;
use crate::pool::{PATIENCE_AT_DOOR, Pool, Task};

/// Why the daemon did not start, or ended without being told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The socket to listen at is none that clients of nscd can connect to.
    #[error("cannot listen: the socket passed is no unix stream socket that listens")]
    NotListening,
    /// Look-ups cannot be kept from coming back.
    #[error("cannot look up: {0}")]
    NoSwitch(#[from] nss::NoSwitch),
    /// A step of the start failed, or waiting for events later, which no known cause has.
    #[error("cannot {step}: {}", words(errno))]
    Step {
        /// What failed.
        step: &'static str,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Not a single thread could be started.
    #[error("cannot start a thread: {}", words(error))]
    Thread {
        /// The system's answer.
        error: io::Error,
    },
}

/// Why the daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Told,
    /// Files of the namespace do not show in /etc any more: it is to be started anew.
    FilesChanged,
}

/// Answers clients of `listener` until told to stop.
///
/// To be called before other threads exist, since it changes a setting of the C library; look-ups of
/// this process do not go to any nscd afterwards. Files and network are those of the calling thread,
/// which the others inherit. The listener is made to block, for all who share it. `ready` is called
/// once, when clients are answered.
///
/// Stops when `stop` becomes readable or is hung up (it is never read), or root asks for it by the
/// protocol, or when `own_files` do not show any more. Look-ups that go on then have `options.drain`; what still hangs is left behind on its
/// thread, as a module cannot be interrupted, so the process should end soon after. Clients
/// that wait to be accepted are for whoever listens next.
///
/// SIGPIPE need not be ignored. Needs no capability. See accept(2), nsswitch.conf(5), nscd(8).
///
/// Errors: [`RunError`] before `ready` is called, but for a failure to wait for events. No client,
/// module or shortage ends it.
pub fn run(
    listener: OwnedFd,
    stop: BorrowedFd<'_>,
    options: &Options,
    own_files: Option<&OwnFiles>,
    ready: impl FnOnce(),
) -> Result<Ended, RunError> {
    let at = |step| move |errno| RunError::Step { step, errno };
    check(&listener)?;
    rustix::io::ioctl_fionbio(&listener, false).map_err(at("make the socket block"))?;
    let patience = Some(PATIENCE_AT_DOOR);
    sockopt::set_socket_timeout(&listener, sockopt::Timeout::Recv, patience)
        .map_err(at("limit the time to accept"))?;
    nss::disable_nscd()?;
    let lobby =
        Lobby::new(stop, own_files.map(AsFd::as_fd)).map_err(at("create an epoll instance"))?;
    let pool = Arc::new(Pool::new(listener, lobby, options));
    pool.open().map_err(|error| RunError::Thread { error })?;
    ready();
    let wait = |until| pool.shared.lobby.wait(until).map_err(at("wait for events"));
    let ended = loop {
        let awake = wait(None)?;
        let changed = own_files.filter(|_| awake.files).is_some_and(|own| {
            own.forget();
            !own.show()
        });
        let stop = awake.stop;
        attend(&pool, awake);
        match (stop, changed) {
            (true, _) => break Ended::Told,
            (false, true) => break Ended::FilesChanged,
            (false, false) => {}
        }
    };
    pool.stop();
    let drained_by = Instant::now() + options.drain;
    while pool.busy() > 0 && Instant::now() < drained_by {
        attend(&pool, wait(Some(drained_by))?);
    }
    Ok(ended)
}

fn check(listener: &OwnedFd) -> Result<(), RunError> {
    let is_unix = sockopt::socket_domain(listener) == Ok(AddressFamily::UNIX);
    let is_stream = sockopt::socket_type(listener) == Ok(SocketType::STREAM);
    let listens = sockopt::socket_acceptconn(listener) == Ok(true);
    if is_unix && is_stream && listens {
        Ok(())
    } else {
        Err(RunError::NotListening)
    }
}

/// Sees to what has come in the lobby.
fn attend(pool: &Arc<Pool>, awake: Awake) {
    for error in awake.malformed {
        pool.shared.malformed(&error);
    }
    for (client, bytes) in awake.asked {
        serve(pool, client, bytes);
    }
}

/// Has the request of a client of the lobby looked up; without a thread, it is answered at once.
fn serve(pool: &Arc<Pool>, client: OwnedFd, bytes: Vec<u8>) {
    if let Err((Task::Serve(client, bytes), _)) = pool.hire(Task::Serve(client, bytes)) {
        Desk::new(&pool.shared).serve_whole(client, &bytes, false);
    }
}
