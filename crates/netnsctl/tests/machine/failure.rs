//! A step that fails, and the order of steps: what does not need it is done all the same.

use crate::net::{link, routes, sysctl};
use crate::support::{configure, expect, inside, settled, steps};

/// A namespace with a cable, its own name server, and what `more` says.
fn office(more: &str) -> String {
    format!(
        r#"
[netns.office]
address = ["10.20.0.1/24"]
[netns.office.dns]
nameservers = ["192.0.2.53"]
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
{more}"#
    )
}

#[netnsctl_machine::test]
fn a_route_that_is_refused_leaves_all_else_done() {
    let route = "[[netns.office.route]]\nto = \"default\"\nvia = \"203.0.113.1\"\n";
    configure(&office(route));
    let ran = expect(1, &["up"]);
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
    for (netns, interface) in [
        ("office", "office"),
        ("office", "host"),
        ("default", "office"),
    ] {
        assert!(link(netns, interface).up, "{netns}:{interface}");
    }
    // Only the route is left, also at the second look.
    let left = ["+ route default via 203.0.113.1"];
    for _ in 0..2 {
        assert_eq!(steps(&expect(0, &["plan"]).stdout), left);
    }
    let index = link("office", "host").index;
    expect(1, &["up"]);
    assert_eq!(
        link("office", "host").index,
        index,
        "the pair was recreated"
    );
}

#[netnsctl_machine::test]
fn a_sysctl_that_is_refused_leaves_the_names_of_the_host_out() {
    configure(&office(
        "[netns.office.sysctl]\n\"net.ipv4.ip_unprivileged_port_start\" = \"none\"\n",
    ));
    let ran = expect(1, &["up"]);
    assert!(ran.stderr.contains("cannot write sysctl"), "{}", ran.stderr);
    let resolv = inside("office", "cat /etc/resolv.conf");
    assert!(resolv.contains("192.0.2.53"), "{resolv}");
    assert!(link("default", "office").up);
}

#[netnsctl_machine::test]
fn what_needs_a_failed_step_is_named_and_not_tried() {
    configure(&office(""));
    std::fs::create_dir_all("/etc/netns/office/resolv.conf.d").unwrap();
    std::fs::create_dir("/etc/netns/office/.resolv.conf.new").unwrap();
    let ran = expect(1, &["up"]);
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
    let summary = "not tried, as they need what failed: ";
    assert!(ran.stderr.contains(summary), "{}", ran.stderr);
    // Without its files a namespace gets no name: programs would see the host's.
    assert!(!crate::net::name_exists("office"));
    std::fs::remove_dir("/etc/netns/office/.resolv.conf.new").unwrap();
    expect(0, &["up"]);
    settled();
}

#[netnsctl_machine::test]
fn a_link_has_what_conf_default_says() {
    let keys = "[netns.office.sysctl]\n\"net.ipv4.conf.default.log_martians\" = 1\n\
                \"net.ipv6.conf.default.accept_ra\" = 0\n";
    configure(&office(keys));
    expect(0, &["up"]);
    for interface in ["office", "host"] {
        let martians = format!("net.ipv4.conf.{interface}.log_martians");
        let advertisements = format!("net.ipv6.conf.{interface}.accept_ra");
        assert_eq!(sysctl("office", &martians), "1", "{interface}");
        assert_eq!(sysctl("office", &advertisements), "0", "{interface}");
    }
    settled();
}

#[netnsctl_machine::test]
fn a_gateway_may_be_reached_by_a_later_route() {
    let later = "[[netns.office.route]]\nto = \"default\"\nvia = \"169.254.1.1\"\n\
                 [[netns.office.route]]\nto = \"169.254.1.1\"\ninterface = \"host\"\n";
    configure(&office(later));
    expect(0, &["up"]);
    let there = routes("office");
    assert!(
        there.iter().any(|it| it.contains("169.254.1.1")),
        "{there:?}"
    );
    settled();
}

#[netnsctl_machine::test]
fn a_route_that_the_kernel_has_counts_as_there() {
    let own = "[[netns.office.route]]\nto = \"192.168.77.0/30\"\ninterface = \"host\"\n";
    configure(&office(own));
    expect(0, &["up"]);
    settled();
}

#[netnsctl_machine::test]
fn a_route_to_the_subnet_of_another_link_is_not_taken_for_there() {
    let other = "[[netns.office.route]]\nto = \"192.168.77.0/30\"\ninterface = \"office\"\n";
    configure(&office(other));
    // The kernel's own is by another link, and it allows one of them only.
    let ran = expect(1, &["up"]);
    assert!(ran.stderr.contains("(EEXIST)"), "{}", ran.stderr);
    let left = ["+ route 192.168.77.0/30 dev office"];
    assert_eq!(steps(&expect(0, &["plan"]).stdout), left);
}

#[netnsctl_machine::test]
fn a_sysctl_of_lo_is_known_before_the_namespace_is_made() {
    let key = "net.ipv4.conf.lo.log_martians";
    configure(&office(&format!("[netns.office.sysctl]\n\"{key}\" = 1\n")));
    expect(0, &["up"]);
    assert_eq!(sysctl("office", key), "1");
    settled();
    // No longer declared, it has the value of a new namespace again.
    configure(&office(""));
    expect(0, &["up"]);
    assert_eq!(sysctl("office", key), "0");
    settled();
    expect(0, &["down"]);
    configure(&office(
        "[netns.office.sysctl]\n\"net.ipv4.conf.lo.no_such_key\" = 1\n",
    ));
    let said = expect(1, &["plan"]).stderr;
    assert!(said.contains("there is no such key"), "{said}");
}

#[netnsctl_machine::test]
fn a_name_that_cannot_be_looked_at_is_not_called_gone() {
    configure(&office(""));
    expect(0, &["up"]);
    // A link in a circle: ELOOP.
    std::os::unix::fs::symlink("odd", "/run/netns/odd").unwrap();
    let ran = expect(1, &["down", "odd"]);
    assert!(
        ran.stderr.contains("odd") && ran.stderr.contains("(ELOOP)"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("already gone"), "{}", ran.stderr);
    std::fs::remove_file("/run/netns/odd").unwrap();
    expect(0, &["down"]);
}
