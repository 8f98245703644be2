//! What can go wrong with the kernel, each step with its object.

mod hint;
mod object;

use std::io;
use std::sync::Arc;

use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan;
use netnsctl_sys::errno::Errno;

pub use self::hint::task_limit_hint;
pub use self::object::{NamespaceKind, Object, Step};
use crate::rights;

/// The oldest kernel that has all that netnsctl does without a substitute (close_range(2) with
/// CLOSE_RANGE_CLOEXEC, overlayfs in user namespaces).
pub const OLDEST_LINUX: (u32, u32) = (5, 11);

/// A process in the host namespace that the records speak of, which is not that of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProcess {
    /// Its id: 1 if that one is there.
    pub pid: u32,
    /// Its name.
    pub command: String,
}

/// A step that failed. `Display` says the step, the object and the kernel's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call on a path or namespace failed.
    #[error("cannot {step} {object}: {}", Errno::of(.source))]
    System {
        /// What was tried.
        step: Step,
        /// On what.
        object: Object,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// An exchange over netlink failed.
    #[error("cannot {step} {object}: {source}")]
    Netlink {
        /// What was tried.
        step: Step,
        /// In which namespace.
        object: Object,
        /// What happened.
        #[source]
        source: netnsctl_netlink::Error,
    },
    /// A step of a plan could not be sent, or the kernel refused it.
    #[error("{}: {source}", .step.attempt())]
    Refused {
        /// The step.
        step: Box<plan::Step>,
        /// What happened.
        #[source]
        source: Arc<netnsctl_netlink::Error>,
        /// A next step, where one is known.
        hint: Option<String>,
    },
    /// A plan asked for something that is never done.
    #[error("cannot carry out \"{0}\": no plan may ask for it")]
    Unplanned(String),
    /// There is no namespace of that name.
    #[error("there is no network namespace \"{0}\"")]
    NoSuchNetns(String),
    /// The namespace of that name was not made by netnsctl.
    #[error("netns \"{0}\" is not the one netnsctl made; it is left alone")]
    Foreign(NetnsName),
    /// Something stands in `/run/netns` that is no namespace.
    #[error("/run/netns/{0} is a file, but no network namespace is mounted on it")]
    Stale(String),
    /// The command runs inside a namespace and would make the home of others of it.
    #[error("this command was started inside netns \"{0}\", from where home cannot be managed")]
    Inside(String),
    /// The command runs in the view of a namespace, where other files show than on the host.
    #[error(
        "this command was started in the view of a netns, from where the host namespace cannot be managed"
    )]
    InView,
    /// The command runs in a view that it has to leave first.
    #[error(
        "cannot leave the view this command was started in: no process is in the mounts outside of it"
    )]
    NoWayOut,
    /// The command runs in another namespace than those it would manage belong to.
    #[error(
        "the namespaces of /run/netnsctl belong to another host namespace, that of process {} ({})",
        .0.pid, .0.command
    )]
    OtherHost(HostProcess),
    /// As that, and no process of that host namespace can be seen.
    #[error(
        "the namespaces of /run/netnsctl belong to another host namespace, of which no process can be \
         seen from here"
    )]
    UnknownHost,
    /// The note of the host namespace is not what netnsctl writes.
    #[error("cannot understand /run/netnsctl/host-netns, which says where the host namespace is")]
    DamagedHostNote,
    /// Another process keeps a lock.
    #[error("cannot lock {path}: {holder} holds the lock")]
    Locked {
        /// The folder.
        path: &'static str,
        /// The process, in words.
        holder: String,
        /// Whether root runs it, as far as can be seen.
        is_root: bool,
    },
    /// A process is not in a sandbox that the caller may enter.
    #[error("cannot enter the sandbox of process {pid}: {reason}")]
    NoSandbox {
        /// Its process id.
        pid: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The mounts of a namespace would lead out of a chroot(2).
    #[error("cannot enter netns \"{0}\" from a chroot: its files show only outside of the chroot")]
    Chroot(String),
}

impl Error {
    /// A next step, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::System { source, object, .. } => hint::after(source, object),
            Self::Netlink { source, .. } => source.is(rustix::io::Errno::PERM).then(rights::hint),
            Self::Refused { hint, .. } => hint.clone(),
            Self::NoSuchNetns(_) => Some("\"netnsctl list\" shows those there are".to_owned()),
            Self::Stale(name) => Some(format!(
                "\"netnsctl up {name}\" repairs it if {name} is declared"
            )),
            Self::Inside(_) | Self::InView => {
                Some("leave it first: \"netnsctl run default -- netnsctl …\"".to_owned())
            }
            Self::NoWayOut => Some("start the command outside of that view".to_owned()),
            Self::OtherHost(HostProcess { pid, .. }) => Some(format!(
                "run the command there: \"nsenter --net=/proc/{pid}/ns/net netnsctl …\""
            )),
            Self::UnknownHost => Some(
                "run the command on the machine itself, as root with CAP_SYS_PTRACE; if that host \
                 namespace has ended, remove /run/netnsctl/host-netns"
                    .to_owned(),
            ),
            Self::DamagedHostNote => Some(
                "in the host namespace, remove that file; the next \"netnsctl up\" writes it again"
                    .to_owned(),
            ),
            Self::Locked { .. } => Some("wait until that process has ended, or end it".to_owned()),
            Self::NoSandbox { .. } => Some(
                "only a sandbox of your own can be entered: one that \"netnsctl serve --sandbox\" \
                 made for you"
                    .to_owned(),
            ),
            Self::Chroot(_) => Some(
                "run this outside of the chroot, or start the chroot as a container, such as with \
                 \"systemd-nspawn --directory\""
                    .to_owned(),
            ),
            Self::Unplanned(_) | Self::Foreign(_) => None,
        }
    }
}

/// A failure, and the namespace in whose cause the step was tried. One failure may be that of several
/// namespaces.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The namespace.
    pub of: NetnsRef,
    /// What failed.
    pub error: Arc<Error>,
}

impl Failure {
    /// That `error` came of work for `of`.
    pub fn new(of: NetnsRef, error: impl Into<Arc<Error>>) -> Self {
        let error = error.into();
        Self { of, error }
    }
}

/// Puts a step and an object around a system call's failure.
pub trait Context<T> {
    /// Makes [`Error::System`] of a failure of `step` on `object`.
    ///
    /// Errors: that failure.
    fn context(self, step: &'static str, object: impl Into<Object>) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, step: &'static str, object: impl Into<Object>) -> Result<T, Error> {
        self.map_err(|error| Error::System {
            step: Step(step),
            object: object.into(),
            source: error.into(),
        })
    }
}

/// Puts a step and a namespace around a netlink failure.
pub trait NetlinkContext<T> {
    /// Makes [`Error::Netlink`] of a failure of `step` in the namespace `object`.
    ///
    /// Errors: that failure.
    fn netlink_context(self, step: &'static str, object: Object) -> Result<T, Error>;

    /// As that, in the network namespace called `netns`.
    ///
    /// Errors: that failure.
    fn in_netns(self, step: &'static str, netns: &str) -> Result<T, Error>
    where
        Self: Sized,
    {
        self.netlink_context(step, Object::netns(netns))
    }
}

impl<T> NetlinkContext<T> for Result<T, netnsctl_netlink::Error> {
    fn netlink_context(self, step: &'static str, object: Object) -> Result<T, Error> {
        self.map_err(|source| Error::Netlink {
            step: Step(step),
            object,
            source,
        })
    }
}
