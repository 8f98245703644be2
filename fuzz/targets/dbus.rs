//! Any bytes as a message of systemd.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &[u8], Vec<&str>)| {
    let (serial, bytes, texts) = input;
    netnsctl_systemd::fuzz_messages(serial, bytes, &texts);
});
