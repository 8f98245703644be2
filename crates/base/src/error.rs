//! What can go wrong with the kernel, each step with its object.

use std::io;

use netnsctl_model::name::NetnsRef;
use netnsctl_sys::errno::Errno;

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
    /// A plan asked for something that is never done.
    #[error("cannot carry out \"{0}\": no plan may ask for it")]
    Unplanned(String),
    /// There is no namespace of that name.
    #[error("there is no network namespace \"{0}\"")]
    NoSuchNetns(String),
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
            Self::System {
                step: "start",
                source,
                ..
            } if is_at_limit(source) => task_limit_hint(source),
            Self::System { source, .. } if is_denied(source) => Some(rights::hint()),
            Self::System {
                step,
                source,
                object,
            } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Some(read_only(step, object))
            }
            Self::System { source, .. } if is_unknown(source) => Some(old()),
            Self::System { source, object, .. } if is_full(source) => Some(full(object)),
            Self::Netlink { source, .. } if source.kernel_errno() == Some(1) => {
                Some(rights::hint())
            }
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
            Self::System { .. } | Self::Netlink { .. } | Self::Unplanned(_) => None,
        }
    }
}

/// A next step if `error`, from the start of a thread or process, means that a limit is reached (EAGAIN of
/// clone(2)): that of a cgroup or of a user.
pub fn task_limit_hint(error: &io::Error) -> Option<String> {
    let hint = "raise the limit on processes and threads: TasksMax= of the systemd unit, pids.max of the \
                cgroup or \"ulimit -u\" of the user";
    is_at_limit(error).then(|| hint.to_owned())
}

fn is_at_limit(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
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
        _ => {
            "a file system is full: \"df /run /etc\" and \"df -i /run /etc\" show which".to_owned()
        }
    }
}

/// EROFS: of a file, or of a sysctl, which goes by its key.
fn read_only(step: &str, object: &str) -> String {
    if step.ends_with("sysctl") {
        return "/proc/sys cannot be written here; is this a container? It must be started so that it \
                can (docs/troubleshooting.md says how)"
            .to_owned();
    }
    let folder = ["/etc/netns", "/etc", "/run"]
        .into_iter()
        .find(|folder| object.starts_with(folder));
    let folder = folder.unwrap_or("the file system");
    format!("what {folder} is on cannot be written; mount something there that can")
}

/// ENOSYS: of an old kernel, or of a container's system call filter (seccomp(2)).
fn old() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "netnsctl needs Linux {}.{}, and this is {}; in a container its seccomp profile may answer so",
        OLDEST_LINUX.0,
        OLDEST_LINUX.1,
        release.trim_end()
    )
}

fn is_unknown(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// A step that failed, and the namespace in whose cause it was tried.
#[derive(Debug)]
pub struct Failure {
    /// The namespace.
    pub of: NetnsRef,
    /// The step, its object, and the kernel's words.
    pub message: String,
    /// A next step, where one is known.
    pub hint: Option<String>,
}

impl Failure {
    /// That `error` came of work for `of`.
    pub fn new(of: NetnsRef, error: &Error) -> Self {
        Self {
            of,
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

/// Puts a step and an object around a system call's failure.
pub trait Context<T> {
    /// Makes [`Error::System`] of a failure of `step` on `object`.
    ///
    /// Errors: that failure.
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
pub trait NetlinkContext<T> {
    /// Makes [`Error::Netlink`] of a failure of `step` in the namespace `netns`.
    ///
    /// Errors: that failure.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(errno: i32, step: &'static str, object: &str) -> String {
        let object = object.to_owned();
        let source = io::Error::from_raw_os_error(errno);
        let error = Error::System {
            step,
            object,
            source,
        };
        error.hint().unwrap_or_default()
    }

    #[test]
    fn what_no_machine_for_tests_shows_has_its_next_step() {
        const ENOSYS: i32 = 38;
        const EROFS: i32 = 30;
        let old = hint(ENOSYS, "create", "a mount namespace");
        assert!(old.contains("needs Linux 5.11, and this is "), "{old}");
        let sysctl = hint(EROFS, "write sysctl", "net.ipv4.ip_forward in netns \"a\"");
        assert!(sysctl.contains("/proc/sys cannot be written"), "{sysctl}");
        let run = hint(EROFS, "create", "/run/netnsctl");
        assert!(run.contains("what /run is on"), "{run}");
    }
}
