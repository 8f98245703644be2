//! Units of whole configurations: as they are known to be right, and as systemd reads them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod golden;
mod properties;
mod systemd;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use netnsctl_model::config::{self, Format, Source};
use netnsctl_model::desired::Desired;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_units::{Entry, Facts, Units};

/// The folders of known cases, by name.
fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut cases: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 4, "{cases:?}");
    cases
}

/// What the `input.toml` of a case declares.
fn declared(case: &Path) -> Desired {
    let file = case.join("input.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let sources = [Source::new("input.toml", Format::Toml, text)];
    let loaded = config::load(&sources);
    let mistakes = config::render(&sources, &loaded.diagnostics, false);
    loaded.desired.unwrap_or_else(|| panic!("{mistakes}"))
}

/// The facts of a machine that has nothing odd about it.
fn facts(desired: &Desired, program: &str) -> Facts {
    let hosts = || BTreeSet::from(["hosts".to_owned()]);
    let named = desired.netns.keys().cloned();
    let all = named.clone().map(NetnsRef::Named).chain([NetnsRef::Home]);
    Facts {
        program: program.to_owned(),
        config: Vec::new(),
        sources: all
            .map(|netns| (netns, "/etc/netnsctl/input.toml".to_owned()))
            .collect(),
        files: named.map(|name| (name, hosts())).collect(),
        host_nsswitch: true,
        made: ["office", "attic"]
            .iter()
            .map(|name| NetnsName::parse(name).unwrap())
            .collect(),
        after_network: false,
    }
}

/// Writes units below `folder`.
fn write(units: &Units, folder: &Path) {
    for (path, entry) in &units.entries {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match entry {
            Entry::File(text) => std::fs::write(path, text).unwrap(),
            Entry::Link(target) => std::os::unix::fs::symlink(target, path).unwrap(),
        }
    }
}
