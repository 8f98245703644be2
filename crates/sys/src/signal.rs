//! Signals as readable events: sigprocmask(2) and signalfd(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

pub use libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};

/// The signals by which a terminal stops a process.
pub const STOPPING: [libc::c_int; 3] = [SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

/// The signals that were blocked before [`block`].
#[must_use = "they stay blocked, also in what this process becomes"]
pub struct Before(libc::sigset_t);

impl Before {
    /// Blocks only those again, for the calling thread. What has come meanwhile is delivered now.
    pub fn restore(self) {
        // SAFETY: the set came from the kernel and outlives the call, which can only fail for a
        // wrong first argument; the old mask is not asked for.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut());
        }
    }
}

/// Blocks `signals` for the calling thread, and for those it starts later (sigprocmask(2)).
pub fn block(signals: &[libc::c_int]) -> io::Result<Before> {
    let set = set_of(signals);
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is initialised and outlives the call, and `before` has room for the old mask.
    let blocked =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr()) };
    match blocked {
        // SAFETY: the call succeeded and has filled it.
        0 => Ok(Before(unsafe { before.assume_init() })),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the whole set that `set` has room for; sigaddset then
    // works on an initialised set and refuses numbers that are no signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Stops this process as Ctrl-Z does, if nobody handles it: until SIGCONT comes. Where nobody could
/// continue it, in an orphaned process group, the kernel does nothing (setpgid(2), signal(7)).
///
/// For a process that blocks SIGTSTP to hear of it first.
pub fn stop_here() {
    let set = set_of(&[SIGTSTP]);
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: raise(3) sends to the calling thread and returns, as the signal is blocked or stops
    // the process and nothing else. `set` is initialised, `before` has room for the old mask, and
    // both outlive the calls; the old mask is set again only if the first call has filled it.
    unsafe {
        libc::raise(SIGTSTP);
        if libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, before.as_mut_ptr()) == 0 {
            Before(before.assume_init()).restore();
        }
    }
}

/// Signals that are read instead of delivered.
#[derive(Debug)]
pub struct SignalFd {
    fd: OwnedFd,
}

impl SignalFd {
    /// Blocks `signals` for the calling thread, and for those it starts later, and opens a
    /// non-blocking descriptor that tells of them. To be called before any thread exists: a
    /// thread that does not block them would have them delivered.
    pub fn new(signals: &[libc::c_int]) -> io::Result<Self> {
        // For as long as this process lives.
        let _: Before = block(signals)?;
        let set = set_of(signals);
        // SAFETY: `set` is initialised and outlives the call; -1 asks for a new descriptor.
        let fd =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made `fd` for us; nobody else knows of it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd })
    }

    /// The next signal that came, none if there is no other at the moment.
    pub fn next(&self) -> io::Result<Option<libc::c_int>> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: `info` has room for `size` bytes, and lives through the call.
        let read = unsafe { libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if read < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                _ => Err(error),
            };
        }
        if read.unsigned_abs() != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // SAFETY: the kernel filled all `size` bytes, of which every pattern is valid.
        let info = unsafe { info.assume_init() };
        Ok(libc::c_int::try_from(info.ssi_signo).ok())
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
