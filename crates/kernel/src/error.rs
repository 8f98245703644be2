//! What can go wrong with the kernel, each step with its object.

use std::io;

use netnsctl_sys::errno::Errno;

use crate::rights;

/// A step that failed. `Display` says the step, the object and the kernel's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call on a path or namespace failed.
    #[error("cannot {step} {object}: {}", Errno::of(.source))]
    System {
        /// What was tried, such as `open`.
        step: &'static str,
        /// On what, such as `netns "office"` or a path.
        object: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// An exchange over netlink failed.
    #[error("cannot {step} netns \"{netns}\": {source}")]
    Netlink {
        /// What was tried, such as `list the links of`.
        step: &'static str,
        /// The namespace.
        netns: String,
        /// What happened.
        #[source]
        source: netnsctl_netlink::Error,
    },
    /// There is no namespace of that name.
    #[error("there is no network namespace \"{0}\"")]
    NoSuchNetns(String),
    /// Something stands in `/run/netns` that is no namespace.
    #[error("/run/netns/{0} is a file, but no network namespace is mounted on it")]
    Stale(String),
    /// A record cannot be understood.
    #[error("cannot understand the record {path}: {reason}")]
    Record {
        /// Its path.
        path: String,
        /// Why.
        reason: String,
    },
    /// The command runs inside a namespace and would make the home of others of it.
    #[error("this command was started inside netns \"{0}\", from where home cannot be managed")]
    Inside(String),
}

impl Error {
    /// A next step, where one is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::System { source, .. } if is_denied(source) => Some(rights::hint()),
            Self::System { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Some("is this a container? It must let /proc/sys and /etc be written".to_owned())
            }
            Self::System { source, object, .. } if is_full(source) => Some(full(object)),
            Self::Netlink { source, .. } if source.kernel_errno() == Some(1) => {
                Some(rights::hint())
            }
            Self::NoSuchNetns(_) => Some("\"netnsctl list\" shows those there are".to_owned()),
            Self::Stale(name) => Some(format!(
                "\"netnsctl up {name}\" repairs it if {name} is declared"
            )),
            Self::Record { path, .. } => {
                Some(format!("delete {path} and run \"netnsctl up --adopt\""))
            }
            Self::Inside(_) => {
                Some("leave it first: \"netnsctl run default -- netnsctl …\"".to_owned())
            }
            Self::System { .. } | Self::Netlink { .. } => None,
        }
    }
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::StorageFull
}

/// ENOSPC: of files, or what unshare(2) says beyond the limits of namespaces(7).
fn full(object: &str) -> String {
    match object
        .strip_suffix(" namespace")
        .map(|it| it.rsplit(' ').next())
    {
        Some(Some(kind)) => format!(
            "there are as many as sysctl user.max_{}_namespaces allows, or they are nested too deep",
            match kind {
                "network" => "net",
                "mount" => "mnt",
                kind => kind,
            }
        ),
        _ => "the file system is full: \"df /run /etc\" shows which".to_owned(),
    }
}

/// Puts a step and an object around a system call's failure.
pub(crate) trait Context<T> {
    fn context(self, step: &'static str, object: impl Into<String>) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, step: &'static str, object: impl Into<String>) -> Result<T, Error> {
        self.map_err(|error| Error::System {
            step,
            object: object.into(),
            source: error.into(),
        })
    }
}

/// Puts a step and a namespace around a netlink failure.
pub(crate) trait NetlinkContext<T> {
    fn in_netns(self, step: &'static str, netns: &str) -> Result<T, Error>;
}

impl<T> NetlinkContext<T> for Result<T, netnsctl_netlink::Error> {
    fn in_netns(self, step: &'static str, netns: &str) -> Result<T, Error> {
        self.map_err(|source| Error::Netlink {
            step,
            netns: netns.to_owned(),
            source,
        })
    }
}
