//! `up --part` and `down --part`: what units of systemd carry out.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::net::{addresses, has_link, routes};
use crate::support::{configure, eventually, expect, netnsctl, settled, steps, traces};

const DECLARED: &str = r#"
[netns.office]
address = ["10.20.0.1/24"]
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 0
"net.ipv4.conf.host.rp_filter" = 2
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.veth]]
netns = "lab"
address = ["192.168.78.1/30"]
[[netns.office.route]]
to = "default"
via = "192.168.77.1"
[[netns.office.route]]
to = "10.30.0.0/24"
via = "10.20.0.7"

[netns.lab]
[[netns.lab.route]]
to = "10.20.0.0/24"
interface = "office"

[netns.default]
[[netns.default.veth]]
netns = "lab"
interface = "lab0"
"#;

/// Every part, as units start them.
const PARTS: [(&str, &str); 7] = [
    ("lab", "namespace"),
    ("office", "namespace"),
    ("default", "veth:1"),
    ("office", "veth:1"),
    ("office", "veth:2"),
    ("lab", "view"),
    ("office", "view"),
];

const VIEW: &str = "/run/netns-office/mntns";

fn up(netns: &str, part: &str) -> Vec<String> {
    steps(&expect(0, &["up", netns, "--part", part]).stdout)
}

fn down(netns: &str, part: &str) -> Vec<String> {
    steps(&expect(0, &["down", netns, "--part", part]).stdout)
}

#[netnsctl_machine::test]
fn parts_together_are_what_up_does() {
    let before = traces();
    configure(DECLARED);
    for (netns, part) in PARTS {
        assert_ne!(up(netns, part), [""; 0], "{netns} {part}");
        assert_eq!(up(netns, part), [""; 0], "{netns} {part} again");
    }
    settled();
    assert!(Path::new(VIEW).exists());
    expect(0, &["down", "lab", "--part", "namespace"]);
    expect(0, &["down"]);
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn the_folders_of_sockets_are_made_before_systemd_makes_sockets() {
    configure(&format!("{DECLARED}[netns.lab.nscd]\nenable = false\n"));
    let modes = || {
        let mode = |path| fs::metadata(path).map(|it| it.permissions().mode() & 0o7777);
        ["/run/netns-office", "/run/netns-office/nscd"].map(|path| mode(path).ok())
    };
    for (netns, part) in PARTS.iter().filter(|(_, part)| *part == "namespace") {
        up(netns, part);
    }
    assert_eq!(modes(), [Some(0o700), Some(0o755)]);
    assert!(!Path::new("/run/netns-lab").exists());
    // Those of an earlier version, or of systemd.
    let (upper, lower) = (Permissions::from_mode(0o755), Permissions::from_mode(0o700));
    fs::set_permissions("/run/netns-office", upper).unwrap();
    fs::set_permissions("/run/netns-office/nscd", lower).unwrap();
    up("office", "namespace");
    assert_eq!(modes(), [Some(0o700), Some(0o755)]);
}

#[netnsctl_machine::test]
fn parts_may_be_brought_up_at_once() {
    configure(DECLARED);
    let start = |(netns, part): &(&str, &str)| {
        let mut command = netnsctl(&["up", netns, "--part", part, "--quiet"]);
        command.spawn().expect("the program can be started")
    };
    for group in [&PARTS[..2], &PARTS[2..]] {
        let children: Vec<_> = group.iter().map(start).collect();
        for mut child in children {
            assert!(child.wait().expect("it ends").success());
        }
    }
    settled();
}

#[netnsctl_machine::test]
fn what_needs_a_pair_comes_with_it() {
    configure(DECLARED);
    up("lab", "namespace");
    up("office", "namespace");
    assert!(!has_link("office", "host") && !has_link("lab", "office"));
    assert_eq!(routes("office"), ["10.30.0.0/24 via 10.20.0.7 dev office"]);
    let with_home = up("office", "veth:1");
    assert!(
        with_home.iter().any(|step| step.contains("rp_filter")),
        "{with_home:?}"
    );
    assert!(
        with_home.iter().any(|step| step.contains("default via")),
        "{with_home:?}"
    );
    assert!(!has_link("office", "lab"));
    let with_lab = up("office", "veth:2");
    assert!(
        with_lab.iter().any(|step| step.contains("10.20.0.0/24")),
        "{with_lab:?}"
    );
    assert_eq!(routes("lab").len(), 1);
}

#[netnsctl_machine::test]
fn a_pair_goes_alone_and_comes_back() {
    configure(DECLARED);
    expect(0, &["up"]);
    let gone = down("office", "veth:1");
    assert_eq!(gone, ["- link host"]);
    assert_eq!(down("office", "veth:1"), [""; 0]);
    assert!(!has_link("office", "host") && !has_link("default", "office"));
    assert!(has_link("office", "lab") && has_link("default", "lab0"));
    let own = addresses("office", "office");
    assert!(own.contains(&"10.20.0.1/24".to_owned()), "{own:?}");
    up("office", "veth:1");
    settled();
    // One that somebody else made in its place is not ours to take.
    down("default", "veth:1");
    crate::net::add_bridge("lab", "host");
    assert_eq!(down("default", "veth:1"), [""; 0]);
    let refused = expect(1, &["up", "default", "--part", "veth:1"]).stderr;
    assert!(refused.contains("did not make"), "{refused}");
}

#[netnsctl_machine::test]
fn a_pair_goes_whatever_is_wrong_with_other_files() {
    configure(DECLARED);
    expect(0, &["up"]);
    fs::write("/etc/netnsctl/wrong.toml", "netns = 5").expect("a file can be written");
    let dangling = "/etc/netnsctl/dangling.toml";
    std::os::unix::fs::symlink("nowhere.toml", dangling).expect("a link can be made");
    expect(2, &["up", "office", "--part", "veth:1"]);
    assert!(has_link("office", "host"));
    let went = expect(0, &["down", "office", "--part", "veth:1"]);
    assert_eq!(steps(&went.stdout), ["- link host"]);
    for file in ["wrong.toml", "dangling.toml"] {
        assert!(went.stderr.contains(file), "{}", went.stderr);
    }
    assert!(!has_link("office", "host") && has_link("office", "lab"));
}

#[netnsctl_machine::test]
fn a_view_goes_alone_and_comes_back() {
    configure(DECLARED);
    expect(0, &["up"]);
    assert!(!Path::new(VIEW).exists());
    assert_eq!(up("office", "view"), [format!("+ view {VIEW}")]);
    assert!(Path::new(VIEW).exists());
    down("office", "view");
    down("office", "view");
    assert!(!Path::new(VIEW).exists());
    settled();
    up("office", "view");
    expect(
        0,
        &[
            "run",
            "office",
            "--",
            "/bin/sh",
            "-c",
            "grep -q netnsctl /etc/resolv.conf",
        ],
    );
}

#[netnsctl_machine::test]
fn a_part_needs_its_namespace() {
    configure(DECLARED);
    for part in ["view", "veth:1"] {
        let before = traces();
        let refused = expect(1, &["up", "office", "--part", part]).stderr;
        assert!(
            refused.contains("netns \"office\" is not there"),
            "{refused}"
        );
        assert!(
            refused.contains("hint: \"netnsctl up office\""),
            "{refused}"
        );
        eventually("nothing to be left", || (traces() == before).then_some(()));
        expect(0, &["down", "office", "--part", part]);
    }
    up("office", "namespace");
    let refused = expect(1, &["up", "office", "--part", "veth:2"]).stderr;
    assert!(refused.contains("netns \"lab\" is not there"), "{refused}");
}

#[netnsctl_machine::test]
fn parts_that_are_none_are_refused() {
    configure(DECLARED);
    let cases: [(&[&str], &str); 8] = [
        (&["office", "--part", "veth"], "\"veth\" is no part"),
        (&["office", "--part", "veth:0"], "\"veth:0\" is no part"),
        (&["office", "--part", "veth:3"], "declares 2 veth pairs"),
        (&["default", "--part", "view"], "home namespace"),
        (&["default", "--part", "namespace"], "home namespace"),
        (&["attic", "--part", "view"], "\"attic\" is not declared"),
        (&["office", "lab", "--part", "view"], "of one namespace"),
        (&["a/b", "--part", "view"], "no namespace name"),
    ];
    let before = traces();
    for (arguments, why) in cases {
        let mut line = vec!["up"];
        line.extend(arguments);
        let refused = expect(2, &line).stderr;
        assert!(refused.contains(why), "{arguments:?}: {refused}");
    }
    expect(2, &["up", "--part", "view"]);
    expect(2, &["down", "office", "--part", "veth:3"]);
    assert_eq!(traces(), before);
}
