//! Any bytes as what is typed in `top`: read alike whole and in pieces, and no control character
//! becomes text.
#![no_main]
#![allow(dead_code, reason = "a file of the program, of which one parser is tried")]

#[path = "../../crates/netnsctl/src/top/keys.rs"]
mod keys;

use keys::{Key, Keys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (lengths, bytes) = input;
    let mut whole = Keys::default();
    let mut wanted = whole.read(bytes);
    wanted.extend(whole.end_sequence());
    assert!(wanted.len() <= bytes.len());
    let is_text = |key: &Key| !matches!(key, Key::Char(c) if c.is_control());
    assert!(wanted.iter().all(is_text));

    let (mut pieces, mut found, mut rest) = (Keys::default(), Vec::new(), bytes);
    for length in lengths {
        let (piece, after) = rest.split_at(rest.len().min(length.into()));
        found.extend(pieces.read(piece));
        rest = after;
    }
    found.extend(pieces.read(rest));
    found.extend(pieces.end_sequence());
    assert_eq!(found, wanted);
    assert!(!pieces.is_in_sequence());
});
