//! Any text as a record: what is read is written and read the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| netnsctl_kernel::fuzz_record(text));
