//! Any bytes as an order to a running forwarder: what is read is called by its words and reads the same
//! again, and what the log says of others cannot disturb a terminal.
#![no_main]
#![allow(dead_code, unused_imports, reason = "files of the program, of which one parser is tried")]

// The files of the program that read an order, where they are in it.
#[path = "../../crates/netnsctl/src"]
mod program {
    pub(crate) mod cli;
    pub(crate) mod output;
    pub(crate) mod commands {
        pub(crate) mod forward {
            pub(crate) mod options;
            pub(crate) mod order;
        }
    }
}

use libfuzzer_sys::fuzz_target;
use netnsctl_model::name::is_control;
use program::commands::forward::order::read;
use program::{cli, output};

fn check(order: &[u8]) {
    match read(order) {
        Ok(options) => {
            let words = std::str::from_utf8(order).expect("an order is text");
            let words: Vec<&str> = words.split_terminator('\0').collect();
            assert_eq!(options.label, words.join(" "));
            assert_eq!(options.may_become(&options), Ok(()));
            let again: String = words.iter().map(|word| format!("{word}\0")).collect();
            let again = read(again.as_bytes()).expect("the same words");
            assert_eq!(format!("{again:?}"), format!("{options:?}"));
        }
        Err(text) => assert!(!text.chars().any(is_control), "{text:?}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&[b"forward\0--connect=127.0.0.1:80\0", bytes].concat());
});
