//! Any text as the counters of a forwarder: what is read is written and read the same again, no
//! reason can disturb a terminal, and sums do not overflow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netnsctl_forward::Counters;

fuzz_target!(|text: &str| {
    let Ok(counters) = Counters::parse(text) else {
        return;
    };
    let reasons = [
        &counters.tcp.connect_errors,
        &counters.tcp.accept_errors,
        &counters.udp.dropped,
    ];
    for reason in reasons.into_iter().flat_map(|reasons| reasons.keys()) {
        assert!(reason.len() <= 64 && reason.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
    let json = counters.to_json();
    assert_eq!(json.find('\n'), Some(json.len() - 1));
    let mut sum = Counters::parse(&json).expect("what is written is read");
    assert_eq!(sum, counters);
    sum += &counters;
    assert!(sum.tcp.resets >= counters.tcp.resets);
});
