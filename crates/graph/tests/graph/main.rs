//! Pictures of whole declarations: as they are known to please, and as others read them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod golden;
mod graphviz;
mod picture;
mod properties;
mod shapes;

use std::path::{Path, PathBuf};

use netnsctl_model::config::{self, Format, Source};
use netnsctl_model::desired::Desired;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a file declares.
fn declared(file: &Path) -> Desired {
    let text = std::fs::read_to_string(file).unwrap();
    let name = file.display().to_string();
    let format = Format::of_file_name(&name).unwrap();
    read(&name, format, &text)
}

fn read(name: &str, format: Format, text: &str) -> Desired {
    let sources = [Source::new(name, format, text)];
    let loaded = config::load(&sources);
    let mistakes = config::render(&sources, &loaded.diagnostics, false);
    loaded.desired.unwrap_or_else(|| panic!("{mistakes}"))
}
