//! The next step after a system call has failed, by the kernel's answer and the object.

use std::io;
use std::path::Path;

use super::{OLDEST_LINUX, Object};
use crate::rights;

/// A next step after `source` on `object`, where one is known.
pub(super) fn after(source: &io::Error, object: &Object) -> Option<String> {
    match source.kind() {
        io::ErrorKind::PermissionDenied => Some(rights::hint()),
        io::ErrorKind::ReadOnlyFilesystem => Some(read_only(object)),
        io::ErrorKind::StorageFull => Some(full(object)),
        io::ErrorKind::Unsupported => Some(old()),
        io::ErrorKind::WouldBlock if matches!(object, Object::Task(_)) => task_limit_hint(source),
        _ => None,
    }
}

/// A next step if `error`, from the start of a thread or process, means that a limit is reached (EAGAIN of
/// clone(2)): that of a cgroup or of a user.
pub fn task_limit_hint(error: &io::Error) -> Option<String> {
    let hint = "raise the limit on processes and threads: TasksMax= of the systemd unit, pids.max of the \
                cgroup or \"ulimit -u\" of the user";
    (error.kind() == io::ErrorKind::WouldBlock).then(|| hint.to_owned())
}

/// ENOSPC: of files, or what unshare(2) says beyond the limits of namespaces(7).
fn full(object: &Object) -> String {
    match object {
        Object::NewNamespace { kind, .. } => format!(
            "there are as many as sysctl {} allows, or they are nested too deep",
            kind.limit()
        ),
        Object::Path(_)
        | Object::Netns(_)
        | Object::Sysctl(_)
        | Object::Task(_)
        | Object::Other(_) => {
            "a file system is full: \"df /run /etc\" and \"df -i /run /etc\" show which".to_owned()
        }
    }
}

/// EROFS: of a file or of a sysctl.
fn read_only(object: &Object) -> String {
    let folder = match object {
        Object::Sysctl(_) => {
            return "/proc/sys cannot be written here; is this a container? It must be started so that \
                    it can (docs/troubleshooting.md says how)"
                .to_owned();
        }
        Object::Path(path) => ["/etc/netns", "/etc", "/run"]
            .into_iter()
            .find(|folder| Path::new(path).starts_with(folder)),
        Object::Netns(_) | Object::NewNamespace { .. } | Object::Task(_) | Object::Other(_) => None,
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::NamespaceKind;
    use rustix::io::Errno;

    fn hint(errno: Errno, object: Object) -> String {
        after(&errno.into(), &object).unwrap_or_default()
    }

    #[test]
    fn what_no_machine_for_tests_shows_has_its_next_step() {
        let namespace = Object::new_namespace(NamespaceKind::Mount);
        let old = hint(Errno::NOSYS, namespace.clone());
        assert!(old.contains("needs Linux 5.11, and this is "), "{old}");
        let many = hint(Errno::NOSPC, namespace);
        assert!(many.contains("user.max_mnt_namespaces"), "{many}");
        let full = hint(Errno::NOSPC, Object::other("a mount namespace"));
        assert!(full.contains("file system is full"), "{full}");
        let key = "net.ipv4.ip_forward in netns \"a\"";
        let task = hint(Errno::AGAIN, Object::task("a thread that tries mounts"));
        assert!(task.contains("TasksMax="), "{task}");
        assert_eq!(hint(Errno::AGAIN, Object::other("packets")), "");
        let sysctl = hint(Errno::ROFS, Object::Sysctl(key.to_owned()));
        assert!(sysctl.contains("/proc/sys cannot be written"), "{sysctl}");
        let run = hint(Errno::ROFS, "/run/netnsctl".into());
        assert!(run.contains("what /run is on"), "{run}");
        let other = hint(Errno::ROFS, "/running".into());
        assert!(other.contains("what the file system is on"), "{other}");
    }
}
