//! The validator's words, as people see them.
//!
//! Each case is a file with a mistake; the snapshot is what is printed about it.

use super::*;

/// Makes a test that compares what is printed about each case with a snapshot.
macro_rules! refused {
    ($section:ident, $file:literal, $cases:expr) => {
        #[test]
        fn $section() {
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(stringify!($section), super::each($file, &$cases));
            });
        }

        /// The cases, for whoever else has an opinion on them.
        pub(super) mod $section {
            pub(in super::super) fn cases() -> Vec<(String, String)> {
                let named = |(name, text): &(&str, &str)| (format!("{}: {name}", $file), (*text).to_owned());
                $cases.iter().map(named).collect()
            }
        }
    };
}

mod accepted;
mod contradictions;
mod files;
mod malformed;
mod nixos;
mod properties;
mod refused;
mod refused_items;
mod schema;
mod table;
mod template;

/// What is printed about the files.
fn printed(files: &[(&str, &str)]) -> String {
    let sources: Vec<_> = files
        .iter()
        .map(|(name, text)| Source::new(*name, Format::of_file_name(name).unwrap(), *text))
        .collect();
    let loaded = load(&sources);
    assert_eq!(
        loaded.desired.is_none(),
        loaded
            .diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error)
    );
    render(&sources, &loaded.diagnostics, false)
}

/// The files are declared correctly: what they mean.
fn desired(files: &[(&str, &str)]) -> Desired {
    let sources: Vec<_> = files
        .iter()
        .map(|(name, text)| Source::new(*name, Format::of_file_name(name).unwrap(), *text))
        .collect();
    let loaded = load(&sources);
    assert_eq!(render(&sources, &loaded.diagnostics, false), "");
    loaded.desired.unwrap()
}

/// Prints each case under its name.
fn each(file: &str, cases: &[(&str, &str)]) -> String {
    let print = |(name, text): &(&str, &str)| {
        let printed = printed(&[(file, text)]);
        assert_ne!(printed, "", "{name} is accepted");
        format!("# {name}\n\n{printed}")
    };
    cases.iter().map(print).collect::<Vec<_>>().join("\n")
}
