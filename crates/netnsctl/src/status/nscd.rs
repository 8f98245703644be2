//! Whether the name-service daemon of a namespace answers.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use netnsctl_model::desired::Netns;
use netnsctl_model::name::NetnsName;
use netnsctl_view::nscd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::wire::Nscd;

/// How long the daemon may take to tell that it is there; nothing is looked up for that.
const PATIENCE: Duration = Duration::from_millis(500);

/// A request for the daemon's own counts: the protocol's version, GETSTAT, no key (nscd-client.h of
/// glibc). It is answered to root alone, and others are hung up on, which is an answer too.
const REQUEST: [i32; 3] = [2, 9, 0];

pub(super) fn state(name: &NetnsName, declared: Option<&Netns>) -> Nscd {
    let answer = answers(name);
    Nscd {
        enabled: declared.is_some_and(|netns| netns.nscd.enable),
        socket: nscd::socket(name).display().to_string(),
        running: answer.as_ref().ok().copied(),
        error: answer.err(),
    }
}

/// Whether the daemon answers; not if nothing listens at its socket. That its socket listens says nothing: that
/// outlives the daemon.
///
/// Errors: why it is not known, in words.
fn answers(name: &NetnsName) -> Result<bool, String> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connected = || -> Result<UnixStream, Errno> {
        let address = SocketAddrUnix::new(nscd::socket(name))?;
        let client = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // Without waiting for a place in the queue of one that takes nobody.
        connect(&client, &address)?;
        Ok(client.into())
    };
    let asked = || -> std::io::Result<bool> {
        // Most namespaces have no daemon, and a look takes less than a socket.
        std::fs::symlink_metadata(nscd::socket(name))?;
        let mut client = connected()?;
        client.set_nonblocking(false)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(&REQUEST.map(i32::to_ne_bytes).concat())?;
        match client.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(true),
            answer => answer.map(|_| true),
        }
    };
    asked().or_else(|error| match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(false),
        // The listening socket has a full queue, or the daemon does not answer.
        ErrorKind::WouldBlock => Err(format!("no answer within {} ms", PATIENCE.as_millis())),
        _ => Err(netnsctl_sys::errno::words(&error)),
    })
}
