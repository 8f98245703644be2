//! Both sides of sd_notify(3): what children tell us, and what we tell the service manager.

use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt::set_socket_passcred,
};
use sd_notify::NotifyState;

/// Bytes of a message that are looked at; READY=1 is short, and others do not matter.
const MESSAGE: usize = 512;

/// The service manager, if there is one that wants to know.
#[derive(Debug)]
pub(super) struct Manager {
    socket: Option<UnixDatagram>,
}

impl Manager {
    /// The one that `NOTIFY_SOCKET` tells of. Connected at once, as a sandbox hides /run and ends
    /// the reach of abstract sockets.
    pub(super) fn of_environment() -> Self {
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET").and_then(|path| connect(&path).ok()),
        }
    }

    /// Tells it. A manager that does not listen is no trouble of ours.
    pub(super) fn tell(&self, states: &[NotifyState<'_>]) {
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        if let Some(socket) = &self.socket {
            let _ = socket.send(lines.as_bytes());
        }
    }
}

fn connect(path: &OsStr) -> io::Result<UnixDatagram> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// Where children tell that they are ready. It is a socket with a path, as abstract ones end at
/// the border of a network namespace (unix(7)).
#[derive(Debug)]
pub(super) struct NotifySocket {
    socket: UnixDatagram,
}

impl NotifySocket {
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        // The kernel vouches for the sender's process id.
        set_socket_passcred(&socket, true)?;
        Ok(Self { socket })
    }

    /// The process ids of those that became ready since the last call.
    pub(super) fn ready(&self) -> Vec<u32> {
        let mut ready = Vec::new();
        loop {
            let mut message = [0; MESSAGE];
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmCredentials(1))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [io::IoSliceMut::new(&mut message)];
            let flags = RecvFlags::DONTWAIT;
            let Ok(received) = recvmsg(&self.socket, &mut slices, &mut control, flags) else {
                return ready;
            };
            let sender = control.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid),
                _ => None,
            });
            let text = &message[..received.bytes.min(MESSAGE)];
            let is_ready = text
                .split(|byte| *byte == b'\n')
                .any(|line| line == b"READY=1");
            let pid = sender.map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
            ready.extend(pid.filter(|_| is_ready));
        }
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
