//! Any bytes as a packet in which to find a question.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netnsctl_probe::question::fuzz_find;

fuzz_target!(|input: ([u8; 12], bool, &[u8], &[u8])| {
    let (header, is_upper, before, after) = input;
    let labels = ["0123456789abcdef", "netnsctl", "invalid"];
    let (name, found) = fuzz_find(before, &labels);
    let is_there = before.len() >= header.len() + name.len();
    assert!(is_there || found.is_none());

    let spelled = if is_upper {
        name.to_ascii_uppercase()
    } else {
        name.clone()
    };
    let message = [&header[..], &spelled, after].concat();
    let id = u16::from_be_bytes([header[0], header[1]]);
    let answer = (header[2] & 0x80 != 0).then_some(header[3] & 0x0f);
    assert_eq!(fuzz_find(&message, &labels).1, Some((id, answer)));
    // Whatever is before it, and however much of what follows is cut off.
    let packet = [before, &message].concat();
    let (_, found_in_all) = fuzz_find(&packet, &labels);
    assert_eq!(found_in_all, found.or(found_in_all));
    assert!(found_in_all.is_some());
    let cut = &packet[..packet.len() - after.len()];
    assert_eq!(fuzz_find(cut, &labels).1, found_in_all);
    // A question is not seen in a part of itself.
    let part = &message[..header.len() + name.len() - 1];
    assert_eq!(fuzz_find(part, &labels).1, None);
});
