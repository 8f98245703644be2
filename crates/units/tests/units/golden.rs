//! Trees of units beside the configuration they come from.
//!
//! `NETNSCTL_UPDATE=1 cargo test -p netnsctl-units` writes them anew; with `CI` set they are only
//! ever compared.

use std::collections::BTreeMap;
use std::path::Path;

use netnsctl_units::{Entry, service_config, units};

use crate::{cases, declared, facts, write};

/// Everything below `folder`, by path.
fn tree(folder: &Path) -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                found.insert(name, Entry::Link(target.to_str().unwrap().to_owned()));
            } else if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(name, Entry::File(std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn units_are_those_known_to_be_right() {
    let update = std::env::var_os("NETNSCTL_UPDATE").is_some();
    assert!(!update || std::env::var_os("CI").is_none(), "CI compares");
    for case in cases() {
        let desired = declared(&case);
        let facts = facts(&desired, "/usr/bin/netnsctl");
        let mut units = units(&desired, &facts);
        let left_out: String = units.left_out.iter().map(|it| format!("{it}\n")).collect();
        if !left_out.is_empty() {
            let entry = Entry::File(left_out);
            units.entries.insert("left-out.txt".to_owned(), entry);
        }
        for (name, netns) in &desired.netns {
            if let Ok(text) = service_config(&name.clone().into(), netns.nscd.enable, &facts) {
                let file = format!("service-config of {name}");
                units.entries.insert(file, Entry::File(text));
            }
        }
        let folder = case.join("units");
        if update {
            let _ = std::fs::remove_dir_all(&folder);
            write(&units, &folder);
        }
        let known = tree(&folder);
        let names = |entries: &BTreeMap<String, Entry>| entries.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&units.entries), names(&known), "{}", case.display());
        for (name, entry) in &units.entries {
            assert_eq!(entry, &known[name], "{name} of {}", case.display());
        }
    }
}
