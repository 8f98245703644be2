//! Any text as what proc(5) says of the caller's witness. A process may have any name, and any
//! environment.
#![no_main]

use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use netnsctl_session::caller::{fuzz_environment, fuzz_status};

fuzz_target!(|input: (&str, [u32; 10], Vec<u32>, &[u8])| {
    let (text, numbers, groups, bytes) = input;
    let _ = fuzz_status(text);

    let [parent, umask, u1, u2, u3, u4, g1, g2, g3, g4] = numbers;
    // The kernel escapes these two, and there is no NUL in a name.
    let name = text.replace('\\', "\\\\").replace('\n', "\\n");
    let listed: String = groups.iter().map(|group| format!("{group} ")).collect();
    let status = format!(
        "Name:\t{name}\nUmask:\t{umask:04o}\nState:\tS (sleeping)\nPid:\t7\nPPid:\t{parent}\n\
         TracerPid:\t0\nUid:\t{u1}\t{u2}\t{u3}\t{u4}\nGid:\t{g1}\t{g2}\t{g3}\t{g4}\n\
         FDSize:\t64\nGroups:\t{listed}\nNSpid:\t7\n"
    );
    let wanted = [&numbers[..], &groups].concat();
    assert_eq!(fuzz_status(&status), Some(wanted));
    let ended = status.replacen("\nState:\tS", "\nState:\tZ", 1);
    assert_eq!(fuzz_status(&ended), None);

    let environment = fuzz_environment(bytes);
    let entries: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let mut after = 0;
    for (key, value) in &environment {
        let (key, value) = (key.as_bytes(), value.as_bytes());
        assert!(!key.is_empty() && !key[1..].contains(&b'=') && !value.contains(&0));
        // The first entry of that name, as getenv(3) finds it, in the order of the entries.
        let is_of = |entry: &&[u8]| {
            entry
                .strip_prefix(key)
                .is_some_and(|it| it.starts_with(b"="))
        };
        let at = entries.iter().position(|entry| is_of(&entry));
        assert_eq!(
            at.map(|at| entries[at]),
            Some(&[key, b"=", value].concat()[..])
        );
        assert!(at >= Some(after));
        after = at.unwrap_or_default() + 1;
    }
    assert!(environment.len() <= entries.len());
});
