//! Veth pairs wherever their ends are.

use std::net::{Ipv6Addr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::net::{add_bridge, addresses, by_hand, has_link, link, raw_addresses, within};
use crate::support::{PATIENCE, configure, expect, inside, settled, steps, traces};

/// Both ends are as declared.
#[track_caller]
fn fits((netns, interface): (&str, &str), last_of_mac: u8, mtu: u32) {
    let link = link(netns, interface);
    assert_eq!(link.kind.as_deref(), Some("veth"));
    assert_eq!(link.mac, Some([2, 0, 0, 0, 0, last_of_mac]));
    assert_eq!((link.mtu, link.up, link.carrier), (mtu, true, true));
    let found = addresses(netns, interface);
    let wanted = format!("fe80::ff:fe00:{last_of_mac:x}/64");
    assert!(found.contains(&wanted), "{found:?}");
}

/// A datagram gets from one namespace to the link-local address of a link in another, and a TCP
/// connection there carries an answer back.
#[track_caller]
fn reaches(from: (&str, &str), to: (&str, &str), ip: &str) {
    let ip: Ipv6Addr = ip.parse().expect("an address");
    let [near, far] = [from, to].map(|(netns, interface)| link(netns, interface).index);
    let bound = |port| SocketAddrV6::new(ip, port, 0, far);
    let target = |port| SocketAddrV6::new(ip, port, 0, near);
    let server = within(to.0, || UdpSocket::bind(bound(0))).expect("the address can be bound");
    server
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("a valid timeout");
    let port = server.local_addr().expect("it is bound").port();
    let client = within(from.0, || UdpSocket::bind("[::]:0")).expect("a socket");
    // A datagram may get lost while the kernel finds out who the neighbour is.
    let heard = crate::support::eventually("a datagram", || {
        client
            .send_to(b"hello", target(port))
            .expect("there is a route");
        server.recv_from(&mut [0; 16]).ok()
    });
    assert_eq!(heard.0, 5);
    let listener = within(to.0, || TcpListener::bind(bound(0))).expect("it can be bound");
    let port = listener.local_addr().expect("it is bound").port();
    let client = within(from.0, || {
        TcpStream::connect_timeout(&target(port).into(), PATIENCE)
    });
    client.expect("a connection");
}

#[netnsctl_machine::test]
fn a_veth_joins_two_namespaces_whichever_name_comes_first() {
    for (declaring, other) in [("alpha", "beta"), ("beta", "alpha")] {
        configure(&format!(
            "[netns.{declaring}]\n[netns.{other}]\n[[netns.{declaring}.veth]]\nnetns = \"{other}\"\n\
             mtu = 1380\nmac = \"02:00:00:00:00:0a\"\npeer_mac = \"02:00:00:00:00:0b\"\n"
        ));
        let before = traces();
        expect(0, &["up"]);
        settled();
        fits((declaring, other), 0x0a, 1380);
        fits((other, declaring), 0x0b, 1380);
        reaches((declaring, other), (other, declaring), "fe80::ff:fe00:b");
        reaches((other, declaring), (declaring, other), "fe80::ff:fe00:a");
        expect(0, &["down"]);
        assert_eq!(traces(), before);
    }
}

#[netnsctl_machine::test]
fn a_veth_declared_at_home_belongs_to_its_namespace() {
    let before = traces();
    configure(
        "[netns.office]\n[[netns.default.veth]]\nnetns = \"office\"\naddress = [\"192.168.77.1/30\"]\n\
         peer_address = [\"192.168.77.2/30\"]\n",
    );
    expect(0, &["up"]);
    settled();
    fits(("default", "office"), 1, 1400);
    fits(("office", "host"), 0, 1400);
    reaches(("office", "host"), ("default", "office"), "fe80::ff:fe00:1");
    expect(0, &["down", "office"]);
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn two_pairs_may_join_the_same_two_namespaces() {
    configure(
        "[netns.alpha]\n[netns.beta]\n[[netns.alpha.veth]]\nnetns = \"beta\"\n\
         [[netns.beta.veth]]\nnetns = \"alpha\"\ninterface = \"two\"\npeer_interface = \"two\"\n",
    );
    let before = traces();
    expect(0, &["up"]);
    settled();
    fits(("alpha", "beta"), 1, 1400);
    fits(("beta", "alpha"), 0, 1400);
    fits(("alpha", "two"), 0, 1400);
    fits(("beta", "two"), 1, 1400);
    reaches(("alpha", "two"), ("beta", "two"), "fe80::ff:fe00:1");
    reaches(("beta", "alpha"), ("alpha", "beta"), "fe80::ff:fe00:1");
    by_hand("alpha", |batch| batch.delete_link("two"));
    expect(0, &["up"]);
    settled();
    assert!(has_link("alpha", "beta") && has_link("beta", "two"));
    expect(0, &["down", "alpha"]);
    expect(0, &["down"]);
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn link_local_addresses_can_be_used_when_up_returns() {
    configure("[netns.office]\n[[netns.office.veth]]\n");
    let inside: Ipv6Addr = "fe80::ff:fe00:1".parse().expect("an address");
    let outside: Ipv6Addr = "fe80::ff:fe00:0".parse().expect("an address");
    for _ in 0..50 {
        expect(0, &["up", "--quiet"]);
        for (netns, interface, ip) in [("office", "host", inside), ("default", "office", outside)] {
            let scope = link(netns, interface).index;
            let address = SocketAddrV6::new(ip, 0, 0, scope);
            let bound = within(netns, || UdpSocket::bind(address));
            let known = raw_addresses(netns, interface);
            assert!(bound.is_ok(), "{netns} {bound:?} {known:?}");
            assert!(known.iter().all(|address| !address.tentative), "{known:?}");
        }
        reaches(("default", "office"), ("office", "host"), "fe80::ff:fe00:1");
        reaches(("office", "host"), ("default", "office"), "fe80::ff:fe00:0");
        expect(0, &["down", "--quiet"]);
    }
}

#[netnsctl_machine::test]
fn a_foreign_link_of_a_veths_name_is_an_error_that_stops_nothing_else() {
    add_bridge("default", "office");
    configure("[netns.office]\n[[netns.office.veth]]\n[netns.shop]\n[[netns.shop.veth]]\n");
    let ran = expect(1, &["up"]);
    assert_eq!(
        ran.stderr,
        "error: cannot create veth \"office\" in netns \"default\": a link of that name (bridge) \
         is there that netnsctl did not make\n  hint: rename or delete that link, or give the \
         declared one another name with `interface` or `peer_interface`\n"
    );
    fits(("shop", "host"), 1, 1400);
    assert_eq!(link("default", "office").kind.as_deref(), Some("bridge"));
    assert!(link("office", "office").up && !has_link("office", "host"));
    // It stays in the way, and `down` does not take it along.
    let again = expect(1, &["up"]);
    assert_eq!((again.stdout.as_str(), again.stderr), ("", ran.stderr));
    expect(0, &["down"]);
    assert_eq!(link("default", "office").kind.as_deref(), Some("bridge"));
    by_hand("default", |batch| batch.delete_link("office"));
    expect(0, &["up"]);
    settled();
    fits(("default", "office"), 0, 1400);
}

#[netnsctl_machine::test]
fn a_pair_with_a_renamed_end_is_made_anew() {
    configure("[netns.office]\n[[netns.office.veth]]\n");
    expect(0, &["up"]);
    // Either end, as udev does it too.
    for (netns, from, to) in [
        ("office", "host", "world"),
        ("default", "office", "renamed0"),
    ] {
        let index = link(netns, from).index;
        let rename = format!("ip link set {from} down && ip link set {from} name {to}");
        match netns {
            "default" => by_hand("default", |batch| {
                batch.set_link_down(from);
                batch.rename_link(index, to);
            }),
            netns => drop(inside(netns, &rename)),
        }
        expect(0, &["up"]);
        assert!(!has_link(netns, to), "{to} stays");
        assert_ne!(link(netns, from).index, index);
        settled();
    }
    // What somebody else made by that name is left alone.
    by_hand("office", |batch| batch.delete_link("host"));
    add_bridge("office", "host");
    expect(1, &["up"]);
}

#[netnsctl_machine::test]
fn up_of_one_namespace_makes_its_pair_to_another_that_is_there() {
    configure("[netns.alpha]\n[netns.beta]\n[[netns.alpha.veth]]\nnetns = \"beta\"\n");
    let before = traces();
    let ran = expect(0, &["up", "alpha"]);
    assert_eq!(
        ran.stderr,
        "note: the veth pair alpha:beta to beta:alpha waits for netns \"beta\"; \"netnsctl up beta\" brings both\n"
    );
    expect(0, &["up", "beta"]);
    fits(("alpha", "beta"), 1, 1400);
    assert_eq!(expect(0, &["up", "alpha"]).stdout, "nothing to do\n");
    settled();
    expect(0, &["down", "beta"]);
    assert!(!has_link("alpha", "beta"), "down waits for both ends");
    expect(0, &["down", "alpha"]);
    assert_eq!(traces(), before);
}

/// A kind of link that this kernel cannot make; none if it can make all.
fn missing_kind() -> Option<&'static str> {
    crate::net::make_foreign("scratch");
    let lacks = |kind: &&str| {
        let mut batch = netnsctl_netlink::Batch::new();
        batch.create_link(netnsctl_netlink::NewLink {
            name: "probe",
            kind,
            ..Default::default()
        });
        let mut socket = crate::net::socket("scratch");
        socket.commit(batch).expect("the exchange works")[0].is_err()
    };
    let found = ["dummy", "ifb", "bridge"].into_iter().find(lacks);
    crate::net::delete_by_hand("scratch");
    found
}

#[expect(clippy::print_stderr, reason = "a test says what it could not try")]
#[netnsctl_machine::test]
fn a_holder_of_another_kind_than_the_kernel_has_says_so() {
    let before = traces();
    let text = |kind: &str| {
        format!(
            "[netns.office]\ninterface_kind = \"{kind}\"\naddress = [\"10.20.0.1/24\"]\n\
             [[netns.office.veth]]\n[netns.shop]\n[[netns.shop.veth]]\n"
        )
    };
    let Some(kind) = missing_kind() else {
        eprintln!("SKIPPED: this kernel has every kind of holder link");
        assert!(
            std::env::var_os("CI").is_none(),
            "CI is set: that is a failure"
        );
        return;
    };
    for next in ["down", "up"] {
        configure(&text(kind));
        let ran = expect(1, &["up"]);
        let said: Vec<_> = ran.stderr.lines().collect();
        let [error, hint, missing] = said[..] else {
            panic!("{said:?}");
        };
        assert!(
            error.starts_with(&format!(
                "error: cannot create {kind} link \"office\" in netns \"office\": "
            )) && error.ends_with("(EOPNOTSUPP)"),
            "{error}"
        );
        assert_eq!(
            hint,
            format!(
                "  hint: this kernel has no {kind} links; interface_kind = \"auto\" takes one it has"
            )
        );
        assert_eq!(
            missing,
            "1 not tried, as they need what failed: address 10.20.0.1/24 on office in netns \"office\""
        );
        fits(("shop", "host"), 1, 1400);
        if next == "up" {
            configure(&text("bridge"));
            expect(0, &["up"]);
            settled();
            assert_eq!(link("office", "office").kind.as_deref(), Some("bridge"));
        }
        expect(0, &["down"]);
        let after: Vec<_> = traces()
            .into_iter()
            .filter(|trace| trace != "/run/netns")
            .collect();
        assert_eq!(after, before);
    }
}

#[netnsctl_machine::test]
fn an_explicit_bridge_holds_addresses() {
    configure("[netns.office]\ninterface_kind = \"bridge\"\naddress = [\"10.20.0.1/24\"]\n");
    let made = expect(0, &["up"]).stdout;
    assert!(
        steps(&made).contains(&"+ link office (bridge)".to_owned()),
        "{made}"
    );
    settled();
    crate::net::Connection::open("office", "10.20.0.1").carries();
}
