//! The short way of `run NAME [--] COMMAND…`, on which nothing but the system calls is done.

use std::ffi::CStr;

use netnsctl_session::run::enter_bare;
use netnsctl_sys::program::Arguments;

/// Becomes the command if the command line is a plain one and the namespace needs no view. In all
/// other cases, and if the command cannot be run, it returns and [`run`](super::run) does the same
/// again or says why it cannot.
#[inline(always)]
pub(crate) fn run_bare(arguments: &Arguments) {
    if let Some((name, command)) = plain(|at| arguments.get(at))
        && enter_bare(name)
    {
        let _ = arguments.become_program(command);
    }
}

/// The name of the namespace and the number of the argument that is the command, if the program is
/// called by its own name and the command line has no option in it, nor could have.
#[inline(always)]
fn plain<'a>(argument: impl Fn(usize) -> Option<&'a CStr>) -> Option<(&'a CStr, usize)> {
    const OWN_NAME: &[u8] = b"netnsctl";
    let called = argument(0)?.to_bytes();
    let folder = called.strip_suffix(OWN_NAME)?;
    if !(folder.is_empty() || folder.ends_with(b"/")) || argument(1)? != c"run" {
        return None;
    }
    let name = argument(2)?;
    let first = argument(3)?;
    if first == c"--" {
        return argument(4).map(|_| (name, 4));
    }
    (!first.to_bytes().starts_with(b"-")).then_some((name, 3))
}

#[cfg(test)]
mod tests {
    use std::ffi::{CString, OsString};

    use super::*;
    use crate::cli::Run;

    #[test]
    fn what_is_read_here_is_what_is_read_elsewhere() {
        let lines = [
            "netnsctl run a b",
            "netnsctl run a -- b",
            "netnsctl run a -- -- b",
            "netnsctl run a -- -b",
            "netnsctl run a b -- -c --sandbox",
            "/usr/bin/netnsctl run a b",
        ];
        for line in lines {
            let words: Vec<_> = line
                .split(' ')
                .map(|it| CString::new(it).unwrap())
                .collect();
            let (name, command) = plain(|at| words.get(at).map(CString::as_c_str)).unwrap();
            let read = Run::of_plain(line.split(' ').map(OsString::from)).unwrap();
            assert_eq!(name.to_str(), Ok(read.name.as_str()));
            let command: Vec<_> = words[command..]
                .iter()
                .map(|it| it.to_str().unwrap())
                .collect();
            assert_eq!(read.command, command, "{line}");
        }
        let others = [
            "netnsctl",
            "netnsctl run",
            "netnsctl run a",
            "netnsctl run a --",
            "netnsctl run a -x",
            "netnsctl run --sandbox a b",
            "netnsctl --enter=a run b",
            "netnsctl status a b",
            "/usr/bin/netns-run-netnsctl run a b",
            "netnsctl-generator run a b",
        ];
        for line in others {
            let words: Vec<_> = line
                .split(' ')
                .map(|it| CString::new(it).unwrap())
                .collect();
            let read = plain(|at| words.get(at).map(CString::as_c_str));
            // An option for a name is no plain name.
            let is_option = read.is_some_and(|(name, _)| name.to_bytes().starts_with(b"-"));
            assert!(read.is_none() || is_option, "{line}");
        }
    }
}
