//! Rules of sudoers(5) and polkit(8) name one namespace: a name that has spaces or wildcards in it
//! is another word on the command line of the privileged half.

use std::fs;

use super::{PROGRAMS, as_alice, install, ran, said, set};
use crate::served::netns_called;
use crate::support::expect;

/// Names that a shell or sudo(8) would take apart, or take for patterns.
const ODD: [&str; 5] = ["office vpn", "office*", "[a-z]", "my_vpn", "é.x20"];

#[netnsctl_machine::test]
fn a_rule_lets_into_the_namespace_that_it_names_only() {
    if !set() {
        return;
    }
    for name in ODD {
        expect(0, &["run", "default", "ip", "netns", "add", name]);
    }
    // What `run` passes on is one word, of letters, digits, "-" and ".".
    let show = "#!/bin/sh\nprintf '%s\\n' \"$2\"\n";
    fs::write(format!("{PROGRAMS}/pkexec"), show).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(format!("{PROGRAMS}/pkexec"), executable).unwrap();
    let words = ODD.map(|name| said(&mut as_alice("/mnt/netnsctl", &["run", name, "true"])));
    let wanted = [
        "office.x20vpn",
        "office.x2a",
        ".x5ba-z.x5d",
        "my.x5fvpn",
        ".xc3.xa9.x2ex20",
    ];
    assert_eq!(words, wanted.map(|word| format!("--enter={word}\n")));
    fs::remove_file(format!("{PROGRAMS}/pkexec")).unwrap();
    // It leads there, with each that gives root.
    for giver in ["pkexec", "sudo"] {
        install(giver);
        for name in ODD {
            let run = ["run", name, "readlink", "/proc/self/ns/net"];
            let seen = said(&mut as_alice("/mnt/netnsctl", &run));
            assert_eq!(seen.trim_end(), netns_called(name), "{name}");
        }
        // A caller who starts the privileged half can spell a name in no other way, so that the
        // argument of which `--enter=office *` is a pattern names "office".
        for argument in ["office vpn", "office*", "my_vpn", "[a-z]", ".x6fffice"] {
            let script = format!(
                "sleep 600 >&- 2>&- & exec {PROGRAMS}/{giver} /mnt/netnsctl '--enter={argument}' $! id"
            );
            let outer = [
                "-c",
                "bash -c \"$1\"; status=$?; kill %1 2>/dev/null; exit $status",
                "sh",
                &script,
            ];
            let seen = ran(&mut as_alice("bash", &outer));
            assert_eq!(
                (seen.status, seen.stdout.as_str()),
                (Some(125), ""),
                "{}",
                seen.stderr
            );
            let why = "is not a namespace argument";
            assert!(seen.stderr.contains(why), "{}", seen.stderr);
        }
        fs::remove_file(format!("{PROGRAMS}/{giver}")).unwrap();
    }
}
