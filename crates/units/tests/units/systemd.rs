//! systemd's own opinion, where systemd-analyze(1) is installed. In CI it has to be.

use std::path::Path;
use std::process::{Command, Output};

use netnsctl_units::units;

use crate::{cases, declared, facts, write};

/// What `systemd-analyze security` may find at most: 0 is a unit that can do nothing, 10 one that
/// can do everything.
const MOST_EXPOSURE: f64 = 1.5;

/// Runs systemd-analyze with `folder` before the units of this machine.
#[expect(clippy::disallowed_methods, reason = "a test asks a peer")]
fn analyze(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.display()))
        .env("SYSTEMD_LOG_TARGET", "console")
        .output()
        .unwrap()
}

/// Whether systemd-analyze is there; says so, or fails in CI, if not.
#[expect(clippy::disallowed_methods, reason = "a test looks for a peer")]
#[expect(clippy::print_stderr, reason = "what was not tried is said")]
fn is_there() -> bool {
    let there = Command::new("systemd-analyze").arg("--version").output();
    let there = there.is_ok_and(|output| output.status.success());
    assert!(
        there || std::env::var_os("CI").is_none(),
        "CI needs systemd-analyze"
    );
    if !there {
        eprintln!("SKIPPED: there is no systemd-analyze");
    }
    there
}

/// Writes the units of a case, of a program that exists; gives the names of the files.
fn install(case: &Path, folder: &Path) -> Vec<String> {
    let desired = declared(case);
    let units = units(&desired, &facts(&desired, "/bin/true"));
    write(&units, folder);
    let names = units.entries.into_keys();
    names.filter(|name| !name.contains('/')).collect()
}

#[test]
fn systemd_has_nothing_to_say_of_any_unit() {
    if !is_there() {
        return;
    }
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let names = install(&case, folder.path());
        assert!(!names.is_empty());
        // With the target, all of them are started in one transaction, as they are at boot.
        let mut arguments = vec!["verify", "multi-user.target"];
        arguments.extend(names.iter().map(String::as_str));
        let output = analyze(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        let ours: Vec<_> = said.lines().filter(|line| line.contains("netns")).collect();
        assert!(ours.is_empty(), "{}: {}", case.display(), ours.join("\n"));
        let cycle = said.lines().find(|line| line.contains("cycle"));
        assert_eq!(cycle, None, "{}", case.display());
    }
}

#[test]
fn a_mistake_in_a_unit_would_be_found() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = "[Unit]\nAfter=netns-x.service\n[Service]\nExecStart=/bin/true\nNoSuchKey=x\n";
    std::fs::write(folder.path().join("netns-x.service"), unit).unwrap();
    let output = analyze(folder.path(), &["verify", "netns-x.service"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("netns-x.service") && said.contains("NoSuchKey"),
        "{said}"
    );
}

#[test]
fn forwards_and_daemons_are_hardly_exposed() {
    if !is_there() {
        return;
    }
    let mut seen = 0;
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let names = install(&case, folder.path());
        let is_long_running = |name: &&String| {
            let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
            text.contains("\nType=notify\n")
        };
        let long_running = names.iter().filter(is_long_running);
        for name in long_running {
            let path = folder.path().join(name);
            let path = path.to_str().unwrap();
            let output = analyze(
                folder.path(),
                &["security", "--offline=true", "--no-pager", path],
            );
            let said = String::from_utf8_lossy(&output.stdout);
            let verdict = said
                .lines()
                .find(|line| line.contains("Overall exposure level"));
            let verdict = verdict.unwrap_or_else(|| panic!("{name}: {said}"));
            let level = verdict
                .rsplit(": ")
                .next()
                .unwrap()
                .split(' ')
                .next()
                .unwrap();
            let level: f64 = level.parse().unwrap_or_else(|_| panic!("{verdict}"));
            assert!(level <= MOST_EXPOSURE, "{verdict}\n{said}");
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} units were looked at");
}
