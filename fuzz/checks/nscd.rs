//! What holds for any bytes that come to a name-service daemon. The target feeds new ones, the test
//! `corpus` of crates/nscd those that are kept.

use netnsctl_nscd::identity::Identity;
use netnsctl_nscd::request::{HEADER, Kind, MOST_KEY, Request, VERSION, frame};

/// Panics if `bytes`, as a request, as the key of a request of the kind `number`, or as an answer,
/// are read as what they are not.
pub(crate) fn holds(number: u8, bytes: &[u8]) {
    if let Ok(Some(read)) = frame(bytes) {
        assert!(read.key.len() <= MOST_KEY);
        let end = HEADER + read.key.len();
        assert_eq!(&bytes[HEADER..end], read.key);
        // A part of it is no request, and what follows it is not looked at.
        assert_eq!(frame(&bytes[..end - 1]), Ok(None));
        assert_eq!(frame(&bytes[..end]), Ok(Some(read)));
        let _ = Request::parse(read);
    }
    // The same bytes as a key, with a header that is right.
    let key = &bytes[..bytes.len().min(MOST_KEY)];
    let kind = match number {
        0x6e => Kind::Identity as i32,
        number => i32::from(number) % 24 - 1,
    };
    let length = i32::try_from(key.len()).unwrap_or_default();
    let header = [VERSION, kind, length].map(i32::to_ne_bytes).concat();
    match frame(&[&header, key].concat()) {
        Ok(Some(read)) => {
            assert_eq!((read.kind as i32, read.key), (kind, key));
            let _ = Request::parse(read);
        }
        Ok(None) => panic!("a whole request"),
        Err(_) => assert_eq!(Kind::of_number(kind), None),
    }
    // And as the answer of a daemon that nobody vouches for either.
    if let Some(identity) = Identity::of_reply(bytes) {
        assert_eq!(identity.reply(), bytes);
    }
}
