//! Files in /etc that outlived the record of their namespace.

use std::fs;

use crate::net::name_exists;
use crate::support::{Ran, command, configure, expect, say, settled, steps, traces};

const RULES: &str = "/etc/polkit-1/rules.d";
const RULES_FILE: &str = "/etc/polkit-1/rules.d/50-org.netnsctl.run.office.rules";
const ACTION_FILE: &str = "/etc/polkit-1/actions/org.netnsctl.run.office.policy";
const RESOLV_CONF: &str = "/etc/netns/office/resolv.conf";

/// Whether this user's polkit would be the machine's.
pub(crate) fn has_polkit() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().nth(2) == Some("4294967295")
}

/// A machine after a power cut: /run is new, and what lies in /etc for `office` is still there.
fn cut() {
    if has_polkit() {
        fs::create_dir_all(RULES).unwrap();
    }
    configure("[netns.office]\nrun.users = [\"alice\"]\n");
    expect(0, &["up"]);
    let files = [RULES_FILE, ACTION_FILE, RESOLV_CONF];
    let contents = files.map(|file| fs::read(file).ok());
    assert_eq!(contents[0].is_some(), has_polkit());
    expect(0, &["down"]);
    fs::create_dir_all("/etc/netns/office").unwrap();
    for (file, content) in files.iter().zip(contents) {
        if let Some(content) = content {
            fs::write(file, content).unwrap();
            // Before the machine was booted.
            let written = fs::File::options().write(true).open(file).unwrap();
            written
                .set_modified(std::time::SystemTime::UNIX_EPOCH)
                .unwrap();
        }
    }
}

#[track_caller]
fn no_leftovers() {
    // A user may not look at polkit's folders, and has put nothing there.
    for path in [RULES_FILE, ACTION_FILE, "/etc/netns/office"] {
        assert!(!fs::exists(path).unwrap_or(false), "{path}");
    }
}

#[netnsctl_machine::test]
fn files_that_outlived_their_record_are_removed_by_up() {
    cut();
    configure("[netns.shop]\n");
    let planned = steps(&expect(0, &["plan"]).stdout);
    let mut wanted = vec![
        "- file /etc/netns/office/resolv.conf",
        "- folder /etc/netns/office",
    ];
    if has_polkit() {
        wanted.push("- polkit action org.netnsctl.run.office");
    }
    for step in &wanted {
        assert!(planned.contains(&(*step).to_owned()), "{planned:?}");
    }
    // A command for one name leaves the others alone.
    expect(0, &["up", "shop"]);
    assert!(fs::exists(RESOLV_CONF).unwrap());
    let done = steps(&expect(0, &["up"]).stdout);
    assert_eq!(done, wanted);
    no_leftovers();
    settled();
    // What the user has in the folder stays, and so does the folder.
    cut();
    fs::write("/etc/netns/office/hosts", "192.0.2.1 mine\n").unwrap();
    configure("[netns.shop]\n");
    expect(0, &["up"]);
    assert!(!fs::exists(RESOLV_CONF).unwrap());
    assert!(fs::exists("/etc/netns/office/hosts").unwrap());
    settled();
}

#[netnsctl_machine::test]
fn files_that_outlived_their_record_are_removed_by_down() {
    let nothing = traces();
    for words in [&["down"][..], &["down", "office"]] {
        cut();
        let ran = expect(0, words);
        assert!(
            ran.stdout.contains("- netns office (its remains)"),
            "{ran:?}"
        );
        no_leftovers();
        assert_eq!(traces(), nothing);
    }
    cut();
    configure("[netns.shop]\n");
    expect(0, &["up", "shop"]);
    expect(0, &["down", "shop"]);
    assert!(fs::exists(RESOLV_CONF).unwrap());
    crate::net::make_foreign("office");
    let ran = expect(1, &["down", "office"]);
    let words = "error: netns \"office\" was not made by netnsctl; \
                 only files that netnsctl had left for this name are removed\n  \
                 hint: \"ip netns del office\" deletes it\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", words));
    // netnsctl did not make that namespace, so our files must not let users in.
    no_leftovers();
    assert!(name_exists("office"));
}

#[netnsctl_machine::test]
fn files_of_a_declared_namespace_that_outlived_the_record_go_with_it() {
    let nothing = traces();
    cut();
    expect(0, &["up"]);
    settled();
    expect(0, &["down"]);
    no_leftovers();
    assert_eq!(traces(), nothing);
}

#[netnsctl_machine::test]
fn files_of_the_machine_stay_where_run_is_another() {
    if !has_polkit() {
        say("SKIPPED: a user has no files in the machine's /etc; the tier of root runs it");
        return;
    }
    fs::create_dir_all(RULES).unwrap();
    configure("[netns.office]\nrun.users = [\"alice\"]\n");
    // In a process id namespace of its own this machine has a process 1 with its files.
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let inner = format!("mount -t tmpfs t /run && {program} down; {program} plan");
    let script = format!("{program} up --quiet && unshare -m /bin/sh -c '{inner}'");
    let mut unshare = command("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", "/bin/sh", "-c", &script]);
    let ran = Ran::of(unshare.output().unwrap());
    assert!(!ran.stdout.contains("its remains"), "{ran:?}");
    for file in [RULES_FILE, ACTION_FILE, RESOLV_CONF] {
        assert!(fs::exists(file).unwrap(), "{file} {ran:?}");
    }
    expect(0, &["down"]);
    no_leftovers();
}

#[netnsctl_machine::test]
fn odd_things_in_other_folders_stop_nothing() {
    configure("[netns.shop]\n");
    fs::create_dir_all("/etc/netns/odd/resolv.conf").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind("/etc/netns/odd/nsswitch.conf").unwrap();
    if has_polkit() {
        fs::create_dir_all(format!("{RULES}/50-org.netnsctl.run.odd.rules")).unwrap();
    }
    expect(0, &["up"]);
    settled();
    expect(0, &["down"]);
    assert!(fs::exists("/etc/netns/odd/resolv.conf").unwrap());
}

#[netnsctl_machine::test]
fn a_file_that_a_kill_left_half_written_goes_or_is_completed() {
    let half = "/etc/netns/office/.resolv.conf.new";
    let nothing = traces();
    configure("[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n");
    for has_old in [true, false] {
        expect(0, &["up", "--quiet"]);
        let complete = fs::read(RESOLV_CONF).unwrap();
        // Killed after the first step of writing it. A change may have been taken back since then.
        fs::write(half, "").unwrap();
        if !has_old {
            fs::remove_file(RESOLV_CONF).unwrap();
        }
        expect(0, &["up", "--quiet"]);
        assert!(!fs::exists(half).unwrap());
        assert_eq!(fs::read(RESOLV_CONF).unwrap(), complete);
        settled();
        fs::write(half, "").unwrap();
        if !has_old {
            fs::remove_file(RESOLV_CONF).unwrap();
        }
        expect(0, &["down", "--quiet"]);
        assert_eq!(traces(), nothing);
    }
}

#[netnsctl_machine::test]
fn a_record_that_a_kill_left_half_written_goes_with_the_next_command() {
    configure("[netns.office]\n");
    let nothing = traces();
    for words in ["up", "down"] {
        expect(0, &["up", "--quiet"]);
        // The second is of a namespace that was declared then.
        let half = [".office.json.new", ".shop.json.new", ".host-netns.new"];
        let half = half.map(|file| format!("/run/netnsctl/{file}"));
        for file in &half {
            fs::write(file, "").unwrap();
        }
        expect(0, &[words, "--quiet"]);
        for file in &half {
            assert!(!fs::exists(file).unwrap(), "{words}: {file}");
        }
    }
    assert_eq!(traces(), nothing);
}
