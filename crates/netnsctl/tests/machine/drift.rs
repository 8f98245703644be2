//! Drift: what somebody took away or changed by hand comes back, and nothing else is touched.

use crate::net::{
    Connection, addresses, by_hand, has_link, inode, link, move_link, netns, remove_address,
    routes, set_down, set_sysctl, sysctl,
};
use crate::support::{configure, expect, up_does};

const OFFICE: &str = r#"
[netns.office]
address = ["10.20.0.1/24", "fd20::1/64"]
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.route]]
to = "198.51.100.0/24"
via = "192.168.77.1"
"#;

const ROUTE: &str = "+ route 198.51.100.0/24 via 192.168.77.1";
const VETH: &str =
    "+ veth office:host (02:00:00:00:00:01) ⇄ default:office (02:00:00:00:00:00), mtu 1400";

/// Brings it up, and after `damage` up again by exactly the given steps.
#[track_caller]
fn is_repaired(damage: impl FnOnce(), wanted: &[&str]) {
    configure(OFFICE);
    expect(0, &["up"]);
    let (before, connection) = (inode("office"), Connection::open("office", "10.20.0.1"));
    let state = state();
    damage();
    assert_ne!(self::state(), state, "the damage shows");
    up_does(wanted);
    assert_eq!(self::state(), state);
    assert_eq!(inode("office"), before);
    connection.carries();
}

/// What a repair must bring back, in an order of its own.
fn state() -> Vec<String> {
    let mut state = Vec::new();
    for (netns, interface) in [
        ("office", "lo"),
        ("office", "office"),
        ("office", "host"),
        ("default", "office"),
    ] {
        if !has_link(netns, interface) {
            continue;
        }
        let mut addresses = addresses(netns, interface);
        addresses.sort();
        let link = link(netns, interface);
        state.push(format!(
            "{interface} {} {} {:?} {addresses:?}",
            link.up, link.mtu, link.mac
        ));
    }
    state.extend(routes("office"));
    for which in ["all", "default"] {
        state.push(sysctl(
            "office",
            &format!("net.ipv4.conf.{which}.forwarding"),
        ));
    }
    let read = |file: &str| std::fs::read_to_string(format!("/etc/netns/office/{file}"));
    state.extend(["resolv.conf", "nsswitch.conf"].map(|file| read(file).unwrap_or_default()));
    state
}

#[netnsctl_machine::test]
fn an_address_removed_by_hand_comes_back() {
    let damage = || {
        remove_address("office", "office", "fd20::1", 64);
        remove_address("default", "office", "192.168.77.1", 30);
    };
    let steps = [
        "+ address fd20::1/64 on office",
        "+ address 192.168.77.1/30 on default:office",
    ];
    is_repaired(damage, &steps);
}

#[netnsctl_machine::test]
fn forwarding_switched_on_by_hand_is_switched_off() {
    let steps = [
        "~ sysctl net.ipv4.conf.default.forwarding 1 → 0",
        "~ sysctl net.ipv4.conf.all.forwarding 1 → 0",
    ];
    is_repaired(
        || set_sysctl("office", "net.ipv4.conf.all.forwarding", "1"),
        &steps,
    );
}

#[netnsctl_machine::test]
fn a_holder_set_down_by_hand_is_up_with_all_it_had() {
    let steps = ["+ address fd20::1/64 on office", "~ link office down → up"];
    configure(OFFICE);
    expect(0, &["up"]);
    // The kernel's own link-local address of a holder is not of our making and may take a while.
    set_down("office", "office");
    up_does(&steps);
    let now = addresses("office", "office");
    assert!(now.iter().any(|address| address == "fd20::1/64"), "{now:?}");
    Connection::open("office", "10.20.0.1").carries();
}

#[netnsctl_machine::test]
fn a_veth_end_set_down_by_hand_is_up_with_all_it_had() {
    let steps = [
        "+ address fe80::ff:fe00:1/64 on host",
        "~ link host down → up",
        ROUTE,
    ];
    is_repaired(|| set_down("office", "host"), &steps);
    let steps = [
        "+ address fe80::ff:fe00:0/64 on default:office",
        "~ link default:office down → up",
    ];
    is_repaired(|| set_down("default", "office"), &steps);
}

const NEW_VETH: [&str; 6] = [
    VETH,
    "+ address 192.168.77.2/30 on host",
    "+ address fe80::ff:fe00:1/64 on host",
    "+ address 192.168.77.1/30 on default:office",
    "+ address fe80::ff:fe00:0/64 on default:office",
    ROUTE,
];

#[netnsctl_machine::test]
fn a_veth_deleted_by_hand_is_made_anew() {
    is_repaired(
        || by_hand("default", |batch| batch.delete_link("office")),
        &NEW_VETH,
    );
    is_repaired(
        || by_hand("office", |batch| batch.delete_link("host")),
        &NEW_VETH,
    );
}

#[netnsctl_machine::test]
fn a_holder_deleted_by_hand_is_made_anew() {
    configure(OFFICE);
    expect(0, &["up"]);
    let kind = link("office", "office").kind.expect("a kind");
    by_hand("office", |batch| batch.delete_link("office"));
    up_does(&[
        &format!("+ link office ({kind})"),
        "+ address 10.20.0.1/24 on office",
        "+ address fd20::1/64 on office",
    ]);
    Connection::open("office", "10.20.0.1").carries();
}

#[netnsctl_machine::test]
fn a_veth_end_moved_away_by_hand_is_made_anew() {
    crate::net::make_foreign("elsewhere");
    let away = netns("elsewhere");
    let steps = [["- link default:office"].as_slice(), &NEW_VETH].concat();
    is_repaired(|| move_link("office", "host", &away), &steps);
    assert!(!has_link("elsewhere", "host"));
    let mut steps = [["- link host"].as_slice(), &NEW_VETH].concat();
    steps[6] = "~ route 198.51.100.0/24 via 192.168.77.1, which the kernel drops with an address";
    is_repaired(|| move_link("default", "office", &away), &steps);
    assert!(!has_link("elsewhere", "office"));
}

#[netnsctl_machine::test]
fn a_loopback_set_down_by_hand_is_up_again() {
    is_repaired(|| set_down("office", "lo"), &["~ link lo down → up"]);
}

#[netnsctl_machine::test]
fn an_mtu_and_a_mac_changed_by_hand_are_as_declared() {
    let damage = || {
        by_hand("office", |batch| batch.set_link_mtu("host", 1350));
        by_hand("default", |batch| {
            batch.set_link_mac("office", [2, 0, 0, 0, 0, 0x55]);
        });
    };
    let steps = [
        "~ link host mtu 1350 → 1400",
        "~ link default:office address 02:00:00:00:00:55 → 02:00:00:00:00:00",
    ];
    is_repaired(damage, &steps);
}

#[netnsctl_machine::test]
fn files_and_routes_removed_by_hand_come_back() {
    let damage = || {
        std::fs::remove_dir_all("/etc/netns/office").expect("it is there");
        by_hand("office", |batch| {
            batch.delete_route(&netnsctl_netlink::Route {
                destination: "198.51.100.0".parse().expect("an address"),
                prefix_len: 24,
                gateway: Some("192.168.77.1".parse().expect("an address")),
                interface: None,
                kernel_made: false,
            });
        });
    };
    let steps = [
        "+ folder /etc/netns/office",
        "+ file /etc/netns/office/nsswitch.conf",
        "+ file /etc/netns/office/resolv.conf",
        ROUTE,
    ];
    is_repaired(damage, &steps);
}
