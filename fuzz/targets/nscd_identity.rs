//! Any bytes as the answer of who listens at nscd's socket, which `doctor` asks as root.
#![no_main]

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use netnsctl_nscd::identity::{File, Identity, ask};

fuzz_target!(|input: ([u64; 9], &[u8])| {
    let ([cookie, a, b, c, d, e, f, g, h], bytes) = input;
    let file = |device, inode| File { device, inode };
    let identity = Identity {
        cookie,
        network: file(a, b),
        mounts: file(c, d),
        resolv_conf: file(e, f),
        nsswitch_conf: file(g, h),
    };
    let reply = identity.reply();
    assert_eq!(Identity::of_reply(&reply), Some(identity));
    let read = Identity::of_reply(bytes);
    if let Some(read) = read {
        assert_eq!(read.reply(), bytes);
    }
    // Another head, or something after it.
    let other = [bytes, &reply].concat();
    assert_eq!(
        Identity::of_reply(&other),
        bytes.is_empty().then_some(identity)
    );
    let longer = [&reply, bytes].concat();
    assert_eq!(
        Identity::of_reply(&longer),
        bytes.is_empty().then_some(identity)
    );

    let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
    theirs.write_all(bytes).expect("an empty socket has room");
    theirs.shutdown(Shutdown::Write).expect("it is connected");
    let answer = ask(ours, Duration::from_secs(10));
    assert_eq!(answer.expect("it ended"), read);
});
