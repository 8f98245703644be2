//! In a chroot(2): joining the mounts of a namespace would lead out of it.

use std::fs;

use rustix::mount::{MountFlags, mount, mount_bind_recursive};

use crate::serve::make_foreign;
use crate::served::Served;
use crate::support::{Ran, command, configure, expect, traces};

/// A folder that is fit for chroot(8), with the host's folders in it.
fn root(path: &str) {
    fs::create_dir(path).unwrap();
    for name in ["usr", "bin", "lib", "lib64", "etc", "run", "proc", "dev"] {
        let (from, to) = (format!("/{name}"), format!("{path}/{name}"));
        match fs::read_link(&from) {
            Ok(target) => std::os::unix::fs::symlink(target, to).unwrap(),
            Err(_) if !fs::exists(&from).unwrap() => {}
            Err(_) => {
                fs::create_dir(&to).unwrap();
                mount_bind_recursive(&from, &to).unwrap();
            }
        }
    }
    fs::copy(env!("CARGO_BIN_EXE_netnsctl"), format!("{path}/netnsctl")).unwrap();
    fs::write(format!("{path}/here"), "the chroot\n").unwrap();
}

fn chroot(root: &str, arguments: &[&str]) -> Ran {
    let mut chroot = command("chroot");
    chroot.args([root, "/netnsctl"]).args(arguments);
    Ran::of(chroot.output().unwrap())
}

#[netnsctl_machine::test]
fn nothing_leads_out_of_a_chroot() {
    configure("[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n");
    expect(0, &["up", "--quiet"]);
    make_foreign("plain");
    mount("tmpfs", "/mnt", "tmpfs", MountFlags::empty(), c"mode=755").unwrap();
    root("/mnt/folder");
    // Also where the root is one of a mount.
    fs::create_dir("/mnt/mount").unwrap();
    mount_bind_recursive("/mnt/folder", "/mnt/mount").unwrap();
    for root in ["/mnt/folder", "/mnt/mount"] {
        // Before there is a view, and when there is one.
        for _ in 0..2 {
            let seen = chroot(root, &["run", "office", "--", "cat", "/here"]);
            assert_eq!(
                (seen.status, seen.stdout.as_str()),
                (Some(125), ""),
                "{}",
                seen.stderr
            );
            let why = "cannot enter netns \"office\" from a chroot";
            assert!(
                seen.stderr.contains(why) && seen.stderr.contains("hint: "),
                "{}",
                seen.stderr
            );
            assert!(inside().contains("192.0.2.53"));
        }
        // A namespace without files of its own has no mounts to join.
        let seen = chroot(root, &["run", "plain", "--", "cat", "/here"]);
        assert_eq!(
            (seen.status, seen.stdout.as_str()),
            (Some(0), "the chroot\n"),
            "{}",
            seen.stderr
        );
        let seen = chroot(root, &["doctor", "office"]);
        let all = format!("{}{}", seen.stdout, seen.stderr);
        assert!(all.contains("from a chroot"), "{all}");
    }
}

#[netnsctl_machine::test]
fn views_cannot_be_looked_at_from_a_chroot() {
    configure("[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n");
    expect(0, &["up", "--quiet"]);
    inside();
    // With the view that is there by now. Paths in it lead elsewhere than here.
    mount("tmpfs", "/mnt", "tmpfs", MountFlags::empty(), c"mode=755").unwrap();
    root("/mnt/folder");
    for words in [&["plan"][..], &["up"], &["status"]] {
        let seen = chroot("/mnt/folder", words);
        assert_eq!(seen.status, Some(1), "{words:?} {}", seen.stderr);
        assert!(seen.stderr.contains("from a chroot"), "{}", seen.stderr);
    }
}

#[netnsctl_machine::test]
fn serve_refuses_daemons_in_a_chroot_and_leaves_nothing() {
    let nothing = traces();
    configure("[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n");
    mount("tmpfs", "/mnt", "tmpfs", MountFlags::empty(), c"mode=755").unwrap();
    root("/mnt/folder");
    // Its daemon would show the files of the chroot, or lead out of it.
    let seen = chroot("/mnt/folder", &["serve"]);
    assert_eq!(seen.status, Some(1), "{}", seen.stderr);
    let why = "cannot enter netns \"office\" from a chroot";
    assert!(seen.stderr.contains(why), "{}", seen.stderr);
    assert!(seen.stderr.contains("hint: "), "{}", seen.stderr);
    assert_eq!(traces(), nothing);
    // Forwards need no files.
    configure(
        "[netns.office]\nnscd.enable = false\n[[netns.office.forward]]\n\
         listen = \"127.0.0.1:1001\"\nconnect = \"127.0.0.1:2001\"\n",
    );
    let mut serve = command("chroot");
    serve.args(["/mnt/folder", "/netnsctl", "serve"]);
    let mut served = Served::start_as(serve);
    served.wait_ready();
    let forwarder = served.forwarder("127.0.0.1:2001");
    // A daemon that a reload would bring changes nothing.
    configure("[netns.office]\n[netns.shop]\n");
    served.reload();
    served.wait_for(why);
    assert_eq!(served.forwarder("127.0.0.1:2001"), forwarder);
    assert!(!fs::exists("/run/netns/shop").unwrap());
    served.stop();
    assert_eq!(traces(), nothing);
}

fn inside() -> String {
    crate::support::inside("office", "cat /etc/resolv.conf")
}
