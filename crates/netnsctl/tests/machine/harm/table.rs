//! Which errors which system call may fail with.
//!
//! A call that is not in the table is passed over, because its failure is not real or because
//! nothing can be done about it:
//!
//! - close, exit, munmap, futex, signal masks, rseq, getpid: they do not fail, or the kernel has
//!   done its work all the same.
//! - brk and anonymous mmap, madvise: memory of the allocator. The standard library ends a program
//!   that has no memory. Memory for a thread's stack (MAP_STACK) is in the table.
//! - The dynamic loader's calls before `main`, and the poll(2) by which `main` finds closed
//!   streams: the loader ends the program, and so does `main`, by rule.
//! - write to descriptor 2: there is nobody left to tell.
//! - fcntl but for duplicates, prlimit that sets nothing, lseek, getrandom, uname, clock_nanosleep, ioctl of terminals: they
//!   only ask about what the process has already.

use netnsctl_inject::Call;

/// An error number and its name.
pub(crate) type Errno = (i32, &'static str);

/// A system call: its number, its name, where its path or descriptor is, and its errors.
pub(crate) type Entry = (libc::c_long, &'static str, Object, &'static [Errno]);

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    /// The path in an argument, relative to the descriptor in the one before.
    At(usize),
    /// The path in an argument.
    Path(usize),
    /// The descriptor in an argument.
    Descriptor(usize),
    /// Nothing that has a name.
    Nothing,
}

macro_rules! calls {
    ($($call:ident $object:expr => $($errno:ident)*;)*) => {
        &[$((
            libc::$call,
            stringify!($call),
            $object,
            &[$((libc::$errno, stringify!($errno))),*],
        )),*]
    };
}

use Object::{At, Descriptor, Nothing, Path};

/// The calls of all architectures.
const CALLS: &[Entry] = calls! {
    SYS_accept4 Descriptor(0) => EMFILE ENOMEM;
    SYS_bind Descriptor(0) => EADDRINUSE ENOMEM;
    SYS_chdir Path(0) => EACCES EIO;
    SYS_clone Nothing => EAGAIN ENOMEM;
    SYS_clone3 Nothing => EAGAIN ENOMEM;
    SYS_connect Descriptor(0) => ENOMEM EINTR;
    SYS_dup Descriptor(0) => EMFILE;
    SYS_epoll_create1 Nothing => EMFILE ENOMEM;
    SYS_epoll_ctl Descriptor(0) => ENOMEM ENOSPC;
    SYS_eventfd2 Nothing => EMFILE ENOMEM;
    SYS_execve Path(0) => ENOMEM EIO;
    SYS_faccessat At(1) => EIO ENOMEM;
    SYS_faccessat2 At(1) => EIO ENOMEM;
    SYS_fchdir Descriptor(0) => EACCES EIO;
    SYS_fchmod Descriptor(0) => EROFS EPERM;
    SYS_fchmodat At(1) => EROFS EPERM;
    SYS_fchown Descriptor(0) => EPERM EIO;
    SYS_fcntl Descriptor(0) => EMFILE;
    SYS_flock Descriptor(0) => EINTR ENOLCK;
    SYS_fsconfig Descriptor(0) => ENOMEM EPERM;
    SYS_fsmount Descriptor(0) => EMFILE EPERM;
    SYS_fsopen Nothing => EMFILE EPERM;
    SYS_fstat Descriptor(0) => EIO ENOMEM;
    SYS_fstatfs Descriptor(0) => EIO ENOMEM;
    SYS_fsync Descriptor(0) => EIO ENOSPC;
    SYS_ftruncate Descriptor(0) => EIO ENOSPC;
    SYS_getcwd Nothing => ENOENT ENOMEM;
    SYS_getdents64 Descriptor(0) => EIO ENOMEM;
    SYS_getsockname Descriptor(0) => ENOBUFS;
    SYS_getsockopt Descriptor(0) => ENOMEM ENOPROTOOPT;
    SYS_inotify_add_watch At(1) => ENOMEM ENOSPC;
    SYS_inotify_init1 Nothing => EMFILE ENOMEM;
    SYS_ioctl Descriptor(0) => ENOMEM EPERM;
    SYS_keyctl Nothing => EDQUOT ENOMEM;
    SYS_linkat At(1) => EIO ENOSPC;
    SYS_listen Descriptor(0) => EADDRINUSE;
    SYS_mkdirat At(1) => ENOSPC EROFS EACCES;
    SYS_mmap Descriptor(4) => ENOMEM EAGAIN;
    SYS_mount Path(1) => ENOMEM EPERM;
    SYS_mount_setattr At(1) => ENOMEM EPERM;
    SYS_move_mount At(3) => ENOMEM EPERM;
    SYS_mprotect Nothing => ENOMEM;
    SYS_open_tree At(1) => EMFILE EPERM;
    SYS_openat At(1) => EMFILE EACCES EIO;
    SYS_openat2 At(1) => EMFILE EACCES EIO;
    SYS_pidfd_open Nothing => EMFILE ENOMEM;
    SYS_pidfd_send_signal Descriptor(0) => EPERM;
    SYS_pipe2 Nothing => EMFILE ENFILE;
    SYS_ppoll Nothing => EINTR ENOMEM;
    SYS_prctl Nothing => EPERM;
    SYS_pread64 Descriptor(0) => EIO;
    SYS_prlimit64 Nothing => EPERM;
    SYS_read Descriptor(0) => EIO EINTR;
    SYS_readlinkat At(1) => EIO ENOMEM;
    SYS_recvfrom Descriptor(0) => ENOBUFS EINTR ENOMEM;
    SYS_recvmsg Descriptor(0) => ENOBUFS EINTR ENOMEM;
    SYS_renameat At(1) => EROFS ENOSPC EIO;
    SYS_renameat2 At(1) => EROFS ENOSPC EIO;
    SYS_sendmmsg Descriptor(0) => ENOBUFS EINTR;
    SYS_sendmsg Descriptor(0) => ENOBUFS EINTR;
    SYS_sendto Descriptor(0) => ENOBUFS EINTR ENOMEM;
    SYS_setns Descriptor(0) => EPERM ENOMEM;
    SYS_setsockopt Descriptor(0) => ENOMEM;
    SYS_signalfd4 Nothing => EMFILE ENOMEM;
    SYS_socket Nothing => EMFILE ENOBUFS EPERM;
    SYS_socketpair Nothing => EMFILE ENOBUFS;
    SYS_statfs Path(0) => EIO ENOMEM;
    SYS_statx At(1) => EIO ENOMEM;
    SYS_symlinkat At(2) => ENOSPC EROFS;
    SYS_umount2 Path(0) => EBUSY EPERM;
    SYS_unlinkat At(1) => EROFS EBUSY EIO;
    SYS_unshare Nothing => ENOSPC EPERM ENOMEM;
    SYS_wait4 Nothing => EINTR;
    SYS_write Descriptor(0) => ENOSPC EIO EINTR;
};

/// Those that only x86-64 has.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[Entry] = calls! {
    SYS_access Path(0) => EIO ENOMEM;
    SYS_chmod Path(0) => EROFS EPERM;
    SYS_fork Nothing => EAGAIN ENOMEM;
    SYS_mkdir Path(0) => ENOSPC EROFS EACCES;
    SYS_newfstatat At(1) => EIO ENOMEM;
    SYS_open Path(0) => EMFILE EACCES EIO;
    SYS_poll Nothing => EINTR ENOMEM;
    SYS_readlink Path(0) => EIO ENOMEM;
    SYS_rename Path(0) => EROFS ENOSPC EIO;
    SYS_rmdir Path(0) => EROFS EBUSY EIO;
    SYS_stat Path(0) => EIO ENOMEM;
    SYS_lstat Path(0) => EIO ENOMEM;
    SYS_symlink Path(1) => ENOSPC EROFS;
    SYS_unlink Path(0) => EROFS EBUSY EIO;
    SYS_vfork Nothing => EAGAIN ENOMEM;
};
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[Entry] = calls! {
    SYS_newfstatat At(1) => EIO ENOMEM;
};

/// What is known of a call; nothing if it is passed over.
pub(crate) fn entry(call: &Call) -> Option<&'static Entry> {
    let mut all = CALLS.iter().chain(OLD_CALLS);
    let entry = all.find(|entry| entry.0 == call.number)?;
    let passed_over = match call.number {
        libc::SYS_fcntl => !matches!(call.int(1), libc::F_DUPFD | libc::F_DUPFD_CLOEXEC),
        libc::SYS_ioctl => call.int(1) == TERMINAL,
        libc::SYS_mmap => call.int(3) & libc::MAP_ANONYMOUS != 0 && !is_stack(call),
        // Only asked.
        libc::SYS_prlimit64 => call.arguments[2] == 0,
        libc::SYS_write => call.int(0) == libc::STDERR_FILENO,
        _ => false,
    };
    (!passed_over).then_some(entry)
}

/// TCGETS, of which `libc` has no name everywhere.
const TERMINAL: i32 = 0x5401;

fn is_stack(call: &Call) -> bool {
    call.int(3) & libc::MAP_STACK != 0
}

/// What a call is about, as a path where it has one.
pub(crate) fn object(call: &Call, object: Object) -> String {
    match object {
        Nothing => String::new(),
        Path(argument) => call.string(argument),
        Descriptor(argument) => call.descriptor(argument),
        At(argument) => {
            let path = call.string(argument);
            if path.starts_with('/') || call.int(argument - 1) == libc::AT_FDCWD {
                return path;
            }
            let folder = call.descriptor(argument - 1);
            if path.is_empty() {
                folder
            } else {
                format!("{folder}/{path}")
            }
        }
    }
}
