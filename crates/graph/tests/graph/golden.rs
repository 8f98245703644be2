//! Pictures that are known to be right, compared byte for byte.
//!
//! `NETNSCTL_UPDATE=1 cargo test -p netnsctl-graph --test graph` writes them anew; look at them then.

use std::path::{Path, PathBuf};

use netnsctl_graph::{Format, Topology, render};

use crate::{declared, root};

const FORMATS: [(Format, &str); 3] = [
    (Format::Dot, "dot"),
    (Format::Mermaid, "mmd"),
    (Format::Svg, "svg"),
];

/// Compares with a file, or writes it.
#[track_caller]
pub(crate) fn compare(file: &Path, text: &str) {
    if std::env::var_os("NETNSCTL_UPDATE").is_some() {
        std::fs::write(file, text).unwrap();
    }
    let known = std::fs::read_to_string(file);
    let known = known.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(text, known, "{}: see the head of this test", file.display());
}

#[test]
fn known_declarations_look_as_they_are_known_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.join("input.toml").exists());
    assert!(cases.len() >= 4, "{cases:?}");
    for case in cases {
        let desired = declared(&case.join("input.toml"));
        let topology = Topology::new(&desired, None, None);
        for (format, ending) in FORMATS {
            compare(
                &case.join(format!("graph.{ending}")),
                &render(&topology, format),
            );
        }
    }
}

#[test]
fn pictures_in_the_documentation_are_of_what_they_say() {
    let pictures = [
        ("examples/quickstart.toml", "quickstart.svg"),
        ("examples/two-uplinks/netns.json", "two-uplinks.svg"),
        ("docs/pictures/lab.toml", "lab.svg"),
    ];
    for (file, picture) in pictures {
        let desired = declared(&root().join(file));
        let topology = Topology::new(&desired, None, None);
        let picture = root().join("docs/pictures").join(picture);
        compare(&picture, &render(&topology, Format::Svg));
    }
}
