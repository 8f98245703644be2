//! Shutting a thread off from everything but the data path.
//!
//! [`confine`](netnsctl_daemon::confine) gives up rights; what is left to a process without any is still
//! the whole interface of the kernel and every file that others may read. Two layers take that
//! away, each good without the other:
//!
//! | layer | takes away |
//! |---|---|
//! | Landlock (landlock(7)) | all of the file system, TCP listeners; signals and abstract sockets beyond the forwarder (Linux 6.12); sockets with a path (7.1), unless the target is one |
//! | the system call filter (seccomp(2), `filter`) | every call that carries no bytes, and sockets of families that the target has not |
//!
//! Connecting over TCP and UDP is not restricted by address: the target is in the options, and
//! which addresses a name like `fe80::1%host` means changes. The namespace does that.

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};
use netnsctl_sys::errno::words;
use rustix::net::AddressFamily;

use crate::filter;
use crate::options::ConnectTarget;

/// The newest Landlock whose rights are known here. An older kernel enforces what it has, and a
/// newer one lets what it could restrict beyond these go on as before.
const ABI_KNOWN: ABI = ABI::V9;

/// A layer that the seal of a thread lacks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MissingLayer {
    /// The file system and other processes are guarded by the filter alone.
    #[error("no Landlock: {reason}")]
    Landlock {
        /// Why.
        reason: String,
    },
    /// All system calls can be made.
    #[error("no system call filter: {reason}")]
    Filter {
        /// Why; the kernel's answer, or that the filter is not written for this architecture.
        reason: String,
    },
}

/// Shuts the calling thread off, for good, from everything that [`run`](crate::run) does not need
/// to forward to `connect` once it is ready: files, programs, threads, other processes, listeners.
///
/// It is a property of the calling thread alone, so each thread that forwards calls it, once,
/// after it has opened and started everything. What is open stays usable. Sets no_new_privs.
/// Needs no capability.
///
/// Returns the layers that could not be had, since a forwarder without one is better than none: an
/// old kernel, one built or booted without, or a service manager that forbids the calls. On a
/// thread that is sealed already both are missing and nothing changes.
pub fn seal(connect: &ConnectTarget) -> Vec<MissingLayer> {
    let family = family(connect);
    let mut missing = Vec::new();
    // In this order, as the filter lets no more Landlock pass.
    if let Err(reason) = shut_files(family) {
        missing.push(MissingLayer::Landlock { reason });
    }
    if let Err(error) = filter::install(family) {
        let reason = words(&error);
        missing.push(MissingLayer::Filter { reason });
    }
    missing
}

/// The family of the sockets that reach `connect`.
fn family(connect: &ConnectTarget) -> AddressFamily {
    match connect {
        ConnectTarget::Address(address) if address.is_ipv4() => AddressFamily::INET,
        ConnectTarget::Address(_) | ConnectTarget::LinkLocal { .. } => AddressFamily::INET6,
        ConnectTarget::Unix(_) => AddressFamily::UNIX,
    }
}

/// Restricts the calling thread by Landlock as far as the kernel can, with new connections over
/// `family`. Gives the reason if it cannot at all.
fn shut_files(family: AddressFamily) -> Result<(), String> {
    let restrict = || -> Result<RulesetStatus, RulesetError> {
        let mut files = AccessFs::from_all(ABI_KNOWN);
        if family == AddressFamily::UNIX {
            // A right to one path would end when the target makes its socket anew.
            files.remove(AccessFs::ResolveUnix);
        }
        let ruleset = Ruleset::default()
            .handle_access(files)?
            .handle_access(AccessNet::BindTcp)?
            .scope(Scope::from_all(ABI_KNOWN))?;
        Ok(ruleset.create()?.restrict_self()?.ruleset)
    };
    match restrict() {
        Ok(RulesetStatus::NotEnforced) => Err("the kernel has none or does not allow it".into()),
        Ok(_) => Ok(()),
        Err(error) => Err(words(&error)),
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]
mod tests {
    use std::fs::File;
    use std::io::{Error, ErrorKind};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    use landlock::{CompatLevel, Compatible};
    use rustix::io::Errno;
    use rustix::process::{getppid, test_kill_process};

    use super::*;

    /// Runs `work` on a thread that Landlock alone restricts, with the rights of Linux 6.12.
    /// None, and a line that says so, where the kernel has not got them; CI must have them.
    #[expect(clippy::print_stderr, reason = "a test that did not run says so")]
    fn shut<T: Send>(family: AddressFamily, work: impl FnOnce() -> T + Send) -> Option<T> {
        let required = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .scope(Scope::from_all(ABI::V6));
        if let Err(error) = required {
            let ci = std::env::var_os("CI").is_some();
            assert!(!ci, "CI is set, and Landlock is too old: {error}");
            eprintln!("SKIPPED: Landlock is too old: {error}");
            return None;
        }
        std::thread::scope(|scope| {
            let shut = scope.spawn(|| {
                shut_files(family).unwrap();
                work()
            });
            Some(shut.join().unwrap())
        })
    }

    fn kind<T>(result: Result<T, Error>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }

    #[test]
    fn landlock_alone_keeps_from_files_and_listeners() {
        let denied = Some(ErrorKind::PermissionDenied);
        let answers = shut(AddressFamily::INET, || {
            [
                kind(File::open("/proc/self/status")),
                kind(std::fs::read_dir("/")),
                kind(std::fs::write(std::env::temp_dir().join("x"), "")),
                kind(UnixListener::bind(std::env::temp_dir().join("x"))),
                kind(TcpListener::bind("127.0.0.1:0")),
            ]
        });
        assert!(answers.is_none_or(|answers| answers == [denied; 5]));
    }

    #[test]
    fn landlock_alone_lets_connect() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let answers = shut(AddressFamily::INET, || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            [
                kind(TcpStream::connect(tcp.local_addr().unwrap())),
                kind(socket.connect(udp.local_addr().unwrap())),
                kind(socket.send(b"x")),
            ]
        });
        assert!(answers.is_none_or(|answers| answers == [None; 3]));
    }

    #[test]
    fn a_target_with_a_path_can_be_reached() {
        let name = format!("forward-seal-{}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let answer = shut(AddressFamily::UNIX, || kind(UnixStream::connect(&path)));
        drop(listener);
        std::fs::remove_file(&path).unwrap();
        assert!(answer.is_none_or(|answer| answer.is_none()));
    }

    #[test]
    fn landlock_alone_keeps_from_other_processes() {
        let name = format!("forward-seal-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        // A listener of this very process, but of a thread outside.
        let answers = shut(AddressFamily::INET, || {
            let signal = getppid().map(|parent| test_kill_process(parent).err());
            (signal, kind(UnixStream::connect_addr(&address)))
        });
        let denied = (Some(Some(Errno::PERM)), Some(ErrorKind::PermissionDenied));
        assert!(answers.is_none_or(|answers| answers == denied));
    }

    #[test]
    fn a_thread_that_is_sealed_says_what_a_second_seal_lacks() {
        let target: ConnectTarget = "127.0.0.1:80".parse().unwrap();
        let lacking = std::thread::spawn(move || {
            let lacking = (seal(&target), seal(&target));
            let lines = |missing: Vec<MissingLayer>| {
                missing
                    .iter()
                    .map(MissingLayer::to_string)
                    .collect::<Vec<_>>()
            };
            (lines(lacking.0), lines(lacking.1), kind(File::open("/")))
        });
        let (_, second, opened) = lacking.join().unwrap();
        assert_eq!(opened, Some(ErrorKind::PermissionDenied));
        assert_eq!(second.len(), 2, "{second:?}");
        assert!(
            second[0].starts_with("no Landlock: the kernel "),
            "{second:?}"
        );
        let filter = &second[1];
        assert!(filter.starts_with("no system call filter: "), "{filter}");
        assert!(
            filter.contains("Operation not permitted (EPERM)"),
            "{filter}"
        );
    }
}
