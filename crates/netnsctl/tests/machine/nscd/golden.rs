//! What glibc's own daemon replied, byte for byte.

use std::path::Path;

use super::stage::{connect, daemon, put, read, request};

/// The files and the replies that were recorded.
fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../nscd/tests/golden")
}

/// The bytes of a key, in which `\xNN` is one.
fn key(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut key: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        let (byte, rest) = part.split_at(2);
        key.push(u8::from_str_radix(byte, 16).expect("a byte"));
        key.extend_from_slice(rest.as_bytes());
    }
    key
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[netnsctl_machine::test]
fn nscd_replies_with_the_bytes_of_glibcs_daemon() {
    if cfg!(not(target_endian = "little")) {
        return;
    }
    for file in std::fs::read_dir(folder().join("etc")).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        put(file.file_name().to_str().unwrap(), &text);
    }
    std::fs::create_dir_all("/run/nscd").unwrap();
    let _daemon = daemon(&[]);
    let replies = std::fs::read_to_string(folder().join("replies.txt")).unwrap();
    for line in replies.lines() {
        let [number, name, theirs] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let ours = read(connect(&request(number.parse().unwrap(), &key(name))));
        let ours = hexadecimal(&ours);
        match (number, name) {
            // Clients sort addresses themselves. Ours have been sorted before, so that those of
            // IPv6 and IPv4 have changed places; their families come after them all.
            ("14", r"two.test\x00") => {
                let (v4, v6) = ("c0000202c0000203", "20010db8000000000000000000000002");
                let sorted = theirs.replace(&format!("{v4}{v6}02020a"), &format!("{v6}{v4}0a0202"));
                assert_ne!(sorted, theirs);
                assert_eq!(ours, sorted, "{line}");
            }
            // Ours says why, in the last integer, which clients take for the same as none.
            ("14", r"nosuch\x00") => {
                let reason = theirs.len() - 8;
                assert_eq!(ours, format!("{}01000000", &theirs[..reason]), "{line}");
            }
            // Theirs hangs up on a netgroup that it has just not found, and the client looks up by
            // itself. Ours says that nobody is in it.
            ("20", r"nosuch\x00\x00\x00\x00") => {
                assert_eq!((theirs, &ours[..]), ("-", "020000000100000000000000"));
            }
            _ => assert_eq!(ours, theirs, "{line}"),
        }
    }
    assert_eq!(replies.lines().count(), 49);
}
