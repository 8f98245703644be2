//! What the caller's processes inherit from whatever gave root, and what the privileged half
//! inherits from the caller: keys, limits, the umask.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{PROGRAMS, as_alice, install, ran, said, set};
use crate::serve::make_foreign;
use crate::support::{command, say};

/// Installs a program that adds and finds keys. False where the kernel has no keyrings.
fn set_keys() -> bool {
    if !set() {
        return false;
    }
    if !Path::new("/proc/keys").exists() {
        say("SKIPPED: this kernel has no keyrings");
        return false;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine/caller/keys.c");
    let compiled = command("cc").arg(source).args(["-o", "/mnt/keys"]).status();
    assert!(compiled.expect("a C compiler").success());
    true
}

#[netnsctl_machine::test]
fn the_keys_of_root_stay_with_root() {
    if !set_keys() {
        return;
    }
    fs::write("/mnt/giver-keys", "").unwrap();
    for giver in ["pkexec", "sudo"] {
        let _ = fs::remove_file(format!("{PROGRAMS}/pkexec"));
        install(giver);
        // As pam_keyinit(8) in the configuration of what gives root, and a key of root's session.
        let mut alice = as_alice(
            "/mnt/keys",
            &[
                "add-user",
                "hers",
                "/mnt/netnsctl",
                "run",
                "office",
                "/mnt/keys",
                "find",
                "roots",
                "hers",
            ],
        );
        assert_eq!(said(&mut alice), "roots no\nhers yes\n", "{giver}");
    }
}

#[netnsctl_machine::test]
fn the_keys_of_the_caller_stay_with_the_caller() {
    if !set_keys() {
        return;
    }
    let find = ["run", "office", "/mnt/keys", "find", "hers"];
    let words = [&["add-session", "hers", "/mnt/netnsctl"][..], &find].concat();
    assert_eq!(said(&mut as_alice("/mnt/keys", &words)), "hers yes\n");
}

#[netnsctl_machine::test]
fn limits_and_umask_of_a_caller_leave_the_view_whole() {
    if !set() {
        return;
    }
    // The host's resolver would show, so the view has a resolv.conf of its own, made for all.
    fs::create_dir_all("/run/systemd/resolve").unwrap();
    let whole = "# 0123456789012345678901234567890123456789\nnameserver 10.20.30.53\n";
    fs::write("/run/systemd/resolve/resolv.conf", whole).unwrap();
    let _ = fs::remove_file("/etc/resolv.conf");
    symlink("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf").unwrap();
    make_foreign("other");
    fs::create_dir_all("/etc/netns/other").unwrap();
    fs::write("/etc/netns/other/hosts", "127.0.0.1 localhost\n").unwrap();
    // A hard limit only root with CAP_SYS_RESOURCE can raise, which a container's root may lack.
    let sets = rustix::thread::capabilities(None).unwrap();
    let resource = rustix::thread::CapabilitySet::SYS_RESOURCE;
    let kind = match sets.effective.contains(resource) {
        true => "",
        false => "-S",
    };
    let script = format!(
        "umask 077; trap '' XFSZ; ulimit {kind} -f 0; ulimit {kind} -n 9; exec /mnt/netnsctl run other -- cat /etc/resolv.conf"
    );
    let first = ran(&mut as_alice("bash", &["-c", &script]));
    let mut other = command("setpriv");
    other
        .args(["--reuid=1001", "--regid=1001", "--clear-groups"])
        .args(["/mnt/netnsctl", "run", "other", "cat", "/etc/resolv.conf"])
        .env("PATH", format!("{PROGRAMS}:/usr/bin:/bin"));
    let second = said(&mut other);
    assert!(second.contains("nameserver 10.20.30.53\n"), "{second}");
    assert_eq!(first.stdout, second, "{}", first.stderr);
    assert_eq!(first.status, Some(0), "{}", first.stderr);
}

#[netnsctl_machine::test]
fn a_caller_cannot_get_higher_limits() {
    if !set() {
        return;
    }
    let raise = "for it in n f u v s l t c i q x e r; do ulimit -H -$it; ulimit -S -$it; done 2>/dev/null; \
                 ulimit -H -n 1000 && ulimit -f 100 && echo raised";
    let lower = "ulimit -n 60; ulimit -f 5; ulimit -S -c 0; ulimit -S -s 512; ulimit -u 4000; exec";
    let with = |run: &str| {
        let script = format!("{lower} {run} bash -c \"$1\"");
        ran(&mut as_alice("bash", &["-c", &script, "bash", raise])).stdout
    };
    let here = with("");
    assert!(here.contains("60\n60\n5\n5\n"), "{here}");
    assert!(!here.contains("raised"), "{here}");
    assert_eq!(with("/mnt/netnsctl run office --"), here);
}
