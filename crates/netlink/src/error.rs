//! What can go wrong between us and the kernel.

use std::fmt;
use std::io;

use netnsctl_sys::errno::Errno;

/// Why an exchange with the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No netlink socket could be had.
    #[error("cannot open a netlink socket: {}", Errno::of(.0))]
    Open(#[source] io::Error),
    /// The request did not leave.
    #[error("cannot send a netlink request: {}", Errno::of(.0))]
    Send(#[source] io::Error),
    /// The answer did not arrive. ENOBUFS means that the kernel dropped part of it.
    #[error("cannot receive a netlink answer: {}", Errno::of(.0))]
    Receive(#[source] io::Error),
    /// The answer made no sense.
    #[error("cannot understand a netlink answer: {0}")]
    Malformed(String),
    /// The state kept changing while it was listed.
    #[error("the kernel's state kept changing while it was read")]
    Interrupted,
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

impl Error {
    /// Whether the kernel refused with `errno`.
    pub fn is(&self, errno: rustix::io::Errno) -> bool {
        match self {
            Self::Kernel(error) => error.is(errno),
            Self::Open(_)
            | Self::Send(_)
            | Self::Receive(_)
            | Self::Malformed(_)
            | Self::Interrupted => false,
        }
    }
}

/// A refusal by the kernel, with its extended ack where it gave one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    /// The errno, positive.
    pub errno: i32,
    /// NLMSGERR_ATTR_MSG.
    pub message: Option<String>,
    /// NLMSGERR_ATTR_OFFS: bytes from the start of the request to the attribute at fault.
    pub offset: Option<u32>,
}

impl KernelError {
    /// Whether the errno is `errno`.
    pub fn is(&self, errno: rustix::io::Errno) -> bool {
        self.errno == errno.raw_os_error()
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = Errno(self.errno);
        match &self.message {
            Some(message) => write!(f, "{} ({})", message.trim_end_matches('.'), errno.name()),
            None => errno.fmt(f),
        }
    }
}

impl std::error::Error for KernelError {}
