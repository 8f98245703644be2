//! `up`, `plan` and `down` on a machine that nobody else touches.

use crate::Test;
use crate::support::{configure, expect, inside, traces};

pub(crate) const TESTS: &[Test] = &[
    (
        "up_makes_what_plan_said_and_then_has_nothing_to_do",
        up_makes_what_plan_said,
    ),
    (
        "down_leaves_the_machine_as_it_was",
        down_leaves_the_machine_as_it_was,
    ),
];

const OFFICE: &str = r#"
[netns.office]
address = ["10.20.0.1/24", "fd20::1/64"]
ipv4_forwarding = true
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 0
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.route]]
to = "default"
via = "192.168.77.1"
"#;

fn up_makes_what_plan_said() {
    configure(OFFICE);
    let planned = expect(3, &["plan", "--exit-code"]).stdout;
    let done = expect(0, &["up"]).stdout;
    let steps = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with("  "))
            .map(str::to_owned)
            .collect()
    };
    assert!(!steps(&planned).is_empty());
    assert_eq!(steps(&planned), steps(&done));
    assert_eq!(
        expect(0, &["plan", "--exit-code"]).stdout,
        "nothing to do\n"
    );
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
    let forwarding = inside("office", "cat /proc/sys/net/ipv4/conf/*/forwarding");
    assert!(forwarding.lines().all(|line| line == "1"), "{forwarding}");
}

fn down_leaves_the_machine_as_it_was() {
    let before = traces();
    configure(OFFICE);
    expect(0, &["up"]);
    assert_ne!(traces(), before);
    expect(0, &["down"]);
    assert_eq!(traces(), before);
    expect(0, &["down"]);
}
