//! Which namespace a daemon answers from.
//!
//! A socket file does not tell: whoever listens there may sit in another network namespace, and
//! look up with other files. So this daemon answers one request that is not of glibc:
//! [`Kind::Identity`], without a key, which anybody may ask. The reply is the version, 1 for found,
//! the number of the kind again, and the numbers of [`Identity`], each of 64 bits; all of it in the
//! machine's byte order. Other daemons hang up on a kind they do not know.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use netnsctl_sys::namespace::netns_cookie;
use rustix::fs::stat;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socket_with};

use crate::reply::FOUND;
use crate::request::{Kind, VERSION};

/// Bytes of a reply: three integers, and nine numbers.
const REPLY: usize = 12 + 9 * 8;

/// A file by which something can be recognised: its device and inode; zeros if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// `st_dev` of stat(2).
    pub device: u64,
    /// `st_ino` of stat(2).
    pub inode: u64,
}

impl File {
    /// That of `path`, where links are followed.
    pub fn of(path: &str) -> Self {
        stat(path).map_or_else(
            |_| Self::default(),
            |stat| Self {
                device: stat.st_dev,
                inode: stat.st_ino,
            },
        )
    }
}

/// Whose network and files a process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The kernel's number for the network namespace (SO_NETNS_COOKIE, Linux 5.14); 0 if unknown.
    pub cookie: u64,
    /// The network namespace.
    pub network: File,
    /// The mount namespace.
    pub mounts: File,
    /// `/etc/resolv.conf` as it shows there.
    pub resolv_conf: File,
    /// `/etc/nsswitch.conf` as it shows there.
    pub nsswitch_conf: File,
}

impl Identity {
    /// That of the calling thread. Needs no capability.
    pub fn current() -> Self {
        // A socket of its own: one that was accepted is of the client's namespace, and one that
        // was passed of that it was born in.
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        );
        let cookie = socket.map(|socket| netns_cookie(std::os::fd::AsFd::as_fd(&socket)));
        Self {
            // Zero, which no namespace has, where it is unknown.
            cookie: cookie.map_or(0, |cookie| cookie.ok().flatten().unwrap_or(0)),
            network: File::of("/proc/thread-self/ns/net"),
            mounts: File::of("/proc/thread-self/ns/mnt"),
            resolv_conf: File::of("/etc/resolv.conf"),
            nsswitch_conf: File::of("/etc/nsswitch.conf"),
        }
    }

    /// As bytes of a reply.
    pub fn reply(&self) -> [u8; REPLY] {
        let files = [
            self.network,
            self.mounts,
            self.resolv_conf,
            self.nsswitch_conf,
        ];
        let numbers = files.iter().flat_map(|file| [file.device, file.inode]);
        let head = [VERSION, FOUND, Kind::Identity as i32];
        let head = head.into_iter().flat_map(i32::to_ne_bytes);
        let body = std::iter::once(self.cookie)
            .chain(numbers)
            .flat_map(u64::to_ne_bytes);
        let mut reply = [0; REPLY];
        for (place, byte) in reply.iter_mut().zip(head.chain(body)) {
            *place = byte;
        }
        reply
    }

    /// Reads a reply; none if it is no whole one, or one to another request.
    pub fn of_reply(bytes: &[u8]) -> Option<Self> {
        let head = [VERSION, FOUND, Kind::Identity as i32].map(i32::to_ne_bytes);
        let numbers = bytes.strip_prefix(head.as_flattened())?;
        let (numbers, []) = numbers.as_chunks::<8>() else {
            return None;
        };
        let &[
            cookie,
            network,
            netino,
            mounts,
            mntino,
            resolv,
            resino,
            nsswitch,
            nssino,
        ] = numbers
        else {
            return None;
        };
        let file = |device, inode| File {
            device: u64::from_ne_bytes(device),
            inode: u64::from_ne_bytes(inode),
        };
        Some(Self {
            cookie: u64::from_ne_bytes(cookie),
            network: file(network, netino),
            mounts: file(mounts, mntino),
            resolv_conf: file(resolv, resino),
            nsswitch_conf: file(nsswitch, nssino),
        })
    }
}

/// Asks the daemon behind `stream` who it is, for `patience` at most. None if it answered something
/// else or hung up, as a daemon does that is not this one.
///
/// Errors: [`io::ErrorKind::TimedOut`] if it did not answer in time, or what else the kernel said.
pub fn ask(mut stream: UnixStream, patience: Duration) -> io::Result<Option<Identity>> {
    let deadline = Instant::now() + patience;
    let request = [VERSION, Kind::Identity as i32, 0].map(i32::to_ne_bytes);
    // Twelve bytes: the socket is new and has room for them.
    match send(&stream, request.as_flattened(), SendFlags::NOSIGNAL) {
        Ok(12) => {}
        Ok(_) | Err(rustix::io::Errno::PIPE) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    }
    let mut reply = Vec::new();
    let mut buffer = [0; REPLY + 1];
    while reply.len() <= REPLY {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => reply.extend(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Identity::of_reply(&reply))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn an_identity_is_read_as_it_is_written_and_nothing_else_is_one() {
        let file = |device, inode| File { device, inode };
        let identity = Identity {
            cookie: 1,
            network: file(2, 3),
            mounts: file(4, 5),
            resolv_conf: file(6, 7),
            nsswitch_conf: file(8, u64::MAX),
        };
        let reply = identity.reply();
        assert_eq!(Identity::of_reply(&reply), Some(identity));
        for end in 0..reply.len() {
            assert_eq!(Identity::of_reply(&reply[..end]), None, "{end}");
        }
        assert_eq!(Identity::of_reply(&[&reply[..], &[0]].concat()), None);
        for place in 0..12 {
            let mut other = reply;
            other[place] ^= 1;
            assert_eq!(Identity::of_reply(&other), None, "{place}");
        }
    }

    #[test]
    fn one_has_the_identity_of_the_place_one_is_in() {
        let identity = Identity::current();
        assert_eq!(identity, Identity::current());
        assert_eq!(identity.network, File::of("/proc/self/ns/net"));
        assert_ne!(identity.network, identity.mounts);
    }

    #[test]
    fn who_answers_otherwise_hangs_up_or_is_silent_is_told_apart() {
        let answered = |answer: Option<&[u8]>| {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            if let Some(answer) = answer {
                theirs.write_all(answer).unwrap();
                theirs.shutdown(std::net::Shutdown::Write).unwrap();
            }
            let patience = Duration::from_millis(50);
            ask(ours, patience).map_err(|error| error.kind())
        };
        let reply = Identity::current().reply();
        assert_eq!(answered(Some(&reply)), Ok(Some(Identity::current())));
        assert_eq!(answered(Some(b"")), Ok(None));
        assert_eq!(answered(Some(&reply[..20])), Ok(None));
        assert_eq!(answered(Some(&[0; 4096])), Ok(None));
        assert_eq!(answered(None), Err(io::ErrorKind::TimedOut));
    }
}
