//! For tests only: runs a program and decides about each of its system calls, before the kernel
//! carries it out, whether it fails.
//!
//! The program gets a filter that asks this process about every call (seccomp_unotify(2)), and so
//! do its threads and children. That needs CAP_SYS_ADMIN in the user namespace of this process and
//! Linux 5.9. The product does not depend on this crate.

mod call;
mod filter;
mod listener;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread::JoinHandle;

pub use self::call::{Call, process};
use self::listener::{Listener, receive_descriptor, send_descriptor};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The kernel carries it out.
    Continue,
    /// It is not carried out and fails with this error number.
    Fail(i32),
}

/// Calls that are not reported. None of them is of use as a place to fail or to be killed at:
/// they cannot fail, end the caller, or only wait for another thread.
const UNASKED: &[libc::c_long] = &[
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_munmap,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
];

/// Starts `command`, and asks `decide` about its calls from its execve(2) on, those of its threads
/// and of its children, on the thread that is returned. That thread ends after the last of them.
///
/// Errors: those of starting a program; EINVAL or EPERM where the kernel does not let this process
/// ask (Linux before 5.9, no CAP_SYS_ADMIN).
pub fn spawn(
    command: &mut Command,
    mut decide: impl FnMut(&Call) -> Verdict + Send + 'static,
) -> io::Result<(Child, JoinHandle<()>)> {
    let (ours, theirs) = UnixStream::pair()?;
    let filter = filter::program(UNASKED);
    let channel = theirs.as_raw_fd();
    let install = move || {
        let listener = filter::install(&filter, channel)?;
        send_descriptor(channel, listener)
    };
    // SAFETY: between fork(2) and execve(2) `install` makes system calls only; the filter was made
    // before, and memory is not allocated (an error is made of its number).
    unsafe { command.pre_exec(install) };
    let watcher = std::thread::Builder::new()
        .name("watcher".to_owned())
        .spawn(move || {
            // Nothing comes if the filter could not be installed; `spawn` says why.
            let Ok(Some(descriptor)) = receive_descriptor(&ours) else {
                return;
            };
            drop(ours);
            watch(descriptor, &mut decide);
        })?;
    let child = command.spawn();
    // The watcher reads to the end if the child sent nothing.
    drop(theirs);
    let child = match child {
        Ok(child) => child,
        Err(error) => {
            let _ = watcher.join();
            return Err(error);
        }
    };
    Ok((child, watcher))
}

/// Answers until no process with the filter is left.
fn watch(descriptor: OwnedFd, decide: &mut impl FnMut(&Call) -> Verdict) {
    let Ok(listener) = Listener::new(descriptor) else {
        return;
    };
    while let Some(call) = listener.next() {
        let verdict = decide(&call);
        listener.answer(&call, verdict);
    }
}
