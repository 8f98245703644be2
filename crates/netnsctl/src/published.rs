//! `/run/netnsctl/serve`: what a running `serve` tells other commands.
//!
//! The folder is locked (flock(2)) for as long as `serve` lives, which is how others know that
//! what stands in it is true. A killed `serve` leaves the folder behind without the lock; the
//! next `serve` or `down` clears it.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::presence::if_present;
use netnsctl_model::desired::Protocol;
use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::name::NetnsRef;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, fstat, openat, stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::output::Failure;

const FOLDER: &str = "/run/netnsctl/serve";

/// How often, and with what pause between, the lock is asked for before it is somebody's.
const ATTEMPTS: u32 = 20;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(10);

/// What `serve` tells.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Its process id.
    pub(crate) pid: u32,
    /// The files it was given, as absolute paths; none if it uses the search path.
    pub(crate) config: Vec<PathBuf>,
    /// Its forwarders.
    pub(crate) forwards: Vec<PublishedForward>,
}

impl State {
    /// None if `text` is not the JSON form that [`Folder::publish`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Where the counters of a forward can be asked for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublishedForward {
    /// Which it is.
    pub(crate) key: ForwardKey,
    /// A unix stream socket that answers with one line of JSON.
    pub(crate) control: PathBuf,
}

/// What makes a forward the one that is declared: the file may have been edited since `serve` read
/// it, so that its number says nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ForwardKey {
    /// The namespace it listens in.
    pub(crate) listen_netns: String,
    /// The protocol of both sides.
    #[serde(with = "crate::as_text")]
    pub(crate) protocol: Protocol,
    /// Where it listens.
    pub(crate) listen: String,
    /// The namespace it connects in.
    pub(crate) netns: String,
    /// Where it connects.
    #[serde(with = "crate::as_text")]
    pub(crate) connect: ForwardAddress,
}

/// A forward in one line: `tcp 127.0.0.1:80 → web 10.0.0.2:80`.
pub(crate) fn forward_line(
    protocol: Protocol,
    listen: &str,
    netns: &str,
    connect: &ForwardAddress,
) -> String {
    match connect {
        ForwardAddress::Inet(_) => format!("{protocol} {listen} → {netns} {connect}"),
        // The path of a unix socket is the same in every namespace.
        ForwardAddress::Unix(_) => format!("{protocol} {listen} → {connect}"),
    }
}

/// The folder of this process, locked. Cleared when dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    _lock: OwnedFd,
}

impl Folder {
    /// Takes the folder over.
    ///
    /// Errors: if another `serve` lives.
    pub(crate) fn take() -> Result<Self, Failure> {
        let trouble = |error: io::Error| {
            let words = netnsctl_sys::errno::words(&error);
            Failure::failed(format!("cannot set up {FOLDER}: {words}"))
        };
        for _ in 0..ATTEMPTS {
            // Nobody else may open it: whoever can, can lock it.
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(FOLDER).map_err(trouble)?;
            let lock = open().map_err(|error| trouble(error.into()))?;
            // A `serve` that ended meanwhile may have removed the folder that was opened.
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && is_folder(&lock) {
                clear();
                return Ok(Self { _lock: lock });
            }
            // A `status` takes the lock for a moment, to see whether anybody has it.
            std::thread::sleep(ATTEMPT_PAUSE);
        }
        let state = read().ok().flatten();
        let pid = state.map_or_else(String::new, |state| format!(" (process {})", state.pid));
        Err(
            Failure::failed(format!("another netnsctl serve{pid} is running here"))
                .hint("send it SIGHUP to read its configuration again, or use --sandbox"),
        )
    }

    /// The path of a socket in it.
    pub(crate) fn socket(&self, name: &str) -> PathBuf {
        Path::new(FOLDER).join(name)
    }

    /// Tells `state`, replacing what was told before.
    pub(crate) fn publish(&self, state: &State) -> io::Result<()> {
        let (new, file) = (self.socket("state.new"), self.socket("state.json"));
        std::fs::write(&new, serde_json::to_string(state).unwrap_or_default())?;
        std::fs::rename(new, file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        clear();
        let _ = std::fs::remove_dir(FOLDER);
    }
}

fn open() -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, FOLDER, flags, Mode::empty())
}

/// Whether `open` is what stands at the folder's path.
fn is_folder(open: &OwnedFd) -> bool {
    match (fstat(open), stat(FOLDER)) {
        (Ok(open), Ok(there)) => (open.st_dev, open.st_ino) == (there.st_dev, there.st_ino),
        _ => false,
    }
}

fn clear() {
    for entry in std::fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
}

/// What a `serve` published; none if nothing is published yet.
fn read() -> Result<Option<State>, Error> {
    let path = Path::new(FOLDER).join("state.json");
    let read = || {
        let Some(text) = if_present(std::fs::read_to_string(&path))? else {
            return Ok(None);
        };
        let state = State::parse(&text);
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, "another form is expected");
        state.map(Some).ok_or_else(unknown)
    };
    read().context("read", path.display().to_string())
}

/// What the running `serve` tells; none if none runs.
///
/// Errors: that is not known, because a step that the kernel refused; EACCES for users who are not root.
pub(crate) fn running() -> Result<Option<State>, Error> {
    let Some(folder) = if_present(open()).context("open", FOLDER)? else {
        return Ok(None);
    };
    match flock(&folder, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(Errno::WOULDBLOCK) => read(),
        Err(error) => Err(error).context("lock", FOLDER),
    }
}

/// The configuration that the running `serve` was given by name; none for a user who may not look.
///
/// Errors: it is not known whether there is one.
pub(crate) fn config_of_running() -> Result<Option<Vec<PathBuf>>, Error> {
    let state = match running() {
        Err(Error::System { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(None);
        }
        state => state?,
    };
    Ok(state
        .map(|state| state.config)
        .filter(|config| !config.is_empty()))
}

/// Clears what a killed `serve` left. A living one is left alone.
pub(crate) fn remove_stale() {
    if let Ok(folder) = open()
        && flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok()
    {
        clear();
        let _ = std::fs::remove_dir(FOLDER);
    }
}

/// How a forward is called in messages.
pub(crate) fn forward_name(netns: &NetnsRef, forward: &netnsctl_model::desired::Forward) -> String {
    let listen = match &forward.listen {
        ForwardAddress::Inet(endpoint) => {
            format!("{} {endpoint} in netns \"{netns}\"", forward.protocol)
        }
        socket @ ForwardAddress::Unix(_) => socket.to_string(),
    };
    let connect = match &forward.connect {
        ForwardAddress::Inet(endpoint) => format!("{endpoint} in netns \"{}\"", forward.netns),
        socket @ ForwardAddress::Unix(_) => socket.to_string(),
    };
    format!("{listen} to {connect}")
}

/// How a forward is told apart from others.
pub(crate) fn forward_key(
    netns: &NetnsRef,
    forward: &netnsctl_model::desired::Forward,
) -> ForwardKey {
    ForwardKey {
        listen_netns: netns.to_string(),
        protocol: forward.protocol,
        listen: forward.listen.to_string(),
        netns: forward.netns.to_string(),
        connect: forward.connect.clone(),
    }
}
