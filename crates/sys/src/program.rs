//! The start of the program, as lean as it can be.
//!
//! Before `main` the standard library reads its own stack's bounds from /proc/self/maps and
//! installs handlers that word a stack overflow. That is an eighth of a millisecond: a third of
//! what `run` adds to the command it starts. With the C library the program can have `main` to
//! itself: its arguments reach `std::env::args_os` through `.init_array` all the same (the C
//! library passes them to initialisers). What the standard library does for safety is done here.

use std::io;

/// Makes `fn() -> u8` the start of the program; what it returns is the exit status.
///
/// To be used once, in the program's crate, under
/// `#![cfg_attr(all(target_env = "gnu", not(test)), no_main)]`. With another C library the standard
/// library's own start is used, because the arguments are known to it alone; unit tests have that
/// of their harness.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        /// What the C library calls.
        #[cfg(all(target_env = "gnu", not(test)))]
        // SAFETY: the C library's start-up code calls the only symbol of this name, with two
        // arguments that the calling convention allows to be ignored.
        #[unsafe(no_mangle)]
        extern "C" fn main() -> ::std::ffi::c_int {
            $crate::program::start($main)
        }

        #[cfg(any(not(target_env = "gnu"), test))]
        fn main() {
            $crate::program::start($main);
        }
    };
}

/// Runs `main` and ends the process with its status, after what was printed is out.
///
/// Standard streams that are closed are opened on /dev/null first, so that no file of ours can
/// get their number and an error message no file; SIGPIPE is ignored, so that a reader who has
/// left is an error like any other. Both are the standard library's own rules.
#[doc(hidden)]
pub fn start(main: fn() -> u8) -> ! {
    if open_closed_streams().is_err() {
        std::process::abort();
    }
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    std::process::exit(main().into())
}

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
