//! Any text as a profile of wg-netns: no panic, and what is printed is a configuration that is
//! accepted, without anything that could disturb a terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netnsctl_import::of_wg_netns;
use netnsctl_model::config::{Format, Source, load};
use netnsctl_model::name::is_control;

fuzz_target!(|text: &str| {
    let Ok(printed) = of_wg_netns(text) else {
        return;
    };
    assert!(!printed.chars().any(|c| c != '\n' && is_control(c)));
    let loaded = load(&[Source::new("printed", Format::Toml, printed)]);
    assert!(loaded.desired.is_some());
});
