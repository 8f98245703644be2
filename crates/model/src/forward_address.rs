//! Where a forward listens or connects: an endpoint, or the path of a unix socket.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::address::{Endpoint, EndpointError};
use crate::name::is_control;

/// What stands before the path of a unix socket.
const UNIX: &str = "unix:";

/// Bytes the path of a unix socket may have: sun_path has 108 with the closing NUL (unix(7)).
pub const SOCKET_PATH_MAX: usize = 107;

/// The absolute path of a unix socket, as written: no `.`, `..` or empty part, so that one socket
/// has one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketPath(String);

/// Why a path was refused. The text is meant to stand behind the quoted address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketPathError {
    /// It does not start with `/`; who is asked runs in a folder of their own.
    #[error("is not an absolute path")]
    Relative,
    /// `@name`, which has no file.
    #[error("is an abstract socket, which has no path")]
    Abstract,
    /// More bytes than a socket's address holds.
    #[error("has a path of {0} bytes, more than the {SOCKET_PATH_MAX} a unix socket can have")]
    TooLong(usize),
    /// `//`, `/./`, `/../` or a `/` at the end.
    #[error("has an empty, \".\" or \"..\" part in its path")]
    Parts,
    /// A control character, NUL among them.
    #[error("contains {0:?}, which is not allowed in it")]
    Character(char),
}

impl SocketPath {
    /// Checks `text`.
    pub fn parse(text: &str) -> Result<Self, SocketPathError> {
        if text.starts_with('@') {
            return Err(SocketPathError::Abstract);
        }
        let inner = text.strip_prefix('/').ok_or(SocketPathError::Relative)?;
        if let Some(bad) = text.chars().find(|c| is_control(*c)) {
            return Err(SocketPathError::Character(bad));
        }
        if text.len() > SOCKET_PATH_MAX {
            return Err(SocketPathError::TooLong(text.len()));
        }
        if inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(SocketPathError::Parts);
        }
        Ok(Self(text.to_owned()))
    }

    /// The path.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

/// Where a forward listens or connects; `127.0.0.1:80` or `unix:/run/app.sock`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardAddress {
    /// An address and a port, in a network namespace.
    Inet(Endpoint),
    /// A unix stream socket. Its path is the same in every network namespace.
    Unix(SocketPath),
}

/// Why an address of a forward was refused. The text is meant to stand behind it, quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForwardAddressError {
    /// No endpoint.
    #[error(transparent)]
    Endpoint(EndpointError),
    /// No path of a socket.
    #[error(transparent)]
    Path(SocketPathError),
}

impl ForwardAddress {
    /// Reads `ADDRESS:PORT` or `unix:PATH`.
    pub fn parse(text: &str) -> Result<Self, ForwardAddressError> {
        match text.strip_prefix(UNIX) {
            Some(path) => SocketPath::parse(path)
                .map(Self::Unix)
                .map_err(ForwardAddressError::Path),
            None => Endpoint::parse(text)
                .map(Self::Inet)
                .map_err(ForwardAddressError::Endpoint),
        }
    }

    /// The endpoint, if it is one.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Inet(endpoint) => Some(endpoint),
            Self::Unix(_) => None,
        }
    }

    /// Whether it is a unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl FromStr for ForwardAddress {
    type Err = ForwardAddressError;

    fn from_str(text: &str) -> Result<Self, ForwardAddressError> {
        Self::parse(text)
    }
}

impl fmt::Display for ForwardAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(endpoint) => endpoint.fmt(f),
            Self::Unix(SocketPath(path)) => write!(f, "{UNIX}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_were_read() {
        let longest = format!("unix:/{}", "a".repeat(SOCKET_PATH_MAX - 1));
        for text in [
            "127.0.0.1:80",
            "[::]:53",
            "unix:/run/my app/a.sock",
            &longest,
        ] {
            assert_eq!(ForwardAddress::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn paths_that_no_socket_can_have_say_why() {
        let long = format!("/{}", "a".repeat(SOCKET_PATH_MAX));
        let cases = [
            ("run/app.sock", SocketPathError::Relative),
            ("", SocketPathError::Relative),
            ("@app", SocketPathError::Abstract),
            ("/run//app", SocketPathError::Parts),
            ("/run/../app", SocketPathError::Parts),
            ("/run/", SocketPathError::Parts),
            ("/", SocketPathError::Parts),
            ("/run/\0", SocketPathError::Character('\0')),
            ("/run/\u{1b}[2J", SocketPathError::Character('\u{1b}')),
            (long.as_str(), SocketPathError::TooLong(108)),
        ];
        for (text, error) in cases {
            assert_eq!(SocketPath::parse(text), Err(error), "{text}");
        }
    }
}
