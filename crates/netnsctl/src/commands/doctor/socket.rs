//! Who listens at a unix socket.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use netnsctl_nscd::identity::{self, Identity};
use netnsctl_sys::errno::Errno as Number;
use netnsctl_sys::peer::peer;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt,
};
use serde::{Deserialize, Serialize};

/// The system bus of D-Bus.
pub(super) const BUS: &str = "/run/dbus/system_bus_socket";

/// How long a daemon may take to let one in, and to say who it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// 0 if it is in a process namespace that is not visible from here.
    pub(super) pid: u32,
    /// `comm` of proc(5); empty if it cannot be told.
    pub(super) command: String,
    /// The inode of its network namespace.
    pub(super) network: Option<u64>,
}

/// What connecting to a socket comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Door {
    /// There is no such file.
    Absent,
    /// There is one and nobody listens at it.
    Closed,
    /// Somebody listens.
    Open(Process),
    /// The kernel's words.
    Failed(String),
}

/// Who answers nscd's protocol at a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Nscd {
    /// This daemon, with the network and the files it has.
    Netnsctl {
        network: (u64, u64),
        cookie: u64,
        resolv_conf: (u64, u64),
        nsswitch_conf: (u64, u64),
    },
    /// Nobody.
    Nobody,
    /// Connecting failed, in the kernel's words.
    Failed(String),
    /// Somebody who does not know our question.
    Other(Process),
    /// Somebody who said nothing in time.
    Silent(Process),
}

/// Finds out whether somebody listens at `path`, in [`PATIENCE`] at most.
pub(super) fn knock(path: &str) -> Door {
    match open(path) {
        Ok(stream) => Door::Open(listener(&stream)),
        // All that it lets wait do wait.
        Err(Errno::AGAIN) => Door::Open(Process::default()),
        Err(Errno::NOENT | Errno::NOTDIR) => Door::Absent,
        Err(Errno::CONNREFUSED) => Door::Closed,
        Err(errno) => Door::Failed(Number(errno.raw_os_error()).to_string()),
    }
}

/// Asks who answers at `path`.
pub(super) fn ask_nscd(path: &str) -> Nscd {
    let stream = match open(path) {
        Ok(stream) => stream,
        Err(Errno::AGAIN) => return Nscd::Silent(Process::default()),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::CONNREFUSED) => return Nscd::Nobody,
        Err(errno) => return Nscd::Failed(Number(errno.raw_os_error()).to_string()),
    };
    let process = listener(&stream);
    match identity::ask(stream, PATIENCE) {
        Ok(Some(identity)) => Nscd::from(identity),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Nscd::Silent(process),
        Ok(None) | Err(_) => Nscd::Other(process),
    }
}

impl From<Identity> for Nscd {
    fn from(identity: Identity) -> Self {
        let file = |file: identity::File| (file.device, file.inode);
        Self::Netnsctl {
            network: file(identity.network),
            cookie: identity.cookie,
            resolv_conf: file(identity.resolv_conf),
            nsswitch_conf: file(identity.nsswitch_conf),
        }
    }
}

/// A connection to `path`; EAGAIN if the queue of those who wait there stays full.
fn open(path: &str) -> Result<UnixStream, Errno> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // It bounds the time to connect too (socket(7)).
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(PATIENCE))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

/// Who called listen(2) (SO_PEERCRED, unix(7)): a service manager, if it passed the socket on.
fn listener(stream: &UnixStream) -> Process {
    let pid = peer(stream.as_fd()).ok().and_then(|peer| peer.pid);
    let Some(pid) = pid else {
        return Process::default();
    };
    let network = rustix::fs::stat(format!("/proc/{pid}/ns/net"));
    Process {
        pid,
        command: netnsctl_base::processes::command(pid),
        network: network.ok().map(|stat| stat.st_ino),
    }
}
