//! `up`, `plan` and `down` on a machine that nobody else touches.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use netnsctl_kernel::place;
use netnsctl_kernel::state_dir::StateDir;
use netnsctl_kernel::{apply, observe};
use netnsctl_model::config::{self, Format, Source};
use netnsctl_model::plan::{self, Plan, Request};

use crate::support::{configure, expect, inside, steps, traces};

const OFFICE: &str = r#"
[netns.office]
address = ["10.20.0.1/24", "fd20::1/64"]
ipv4_forwarding = true
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 0
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.route]]
to = "default"
via = "192.168.77.1"
"#;

#[netnsctl_machine::test]
fn up_makes_what_plan_said_and_then_has_nothing_to_do() {
    configure(OFFICE);
    let planned = expect(3, &["plan", "--exit-code"]).stdout;
    let done = expect(0, &["up"]).stdout;
    assert!(!steps(&planned).is_empty());
    assert_eq!(steps(&planned), steps(&done));
    assert_eq!(
        expect(0, &["plan", "--exit-code"]).stdout,
        "nothing to do\n"
    );
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
    let forwarding = inside("office", "cat /proc/sys/net/ipv4/conf/*/forwarding");
    assert!(forwarding.lines().all(|line| line == "1"), "{forwarding}");
}

#[netnsctl_machine::test]
fn down_leaves_the_machine_as_it_was() {
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    assert_ne!(traces(), before);
    expect(0, &["down"]);
    assert_eq!(traces(), before);
    expect(0, &["down"]);
}

/// What `up` does, in this process, where the requests to the kernel are counted.
fn up_here(text: &str) -> (Plan, u64) {
    let before = netnsctl_netlink::change_requests();
    let source = Source::from_bytes("test.toml", Format::Toml, text.as_bytes());
    let desired = config::load(&[source]).desired.expect("it is valid");
    let (request, home) = (Request::default(), place::home().expect("home"));
    let state = StateDir::lock().expect("the lock");
    let observed = observe::observe(&desired, &home, &request).expect("all can be read");
    let plan = plan::plan(&desired, &observed, &request);
    let outcome = apply::apply(&plan, &home, &state).expect("a thread can be started");
    assert!(outcome.failures.is_empty() && plan.problems.is_empty());
    assert_eq!(outcome.done.len(), plan.steps.len());
    (plan, netnsctl_netlink::change_requests() - before)
}

/// Inode and time of change of every file and folder that is ours, and all mounts.
fn fingerprint() -> (BTreeMap<PathBuf, (u64, i64, i64)>, String) {
    let mut files = BTreeMap::new();
    let folders = ["/run/netns", "/run/netnsctl", "/etc/netns"].map(str::to_owned);
    let found = traces()
        .into_iter()
        .filter(|trace| !trace.starts_with("link "));
    for path in folders.into_iter().chain(found) {
        let meta = Path::new(&path).symlink_metadata().expect("it is there");
        let print = (meta.ino(), meta.ctime(), meta.ctime_nsec());
        files.insert(PathBuf::from(path), print);
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc is there");
    (files, mounts)
}

#[netnsctl_machine::test]
fn a_second_up_sends_the_kernel_nothing_and_writes_no_file() {
    let (first, sent) = up_here(OFFICE);
    assert!(!first.steps.is_empty() && sent > 0);
    let before = fingerprint();
    assert!(before.0.len() > 5, "{before:?}");
    let (second, sent) = up_here(OFFICE);
    assert_eq!((second, sent), (Plan::default(), 0));
    assert_eq!(fingerprint(), before);
    configure(OFFICE);
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
    assert_eq!(fingerprint(), before);
}
