//! Giving up privileges. The only test of its process, because being undumpable is the process's.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use netnsctl_daemon::confine;
use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit, setrlimit};

/// The value of `field` in this thread's status.
fn status(field: &str) -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

#[test]
fn nothing_is_left_after_confine() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.map(|maximum| maximum / 2);
    setrlimit(Resource::Nofile, limit).unwrap();
    // CAP_SETPCAP, bit 8, is what emptying the bounding set takes.
    let able = u64::from_str_radix(&status("CapEff"), 16).unwrap() & 1 << 8 != 0;
    let was_root = status("Uid").split_whitespace().all(|id| id == "0");
    confine().unwrap();
    if was_root && able {
        assert_eq!(
            status("Uid").split_whitespace().collect::<Vec<_>>(),
            ["65534"; 4]
        );
        assert_eq!(
            status("Gid").split_whitespace().collect::<Vec<_>>(),
            ["65534"; 4]
        );
        assert_eq!(status("Groups"), "");
    }
    assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    assert_eq!(status("NoNewPrivs"), "1");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(set), "0000000000000000", "{set}");
    }
    if able {
        assert_eq!(status("CapBnd"), "0000000000000000");
    }
    // A capability it had as root is gone for good.
    assert!(
        rustix::thread::set_capabilities(
            None,
            rustix::thread::CapabilitySets {
                effective: rustix::thread::CapabilitySet::NET_ADMIN,
                permitted: rustix::thread::CapabilitySet::NET_ADMIN,
                inheritable: rustix::thread::CapabilitySet::empty(),
            },
        )
        .is_err()
    );
    // Twice is no error.
    confine().unwrap();
}
