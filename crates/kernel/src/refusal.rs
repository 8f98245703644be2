//! What it means that the kernel refused a request.

use rustix::io::Errno;

/// What a refusal means for a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What the step is for is reached already.
    Reached,
    /// It failed; with a next step where one is known.
    Failure(Option<String>),
}

/// What the kernel may answer to a request because its aim is reached already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerance {
    Nothing,
    AlreadyThere,
    /// As that, and it is first taken away in case it is there.
    Replaced,
    AlreadyGone,
}

impl Tolerance {
    pub(crate) fn covers(self, errno: Errno) -> bool {
        let candidates: &[Errno] = match self {
            Self::Nothing => &[],
            Self::AlreadyThere => &[Errno::EXIST],
            Self::Replaced => &[Errno::EXIST, Errno::ADDRNOTAVAIL],
            // ENXIO: IPv6, and all addresses of it, have left the link.
            Self::AlreadyGone => &[Errno::NODEV, Errno::SRCH, Errno::ADDRNOTAVAIL, Errno::NXIO],
        };
        candidates.contains(&errno)
    }
}
