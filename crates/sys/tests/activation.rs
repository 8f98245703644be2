//! Takes real descriptors, in a child process of its own that inherited them from a shell.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a descriptor can only be inherited across exec"
)]

use std::io::Read;
use std::process::Command;

use netnsctl_sys::activation::{Error, take_listen_fds};

/// Set for the child; names what it is to check.
const ROLE: &str = "ACTIVATION_ROLE";

fn child(role: &str, redirections: &str) -> bool {
    let script = format!("export LISTEN_PID=$$ {ROLE}={role}; exec \"$0\" \"$@\" {redirections}");
    let status = Command::new("/bin/sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "the_child", "--nocapture", "--test-threads=1"])
        .status();
    status.unwrap().success()
}

fn take(count: &str, names: Option<&str>) -> Result<Vec<(String, std::os::fd::OwnedFd)>, Error> {
    let pid = std::env::var("LISTEN_PID").unwrap();
    take_listen_fds(std::process::id(), Some(&pid), Some(count), names)
}

#[test]
fn inherited_descriptors_are_owned_once_and_close_on_exec() {
    assert!(child("take", "3</proc/self/status 4</dev/null"));
}

#[test]
fn a_descriptor_that_is_not_open_is_refused() {
    assert!(child("missing", "3</dev/null"));
}

#[test]
fn a_descriptor_this_process_opened_is_refused() {
    assert!(child("own", "3<&- 4<&- 5<&- 6<&-"));
}

#[test]
fn the_child() {
    match std::env::var(ROLE).as_deref() {
        Ok("take") => {
            let mut fds = take("2", Some("status:null")).unwrap();
            for (_, fd) in &fds {
                let flags = rustix::io::fcntl_getfd(fd).unwrap();
                assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            }
            assert!(matches!(take("2", None), Err(Error::Again)));
            let (name, null) = fds.pop().unwrap();
            let (first, status) = fds.pop().unwrap();
            assert_eq!((first.as_str(), name.as_str()), ("status", "null"));
            let mut text = String::new();
            std::fs::File::from(status)
                .read_to_string(&mut text)
                .unwrap();
            assert!(text.contains("Pid:"));
            assert_eq!(std::fs::File::from(null).read(&mut [0]).unwrap(), 0);
        }
        Ok("missing") => {
            // The harness itself opens a few descriptors, close-on-exec, above 3.
            let refused = take("900", None);
            assert!(
                matches!(
                    refused,
                    Err(Error::NotOpen { .. } | Error::NotInherited { .. })
                ),
                "{refused:?}"
            );
        }
        Ok("own") => {
            let files: Vec<_> = (0..4)
                .map(|_| std::fs::File::open("/dev/null").unwrap())
                .collect();
            let refused = take("1", None);
            assert!(
                matches!(refused, Err(Error::NotInherited { fd: 3 })),
                "{refused:?}"
            );
            assert!(files.iter().all(|file| file.metadata().is_ok()));
        }
        _ => {}
    }
}
