//! Scripts and what is made of them.

use netnsctl_import::of_script;
use netnsctl_model::name::NetnsRef;
use proptest::prelude::*;

use crate::accepted;

/// What is left of the text without its comments.
fn declared(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .trim()
        .to_owned()
}

const USUAL: &str = r#"#!/bin/bash
set -euo pipefail   # stop at mistakes
NS=office
WIRE="veth-$NS"
export GW='192.168.77.1'

sudo ip netns add "$NS"
ip -n ${NS} link set lo up
ip link add $WIRE type veth peer name host
ip link set host netns $NS
ip addr add $GW/30 \
    dev $WIRE
ip link set $WIRE up
ip netns exec $NS ip addr add 192.168.77.2/30 brd + dev host
ip netns exec $NS ip link set dev host mtu 1400 up
ip -n $NS route add default via $GW
ip netns exec $NS sysctl -w net.ipv4.ip_forward=1
/sbin/ip netns exec $NS /sbin/sysctl -q net.ipv4.ip_unprivileged_port_start=0
echo "done: $NS is up"
"#;

#[test]
fn a_usual_script_becomes_what_it_makes() {
    let text = of_script(USUAL);
    assert!(!text.contains("not understood"), "{text}");
    assert!(
        text.contains("# not expressed: mtu 1500 of veth-office in netns default"),
        "{text}"
    );
    let wanted = "\
[netns.office]
ipv4_forwarding = true

[netns.office.sysctl]
\"net.ipv4.ip_unprivileged_port_start\" = 0

[[netns.office.veth]]
peer_interface = \"veth-office\"
address = [\"192.168.77.2/30\"]
peer_address = [\"192.168.77.1/30\"]

[[netns.office.route]]
to = \"default\"
via = \"192.168.77.1\"";
    assert_eq!(declared(&text), wanted);
    accepted(&text);
}

#[test]
fn holders_and_pairs_between_namespaces_are_declared() {
    let text = of_script(
        "ip netns add left\nip netns add right\n\
         ip -n left link add l0 type dummy\nip -n left addr add 10.1.0.1 dev l0\nip -n left link set l0 up\n\
         ip link add wire1 netns left type veth peer name wire2 netns right\n\
         ip -n left link set wire1 up\nip -n right link set wire2 address 02:00:00:00:01:02 up\n\
         ip -n left -6 route add default dev wire1\n",
    );
    assert!(
        !text.contains("not understood") && !text.contains("not expressed"),
        "{text}"
    );
    let desired = accepted(&text);
    assert_eq!(desired.netns.len(), 2);
    let pair = &desired.veths[0];
    let ends = [&pair.near, &pair.far].map(|end| (end.netns.as_str(), end.interface.as_str()));
    assert_eq!(ends, [("left", "wire1"), ("right", "wire2")]);
    assert_eq!(pair.far.mac.to_string(), "02:00:00:00:01:02");
    assert_eq!(pair.mtu, 1500);
    let left = desired.netns.values().next().unwrap();
    assert_eq!(left.routes[0].to.to_string(), "::/0");
    assert_eq!(left.holder.address[0].to_string(), "10.1.0.1/32");
}

/// The script, and what of it must be said not to be understood.
const NOT_FOLLOWED: &[(&str, &str)] = &[
    ("if true; then\n  ip netns add a\nfi\n", "line 2"),
    ("if true; then ip netns add a; fi\n", "line 1"),
    ("for n in 1 2; do\nip netns add a$n\ndone\n", "line 2"),
    (
        "while :\ndo\nif x\nthen y\nfi\nip netns add a\ndone\n",
        "line 6",
    ),
    ("f() {\nip netns add a\n}\nf\n", "line 4"),
    ("f(){\nip netns add a\n}\n", "line 2"),
    ("function f\n{\nip netns add a\n}\n", "line 3"),
    (
        "case $1 in\nup)\nip netns add a;;\ndown) x ;;\nesac\n",
        "line 3",
    ),
    ("[ -e x ] && ip netns add a\n", "line 1"),
    ("[ -e x ] &&\nip netns add a\n", "line 1"),
    ("ip netns add a || true\n", "line 1"),
    ("ip netns add $(hostname)\n", "line 1"),
    ("ip netns add `hostname`\n", "line 1"),
    ("ip netns add $NAME\n", "line 1"),
    ("ip netns add ${NAME:-a}\n", "line 1"),
    ("NS=a\nNS=$(hostname)\nip netns add $NS\n", "line 3"),
    ("NS=a\nread NS\nip netns add $NS\n", "line 3"),
    ("f() { NS=b; }\nNS=a\nf\nip netns add $NS\n", "line 4"),
    ("NS=a\n. ./settings\nip netns add $NS\n", "line 3"),
    ("NS=a\neval \"$X\"\nip netns add $NS\n", "line 3"),
    ("cat <<EOF\nip netns add a\nEOF\n", "line 1"),
    (
        "cat <<EOF >x; cat <<END\nip netns add a\nEOF\nip netns add b\nEND\n",
        "line 2",
    ),
    ("exit 0\nip netns add a\n", "line 2"),
    ("(\nip netns add a\n)\n", "line 2"),
    ("ip() { echo no; }\nip netns add a\n", "line 2"),
    ("alias ip=echo\nip netns add a\n", "line 2"),
    ("echo '\nip netns add a\n", "line 1"),
    ("NS=a\n[ -e x ] && . x\nip netns add $NS\n", "line 3"),
    ("IFS=:\nip netns add a\n", "line 2"),
    ("ip netns add a &\n", "line 1"),
    ("ip netns add a; ip netns add b\n", "line 1"),
    ("ip netns add a*\n", "line 1"),
    ("ip -all netns add a\n", "line 1"),
    ("unshare -n ip netns add a\n", "line 1"),
];

#[test]
fn what_may_run_or_not_is_never_guessed() {
    for (script, line) in NOT_FOLLOWED {
        let text = of_script(script);
        assert_eq!(declared(&text), "", "{script}\n{text}");
        assert!(
            text.contains(&format!("# not understood: {line}: ")),
            "{script}\n{text}"
        );
        accepted(&text);
    }
}

#[test]
fn commands_that_cannot_be_declared_are_comments_and_change_nothing() {
    let begin = "ip netns add a\nip -n a link add a type ifb\nip -n a link set a up\n";
    let plain = declared(&of_script(begin));
    assert_eq!(plain, "[netns.a]");
    for line in [
        "ip -n a link add wg0 type wireguard",
        "ip -n a link add link a name v type vlan id 5",
        "ip -n a link set a master br0",
        "ip -n a link set a mtu many",
        "ip -n a addr add 10.0.0.1/24 peer 10.0.0.2 dev a",
        "ip -n a addr add 10.0.0.1/24 dev b",
        "ip -n b addr add 10.0.0.1/24 dev a",
        "ip -n a route add default via 10.0.0.1 metric 5",
        "ip -n a route add default dev b",
        "ip -n a route add blackhole 10.0.0.0/8",
        "ip -n a rule add from 10.0.0.1 table 7",
        "ip -n a link del a",
        "ip netns del a",
        "ip netns exec a nft add table inet filter",
        "ip netns exec a ip -n a link set a up mtu",
        "ip route add default via 10.0.0.1",
        "sysctl -w net.ipv4.ip_forward=1",
        "ip netns exec a sysctl -w net/ipv4/ip_forward=1",
        "ip netns exec a sysctl -p",
        "ip link add x type veth",
        "ip link add x netns a type veth peer name y",
        "ip link add a netns a type veth peer name y netns a",
        "NS=b ip netns add b",
        "modprobe dummy",
    ] {
        let text = of_script(&format!("{begin}{line}\n"));
        assert_eq!(declared(&text), plain, "{line}\n{text}");
        assert!(
            text.contains(&format!("# not understood: line 4: {line} (")),
            "{line}\n{text}"
        );
    }
}

#[test]
fn values_that_configuration_refuses_are_comments_with_their_line() {
    let text = of_script(
        "ip netns add a\nip -n a link add a type ifb\nip -n a link set a up\n\
         ip -n a addr add 10.0.0.300/24 dev a\nip -n a addr add 10.0.0.1/24 dev a\n\
         ip -n a route add 10.0.0.1/8 dev a\nip netns exec a sysctl -w kernel.x=1\n\
         ip netns add default\nip netns add '..'\n",
    );
    assert_eq!(
        declared(&text),
        "[netns.a]\naddress = [\"10.0.0.1/24\"]",
        "{text}"
    );
    for line in [
        "(line 4: ip -n a addr",
        "(line 6: ip -n",
        "(line 7: ip netns exec",
        "line 8",
        "(line 9",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    accepted(&text);
}

#[test]
fn a_link_that_moves_loses_its_addresses() {
    let text = of_script(
        "ip netns add a\nip link add x type veth peer name y\nip addr add 10.0.0.1/24 dev x\n\
         ip link set x up\nip link set x netns a\n",
    );
    let desired = accepted(&text);
    assert_eq!(desired.veths[0].near.netns, NetnsRef::parse("a").unwrap());
    assert!(desired.veths[0].near.address.is_empty(), "{text}");
    assert!(text.contains("leaves x down"), "{text}");
}

#[test]
fn a_route_that_is_replaced_is_the_later_one() {
    let text = of_script(
        "ip netns add a\nip -n a link add a type ifb\nip -n a link set a up\n\
         ip -n a addr add 10.0.0.1/24 dev a\nip -n a -6 route add default dev a\n\
         ip -n a route add default via 10.0.0.2\nip -n a route replace default via 10.0.0.3\n",
    );
    assert!(!text.contains("not expressed"), "{text}");
    let desired = accepted(&text);
    let routes = &desired.netns.values().next().unwrap().routes;
    let vias: Vec<_> = routes
        .iter()
        .map(|route| route.via.map(|via| via.to_string()))
        .collect();
    assert_eq!(vias, [None, Some("10.0.0.3".to_owned())]);
}

/// Lines as scripts have them, and some that they should not have.
fn line() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("ip".to_owned()),
        Just("netns".into()),
        Just("exec".into()),
        Just("-n".into()),
        Just("add".into()),
        Just("link".into()),
        Just("set".into()),
        Just("type".into()),
        Just("veth".into()),
        Just("peer".into()),
        Just("name".into()),
        Just("a".into()),
        Just("b".into()),
        Just("$A".into()),
        Just("A=b".into()),
        Just("dev".into()),
        Just("10.0.0.1/24".into()),
        Just("addr".into()),
        Just("route".into()),
        Just("via".into()),
        Just("if".into()),
        Just("fi".into()),
        Just(";".into()),
        Just("&&".into()),
        Just("\\".into()),
        Just("sysctl".into()),
        Just("net.ipv4.x=1".into()),
        "[ -~\t\u{202e}é]{0,6}",
    ];
    proptest::collection::vec(word, 0..9).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_script_gives_a_text_that_is_accepted(
        lines in proptest::collection::vec(line(), 0..12),
    ) {
        let script = format!("ip netns add a\nip link add b type veth peer name a netns a\n{}\n", lines.join("\n"));
        let text = of_script(&script);
        accepted(&text);
        prop_assert!(!text.chars().any(|c| c != '\n' && netnsctl_model::name::is_control(c)));
    }

    #[test]
    fn namespaces_that_are_added_are_declared_or_told_of(
        names in proptest::collection::btree_set("[a-z]{1,12}", 1..5),
        noise in proptest::collection::vec("[a-z]{1,8} -[a-z] [0-9]{1,3}", 0..5),
    ) {
        let mut script = String::new();
        for name in &names {
            script.push_str(&format!("ip netns add {name}\n"));
        }
        script.push_str(&noise.join("\n"));
        let text = of_script(&script);
        for (number, name) in names.iter().enumerate().filter(|(_, name)| *name != "default") {
            let header = format!("[netns.{name}]");
            // One called "if" may begin a condition, for all this knows of shells.
            let told = format!("line {}: ip netns add {name} (", number + 1);
            prop_assert!(text.contains(&header) || text.contains(&told), "{}\n{}", name, text);
        }
        for (number, line) in noise.iter().enumerate() {
            let told = format!("line {}: {line} (", names.len() + number + 1);
            let is_known = line.starts_with("echo ") || line.starts_with("set ");
            prop_assert!(is_known || text.contains(&told), "{}\n{}", line, text);
        }
    }
}
