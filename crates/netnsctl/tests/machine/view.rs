//! The view: one mount namespace for all that is run in a namespace, kept right.

pub(crate) mod faults;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use rustix::mount::{MountPropagationFlags, mount_change};

use crate::served::{netns_called, netns_of, status};
use crate::support::{configure, eventually, expect, inside, netnsctl};

const VIEWS: &str = "/run/netnsctl/views";

fn declare(server: &str) {
    configure(&format!(
        "[netns.office.dns]\nnameservers = [\"{server}\"]\n[netns.other.dns]\nnameservers = [\"192.0.2.99\"]\n"
    ));
    expect(0, &["up", "--quiet"]);
}

/// Replaces a file as most programs do, by renaming another one over it.
fn rename_over(path: &str, text: &str) {
    let new = format!("{path}.new");
    fs::write(&new, text).unwrap();
    fs::rename(&new, path).unwrap();
}

/// Gives the host a resolv.conf that is no link: one that is absolute leads out of
/// `/proc/PID/root` again.
fn plain_resolv_conf(text: &str) {
    let _ = fs::remove_file("/etc/resolv.conf");
    fs::write("/etc/resolv.conf", text).unwrap();
}

fn resolv() -> String {
    inside("office", "cat /etc/resolv.conf")
}

fn mounts_inside(name: &str) -> String {
    inside(name, "readlink /proc/self/ns/mnt")
}

/// A command that stays inside, ended with the value.
struct Inhabitant(Child);

impl Inhabitant {
    fn new() -> Self {
        let mut command = netnsctl(&["run", "office", "sleep", "1000"]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        eventually("the command", || {
            (status(child.id(), "Name")? == "sleep").then_some(())
        });
        assert_eq!(netns_of(child.id()), netns_called("office"));
        Self(child)
    }

    /// What it sees at `path`.
    fn sees(&self, path: &str) -> String {
        fs::read_to_string(format!("/proc/{}/root{path}", self.0.id())).unwrap()
    }
}

impl Drop for Inhabitant {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[netnsctl_machine::test]
fn commands_share_one_view_that_others_find() {
    declare("192.0.2.53");
    let first = mounts_inside("office");
    assert_eq!(mounts_inside("office"), first);
    assert_ne!(mounts_inside("other"), first);
    let inode = fs::metadata("/run/netns-office/mntns").unwrap().ino();
    assert_eq!(first.trim_end(), format!("mnt:[{inode}]"));
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    assert_ne!(own.to_str().unwrap(), first.trim_end());
}

#[netnsctl_machine::test]
fn many_first_commands_make_one_view() {
    declare("192.0.2.53");
    let start = |_| {
        let mut command = netnsctl(&["run", "office", "readlink", "/proc/self/ns/mnt"]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..20).map(start).collect();
    let outputs = children
        .into_iter()
        .map(|it| it.wait_with_output().unwrap());
    let outputs: Vec<_> = outputs.map(|it| (it.status.code(), it.stdout)).collect();
    let expected = mounts_inside("office").into_bytes();
    assert_eq!(outputs, vec![(Some(0), expected); 20]);
}

#[netnsctl_machine::test]
fn many_commands_that_find_it_wrong_mend_it_once() {
    plain_resolv_conf("nameserver 198.51.100.1\n");
    declare("192.0.2.53");
    inside("office", "true");
    for _ in 0..5 {
        rename_over("/etc/resolv.conf", "nameserver 198.51.100.2\n");
        let _ = fs::remove_dir("/run/nscd");
        fs::create_dir("/run/nscd").unwrap();
        let start = |_| netnsctl(&["run", "office", "true"]).spawn().unwrap();
        let children: Vec<Child> = (0..16).map(start).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let mounts = inside("office", "cat /proc/self/mountinfo");
        for place in ["/etc/resolv.conf", "/run/nscd"] {
            let here = mounts
                .lines()
                .filter(|line| line.split(' ').nth(4) == Some(place));
            assert_eq!(here.count(), 1, "{place}: {mounts}");
        }
    }
}

#[netnsctl_machine::test]
fn a_changed_declaration_shows_to_what_runs_inside() {
    plain_resolv_conf("nameserver 198.51.100.1\n");
    declare("192.0.2.53");
    let inhabitant = Inhabitant::new();
    assert!(inhabitant.sees("/etc/resolv.conf").contains("192.0.2.53"));
    for server in ["192.0.2.54", "192.0.2.55", "192.0.2.56"] {
        declare(server);
        assert!(inhabitant.sees("/etc/resolv.conf").contains(server));
    }
    // One mount took the place of the other.
    let mounts = inside("office", "cat /proc/self/mountinfo");
    let of_resolv = |line: &&str| line.split(' ').nth(4) == Some("/etc/resolv.conf");
    assert_eq!(mounts.lines().filter(of_resolv).count(), 1, "{mounts}");
}

#[netnsctl_machine::test]
fn a_file_the_user_replaces_shows_from_the_next_command_on() {
    plain_resolv_conf("nameserver 198.51.100.1\n");
    fs::create_dir_all("/etc/netns/office").unwrap();
    let path = "/etc/netns/office/resolv.conf";
    fs::write(path, "nameserver 192.0.2.1\n").unwrap();
    declare("192.0.2.53");
    let inhabitant = Inhabitant::new();
    assert_eq!(resolv(), "nameserver 192.0.2.1\n");
    rename_over(path, "nameserver 192.0.2.2\n");
    assert_eq!(resolv(), "nameserver 192.0.2.2\n");
    assert_eq!(
        inhabitant.sees("/etc/resolv.conf"),
        "nameserver 192.0.2.2\n"
    );
    fs::write(path, "nameserver 192.0.2.3\n").unwrap();
    assert_eq!(
        inhabitant.sees("/etc/resolv.conf"),
        "nameserver 192.0.2.3\n"
    );
}

#[netnsctl_machine::test]
fn a_file_the_host_replaces_does_not_show_through() {
    plain_resolv_conf("nameserver 127.0.0.53\n");
    declare("192.0.2.53");
    let inhabitant = Inhabitant::new();
    for _ in 0..3 {
        rename_over("/etc/resolv.conf", "nameserver 198.51.100.1\n");
        assert!(resolv().contains("nameserver 192.0.2.53"));
        assert!(inhabitant.sees("/etc/resolv.conf").contains("192.0.2.53"));
    }
    let host = fs::read_to_string("/etc/resolv.conf").unwrap();
    assert_eq!(host, "nameserver 198.51.100.1\n");
}

#[netnsctl_machine::test]
fn a_file_the_user_takes_away_is_the_hosts_again() {
    let _ = fs::remove_file("/etc/hosts");
    fs::write("/etc/hosts", "127.0.0.1 localhost\n").unwrap();
    fs::create_dir_all("/etc/netns/office").unwrap();
    fs::write("/etc/netns/office/hosts", "192.0.2.7 printer\n").unwrap();
    declare("192.0.2.53");
    assert_eq!(inside("office", "cat /etc/hosts"), "192.0.2.7 printer\n");
    fs::remove_file("/etc/netns/office/hosts").unwrap();
    assert_eq!(inside("office", "cat /etc/hosts"), "127.0.0.1 localhost\n");
    assert!(resolv().contains("192.0.2.53"));
}

#[netnsctl_machine::test]
fn a_name_service_that_starts_anew_stays_out_of_reach() {
    declare("192.0.2.53");
    let inhabitant = Inhabitant::new();
    for _ in 0..3 {
        // As a service manager does with a RuntimeDirectory=.
        let _ = fs::remove_dir_all("/run/nscd");
        fs::create_dir("/run/nscd").unwrap();
        let _socket = UnixListener::bind("/run/nscd/socket").unwrap();
        assert_eq!(inside("office", "ls -A /run/nscd"), "");
        let seen = format!("/proc/{}/root/run/nscd/socket", inhabitant.0.id());
        assert!(!fs::exists(seen).unwrap());
    }
    assert!(fs::exists("/run/nscd/socket").unwrap());
}

#[netnsctl_machine::test]
fn resolved_is_out_of_reach_and_its_files_are_covered() {
    let folder = "/run/systemd/resolve";
    fs::create_dir_all(folder).unwrap();
    let _varlink = UnixListener::bind(format!("{folder}/io.systemd.Resolve")).unwrap();
    for file in ["stub-resolv.conf", "resolv.conf"] {
        fs::write(format!("{folder}/{file}"), "nameserver 127.0.0.53\n").unwrap();
    }
    let _ = fs::remove_file("/etc/resolv.conf");
    symlink(
        "../run/systemd/resolve/stub-resolv.conf",
        "/etc/resolv.conf",
    )
    .unwrap();
    declare("192.0.2.53");
    let listing = inside("office", &format!("ls -A {folder}; cat {folder}/*"));
    assert!(
        listing.starts_with("resolv.conf\nstub-resolv.conf\n"),
        "{listing}"
    );
    assert_eq!(listing.matches("nameserver 192.0.2.53\n").count(), 2);
    assert!(!listing.contains("127.0.0.53"), "{listing}");
    // The host replaces its file, as resolved does at every change.
    rename_over(
        &format!("{folder}/stub-resolv.conf"),
        "nameserver 127.0.0.54\n",
    );
    assert!(resolv().contains("nameserver 192.0.2.53\n"));
}

#[netnsctl_machine::test]
fn a_command_in_a_view_can_enter_another_namespace() {
    declare("192.0.2.53");
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let shell = format!("{program} run other cat /etc/resolv.conf; cat /etc/resolv.conf");
    let both = inside("office", &shell);
    let (there, here) = (both.find("192.0.2.99"), both.find("192.0.2.53"));
    assert!(there.is_some() && there < here, "{both}");
    // It left nothing in this view.
    assert!(resolv().contains("192.0.2.53"));
    let bound = inside("office", &format!("cat {VIEWS}/bound"));
    assert_eq!(bound.matches("file resolv.conf\n").count(), 1, "{bound}");
}

#[netnsctl_machine::test]
fn later_mounts_of_the_host_appear() {
    mount_change(
        "/",
        MountPropagationFlags::SHARED | MountPropagationFlags::REC,
    )
    .unwrap();
    declare("192.0.2.53");
    assert!(resolv().contains("192.0.2.53"));
    fs::create_dir("/run/later").unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("later", "/run/later", "tmpfs", flags, None).unwrap();
    fs::write("/run/later/file", "text").unwrap();
    assert_eq!(inside("office", "cat /run/later/file"), "text");
    // But none gets out.
    inside("office", "mkdir /run/mine && mount -t tmpfs mine /run/mine");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("/run/mine"), "{mounts}");
}

#[netnsctl_machine::test]
fn it_works_where_run_is_shared() {
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    mount_change("/", shared).unwrap();
    declare("192.0.2.53");
    let first = mounts_inside("office");
    assert_eq!(mounts_inside("office"), first);
    let second = mounts_inside("other");
    assert_eq!(mounts_inside("other"), second);
    // The folder of pins is one mount here, and none of the pins got anywhere else.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let of_views = mounts.lines().filter(|line| line.contains(VIEWS));
    assert_eq!(of_views.count(), 3, "{mounts}");
    let there = inside("other", "cat /proc/self/mountinfo");
    assert!(!there.contains("mntns"), "{there}");
}

#[netnsctl_machine::test]
fn a_host_without_the_file_still_has_none() {
    let _ = fs::remove_file("/etc/resolv.conf");
    declare("192.0.2.53");
    assert!(resolv().contains("192.0.2.53"));
    assert!(!fs::exists("/etc/resolv.conf").unwrap());
    assert_eq!(
        inside("office", "cat /etc/passwd"),
        fs::read_to_string("/etc/passwd").unwrap()
    );
    // A link that leads nowhere is as good as none, and is what the host keeps.
    symlink("/run/nowhere/resolv.conf", "/etc/resolv.conf").unwrap();
    assert!(resolv().contains("192.0.2.53"));
    assert!(inside("other", "cat /etc/resolv.conf").contains("192.0.2.99"));
    assert!(
        fs::symlink_metadata("/etc/resolv.conf")
            .unwrap()
            .is_symlink()
    );
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    declare("192.0.2.54");
    assert!(resolv().contains("192.0.2.54"));
    expect(0, &["down"]);
}

#[netnsctl_machine::test]
fn a_host_whose_etc_cannot_be_written_will_do() {
    declare("192.0.2.53");
    let flags = rustix::mount::MountFlags::RDONLY | rustix::mount::MountFlags::BIND;
    rustix::mount::mount_remount("/etc", flags, "").unwrap();
    assert!(fs::write("/etc/file", "").is_err());
    assert!(resolv().contains("192.0.2.53"));
    assert!(resolv().contains("192.0.2.53"));
}

#[netnsctl_machine::test]
fn plan_and_status_say_when_it_is_out_of_date_and_up_mends_it() {
    plain_resolv_conf("nameserver 198.51.100.1\n");
    fs::create_dir_all("/etc/netns/office").unwrap();
    fs::write("/etc/netns/office/hosts", "192.0.2.7 printer\n").unwrap();
    declare("192.0.2.53");
    // Nobody has needed it so far.
    rename_over("/etc/resolv.conf", "nameserver 198.51.100.2\n");
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    let inhabitant = Inhabitant::new();
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    rename_over("/etc/resolv.conf", "nameserver 198.51.100.3\n");
    assert_eq!(
        inhabitant.sees("/etc/resolv.conf"),
        "nameserver 198.51.100.3\n"
    );
    let line = "view, where /etc/resolv.conf is not the namespace's own";
    let plan = expect(0, &["plan"]).stdout;
    assert!(plan.contains(&format!("  ~ {line}\n")), "{plan}");
    assert!(expect(0, &["status"]).stdout.contains(line));
    assert_eq!(
        expect(0, &["up"]).stdout,
        plan.replace("to add", "added")
            .replace("to change", "changed")
            .replace("to remove", "removed")
    );
    assert!(inhabitant.sees("/etc/resolv.conf").contains("192.0.2.53"));
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
    // What is not there any more, and a name service that came later.
    fs::remove_file("/etc/netns/office/hosts").unwrap();
    fs::create_dir("/run/nscd").unwrap();
    let plan = expect(0, &["plan"]).stdout;
    assert!(
        plan.contains("  ~ view, where /etc/hosts, /run/nscd is not the"),
        "{plan}"
    );
    expect(0, &["up"]);
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
    assert!(!inside("office", "cat /etc/hosts").contains("printer"));
}

#[netnsctl_machine::test]
fn what_a_kill_left_is_used() {
    declare("192.0.2.53");
    fs::create_dir_all(format!("{VIEWS}/office")).unwrap();
    fs::write(format!("{VIEWS}/office/mntns"), "").unwrap();
    fs::create_dir("/run/netns-office").unwrap();
    let first = mounts_inside("office");
    assert_eq!(mounts_inside("office"), first);
    let inode = fs::metadata("/run/netns-office/mntns").unwrap().ino();
    assert_eq!(first.trim_end(), format!("mnt:[{inode}]"));
}

#[netnsctl_machine::test]
fn down_takes_it_away() {
    let mounts = || {
        let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let point = |line: &str| line.split(' ').nth(4).map(str::to_owned);
        text.lines().filter_map(point).collect::<Vec<_>>()
    };
    declare("192.0.2.53");
    let (before, listing) = (mounts(), inside_run());
    let inhabitant = Inhabitant::new();
    resolv();
    inside("other", "true");
    assert_ne!(mounts(), before);
    // Another's file in the folder stays.
    fs::write("/run/netns-other/file", "").unwrap();
    expect(0, &["down", "other", "--no-wait"]);
    assert!(!fs::exists("/run/netns-other/mntns").unwrap());
    fs::remove_dir_all("/run/netns-other").unwrap();
    assert!(fs::exists("/run/netns-office/mntns").unwrap());
    drop(inhabitant);
    expect(0, &["down"]);
    assert!(!fs::exists("/run/netnsctl").unwrap());
    assert!(!mounts().iter().any(|point| point.contains("netnsctl")));
    assert!(!fs::exists("/run/netns-office").unwrap());
    // And it can be made again.
    declare("192.0.2.53");
    assert_eq!((mounts(), inside_run()), (before, listing));
    assert!(resolv().contains("192.0.2.53"));
}

/// What stands in /run.
fn inside_run() -> Vec<String> {
    let entries = fs::read_dir("/run").unwrap();
    let names = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[netnsctl_machine::test]
fn an_empty_namespace_of_others_needs_none() {
    crate::serve::make_foreign("foreign");
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    assert_eq!(mounts_inside("foreign").trim_end(), own.to_str().unwrap());
    assert!(!fs::exists(VIEWS).unwrap());
}
