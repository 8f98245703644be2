//! Any bytes as an answer of the kernel.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (flags, bytes) = input;
    if let Some(text) = netnsctl_netlink::fuzz_error_payload(flags, bytes) {
        assert!(!text.chars().any(char::is_control));
    }
    netnsctl_netlink::fuzz_answers(bytes);
    netnsctl_netlink::fuzz_netconf(bytes);
});
