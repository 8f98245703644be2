//! The validator's words, as people see them.
//!
//! Each case is a file with a mistake; the snapshot is what is printed about it.

use super::*;

mod accepted;
mod properties;
mod refused;

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
