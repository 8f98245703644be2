//! Any bytes as a configuration file, in both languages, and the text that a person sees of the
//! mistakes: no panic, and nothing in it that could disturb a terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netnsctl_model::config::{Format, Source, load, render};
use netnsctl_model::name::is_control;

fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Toml, Format::Json] {
        let sources = [Source::from_bytes("fuzz", format, bytes)];
        let loaded = load(&sources);
        for diagnostic in &loaded.diagnostics {
            assert!(sources[0].text.get(diagnostic.span.clone()).is_some());
        }
        let shown = render(&sources, &loaded.diagnostics, false);
        assert!(!shown.chars().any(|c| c != '\n' && is_control(c)));
    }
});
