//! What polkit is told of who may enter a namespace.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Ran, command, configure, expect, say, settled, steps, up_does};
use crate::unknown::{read_only, writable};

const RULES: &str = "/etc/polkit-1/rules.d";
const ACTIONS: &str = "/etc/polkit-1/actions";

const OFFICE: &str =
    "[netns.office]\nrun.users = [\"alice\"]\nrun.groups = [\"office\"]\n[netns.default.run]\n";

/// A machine with polkit's folders. False where this user's polkit would not be the machine's.
fn set() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    if map.split_whitespace().nth(2) != Some("4294967295") {
        say("SKIPPED: no polkit asks a user namespace; the tier of root runs it");
        return false;
    }
    fs::create_dir_all(RULES).unwrap();
    true
}

/// The polkit files there are.
fn files() -> Vec<String> {
    let mut found = Vec::new();
    for folder in [ACTIONS, RULES] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}

#[netnsctl_machine::test]
fn polkit_knows_who_may_enter() {
    if !set() {
        return;
    }
    configure(OFFICE);
    let planned = expect(0, &["plan"]).stdout;
    let told = "+ polkit action org.netnsctl.run.office: user alice, group office";
    assert!(steps(&planned).contains(&told.to_owned()), "{planned}");
    expect(0, &["up", "--quiet"]);
    settled();
    let all = [
        "50-org.netnsctl.run.office.rules",
        "org.netnsctl.run.default.policy",
        "org.netnsctl.run.office.policy",
    ];
    assert_eq!(files(), all);
    let action = fs::read_to_string(format!("{ACTIONS}/{}", all[2])).unwrap();
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_netnsctl")).unwrap();
    let program = format!("exec.path\">{}</annotate>", program.display());
    assert!(action.contains(&program), "{action}");
    assert!(
        action.contains("exec.argv1\">--enter=office</annotate>"),
        "{action}"
    );
    let rules = fs::read_to_string(format!("{RULES}/{}", all[0])).unwrap();
    assert!(rules.contains("var users = [\"alice\"];"), "{rules}");
    for (folder, file) in [(ACTIONS, all[2]), (RULES, all[0])] {
        let mode = fs::metadata(format!("{folder}/{file}"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o7777, 0o644, "{file}");
    }
    // Others may, in place.
    configure(&OFFICE.replace("alice", "bob"));
    up_does(&["~ polkit action org.netnsctl.run.office: user bob, group office"]);
    // Nobody but administrators.
    configure("[netns.office.run]\n[netns.default.run]\n");
    up_does(&["~ polkit action org.netnsctl.run.office: with an administrator's password"]);
    assert_eq!(files(), all[1..]);
    configure("[netns.office]\n");
    expect(0, &["up"]);
    settled();
    assert_eq!(files(), [""; 0]);
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    expect(0, &["down"]);
    assert_eq!(files(), [""; 0]);
}

#[netnsctl_machine::test]
fn access_that_cannot_be_revoked_is_a_failure() {
    if !set() {
        return;
    }
    configure(OFFICE);
    expect(0, &["up"]);
    let told = files();
    read_only(RULES);
    configure("[netns.office]\n[netns.default.run]\n");
    let planned = steps(&expect(0, &["plan"]).stdout);
    assert_eq!(planned, ["- polkit action org.netnsctl.run.office"]);
    let words = "cannot remove /etc/polkit-1/rules.d/50-org.netnsctl.run.office.rules: \
                 Read-only file system (EROFS)";
    let ran = expect(1, &["up"]);
    assert!(ran.stderr.contains(words), "{ran:?}");
    // Others than declared may enter: that is no reason for a note.
    configure(&OFFICE.replace("alice", "bob"));
    expect(1, &["up"]);
    let ran = expect(1, &["down"]);
    assert!(ran.stderr.contains(words), "{ran:?}");
    assert!(fs::exists("/run/netnsctl/office.json").unwrap());
    assert!(fs::exists(format!("{RULES}/{}", told[0])).unwrap());
    writable(RULES);
    expect(0, &["down"]);
    assert_eq!(files(), [""; 0]);
    assert!(!fs::exists("/run/netnsctl").unwrap());
}

#[netnsctl_machine::test]
fn access_below_a_link_is_seen_and_removed() {
    if !set() {
        return;
    }
    let link_rules = || {
        fs::rename(RULES, "/etc/polkit-1/real.d").unwrap();
        symlink("real.d", RULES).unwrap();
    };
    configure(OFFICE);
    expect(0, &["up"]);
    link_rules();
    settled();
    configure("[netns.office]\n[netns.default.run]\n");
    up_does(&["- polkit action org.netnsctl.run.office"]);
    let rules = "/etc/polkit-1/real.d/50-org.netnsctl.run.office.rules";
    assert!(!fs::exists(rules).unwrap());
    // No new file is put there.
    configure(OFFICE);
    let ran = expect(0, &["up"]);
    assert!(
        ran.stderr.contains("[netns.office.run] has no effect"),
        "{ran:?}"
    );
    assert!(!fs::exists(rules).unwrap());
}

#[netnsctl_machine::test]
fn access_that_cannot_be_given_is_noted() {
    if !set() {
        return;
    }
    read_only(RULES);
    configure(OFFICE);
    let words = "[netns.office.run] has no effect: /etc/polkit-1/rules.d cannot be written to";
    for command in ["plan", "up", "status"] {
        let ran = expect(0, &[command]);
        assert!(
            ran.stdout.contains(words) || ran.stderr.contains(words),
            "{command} {ran:?}"
        );
    }
    writable(RULES);
    up_does(&[
        "+ polkit action org.netnsctl.run.default: with an administrator's password",
        "+ polkit action org.netnsctl.run.office: user alice, group office",
    ]);
}

#[netnsctl_machine::test]
fn files_of_the_administrator_stay() {
    if !set() {
        return;
    }
    let own = format!("{RULES}/50-org.netnsctl.run.office.rules");
    fs::write(&own, "polkit.addRule(mine);\n").unwrap();
    fs::create_dir_all(ACTIONS).unwrap();
    fs::write("/etc/elsewhere", "mine").unwrap();
    let link = format!("{ACTIONS}/org.netnsctl.run.office.policy");
    symlink("/etc/elsewhere", &link).unwrap();
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    settled();
    expect(0, &["down"]);
    assert_eq!(fs::read_to_string(own).unwrap(), "polkit.addRule(mine);\n");
    assert_eq!(fs::read_to_string("/etc/elsewhere").unwrap(), "mine");
    assert!(fs::symlink_metadata(link).unwrap().is_symlink());
}

#[netnsctl_machine::test]
fn a_program_that_others_could_replace_gets_no_action() {
    if !set() {
        return;
    }
    configure(OFFICE);
    fs::create_dir_all("/etc/programs/here").unwrap();
    let program = "/etc/programs/here/netnsctl";
    fs::copy(env!("CARGO_BIN_EXE_netnsctl"), program).unwrap();
    let up = || Ran::of(command(program).args(["up"]).output().unwrap());
    let open = |path: &str, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for (path, mode) in [
        (program, 0o775),
        ("/etc/programs/here", 0o757),
        ("/etc/programs", 0o777),
    ] {
        let before = fs::metadata(path).unwrap().permissions();
        open(path, mode);
        let seen = up();
        assert_eq!(seen.status, Some(0), "{}", seen.stderr);
        let why = "others than root could replace this program";
        assert!(
            seen.stderr.contains(why) || seen.stdout.contains(why),
            "{}",
            seen.stderr
        );
        assert_eq!(files(), [""; 0], "{path}");
        fs::set_permissions(path, before).unwrap();
    }
    std::os::unix::fs::chown("/etc/programs", Some(1000), None).unwrap();
    up();
    assert_eq!(files(), [""; 0]);
    // In a folder like /tmp what is root's is safe.
    std::os::unix::fs::chown("/etc/programs", Some(0), None).unwrap();
    open("/etc/programs", 0o1777);
    let seen = up();
    assert_eq!(
        (seen.status, files().len()),
        (Some(0), 3),
        "{}",
        seen.stderr
    );
}

#[netnsctl_machine::test]
fn without_polkit_nothing_is_told() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    settled();
    assert_eq!(files(), [""; 0]);
}
