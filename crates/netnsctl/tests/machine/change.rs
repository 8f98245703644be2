//! A changed declaration: `up` changes that thing and nothing else, and what goes on inside the
//! namespace goes on.

use crate::net::{
    Connection, add_address, add_bridge, addresses, by_hand, has_link, inode, link, routes, sysctl,
};
use crate::support::{configure, expect, inside, up_does};

const BASE: &str = r#"
[netns.office]
address = ["10.20.0.1/24", "10.30.0.1/24", "fd20::1/64"]
[netns.office.dns]
nameservers = ["192.0.2.53"]
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 80
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.route]]
to = "198.51.100.0/24"
via = "192.168.77.1"
"#;

const RECORD: &str = "~ record /run/netnsctl/office.json";
const ROUTE: &str = "198.51.100.0/24 via 192.168.77.1 dev host";

/// Brings `from` up, then what it is once `old` has become `new`, by exactly the given steps. A
/// connection inside goes on and the namespace is the same.
#[track_caller]
fn becomes(from: &str, (old, new): (&str, &str), wanted: &[&str]) {
    assert_eq!(from.matches(old).count(), 1, "{old:?} is in the text once");
    configure(from);
    expect(0, &["up"]);
    let (connection, before) = (Connection::open("office", "10.20.0.1"), inode("office"));
    configure(&from.replace(old, new));
    up_does(wanted);
    connection.carries();
    assert_eq!(inode("office"), before);
}

#[netnsctl_machine::test]
fn changing_an_address_changes_nothing_else() {
    let steps = [
        RECORD,
        "- address 10.30.0.1/24 on office",
        "+ address 10.30.0.2/24 on office",
        RECORD,
    ];
    becomes(BASE, ("10.30.0.1/24", "10.30.0.2/24"), &steps);
    let now = addresses("office", "office");
    for there in ["10.20.0.1/24", "10.30.0.2/24", "fd20::1/64"] {
        assert!(now.iter().any(|address| address == there), "{now:?}");
    }
    assert!(!now.iter().any(|address| address == "10.30.0.1/24"));
    assert_eq!(routes("office"), [ROUTE]);
}

#[netnsctl_machine::test]
fn changing_a_sysctl_changes_nothing_else() {
    let key = "net.ipv4.ip_unprivileged_port_start";
    let step = format!("~ sysctl {key} 80 → 81");
    becomes(BASE, ("= 80", "= 81"), &[&step]);
    assert_eq!(sysctl("office", key), "81");
}

#[netnsctl_machine::test]
fn changing_forwarding_changes_nothing_else() {
    let steps = [
        "~ sysctl net.ipv4.conf.default.forwarding 0 → 1",
        "~ sysctl net.ipv4.conf.all.forwarding 0 → 1",
    ];
    let on = "[netns.office]\nipv4_forwarding = true\n";
    becomes(BASE, ("[netns.office]\n", on), &steps);
    for link in ["all", "default", "office", "host", "lo"] {
        assert_eq!(
            sysctl("office", &format!("net.ipv4.conf.{link}.forwarding")),
            "1"
        );
        assert_eq!(
            sysctl("office", &format!("net.ipv6.conf.{link}.forwarding")),
            "0"
        );
    }
}

#[netnsctl_machine::test]
fn changing_a_route_changes_nothing_else() {
    let steps = [
        RECORD,
        "- route 198.51.100.0/24 via 192.168.77.1 dev host",
        "+ route 203.0.113.0/24 via 192.168.77.1",
        RECORD,
    ];
    becomes(BASE, ("198.51.100.0/24", "203.0.113.0/24"), &steps);
    assert_eq!(
        routes("office"),
        ["203.0.113.0/24 via 192.168.77.1 dev host"]
    );
}

#[netnsctl_machine::test]
fn changing_an_mtu_changes_both_ends_and_nothing_else() {
    let steps = [
        "~ link host mtu 1400 → 1300",
        "~ link default:office mtu 1400 → 1300",
    ];
    let smaller = "[[netns.office.veth]]\nmtu = 1300\n";
    becomes(BASE, ("[[netns.office.veth]]\n", smaller), &steps);
    assert_eq!(
        (link("office", "host").mtu, link("default", "office").mtu),
        (1300, 1300)
    );
    assert_eq!(routes("office"), [ROUTE]);
}

#[netnsctl_machine::test]
fn changing_a_mac_moves_the_link_local_address_along() {
    let steps = [
        RECORD,
        "~ link host address 02:00:00:00:00:01 → 02:00:00:00:00:77",
        "- address fe80::ff:fe00:1/64 on host",
        "+ address fe80::ff:fe00:77/64 on host",
        RECORD,
    ];
    let other = "[[netns.office.veth]]\nmac = \"02:00:00:00:00:77\"\n";
    becomes(BASE, ("[[netns.office.veth]]\n", other), &steps);
    assert_eq!(link("office", "host").mac, Some([2, 0, 0, 0, 0, 0x77]));
    assert_eq!(routes("office"), [ROUTE]);
}

#[netnsctl_machine::test]
fn changing_an_address_of_a_veth_brings_its_routes_back() {
    let steps = [
        RECORD,
        "- address 192.168.77.2/30 on host",
        "+ address 192.168.77.3/29 on host",
        "~ route 198.51.100.0/24 via 192.168.77.1, which the kernel drops with an address",
        RECORD,
    ];
    becomes(BASE, ("192.168.77.2/30", "192.168.77.3/29"), &steps);
    assert_eq!(routes("office"), [ROUTE]);
}

#[netnsctl_machine::test]
fn a_veth_can_be_added_and_removed_in_place() {
    let more = format!(
        "{BASE}[[netns.office.veth]]\ninterface = \"two\"\npeer_interface = \"office2\"\n\
         address = [\"192.168.78.2/30\"]\n"
    );
    configure(BASE);
    expect(0, &["up"]);
    let (connection, before) = (Connection::open("office", "192.168.77.2"), inode("office"));
    configure(&more);
    up_does(&[
        RECORD,
        "+ veth office:two (02:00:00:00:00:01) ⇄ default:office2 (02:00:00:00:00:00), mtu 1400",
        "+ address 192.168.78.2/30 on two",
        "+ address fe80::ff:fe00:1/64 on two",
        "+ address fe80::ff:fe00:0/64 on default:office2",
    ]);
    connection.carries();
    configure(BASE);
    up_does(&["- link two", RECORD]);
    connection.carries();
    assert_eq!(inode("office"), before);
    assert!(!has_link("default", "office2") && !has_link("office", "two"));
}

#[netnsctl_machine::test]
fn changing_a_nameserver_rewrites_resolv_conf_only() {
    let step = "~ file /etc/netns/office/resolv.conf";
    becomes(BASE, ("192.0.2.53", "192.0.2.54"), &[step]);
    let text = inside("office", "cat /etc/resolv.conf");
    assert!(text.ends_with("nameserver 192.0.2.54\n"), "{text}");
}

#[netnsctl_machine::test]
fn renaming_the_holder_keeps_its_addresses_in_use() {
    configure(BASE);
    expect(0, &["up"]);
    let kind = link("office", "office").kind.expect("a kind");
    let made = format!("+ link lan ({kind})");
    expect(0, &["down"]);
    let renamed = "[netns.office]\ninterface = \"lan\"\n";
    let steps = [
        RECORD,
        &made,
        "+ address 10.20.0.1/24 on lan",
        "+ address 10.30.0.1/24 on lan",
        "+ address fd20::1/64 on lan",
        "- link office",
        RECORD,
    ];
    becomes(BASE, ("[netns.office]\n", renamed), &steps);
    assert!(!has_link("office", "office"));
}

#[netnsctl_machine::test]
fn another_kind_of_holder_replaces_the_link() {
    configure(&BASE.replace(
        "[netns.office]\n",
        "[netns.office]\ninterface_kind = \"ifb\"\n",
    ));
    expect(0, &["up"]);
    let before = inode("office");
    configure(&BASE.replace(
        "[netns.office]\n",
        "[netns.office]\ninterface_kind = \"bridge\"\n",
    ));
    up_does(&[
        "- link office",
        "+ link office (bridge)",
        "+ address 10.20.0.1/24 on office",
        "+ address 10.30.0.1/24 on office",
        "+ address fd20::1/64 on office",
    ]);
    assert_eq!(link("office", "office").kind.as_deref(), Some("bridge"));
    assert_eq!(inode("office"), before);
    // `auto` is content with any kind that is there.
    configure(BASE);
    up_does(&[]);
}

const SUBNET: &str = r#"
[netns.office]
address = ["10.40.0.1/24", "10.40.0.2/24", "10.20.0.1/24"]
[[netns.office.route]]
to = "198.51.100.0/24"
via = "10.40.0.254"
"#;

/// The address that stays carries a connection too.
#[track_caller]
fn first_address_goes(text: &str) {
    configure(text);
    expect(0, &["up"]);
    let connections = ["10.20.0.1", "10.40.0.2"].map(|ip| Connection::open("office", ip));
    configure(&text.replace("\"10.40.0.1/24\", ", ""));
    up_does(&[
        "- address 10.40.0.1/24 on office",
        "~ address 10.40.0.2/24 on office, which the kernel drops with another",
        "~ route 198.51.100.0/24 via 10.40.0.254, which the kernel drops with an address",
        RECORD,
    ]);
    let mut now = addresses("office", "office");
    now.retain(|address| address.starts_with("10.40"));
    assert_eq!(now, ["10.40.0.2/24"]);
    assert_eq!(
        routes("office"),
        ["198.51.100.0/24 via 10.40.0.254 dev office"]
    );
    connections.iter().for_each(Connection::carries);
}

#[netnsctl_machine::test]
fn the_second_address_of_a_subnet_outlives_the_first() {
    first_address_goes(SUBNET);
}

#[netnsctl_machine::test]
fn a_subnet_that_promotes_its_secondaries_is_no_trouble() {
    let sysctl = "[netns.office.sysctl]\n\"net.ipv4.conf.all.promote_secondaries\" = 1\n";
    first_address_goes(&format!("{SUBNET}{sysctl}"));
}

#[netnsctl_machine::test]
fn a_sysctl_no_longer_declared_is_as_in_a_new_namespace() {
    let key = "net.ipv4.ip_unprivileged_port_start";
    // A namespace of the same kernel that nobody changed anything in.
    crate::net::make_foreign("pristine");
    let pristine = sysctl("pristine", key);
    let step = format!("~ sysctl {key} 80 → {pristine}");
    let line = format!("\"{key}\" = 80\n");
    becomes(BASE, (&line, ""), &[&step, RECORD]);
    assert_eq!(sysctl("office", key), pristine);
}

#[netnsctl_machine::test]
fn what_somebody_else_added_stays() {
    configure(BASE);
    expect(0, &["up"]);
    add_address("office", "office", "10.99.0.1", 24);
    add_address("office", "office", "fd99::1", 64);
    add_address("office", "host", "192.168.99.2", 30);
    add_bridge("office", "mine");
    let gateway = "192.168.99.1".parse().expect("an address");
    by_hand("office", |batch| {
        batch.add_route(&netnsctl_netlink::Route {
            destination: "203.0.113.0".parse().expect("an address"),
            prefix_len: 24,
            gateway: Some(gateway),
            interface: None,
            kernel_made: false,
        });
    });
    up_does(&[]);
    let fewer = BASE
        .replace("\"10.30.0.1/24\", ", "")
        .replace("198.51.100.0", "198.51.101.0");
    configure(&fewer);
    expect(0, &["up"]);
    crate::support::settled();
    let now = [addresses("office", "office"), addresses("office", "host")].concat();
    for foreign in ["10.99.0.1/24", "fd99::1/64", "192.168.99.2/30"] {
        assert!(now.iter().any(|address| address == foreign), "{now:?}");
    }
    assert!(has_link("office", "mine"));
    let mut now = routes("office");
    now.sort();
    let via = "via 192.168.77.1 dev host";
    let wanted = [
        format!("198.51.101.0/24 {via}"),
        "203.0.113.0/24 via 192.168.99.1 dev host".to_owned(),
    ];
    assert_eq!(now, wanted);
}

#[netnsctl_machine::test]
fn an_address_that_somebody_else_added_outlives_the_first_of_its_subnet() {
    configure(SUBNET);
    expect(0, &["up"]);
    add_address("office", "office", "10.40.0.9", 24);
    configure(&SUBNET.replace("\"10.40.0.1/24\", ", ""));
    expect(0, &["up"]);
    let now = addresses("office", "office");
    for there in ["10.40.0.2/24", "10.40.0.9/24"] {
        assert!(now.iter().any(|address| address == there), "{now:?}");
    }
    crate::support::settled();
}
