//! A child that does nothing but stay what its parent was.
//!
//! Programs that give rights, such as pkexec(1), take the caller's environment, groups, working
//! directory and umask away, and close descriptors. A child made before has them all, and
//! proc(5) shows them to whoever has the right to look.

use std::io;

/// Makes a child that waits until it is killed, with no descriptor open and every signal blocked,
/// and that is killed when the calling thread ends (PR_SET_PDEATHSIG, prctl(2)). It is to be
/// waited for by this process, or by what this process becomes.
///
/// Errors: EAGAIN or ENOMEM by fork(2).
pub fn fork_witness() -> io::Result<u32> {
    // SAFETY: getpid has no preconditions.
    let parent = unsafe { libc::getpid() };
    // SAFETY: the child calls only async-signal-safe functions (see `stay`), allocates nothing and
    // never returns, so it does not matter what other threads held locked.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: we are the child.
        0 => unsafe { stay(parent) },
        pid => Ok(pid.unsigned_abs()),
    }
}

/// The child's part.
///
/// # Safety
///
/// To be called in a child just forked: it closes every descriptor.
unsafe fn stay(parent: libc::pid_t) -> ! {
    // SAFETY: system calls on plain values and on a set that sigfillset has filled, all of them
    // async-signal-safe; nothing in this child uses a descriptor afterwards.
    unsafe {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
        let dies_with_it = libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0
            // The parent may have died before the line above.
            && libc::getppid() == parent;
        // Linux 5.9. Where it is missing, a pipe of the caller's ends a moment later.
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        if dies_with_it {
            loop {
                libc::pause();
            }
        }
        libc::_exit(0)
    }
}
