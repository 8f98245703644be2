//! `check`: what is wrong with a file, for people and for programs.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{configure, expect, traces};

#[netnsctl_machine::test]
fn every_example_is_right_and_can_be_planned() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let list = |folder: &Path| {
        fs::read_dir(folder)
            .expect("a folder can be read")
            .flatten()
    };
    // Those that stand alone, and one in the folder of each recipe.
    let recipes: Vec<_> = list(&folder)
        .filter(|entry| entry.path().is_dir())
        .collect();
    assert!(!recipes.is_empty());
    let files = |folder: &Path| -> Vec<String> {
        let paths = list(folder).map(|entry| entry.path().display().to_string());
        paths
            .filter(|path| path.ends_with(".toml") || path.ends_with(".json"))
            .collect()
    };
    let mut all = files(&folder);
    assert!(!all.is_empty());
    for recipe in recipes {
        let declared = files(&recipe.path());
        assert!(!declared.is_empty(), "{}", recipe.path().display());
        all.extend(declared);
    }
    let before = traces();
    for file in &all {
        let ran = expect(0, &["check", file]);
        assert!(
            ran.stdout.starts_with("ok: 1 file, "),
            "{file}: {}",
            ran.stdout
        );
        assert_eq!(ran.stderr, "", "{file}");
        let plan = expect(3, &["plan", "--exit-code", "--config", file]).stdout;
        assert!(plan.contains("+ network namespace"), "{file}: {plan}");
    }
    assert_eq!(traces(), before);
}

const WRONG: &str = "[netns.office]\nadress = []\nipv4_forwarding = \"yes\"\n\
                     [[netns.office.veth]]\nnetns = \"lab\"\nmtu = 60\n";

#[netnsctl_machine::test]
fn several_mistakes_are_told_at_once_with_their_places() {
    let file = configure(WRONG).display().to_string();
    let ran = expect(2, &["check"]);
    assert_eq!(ran.stdout, "");
    for part in ["adress", "address", "\"yes\"", "lab", "60", "4 mistakes"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    for place in ["2:1", "3:19", "5:9", "6:7"] {
        assert!(
            ran.stderr.contains(&format!("{file}:{place}")),
            "{place}: {}",
            ran.stderr
        );
    }
    assert!(!ran.stderr.contains('\x1b'), "colour is for terminals");
    for command in ["up", "plan", "serve"] {
        assert_eq!(expect(2, &[command]).stderr, ran.stderr);
    }
}

#[netnsctl_machine::test]
fn what_is_right_is_said_in_one_line() {
    configure("[netns.office]\n[[netns.office.veth]]\n");
    let ran = expect(0, &["check"]);
    assert_eq!(
        ran.stdout,
        "ok: 1 file, 1 namespace, 1 veth pair, 0 forwards\n"
    );
    assert_eq!(ran.stderr, "");
}

#[netnsctl_machine::test]
fn mistakes_are_data_for_programs() {
    let file = configure(WRONG).display().to_string();
    let ran = expect(2, &["check", "--json"]);
    assert_eq!(ran.stderr, "");
    let data: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(data["ok"], false);
    let all = data["diagnostics"].as_array().expect("a list");
    assert_eq!(all.len(), 4, "{data:#}");
    let places: Vec<_> = all
        .iter()
        .map(|one| {
            (
                one["line"].as_u64().unwrap(),
                one["column"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(places, [(2, 1), (3, 19), (5, 9), (6, 7)]);
    for one in all {
        assert_eq!(one["file"], file.as_str());
        assert_eq!(one["severity"], "error");
        assert!(one["message"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(
            one["hint"].as_str().is_some_and(|text| !text.is_empty()),
            "{one:#}"
        );
    }
    configure("[netns.office]\n");
    let data = expect(0, &["check", "--json"]).stdout;
    let data: Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!(
        data,
        serde_json::json!({"version": 1, "ok": true, "diagnostics": []})
    );
}

/// Whether a terminal would take part of `text` for an order.
fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|c| c == '\n' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)))
}

#[netnsctl_machine::test]
fn nothing_of_a_file_reaches_the_terminal_raw() {
    let odd = "\u{1b}[31mred\u{7}\u{202e}";
    let name = format!("/etc/netnsctl/{odd}.toml");
    fs::create_dir_all("/etc/netnsctl").expect("/etc is ours");
    fs::write(
        &name,
        format!("[netns.\"{odd}\"]\n\"{odd}\" = \"{odd}\" # {odd}\n"),
    )
    .expect("it is ours");
    let ran = expect(2, &["check"]);
    assert!(is_plain(&ran.stderr), "{:?}", ran.stderr);
    assert!(!expect(2, &["check", "--json"]).stdout.contains('\u{1b}'));
    for arguments in [
        &["check", "/nowhere/\u{1b}[31m.toml"][..],
        &["check", "/nowhere/\u{1b}[31m.txt"],
        &["status", odd],
        &["up", odd],
        &["plan", odd],
        &["down", odd],
    ] {
        let ran = expect(2, arguments);
        assert!(is_plain(&ran.stderr), "{arguments:?}: {:?}", ran.stderr);
    }
    let empty = format!("/etc/netnsctl/{odd}");
    fs::create_dir(&empty).expect("it is ours");
    assert!(is_plain(&expect(2, &["check", &empty]).stderr));
    let error = expect(125, &["run", odd, "true"]).stderr;
    assert!(is_plain(&error), "{error:?}");
}

#[netnsctl_machine::test]
fn files_mask_one_another_by_name() {
    configure("[netns.one]\n");
    fs::create_dir_all("/run/netnsctl/conf").expect("/run is ours");
    fs::write(
        "/run/netnsctl/conf/test.toml",
        "[netns.masked]\nadress = 1\n",
    )
    .expect("it is ours");
    fs::write("/run/netnsctl/conf/more.json", "{\"netns\": {\"two\": {}}}").expect("it is ours");
    fs::write("/run/netnsctl/conf/ignored.txt", "nonsense").expect("it is ours");
    let plan = expect(0, &["plan"]).stdout;
    assert!(
        plan.contains("netns one\n") && plan.contains("netns two\n"),
        "{plan}"
    );
    assert!(!plan.contains("masked"), "{plan}");
    fs::write("/run/netnsctl/conf/third.toml", "[netns.two]\n").expect("it is ours");
    let error = expect(2, &["check"]).stderr;
    assert!(
        error.contains("more.json") && error.contains("third.toml"),
        "{error}"
    );
}

#[netnsctl_machine::test]
fn what_cannot_be_read_is_named() {
    let error = expect(2, &["check", "/nowhere.toml"]).stderr;
    assert!(error.contains("/nowhere.toml"), "{error}");
    assert!(error.contains("(ENOENT)"), "{error}");
    let error = expect(2, &["check"]).stderr;
    assert!(error.contains("there is no configuration"), "{error}");
    assert!(error.contains("hint: "), "{error}");
    configure("");
    let wrong = Path::new("/etc/netnsctl/bytes.toml");
    fs::write(wrong, b"[netns.\xff]\n").expect("/etc is ours");
    assert!(expect(2, &["check"]).stderr.contains("bytes.toml:1"));
}

#[netnsctl_machine::test]
fn a_configuration_that_others_can_change_is_warned_of() {
    use std::os::unix::fs::{PermissionsExt, chown};

    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    if map.split_whitespace().nth(2) != Some("4294967295") {
        crate::support::say("SKIPPED: no file here is of another user; the tier of root runs it");
        return;
    }
    let file = configure("[netns.office]\n");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    assert_eq!(expect(0, &["check"]).stderr, "");
    mode(&file, 0o666);
    let words = "warning: every user can change \"/etc/netnsctl/test.toml\", and so what root does with it\n";
    for command in ["check", "plan"] {
        assert_eq!(expect(0, &[command]).stderr, words, "{command}");
    }
    mode(&file, 0o664);
    assert_eq!(expect(0, &["check"]).stderr, "");
    chown(&file, None, Some(1)).unwrap();
    assert!(
        expect(0, &["check"])
            .stderr
            .starts_with("warning: group 1 can change")
    );
    chown(&file, Some(1000), Some(0)).unwrap();
    assert!(
        expect(0, &["check"])
            .stderr
            .starts_with("warning: user 1000 can change")
    );
    chown(&file, Some(0), None).unwrap();
    mode(&file, 0o644);
    mode(Path::new("/etc/netnsctl"), 0o777);
    let words = "warning: every user can change \"/etc/netnsctl\"";
    assert!(expect(0, &["check"]).stderr.starts_with(words));
    // Only the owner of a file may replace it there.
    mode(Path::new("/etc/netnsctl"), 0o1777);
    assert_eq!(expect(0, &["check"]).stderr, "");
}
