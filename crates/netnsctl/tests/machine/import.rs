//! What others made, printed as a declaration and taken over or made anew from it.

use crate::interop::{has_ip, ip};
use crate::net::{addresses, link};
use crate::support::{
    Ran, command, configure, eventually, expect, home_links, netnsctl, settled, steps,
};

/// Calls ip(8) for each line.
#[track_caller]
fn script(lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        ip(&line.split_whitespace().collect::<Vec<_>>());
    }
}

const NETWORK: &str = "
    netns add office
    netns add lab
    -n office link set lo up
    -n lab link set lo up
    -n office link add hold type ifb
    -n office addr add 10.20.0.1/24 dev hold
    -n office addr add fd20::1/64 dev hold nodad
    -n office link set hold up
    -n lab link add lab type bridge
    -n lab addr add 10.30.0.1/32 dev lab
    -n lab link set lab up
    link add veo type veth peer name host netns office
    addr add 192.168.77.1/30 dev veo
    link set veo up
    -n office addr add 192.168.77.2/30 dev host
    -n office link set host up
    -n lab link add e0 mtu 1300 address 02:00:00:00:07:01 type veth peer name e1 mtu 1300 netns office
    -n lab addr add 10.5.0.1/24 dev e0
    -n office addr add 10.5.0.2/24 dev e1
    -n lab link set e0 up
    -n office link set e1 up
    -n office route add default via 192.168.77.1
    -n office route add 10.30.0.1 via 10.5.0.1 dev e1
    -n lab -6 route add fd20::/64 dev e0
";

/// Steps that touch more than files of /etc and the record.
fn changes(plan: &str) -> Vec<String> {
    let mut steps = steps(plan);
    steps.retain(|step| {
        let of_files = ["+ folder ", "+ file ", "~ take over "];
        !of_files.iter().any(|words| step.starts_with(words))
    });
    steps
}

/// What ip(8) says of a namespace, without what is another each time a link is made.
fn facts(netns: &str) -> Vec<String> {
    let mut facts = Vec::new();
    for interface in ["hold", "host", "e0", "e1", "lab"] {
        let there = crate::net::has_link(netns, interface);
        if there {
            let link = link(netns, interface);
            facts.push(format!(
                "{interface} {:?} {} {}",
                link.kind, link.mtu, link.up
            ));
            // A bridge's link-local address comes with a link-layer address made up by the kernel.
            let mut own = addresses(netns, interface);
            own.retain(|address| {
                interface == "host" || interface == "e1" || !address.starts_with("fe80")
            });
            own.sort();
            facts.push(own.join(" "));
        }
    }
    for family in ["-4", "-6"] {
        let routes = ip(&["-n", netns, family, "route", "show"]);
        let made = routes.lines().filter(|line| !line.contains("proto kernel"));
        // Who made a route is not what it does.
        let words = |line: &str| {
            let words = line
                .split_whitespace()
                .filter(|word| !["proto", "static", "linkdown"].contains(word));
            words.collect::<Vec<_>>().join(" ")
        };
        facts.extend(made.map(words));
    }
    facts
}

#[netnsctl_machine::test]
fn import_prints_what_ip_made_and_up_finds_it_in_place() {
    if !has_ip() {
        return;
    }
    script(NETWORK);
    let set = "sysctl -qw net.ipv4.ip_unprivileged_port_start=0 net.ipv4.conf.host.rp_filter=2 net.ipv4.ip_forward=1 \"net.ipv4.ip_local_port_range=32000 61000\"";
    ip(&["netns", "exec", "office", "sh", "-c", set]);
    std::fs::create_dir_all("/etc/netns/lab").expect("/etc is ours");
    let own = "# mine\nnameserver 192.0.2.53\nsearch example.net\n";
    std::fs::write("/etc/netns/lab/resolv.conf", own).expect("/etc is ours");

    // The kernel makes link-local addresses once there is a carrier.
    let text = eventually("the links to settle", || {
        let text = expect(0, &["import"]).stdout;
        configure(&text);
        let plan = expect(0, &["plan", "--adopt"]);
        changes(&plan.stdout).is_empty().then_some(text)
    });
    expect(0, &["check"]);
    for wanted in [
        "interface = \"hold\"",
        "\"net.ipv4.ip_local_port_range\" = \"32000 61000\"",
        "\"net.ipv4.conf.host.rp_filter\" = 2",
        "nameservers = [\"192.0.2.53\"]\nsearch = [\"example.net\"]",
        "ipv4_forwarding = true",
        "/etc/netns/lab/resolv.conf is your own",
        "to = \"fd20::/64\"\ninterface = \"e0\"",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    let before = ["office", "lab"].map(facts);
    let veo = link("default", "veo").mac;
    expect(0, &["up", "--adopt"]);
    settled();
    assert_eq!(["office", "lab"].map(facts), before);

    // Made anew from the same text.
    expect(0, &["down"]);
    assert_eq!(home_links(), ["lo"]);
    expect(0, &["up"]);
    settled();
    assert_eq!(["office", "lab"].map(facts), before);
    assert_eq!(link("default", "veo").mac, veo);
    let kept = std::fs::read_to_string("/etc/netns/lab/resolv.conf").expect("it stays");
    assert_eq!(kept, own);
    let read = "cat /proc/sys/net/ipv4/conf/host/rp_filter";
    assert_eq!(crate::support::inside("office", read), "2\n");
}

/// A namespace of things that a declaration has no words for.
const ODD: &str = "
    netns add odd
    -n odd link set lo up
    -n odd addr add 10.0.0.1/32 dev lo
    -n odd link add br0 type bridge
    -n odd link add p type veth peer name q
    -n odd link set p master br0
    -n odd link add link q name mv0 type macvlan
    -n odd addr add 10.6.0.1/24 dev mv0
    -n odd link set q up
    -n odd link set p up
    -n odd link set mv0 up
    -n odd route add 10.7.0.0/16 dev mv0
    -n odd route add blackhole 10.66.0.0/16
    -n odd route add 10.8.0.0/16 dev q metric 5
    -n odd route add 2001:db8:8::/64 dev q proto ra
    -n odd route add 10.9.0.0/16 dev q proto dhcp
    -n odd addr add 10.9.0.2/24 dev q valid_lft 3600 preferred_lft 3600
    -n odd rule add from 10.6.0.1 table 77
    -n odd route add default via 10.6.0.9 table 77
    -n odd neigh add 10.6.0.2 lladdr 02:00:00:00:00:09 dev mv0
    ";

#[netnsctl_machine::test]
fn import_says_what_it_cannot_express() {
    if !has_ip() {
        return;
    }
    script(ODD);
    std::fs::write("/run/netns/stale", "").expect("/run is ours");
    let text = expect(0, &["import"]).stdout;
    for wanted in [
        "# not expressed: /run/netns/stale: it is no network namespace",
        "# not expressed: link lo with 10.0.0.1/32",
        "# not expressed: bridge br0, which is down",
        "# not expressed: p is a port of br0",
        "# not expressed: veth p",
        "# not expressed: veth q",
        "interface = \"mv0\"\nkind = \"macvlan\"\naddress = [\"10.6.0.1/24\"]\n",
        "to = \"10.7.0.0/16\"\ninterface = \"mv0\"\n",
        "# not expressed: route 2001:db8:8::/64 dev q: learned from a router advertisement",
        "# not expressed: route 10.9.0.0/16 dev q: learned by DHCP",
        "# not expressed: address 10.9.0.2/24 of q: learned for a limited time",
        "# not expressed: route 10.66.0.0/16",
        "blackhole",
        "metric 5",
        "from = \"10.6.0.1/32\"\npriority = 32765\ntable = 77\n",
        "in table 77",
        "# not expressed: neighbour 10.6.0.2 of mv0",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    configure(&text);
    expect(0, &["check"]);
    // Whatever it cannot express stays where it is.
    let before = ip(&["-n", "odd", "addr"]);
    expect(0, &["up", "--adopt"]);
    let after = ip(&["-n", "odd", "addr"]);
    assert!(
        before.contains("10.6.0.1/24") && after.contains("10.6.0.1/24"),
        "{after}"
    );
    // The parent of mv0 is one of those that are not expressed, which draws a warning.
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
}

#[netnsctl_machine::test]
fn import_leaves_out_what_is_managed_unless_it_is_named() {
    configure(
        "[netns.office]\naddress = [\"10.20.0.1/24\"]\n[netns.office.dns]\nnameservers = [\"192.0.2.53\"]\n",
    );
    expect(0, &["up"]);
    let text = expect(0, &["import"]).stdout;
    assert!(
        text.contains("# netns office is left out: netnsctl manages it"),
        "{text}"
    );
    assert!(!text.contains("\n[netns"), "{text}");
    let text = expect(0, &["import", "office"]).stdout;
    assert!(
        text.contains("[netns.office]\naddress = [\"10.20.0.1/24\"]\n"),
        "{text}"
    );
    configure(&text);
    settled();
}

#[netnsctl_machine::test]
fn import_refuses_what_is_not_there() {
    let ran = expect(1, &["import", "nowhere"]);
    assert!(
        ran.stderr
            .starts_with("error: there is no network namespace \"nowhere\""),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "");
    assert_eq!(expect(2, &["import", "default"]).stdout, "");
    let ran = expect(1, &["import", "--from-script", "/nowhere.sh"]);
    assert!(
        ran.stderr.starts_with("error: cannot read /nowhere.sh: "),
        "{}",
        ran.stderr
    );
    expect(2, &["import", "--from-script", "-", "office"]);
    // No name at all is no failure.
    let text = expect(0, &["import"]).stdout;
    assert!(
        text.contains("# There is no namespace to declare.\n"),
        "{text}"
    );
}

const SETUP: &str = "#!/bin/sh
set -eu
NS=office
MAC=02:00:00:00:09
ip netns add \"$NS\"
ip netns add lab
ip -n $NS link set lo up
ip netns exec lab ip link set lo up
ip -n $NS link add hold type ifb
ip -n $NS addr add 10.20.0.1/24 dev hold
ip -n $NS link set hold up
ip -n lab link add lab type ifb
ip -n lab link set lab up
ip link add veo address $MAC:00 type veth peer name host address $MAC:01
ip link set host netns $NS
ip addr add 192.168.77.1/30 \\
  dev veo
ip link set veo up
ip -n $NS addr add 192.168.77.2/30 brd + dev host
ip -n $NS link set host mtu 1400 up
ip link set veo mtu 1400
ip -n $NS link add e0 address $MAC:03 type veth peer name e1 address $MAC:04 netns lab
ip -n $NS link set e0 up
ip -n lab link set e1 up
ip -n $NS route add default via 192.168.77.1
ip netns exec $NS sysctl -qw net.ipv4.ip_forward=1 net.ipv4.ip_unprivileged_port_start=0
";

#[netnsctl_machine::test]
fn import_reads_of_a_script_what_the_script_makes() {
    if !has_ip() {
        return;
    }
    std::fs::write("/run/setup.sh", SETUP).expect("/run is ours");
    let text = expect(0, &["import", "--from-script", "/run/setup.sh"]).stdout;
    assert!(!text.contains("not understood"), "{text}");
    assert!(!text.contains("not expressed"), "{text}");
    assert_eq!(home_links(), ["lo"]);
    configure(&text);
    let ran = Ran::of(
        command("sh")
            .arg("/run/setup.sh")
            .output()
            .expect("sh is there"),
    );
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    // The kernel makes link-local addresses once there is a carrier.
    eventually("the declaration to say what the script made", || {
        let plan = expect(0, &["plan", "--adopt"]);
        changes(&plan.stdout).is_empty().then_some(())
    });
}

#[netnsctl_machine::test]
fn import_reads_a_profile_from_standard_input() {
    let profile = "{\"name\": \"vpn\", \"dns-server\": [\"192.0.2.53\"], \"interfaces\": \
                   [{\"name\": \"wg0\", \"private-key\": \"SECRET\"}]}";
    let printed = |text: &str| {
        std::fs::write("/run/profile", text).expect("/run is ours");
        let file = std::fs::File::open("/run/profile").expect("/run is ours");
        let mut command = netnsctl(&["import", "--from-wg-netns", "-"]);
        Ran::of(command.stdin(file).output().expect("it can be started"))
    };
    let ran = printed(profile);
    assert_eq!(ran.status, Some(0), "{}", ran.stderr);
    assert!(!ran.stdout.contains("SECRET"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("# not expressed: wireguard wg0"),
        "{}",
        ran.stdout
    );
    configure(&ran.stdout);
    expect(0, &["up"]);
    settled();
    let ran = printed("name: vpn\n");
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""));
    let wanted = "error: cannot read the profile -: it is no JSON: ";
    assert!(
        ran.stderr.starts_with(wanted) && ran.stderr.contains("\n  hint: "),
        "{}",
        ran.stderr
    );
}
