//! The start of the program, as lean as it can be.
//!
//! Before `main` the standard library reads its own stack's bounds from /proc/self/maps and
//! installs handlers that word a stack overflow. That is an eighth of a millisecond: a third of
//! what `run` adds to the command it starts. With the C library the program can have `main` to
//! itself: its arguments reach `std::env::args_os` through `.init_array` all the same (the C
//! library passes them to initialisers). What the standard library does for safety is done here.

use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Makes `$main`, a `fn() -> u8`, the start of the program; what it returns is the exit status.
///
/// Before it, `$early` gets the arguments as the kernel passed them, if the C library gives them:
/// for what is to be done without memory of the heap, whose first use costs more than all of it.
///
/// To be used once, in the program's crate, under
/// `#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]`. With another C library the standard
/// library's own start is used, because the arguments are known to it alone; unit tests have that
/// of their harness.
#[macro_export]
macro_rules! program {
    ($early:path, $main:path) => {
        /// What the C library calls.
        #[cfg(all(target_env = "gnu", not(test)))]
        // SAFETY: the C library's start-up code calls the only symbol of this name, with two
        // arguments that the calling convention allows to be ignored.
        #[unsafe(no_mangle)]
        extern "C" fn main() -> ::std::ffi::c_int {
            $crate::program::start($early, $main)
        }

        #[cfg(any(not(target_env = "gnu"), test))]
        fn main() {
            $crate::program::start($early, $main);
        }
    };
}

/// Runs `main` and ends the process with its status, after what was printed is out.
///
/// Standard streams that are closed are opened on /dev/null first, so that no file of ours can
/// get their number and an error message no file; SIGPIPE is ignored, so that a reader who has
/// left is an error like any other. Both are the standard library's own rules.
#[doc(hidden)]
#[inline(always)]
pub fn start(early: impl FnOnce(&Arguments), main: fn() -> u8) -> ! {
    if open_closed_streams().is_err() {
        std::process::abort();
    }
    early(&Arguments(()));
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    std::process::exit(main().into())
}

/// How many arguments there are, and where: none before [`ARGUMENTS`] has run.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static VECTOR: AtomicPtr<*const libc::c_char> = AtomicPtr::new(std::ptr::null_mut());

/// The C library calls what is in this section with the arguments of the program, before `main`.
/// Other C libraries call it with none, so there it is left out.
#[cfg(all(target_env = "gnu", not(test)))]
#[used]
// SAFETY: the section holds pointers to functions of this type, as the C library calls them.
#[unsafe(link_section = ".init_array")]
static ARGUMENTS: extern "C" fn(libc::c_int, *mut *const libc::c_char, *const ()) = {
    extern "C" fn note(count: libc::c_int, vector: *mut *const libc::c_char, _: *const ()) {
        COUNT.store(usize::try_from(count).unwrap_or(0), Ordering::Relaxed);
        VECTOR.store(vector, Ordering::Relaxed);
    }
    note
};

/// The arguments as the kernel passed them.
#[derive(Debug)]
pub struct Arguments(());

impl Arguments {
    /// The argument number `at`, counted from that by which the program was called.
    pub fn get(&self, at: usize) -> Option<&'static CStr> {
        let vector = VECTOR.load(Ordering::Relaxed);
        if at >= COUNT.load(Ordering::Relaxed) || vector.is_null() {
            return None;
        }
        // SAFETY: the C library said that there are so many pointers, each to a string that ends
        // with a NUL; all of it is on the first stack, where it stays until the process ends, and
        // nothing in this program writes to it.
        Some(unsafe { CStr::from_ptr(*vector.add(at)) })
    }

    /// Becomes the program that argument `at` names, looked for in PATH, with the rest of the
    /// arguments and this environment, and with SIGPIPE as programs expect it (execvp(3)).
    ///
    /// Gives the reason if that cannot be done; SIGPIPE then has its default action.
    pub fn become_program(&self, at: usize) -> io::Error {
        let vector = VECTOR.load(Ordering::Relaxed);
        let Some(program) = self.get(at) else {
            return io::Error::from_raw_os_error(libc::ENOENT);
        };
        // SAFETY: SIG_DFL runs no code of ours. The vector ends with a null pointer after the
        // arguments that `get` knows of, so what begins at `at` is one too.
        unsafe {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::execvp(program.as_ptr(), vector.add(at).cast_const());
        }
        io::Error::last_os_error()
    }
}

#[inline(always)]
fn open_closed_streams() -> io::Result<()> {
    let stream = |fd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    let mut streams = [stream(0), stream(1), stream(2)];
    loop {
        // SAFETY: `streams` has three entries and lives through the call.
        let polled = unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) };
        if polled >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    for stream in streams {
        if stream.revents & libc::POLLNVAL != 0 {
            // SAFETY: the path ends in a NUL byte. Streams are opened in the order of their
            // numbers, and the kernel gives the lowest free one, so this is `stream.fd`.
            let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
            if fd != stream.fd {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}
