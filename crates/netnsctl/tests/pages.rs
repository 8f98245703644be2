//! What the package installs and the book shows is what the program prints: manual pages and the
//! schema.
//!
//! `NETNSCTL_UPDATE=1 cargo test -p netnsctl --test pages` writes the files anew.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests run the program and a linter"
)]
fn run(program: &str, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(program).args(arguments).output()
}

fn netnsctl(arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_netnsctl"), arguments).unwrap()
}

fn updates() -> bool {
    std::env::var_os("NETNSCTL_UPDATE").is_some()
}

/// The files in `folder`, by name.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().into(), text)
    };
    paths.map(read).collect()
}

/// The files below `folder`, by path.
fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for section in std::fs::read_dir(folder).unwrap() {
        for page in std::fs::read_dir(section.unwrap().path()).unwrap() {
            let path = page.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
        }
    }
    found
}

#[test]
fn pages_in_the_package_are_those_of_the_program() {
    let packaged = packaging().join("man");
    if updates() {
        let _ = std::fs::remove_dir_all(&packaged);
        let packaged = packaged.to_str().unwrap();
        assert!(netnsctl(&["man", "--output", packaged]).status.success());
    }
    let folder = tempfile::tempdir().unwrap();
    let printed = netnsctl(&["man", "--output", folder.path().to_str().unwrap()]);
    assert!(printed.status.success() && printed.stdout.is_empty());
    let (wanted, found) = (tree(folder.path()), tree(&packaged));
    let names = |tree: &BTreeMap<PathBuf, String>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&wanted));
    for (path, text) in &wanted {
        assert_eq!(
            &found[path],
            text,
            "{}: see the head of this test",
            path.display()
        );
    }
    assert!(wanted.len() > 15, "{}", wanted.len());
}

/// The reference in docs/ is the pages in Markdown.
#[test]
fn pages_in_the_book_are_those_of_the_program() {
    let booked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let print = |folder: &Path| {
        let folder = folder.to_str().unwrap();
        let printed = netnsctl(&["man", "--format", "markdown", "--output", folder]);
        assert!(printed.status.success() && printed.stdout.is_empty());
    };
    if updates() {
        let _ = std::fs::remove_dir_all(&booked);
        print(&booked);
    }
    let folder = tempfile::tempdir().unwrap();
    print(folder.path());
    let (wanted, found) = (files(folder.path()), files(&booked));
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>()
    );
    for (name, text) in &wanted {
        assert_eq!(&found[name], text, "{name:?}: see the head of this test");
    }
    assert!(wanted.len() > 15, "{}", wanted.len());
    let one = netnsctl(&["man", "--format", "markdown", "up"]);
    let one = String::from_utf8(one.stdout).unwrap();
    assert_eq!(one, wanted[Path::new("netnsctl-up.1.md")]);
}

#[test]
fn the_schema_in_the_package_is_that_of_the_program() {
    let packaged = packaging().join("netnsctl.schema.json");
    let printed = netnsctl(&["schema"]);
    assert!(printed.status.success());
    if updates() {
        std::fs::write(&packaged, &printed.stdout).unwrap();
    }
    let packaged = std::fs::read_to_string(packaged).unwrap();
    assert_eq!(packaged, String::from_utf8(printed.stdout).unwrap());
}

/// Needs mandoc(1); in CI it has to be there.
#[test]
#[expect(clippy::print_stderr, reason = "a test says what it did not try")]
fn pages_are_without_fault() {
    if run("mandoc", &["-T", "lint", "/dev/null"]).is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI needs mandoc");
        eprintln!("SKIPPED: there is no mandoc");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    netnsctl(&["man", "--output", folder.path().to_str().unwrap()]);
    for path in tree(folder.path()).keys() {
        let path = folder.path().join(path);
        let linted = run("mandoc", &["-T", "lint", path.to_str().unwrap()]).unwrap();
        let printed = String::from_utf8(linted.stdout).unwrap();
        // Which other pages this machine has says nothing about ours.
        let faults: Vec<_> = printed
            .lines()
            .filter(|line| !line.contains("referenced manual not found: Xr"))
            .collect();
        assert_eq!(faults, [""; 0], "{}", path.display());
        let shown = run("mandoc", &["-T", "utf8", path.to_str().unwrap()]).unwrap();
        assert!(shown.stdout.len() > 500, "{}", path.display());
    }
}

#[test]
fn a_page_is_found_by_any_of_its_names() {
    for name in ["up", "netnsctl-up", "netnsctl-up.1"] {
        let page = String::from_utf8(netnsctl(&["man", name]).stdout).unwrap();
        assert!(page.contains("\n.Nm netnsctl-up\n"), "{name}: {page}");
    }
    for (name, head) in [
        ("netnsctl", ".Dt NETNSCTL 1\n"),
        ("netnsctl.7", ".Dt NETNSCTL 7\n"),
        ("netnsctl.toml", ".Dt NETNSCTL.TOML 5\n"),
    ] {
        let page = String::from_utf8(netnsctl(&["man", name]).stdout).unwrap();
        assert!(page.contains(head), "{name}: {page}");
    }
    let none = netnsctl(&["man", "nonsense"]);
    assert_eq!(
        (none.status.code(), none.stdout.as_slice()),
        (Some(2), &b""[..])
    );
    let message = String::from_utf8(none.stderr).unwrap();
    assert!(
        message.contains("\"nonsense\"") && message.contains("netnsctl-up.1"),
        "{message}"
    );
}

#[test]
fn pages_that_cannot_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let failed = netnsctl(&["man", "--output", file.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1));
    let message = String::from_utf8(failed.stderr).unwrap();
    assert!(
        message.contains("netnsctl.1\": Not a directory"),
        "{message}"
    );
}

/// Everything that the Debian package is made of is there, but for the program itself.
#[test]
fn what_is_packaged_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, assets) = manifest.split_once("\nassets = [\n").unwrap();
    let (assets, _) = assets.split_once("\n]").unwrap();
    let (mut count, mut pages) = (0, 0);
    for line in assets.lines() {
        let path = line.split('"').nth(1).unwrap();
        if path.starts_with("target/") {
            continue;
        }
        let (folder, name) = path.rsplit_once('/').unwrap();
        // All that is below it, too.
        let folder = folder.trim_end_matches("/**");
        let folder = std::fs::read_dir(root.join(folder)).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let is_meant = |it: &String| match name.strip_prefix('*') {
            Some(ending) => it.ends_with(ending),
            None => it == name,
        };
        let found = names.filter(is_meant).count();
        assert!(found > 0, "{path}");
        pages += if path.contains("/man/") { found } else { 0 };
        count += 1;
    }
    assert!(count > 10, "{count}");
    assert_eq!(pages, tree(&packaging().join("man")).len());
}

/// So is what the package for Nix installs beside it.
#[test]
fn what_is_packaged_for_nix_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let package = std::fs::read_to_string(root.join("nixos/package.nix")).unwrap();
    let paths = package.split([' ', '\n']);
    let paths: Vec<_> = paths.filter(|it| it.starts_with("packaging/")).collect();
    for path in &paths {
        assert!(root.join(path).exists(), "{path}");
    }
    assert!(paths.contains(&"packaging/man"), "{paths:?}");
}
