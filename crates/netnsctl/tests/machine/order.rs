//! Changes whose parts depend on one another, and steps that the kernel refuses.

use crate::net::{addresses, has_link, inode, link, raw_addresses, routes, set_sysctl, sysctl};
use crate::support::{configure, expect, settled, traces};

const VETH: &str = "[[netns.office.veth]]\naddress = [\"192.168.77.2/30\", \"fd77::2/64\"]\n";

/// Brings one declaration up after the other.
#[track_caller]
fn in_turn(texts: &[&str]) {
    for text in texts {
        configure(text);
        let ran = expect(0, &["up"]);
        assert_eq!(ran.stderr, "");
        settled();
    }
}

#[netnsctl_machine::test]
fn ipv6_switched_on_again_gives_links_their_addresses() {
    let key = "net.ipv6.conf.all.disable_ipv6";
    let sysctl_of = |value: &str| format!("[netns.office.sysctl]\n\"{key}\" = {value}\n");
    let off = format!("[netns.office]\n[[netns.office.veth]]\n{}", sysctl_of("1"));
    let on = format!("[netns.office]\naddress = [\"fd20::1/64\"]\n{VETH}");
    in_turn(&[&off]);
    assert!(addresses("office", "host").is_empty());
    in_turn(&[&on]);
    assert_eq!(sysctl("office", key), "0");
    for (interface, wanted) in [("office", "fd20::1/64"), ("host", "fe80::ff:fe00:1/64")] {
        let found = addresses("office", interface);
        assert!(found.contains(&wanted.to_owned()), "{found:?}");
    }
    expect(0, &["down"]);
    // The same with a declared zero.
    let zero = format!("{on}{}", sysctl_of("0"));
    in_turn(&[&off, &zero]);
    // And after somebody else's hand, which a declared zero undoes.
    set_sysctl("office", key, "1");
    expect(0, &["up"]);
    settled();
    assert_eq!(sysctl("office", key), "0");
}

#[netnsctl_machine::test]
fn ipv6_switched_off_takes_nothing_else_along() {
    let on = format!("[netns.office]\naddress = [\"10.20.0.1/24\"]\n{VETH}");
    let off = format!(
        "{}[netns.office.sysctl]\n\"net.ipv6.conf.all.disable_ipv6\" = 1\n",
        on.replace(", \"fd77::2/64\"", "")
    );
    in_turn(&[&on]);
    let before = inode("office");
    in_turn(&[&off]);
    assert_eq!(inode("office"), before);
    assert_eq!(addresses("office", "host"), ["192.168.77.2/30"]);
    in_turn(&[&on, &off]);
    // In a new namespace too.
    expect(0, &["down"]);
    in_turn(&[&off]);
    assert_eq!(addresses("office", "host"), ["192.168.77.2/30"]);
}

#[netnsctl_machine::test]
fn a_link_may_take_the_name_that_another_had() {
    let text = |holder: &str, veth: &str, other: &str| {
        format!(
            "[netns.office]\ninterface = \"{holder}\"\naddress = [\"10.20.0.1/24\"]\n\
             [[netns.office.veth]]\ninterface = \"{veth}\"\npeer_interface = \"p0\"\n\
             address = [\"10.30.0.1/24\"]\n\
             [[netns.office.veth]]\ninterface = \"{other}\"\npeer_interface = \"p1\"\n\
             address = [\"10.40.0.1/24\"]\n"
        )
    };
    let names = [
        ("a", "b", "c"),
        ("b", "a", "c"),
        ("b", "c", "a"),
        ("c", "a", "b"),
        ("a", "b", "c"),
    ];
    for (holder, veth, other) in names {
        in_turn(&[&text(holder, veth, other)]);
        let of = |interface| addresses("office", interface)[0].clone();
        assert_eq!(
            [of(holder), of(veth), of(other)],
            ["10.20.0.1/24", "10.30.0.1/24", "10.40.0.1/24"]
        );
        assert_ne!(link("office", holder).kind.as_deref(), Some("veth"));
    }
    // The two ends at home change places.
    let swapped = text("a", "b", "c")
        .replace("p0", "px")
        .replace("p1", "p0")
        .replace("px", "p1");
    in_turn(&[&swapped, &text("a", "b", "c")]);
}

#[netnsctl_machine::test]
fn a_veth_end_at_home_may_go_to_another_namespace() {
    let text = |with: &str| {
        format!("[netns.office]\n[netns.shop]\n[[netns.{with}.veth]]\npeer_interface = \"up0\"\n")
    };
    let before = traces();
    in_turn(&[&text("office"), &text("shop"), &text("office")]);
    assert!(has_link("office", "host") && !has_link("shop", "host"));
    expect(0, &["down"]);
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn a_sysctl_of_a_link_is_written_whenever_the_link_is_new() {
    let key = "net.ipv4.conf.host.rp_filter";
    let with = format!("[netns.office]\n{VETH}[netns.office.sysctl]\n\"{key}\" = 2\n");
    in_turn(&[&with]);
    assert_eq!(sysctl("office", key), "2");
    crate::net::by_hand("default", |batch| batch.delete_link("office"));
    in_turn(&[&with]);
    assert_eq!(sysctl("office", key), "2");
    set_sysctl("office", key, "1");
    in_turn(&[&with]);
    assert_eq!(sysctl("office", key), "2");
    // What it was before is not known, and that is said once.
    configure(&format!("[netns.office]\n{VETH}"));
    let ran = expect(0, &["up"]);
    let note =
        format!("note: sysctl {key} of netns \"office\" is no longer declared and stays 2\n");
    assert_eq!(ran.stderr, note);
    settled();
}

#[netnsctl_machine::test]
fn a_refused_sysctl_is_named_and_stops_nothing_else() {
    let text = |value: &str| {
        format!(
            "[netns.office]\n[netns.office.sysctl]\n\
             \"net.ipv4.ip_unprivileged_port_start\" = {value}\n{VETH}\
             [netns.shop]\n[[netns.shop.veth]]\n"
        )
    };
    let before = traces();
    for end in ["down", "up"] {
        configure(&text("99999"));
        let ran = expect(1, &["up"]);
        assert_eq!(
            ran.stderr,
            "error: cannot write sysctl net.ipv4.ip_unprivileged_port_start = \"99999\" in netns \
             \"office\": Invalid argument (EINVAL)\n"
        );
        assert!(link("shop", "host").carrier);
        if end == "up" {
            in_turn(&[&text("99")]);
        }
        expect(0, &["down"]);
        assert_eq!(traces(), before);
    }
}

#[netnsctl_machine::test]
fn a_route_without_a_way_is_named_and_can_be_corrected() {
    let text = |via: &str| {
        format!(
            "[netns.office]\n{VETH}[[netns.office.route]]\nto = \"default\"\nvia = \"{via}\"\n\
             [netns.shop]\n[[netns.shop.veth]]\n"
        )
    };
    configure(&text("203.0.113.1"));
    let ran = expect(1, &["up"]);
    // Warnings of the declaration come first.
    let start = ran.stderr.find("error: ").expect("an error");
    let (error, hint) = ran.stderr[start..].split_once('\n').expect("two lines");
    assert!(
        error.starts_with("error: cannot add route default via 203.0.113.1 in netns \"office\": ")
            && error.ends_with("(ENETUNREACH)"),
        "{error}"
    );
    assert_eq!(
        hint,
        "  hint: the gateway is in no subnet of this namespace's addresses\n"
    );
    assert!(link("shop", "host").carrier);
    in_turn(&[&text("192.168.77.1")]);
    assert_eq!(routes("office"), ["0.0.0.0/0 via 192.168.77.1 dev host"]);
}

#[netnsctl_machine::test]
fn a_sysctl_that_is_not_there_is_said_before_anything_is_done() {
    configure(
        "[netns.office]\n[netns.office.sysctl]\n\"net.core.no_such_key\" = 1\n[netns.shop]\n",
    );
    let error = "error: cannot write sysctl \"net.core.no_such_key\" in netns \"office\": \
                 there is no such key in this network namespace\n";
    for command in ["plan", "up"] {
        let ran = expect(1, &[command]);
        assert!(ran.stderr.starts_with(error), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    }
    // All else is there.
    assert!(link("office", "office").up && link("shop", "shop").up);
    assert_eq!(expect(1, &["up"]).stdout, "");
}

#[netnsctl_machine::test]
fn an_mtu_that_lets_ipv6_in_gives_addresses_at_once() {
    let text = |mtu: u16| format!("[netns.office]\n[[netns.office.veth]]\nmtu = {mtu}\n");
    configure(&text(1000));
    expect(0, &["up"]);
    assert!(addresses("office", "host").is_empty());
    configure(&text(1400));
    expect(0, &["up"]);
    settled();
    for (netns, interface) in [("office", "host"), ("default", "office")] {
        let found = raw_addresses(netns, interface);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].tentative, "{found:?}");
    }
    configure(&text(1000));
    expect(0, &["up"]);
    settled();
}

#[netnsctl_machine::test]
fn default_routes_of_both_families_follow_their_gateways() {
    let text = |number: u8| {
        format!(
            "[netns.office]\n{VETH}[[netns.office.route]]\nto = \"default\"\n\
             via = \"192.168.77.{number}\"\n[[netns.office.route]]\nto = \"default\"\n\
             via = \"fd77::{number}\"\n[[netns.office.route]]\nto = \"fd99::/64\"\n\
             interface = \"office\"\n"
        )
    };
    for number in [1, 9, 1] {
        let text = text(number).replace("192.168.77.2/30", "192.168.77.2/28");
        in_turn(&[&text]);
        let mut found = routes("office");
        found.sort();
        let wanted = [
            format!("0.0.0.0/0 via 192.168.77.{number} dev host"),
            format!("::/0 via fd77::{number} dev host"),
            "fd99::/64 dev office".to_owned(),
        ];
        assert_eq!(found, wanted);
    }
}
