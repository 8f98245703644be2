//! Any bytes as a request of a name-service client.
#![no_main]

#[path = "../checks/nscd.rs"]
mod check;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| check::holds(input.0, input.1));
