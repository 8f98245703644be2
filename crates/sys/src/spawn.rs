//! Starting a child that finds its listening sockets by the socket-activation protocol.
//!
//! sd_listen_fds(3) wants the sockets from descriptor 3 on and the child's own id in
//! `LISTEN_PID`, which is known only between fork(2) and execve(2). The standard library's
//! `Command` has no place for that, so this does both itself: everything is allocated before the
//! fork, and the child makes nothing but system calls (signal-safety(7)).

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

/// What to start.
#[derive(Debug)]
pub struct Activated<'a> {
    /// The program's path; not searched for.
    pub program: &'a CStr,
    /// Its arguments, the zeroth included.
    pub arguments: &'a [CString],
    /// Its whole environment besides the `LISTEN_` variables: `KEY=value`.
    pub environment: &'a [CString],
    /// The sockets, each with its name (`LISTEN_FDNAMES`); no name contains a colon.
    pub sockets: &'a [(&'a str, BorrowedFd<'a>)],
    /// The network namespace it is to run in.
    pub netns: BorrowedFd<'a>,
    /// The mount namespace it is to run in; none: that of its parent.
    pub mounts: Option<BorrowedFd<'a>>,
    /// The signal it gets when the thread that started it ends (PR_SET_PDEATHSIG).
    pub parent_death_signal: libc::c_int,
}

/// The first descriptor of the protocol (SD_LISTEN_FDS_START).
const FIRST_FD: RawFd = 3;

/// Digits that any process id has room in.
const PID_DIGITS: usize = 10;

/// `POWERS[n]` is the first number with n + 1 digits.
const POWERS: [u32; PID_DIGITS] = {
    let mut powers = [1; PID_DIGITS];
    let mut place = 1;
    while place < PID_DIGITS {
        powers[place] = powers[place - 1] * 10;
        place += 1;
    }
    powers
};

/// Starts the child and gives its process id, which stays its own until it is waited for.
///
/// The child is in a process group of its own, so that a terminal's Ctrl-C reaches only its
/// parent; no signal is blocked in it. It has the standard streams and `sockets` open and no other
/// descriptor, whatever this process inherited. If it cannot enter a namespace or be executed it exits with
/// 125. Joining the namespaces needs CAP_SYS_ADMIN, that of mounts CAP_SYS_CHROOT too, and leads to
/// its root directory (setns(2)); the program's path is looked up there.
///
/// Errors: EAGAIN or ENOMEM by fork(2); EINVAL for a socket's name with a NUL.
pub fn spawn(child: &Activated<'_>) -> io::Result<u32> {
    let names: Vec<_> = child.sockets.iter().map(|(name, _)| *name).collect();
    let names = CString::new(format!("LISTEN_FDNAMES={}", names.join(":")))?;
    let count = CString::new(format!("LISTEN_FDS={}", child.sockets.len()))?;
    let mut listen_pid = *b"LISTEN_PID=0000000000\0";
    let listen_pid_at = listen_pid.as_mut_ptr();
    let arguments = pointers(child.arguments, &[]);
    let own = [
        names.as_ptr(),
        count.as_ptr(),
        listen_pid_at.cast_const().cast(),
    ];
    let environment = pointers(child.environment, &own);
    let mut sockets: Vec<RawFd> = child.sockets.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
    let place = Place {
        netns: child.netns.as_raw_fd(),
        mounts: child.mounts.map(|mounts| mounts.as_raw_fd()),
    };
    // SAFETY: getpid has no preconditions.
    let parent = unsafe { libc::getpid() };
    // SAFETY: the child calls only async-signal-safe functions (see `become_child`), allocates
    // nothing and ends in execve or _exit, so it does not matter what other threads held locked.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: we are the child. All pointers are into memory that this function keeps
            // alive and that fork copied; `listen_pid_at` points at the array above, which has
            // PID_DIGITS digits and a NUL behind its eleven bytes of name.
            unsafe {
                become_child(
                    child.program.as_ptr(),
                    &arguments,
                    &environment,
                    listen_pid_at.add(b"LISTEN_PID=".len()),
                    &mut sockets,
                    (place, parent, child.parent_death_signal),
                )
            }
        }
        pid => Ok(pid.unsigned_abs()),
    }
}

fn pointers(strings: &[CString], more: &[*const libc::c_char]) -> Vec<*const libc::c_char> {
    let own = strings.iter().map(|string| string.as_ptr());
    own.chain(more.iter().copied())
        .chain([std::ptr::null()])
        .collect()
}

/// Namespaces to join, as open descriptors.
#[derive(Clone, Copy)]
struct Place {
    netns: RawFd,
    mounts: Option<RawFd>,
}

impl Place {
    /// Moves the calling process there. In a child just forked it has a single thread and shares its
    /// root and working directory with nobody, which the kernel wants of who joins mounts (setns(2)).
    ///
    /// # Safety
    ///
    /// To be called in a child just forked.
    unsafe fn join(self) -> bool {
        // SAFETY: setns is a system call on plain values; what it moves is a process that does
        // nothing else any more but become another program.
        unsafe {
            libc::setns(self.netns, libc::CLONE_NEWNET) == 0
                && self
                    .mounts
                    .is_none_or(|mounts| libc::setns(mounts, libc::CLONE_NEWNS) == 0)
        }
    }
}

/// The child's part.
///
/// # Safety
///
/// To be called in a child just forked; `arguments` and `environment` end with a null pointer and
/// point at strings that end with a NUL; `digits` points at [`PID_DIGITS`] writable bytes and one more.
unsafe fn become_child(
    program: *const libc::c_char,
    arguments: &[*const libc::c_char],
    environment: &[*const libc::c_char],
    digits: *mut u8,
    sockets: &mut [RawFd],
    (place, parent, death_signal): (Place, libc::pid_t, libc::c_int),
) -> ! {
    // SAFETY: system calls on plain values, all async-signal-safe; pointers as promised above.
    unsafe {
        let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_UNBLOCK, all.as_ptr(), std::ptr::null_mut());
        let ready = place.join()
            && libc::setpgid(0, 0) == 0
            && libc::prctl(libc::PR_SET_PDEATHSIG, death_signal) == 0
            // The parent may have died before the line above.
            && libc::getppid() == parent;
        if ready && place_sockets(sockets) {
            write_decimal(libc::getpid().unsigned_abs(), digits);
            libc::execve(program, arguments.as_ptr(), environment.as_ptr());
        }
        libc::_exit(125)
    }
}

/// Writes `number` without leading zeros, which some read as octal, and a NUL behind it.
///
/// # Safety
///
/// `digits` points at [`PID_DIGITS`] writable bytes and one more.
unsafe fn write_decimal(number: u32, digits: *mut u8) {
    let mut length = 1;
    while length < PID_DIGITS && number >= POWERS[length] {
        length += 1;
    }
    let mut rest = number;
    for place in (0..length).rev() {
        // SAFETY: `place` is below `length`, which is at most PID_DIGITS.
        unsafe { digits.add(place).write(b"0123456789"[(rest % 10) as usize]) };
        rest /= 10;
    }
    // SAFETY: at most the byte behind the digits.
    unsafe { digits.add(length).write(0) };
}

/// Puts `sockets` at descriptors 3, 4, … without FD_CLOEXEC: first copies of all of them beyond
/// those places, so that none is overwritten before it is moved. Closes all other descriptors there.
///
/// # Safety
///
/// To be called in a child just forked: all other descriptors from 3 on are lost.
unsafe fn place_sockets(sockets: &mut [RawFd]) -> bool {
    let Ok(count) = RawFd::try_from(sockets.len()) else {
        return false;
    };
    for socket in &mut *sockets {
        // SAFETY: F_DUPFD_CLOEXEC takes a free descriptor and overwrites none.
        *socket = unsafe { libc::fcntl(*socket, libc::F_DUPFD_CLOEXEC, FIRST_FD + count) };
        if *socket < 0 {
            return false;
        }
    }
    // SAFETY: the descriptors overwritten are copies of the parent's in this child, which nothing
    // uses before they are closed; dup2 clears FD_CLOEXEC on the new ones.
    let placed = (FIRST_FD..)
        .zip(sockets)
        .all(|(place, socket)| unsafe { libc::dup2(*socket, place) } >= 0);
    // SAFETY: as above; nothing uses what stands beyond the sockets.
    placed && unsafe { close_from(FIRST_FD + count) }
}

/// Closes every descriptor from `first` on (close_range(2)), one by one where the kernel or a
/// container's system call filter has no such call. Returns whether that was possible.
///
/// # Safety
///
/// To be called in a child just forked, whose copies of these descriptors nothing uses any more.
unsafe fn close_from(first: RawFd) -> bool {
    // SAFETY: plain numbers, and a limit written to a local variable of its type; the descriptors
    // are unused, as promised. Each of these calls only enters the kernel.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) == 0 {
            return true;
        }
        let mut limit = std::mem::MaybeUninit::<libc::rlimit>::uninit();
        if libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()) != 0 {
            return false;
        }
        // A higher number can only have been opened before the limit was lowered.
        let end = RawFd::try_from(limit.assume_init().rlim_max).unwrap_or(RawFd::MAX);
        for fd in first..end {
            libc::close(fd);
        }
        true
    }
}

/// `KEY=value` as a C string; none if there is a NUL inside.
pub fn variable(key: &OsStr, value: &OsStr) -> Option<CString> {
    CString::new([key.as_bytes(), b"=", value.as_bytes()].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_ids_are_written_as_any_reader_wants_them() {
        for number in [1, 9, 10, 4_194_304, u32::MAX] {
            let mut bytes = [b'x'; PID_DIGITS + 1];
            // SAFETY: the array has PID_DIGITS bytes and one more.
            unsafe { write_decimal(number, bytes.as_mut_ptr()) };
            let text = CStr::from_bytes_until_nul(&bytes).unwrap();
            assert_eq!(text.to_str().unwrap(), number.to_string());
        }
    }
}
