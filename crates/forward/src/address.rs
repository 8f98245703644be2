//! Where a socket is: an internet address or the name of a unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};

/// Length of a unix address without a name: that of sun_family.
const NO_NAME: u32 = 2;

/// Length of a unix address whose path leaves no room for its NUL: one more than a sockaddr_un.
const LONGEST: u32 = 111;

/// Where a socket is bound. Prints as `192.0.2.1:80`, `[2001:db8::1]:80`, `unix:/run/app.sock`,
/// `unix:@name` for an abstract name and `unix:` for none at all (and for a path of 108 bytes, which cannot be told), see unix(7).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Address {
    /// IPv4 or IPv6.
    Inet(SocketAddr),
    /// A path, an abstract name, or nothing: most clients of a unix socket have no name.
    Unix(SocketAddrUnix),
}

impl Address {
    /// The name of a unix socket that stands at `path`; `EINVAL` for a path with a NUL,
    /// `ENAMETOOLONG` for one of more than 108 bytes.
    pub fn unix(path: &Path) -> Result<Self, Errno> {
        SocketAddrUnix::new(path).map(Self::Unix)
    }

    /// The internet address, if it is one.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// Reads what the kernel told; `EAFNOSUPPORT` for other families.
    pub(crate) fn read(address: SocketAddrAny) -> Result<Self, Errno> {
        if address.address_family() != AddressFamily::UNIX {
            return SocketAddr::try_from(address).map(Self::Inet);
        }
        // A path may fill sun_path to its last byte, and is told with its NUL behind the end then
        // (unix(7), BUGS). Rustix panics at that one and takes no name for an empty abstract one.
        match address.addr_len() {
            NO_NAME | LONGEST.. => Ok(Self::Unix(SocketAddrUnix::new_unnamed())),
            _ => SocketAddrUnix::try_from(address).map(Self::Unix),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(name) => match (path(name), name.abstract_name()) {
                (Some(path), _) => {
                    write!(
                        f,
                        "unix:{}",
                        Path::new(std::ffi::OsStr::from_bytes(path)).display()
                    )
                }
                (None, Some(name)) => write!(f, "unix:@{}", String::from_utf8_lossy(name)),
                (None, None) => f.write_str("unix:"),
            },
        }
    }
}

/// The path of a unix socket, if it has one. Rustix leaves the NUL behind one of 107 bytes.
pub(crate) fn path(name: &SocketAddrUnix) -> Option<&[u8]> {
    let path = name.path_bytes()?;
    Some(path.strip_suffix(b"\0").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_unix_sockets_are_told_apart() {
        let path = Address::unix(Path::new("/run/app.sock")).unwrap();
        assert_eq!(path.to_string(), "unix:/run/app.sock");
        let name = Address::Unix(SocketAddrUnix::new_abstract_name(b"app").unwrap());
        assert_eq!(name.to_string(), "unix:@app");
        assert_eq!(
            Address::Unix(SocketAddrUnix::new_unnamed()).to_string(),
            "unix:"
        );
        let long = format!("/{}", "a".repeat(107));
        assert!(Address::unix(Path::new(&long)).is_ok());
        let longer = format!("{long}a");
        assert_eq!(Address::unix(Path::new(&longer)), Err(Errno::NAMETOOLONG));
    }

    #[test]
    fn names_of_every_length_are_read_from_the_kernel() {
        let folder = tempfile::tempdir().unwrap();
        let name = |length: usize| {
            let folder = folder.path().to_str().unwrap();
            format!("{folder}/{}", "a".repeat(length - folder.len() - 1))
        };
        for (length, told) in [(60, true), (107, true), (108, false)] {
            let path = name(length);
            let flags = rustix::net::SocketFlags::CLOEXEC;
            let kind = rustix::net::SocketType::STREAM;
            let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None).unwrap();
            let read = || Address::read(rustix::net::getsockname(&socket).unwrap()).unwrap();
            assert_eq!(read().to_string(), "unix:");
            rustix::net::bind(&socket, &SocketAddrUnix::new(path.as_str()).unwrap()).unwrap();
            let expected = if told { path } else { String::new() };
            assert_eq!(read().to_string(), format!("unix:{expected}"));
        }
    }
}
