//! Any bytes as a configuration file, without the text that a person would see of the mistakes, so
//! that many are tried: no panic, spans inside the text, a result exactly if nothing is an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netnsctl_model::config::{Format, Severity, Source, load};

fuzz_target!(|bytes: &[u8]| {
    let format = match bytes.trim_ascii_start().first() {
        Some(b'{') => Format::Json,
        _ => Format::Toml,
    };
    let sources = [Source::from_bytes("fuzz", format, bytes)];
    let loaded = load(&sources);
    let mut diagnostics = loaded.diagnostics.iter();
    let is_wrong = diagnostics.any(|it| it.severity == Severity::Error);
    assert_eq!(loaded.desired.is_some(), !is_wrong);
    for diagnostic in &loaded.diagnostics {
        assert!(sources[0].text.get(diagnostic.span.clone()).is_some());
    }
});
