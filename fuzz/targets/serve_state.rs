//! Any text as what a running `serve` tells other commands: what is read is written and read the
//! same again.
#![no_main]
#![allow(
    dead_code,
    reason = "files of the program, of which one parser is tried"
)]

// The files of the program that read it, where they are in it.
#[path = "../../crates/netnsctl/src"]
mod program {
    pub(crate) mod as_text;
    pub(crate) mod output;
    pub(crate) mod published;
}

use libfuzzer_sys::fuzz_target;
use program::{as_text, output, published};

fuzz_target!(|text: &str| {
    if let Some(state) = published::State::parse(text) {
        let json = serde_json::to_string(&state).expect("text and numbers are JSON");
        assert_eq!(published::State::parse(&json), Some(state));
    }
});
