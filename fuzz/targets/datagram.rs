//! Any bytes as the control messages and the sender of a datagram.
#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, SocketAddr, u32, u16, &[u8])| {
    let (length, from, interface, segment, bytes) = input;
    netnsctl_sys::datagram::fuzz_wire(bytes, length, from, interface, segment);
});
