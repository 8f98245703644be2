//! Exit statuses, and the configuration that is found.

use std::fs;

use rustix::mount::{MountFlags, mount};

use crate::net::name_exists;
use crate::support::{command, configure, expect, traces};

#[netnsctl_machine::test]
fn exit_statuses_say_what_came_of_it() {
    configure("[netns.office]\n");
    expect(0, &["plan"]);
    expect(3, &["plan", "--exit-code"]);
    expect(0, &["up"]);
    expect(0, &["plan", "--exit-code"]);
    expect(0, &["check"]);
    expect(0, &["list"]);
    expect(0, &["down"]);
    expect(0, &["down"]);
    crate::net::make_foreign("office");
    expect(1, &["plan", "--exit-code"]);
    expect(1, &["up"]);
    expect(1, &["down", "office"]);
    expect(2, &["up", "--no-such-option"]);
    expect(2, &["no-such-command"]);
    expect(2, &["up", "default"]);
    expect(2, &["--config", "/nowhere.toml", "up"]);
}

#[netnsctl_machine::test]
fn a_name_that_is_not_declared_is_refused_with_those_that_are() {
    configure("[netns.office]\n[netns.shop]\n");
    let before = traces();
    for command in ["up", "plan"] {
        let ran = expect(2, &[command, "office", "nope"]);
        assert_eq!(
            ran.stderr,
            "error: netns \"nope\" is not declared\n  hint: declared are: office, shop\n"
        );
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn a_bad_configuration_changes_nothing() {
    let good = "[netns.office]\n[[netns.office.veth]]\n";
    let bad = [
        "adress = []\n",
        "address = [\"10.20.0.300/24\"]\n",
        "address = [\"10.20.0.1/24\"\n",
        "ipv4_forwarding = \"yes\"\n",
        "[[netns.office.veth]]\nnetns = \"nowhere\"\n",
    ];
    for up_before in [false, true] {
        if up_before {
            configure(good);
            expect(0, &["up"]);
        }
        let before = traces();
        for text in bad {
            configure(&format!("{good}[netns.shop]\n{text}"));
            for command in ["up", "plan", "check"] {
                let ran = expect(2, &[command]);
                assert!(
                    ran.stderr.contains("/etc/netnsctl/test.toml"),
                    "{}",
                    ran.stderr
                );
                assert_eq!(ran.stdout, "");
            }
            assert_eq!(traces(), before);
        }
    }
    // `down` needs no configuration, so it works in spite of it.
    expect(0, &["down"]);
    assert!(!name_exists("office"));
}

/// A /usr/lib that can be written to and shows what is there, on this machine alone.
#[expect(clippy::print_stderr, reason = "a test says what it could not try")]
fn own_usr_lib() -> bool {
    for folder in ["/run/upper", "/run/work"] {
        fs::create_dir(folder).expect("/run is ours");
    }
    let options = c"lowerdir=/usr/lib,upperdir=/run/upper,workdir=/run/work";
    let mounted = mount(
        "overlay",
        "/usr/lib",
        "overlay",
        MountFlags::empty(),
        Some(options),
    );
    let Err(error) = mounted else { return true };
    eprintln!("SKIPPED: the part with /usr/lib/netnsctl, as it cannot be covered: {error}");
    false
}

#[netnsctl_machine::test]
fn an_earlier_folder_masks_a_later_one() {
    let declare = |folder: &str, file: &str, name: &str| {
        fs::create_dir_all(folder).expect("the folder is ours");
        fs::write(format!("{folder}/{file}"), format!("[netns.{name}]\n")).expect("it is ours");
    };
    let listed = || {
        expect(0, &["up", "--prune", "--quiet"]);
        let names = expect(0, &["list"]).stdout;
        names.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut wanted = Vec::new();
    if own_usr_lib() {
        declare("/usr/lib/netnsctl", "a.toml", "vendor-a");
        declare("/usr/lib/netnsctl", "c.toml", "vendor-c");
        declare("/usr/lib/netnsctl", "d.toml", "vendor-d");
        assert_eq!(listed(), ["vendor-a", "vendor-c", "vendor-d"]);
        wanted.push("vendor-d");
    }
    declare("/run/netnsctl/conf", "a.toml", "runtime-a");
    declare("/run/netnsctl/conf", "b.toml", "runtime-b");
    declare("/run/netnsctl/conf", "c.toml", "runtime-c");
    declare("/run/netnsctl/conf", "ignored.conf", "ignored");
    let runtime = ["runtime-a", "runtime-b", "runtime-c"];
    assert_eq!(listed(), [&runtime[..], &wanted].concat());
    declare("/etc/netnsctl", "a.toml", "admin-a");
    fs::write("/etc/netnsctl/b.toml", "").expect("/etc is ours");
    assert_eq!(listed(), [&["admin-a", "runtime-c"][..], &wanted].concat());
    // --config replaces it all.
    expect(
        0,
        &["--config", "/run/netnsctl/conf/b.toml", "up", "--quiet"],
    );
    assert!(name_exists("runtime-b"));
    expect(0, &["down"]);
    assert!(fs::exists("/run/netnsctl/conf/b.toml").expect("/run is ours"));
    assert_eq!(expect(0, &["list"]).stdout, "");
}

#[netnsctl_machine::test]
fn one_namespace_in_two_files_is_refused_with_both_places() {
    configure("[netns.office]\n");
    let other = "/etc/netnsctl/other.toml";
    fs::write(other, "\n[netns.office]\n").expect("/etc is ours");
    let before = traces();
    let ran = expect(2, &["up"]);
    for place in ["/etc/netnsctl/other.toml:2", "/etc/netnsctl/test.toml:1"] {
        assert!(ran.stderr.contains(place), "{place}: {}", ran.stderr);
    }
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn without_a_configuration_up_says_where_to_write_one() {
    let before = traces();
    let ran = expect(2, &["up"]);
    assert_eq!(
        ran.stderr,
        "error: there is no configuration\n  hint: write a .toml or .json file into \
         /etc/netnsctl, or name one with --config\n"
    );
    assert_eq!(traces(), before);
    // A closed stdout is no reason to leave things half-made.
    configure("[netns.office]\n");
    let status = command("/bin/sh")
        .args(["-c", "\"$0\" up | :", env!("CARGO_BIN_EXE_netnsctl")])
        .status();
    assert!(status.expect("there is a shell").success());
    crate::support::eventually("the namespace", || name_exists("office").then_some(()));
}
