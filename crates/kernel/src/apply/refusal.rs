//! What the kernel refuses: which refusals are none, and what to do about the others.

use netnsctl_base::rights;
use netnsctl_model::plan::Step;
use rustix::io::Errno;

use crate::item::CarryOut;

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
    pub(super) fn covers(self, errno: i32) -> bool {
        let is = |candidates: &[Errno]| candidates.iter().any(|e| e.raw_os_error() == errno);
        match self {
            Self::Nothing => false,
            Self::AlreadyThere => is(&[Errno::EXIST]),
            Self::Replaced => is(&[Errno::EXIST, Errno::ADDRNOTAVAIL]),
            // ENXIO: IPv6, and all addresses of it, have left the link.
            Self::AlreadyGone => is(&[Errno::NODEV, Errno::SRCH, Errno::ADDRNOTAVAIL, Errno::NXIO]),
        }
    }
}

/// A next step after a refusal, where one is known.
pub(super) fn hint(step: &Step, errno: i32) -> Option<String> {
    let errno = Errno::from_raw_os_error(errno);
    let of_item = step.item.hint(step.verb, errno);
    of_item.or_else(|| (errno == Errno::PERM).then(rights::hint))
}
