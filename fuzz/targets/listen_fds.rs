//! Any environment as that of a service manager.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netnsctl_sys::activation::parse;

fuzz_target!(|variables: (Option<&str>, Option<&str>, Option<&str>)| {
    let (pid, fds, names) = variables;
    if let Ok(found) = parse(7, 1024, pid, fds, names) {
        assert!(found.len() <= 1024);
    }
});
