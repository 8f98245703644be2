//! Links of every kind that are declared by tables of their own.

use crate::net::{add_bridge, addresses, by_hand, has_link, link, within};
use crate::support::{configure, eventually, expect, traces};

/// A declaration of one link of `lab`, with `keys` besides its name.
fn declare(keys: &str) {
    configure(&format!(
        "[netns.lab]\n[[netns.lab.link]]\ninterface = \"up0\"\n{keys}"
    ));
}

/// What a command prints as JSON.
fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&expect(0, arguments).stdout).expect("JSON")
}

fn kind_of(netns: &str, interface: &str) -> Option<String> {
    link(netns, interface).kind
}

#[netnsctl_machine::test]
fn a_macvlan_sends_by_a_link_of_the_host_namespace() {
    add_bridge("default", "uplink");
    let before = traces();
    declare(
        "kind = \"macvlan\"\nparent = \"uplink\"\nmac = \"02:00:00:00:00:07\"\n\
         address = [\"192.0.2.9/24\"]\n",
    );
    let said = expect(0, &["up"]).stdout;
    let line = "+ link up0 (macvlan on default:uplink, mode bridge)";
    assert!(said.contains(line), "{said}");
    assert_eq!(kind_of("lab", "up0").as_deref(), Some("macvlan"));
    assert_eq!(link("lab", "up0").mac, Some([2, 0, 0, 0, 0, 7]));
    assert!(addresses("lab", "up0").contains(&"192.0.2.9/24".to_owned()));
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    // The mode changes in place, as far as the kernel lets it.
    let index = link("lab", "up0").index;
    declare(
        "kind = \"macvlan\"\nparent = \"uplink\"\nmac = \"02:00:00:00:00:07\"\n\
         address = [\"192.0.2.9/24\"]\nmode = \"private\"\n",
    );
    let said = expect(0, &["up"]).stdout;
    assert!(said.contains("~ link up0 mode bridge → private"), "{said}");
    assert_eq!(link("lab", "up0").index, index);
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    // Another parent takes another link.
    add_bridge("default", "other");
    declare("kind = \"macvlan\"\nparent = \"other\"\n");
    expect(0, &["up"]);
    assert_ne!(link("lab", "up0").index, index);
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    let status = json(&["status", "--json"]);
    let shown = &status["netns"][0]["links"][0];
    assert_eq!(shown["values"]["parent"], "other", "{status}");
    by_hand("default", |batch| batch.delete_link("other"));
    by_hand("default", |batch| batch.delete_link("uplink"));
    expect(0, &["down"]);
    add_bridge("default", "uplink");
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn a_link_is_made_by_each_name_that_the_other_namespace_has_too() {
    // Up to Linux 6.14 the kernel looks for the name where the request is sent.
    for name in ["uplink", "up0"] {
        add_bridge("default", name);
    }
    configure("[netns.lab]\n");
    expect(0, &["up"]);
    // What a kill in between leaves is no hindrance.
    add_bridge("lab", "netnsctl.new");
    declare("kind = \"macvlan\"\nparent = \"uplink\"\n");
    expect(0, &["up"]);
    assert_eq!(kind_of("lab", "up0").as_deref(), Some("macvlan"));
    assert_eq!(kind_of("default", "up0").as_deref(), Some("bridge"));
    assert!(!has_link("lab", "netnsctl.new"));
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
}

#[netnsctl_machine::test]
fn a_link_that_others_bring_is_waited_for() {
    configure(
        "[netns.lab]\n[[netns.lab.link]]\ninterface = \"up0\"\nkind = \"macvlan\"\n\
         parent = \"uplink\"\naddress = [\"192.0.2.9/24\"]\n\
         [[netns.lab.route]]\nto = \"198.51.100.0/24\"\nvia = \"192.0.2.1\"\ninterface = \"up0\"\n\
         [[netns.lab.route]]\nto = \"default\"\ninterface = \"wg0\"\n",
    );
    let up = expect(0, &["up"]);
    let waits = "waiting for link \"uplink\" in netns \"default\": link up0 (macvlan on \
                 default:uplink, mode bridge) of netns \"lab\"";
    let route = "waiting for link \"wg0\" in netns \"lab\": route default dev wg0";
    for line in [waits, route] {
        assert!(up.stderr.contains(line), "{}", up.stderr);
    }
    let plan = expect(0, &["plan"]);
    assert_eq!(plan.stdout, "nothing to do\n");
    assert!(plan.stderr.contains(waits), "{}", plan.stderr);
    let status = expect(0, &["status"]).stdout;
    assert!(status.contains("lab: up, waiting for a link"), "{status}");
    let json = json(&["plan", "--json"]);
    assert_eq!(json["waiting"][1]["link"]["interface"], "wg0", "{json}");
    // They bring them.
    add_bridge("default", "uplink");
    add_bridge("lab", "wg0");
    let up = expect(0, &["up"]);
    assert!(!up.stderr.contains("waiting"), "{}", up.stderr);
    assert!(crate::net::routes("lab").len() >= 2);
    let status = expect(0, &["status"]).stdout;
    assert!(status.contains("lab: up, as declared"), "{status}");
    // With the parent goes the link: it is made again once that is back.
    by_hand("default", |batch| batch.delete_link("uplink"));
    assert!(!has_link("lab", "up0"));
    assert!(expect(0, &["up"]).stderr.contains(waits));
    add_bridge("default", "uplink");
    expect(0, &["up"]);
    assert!(within("lab", || has_link("lab", "up0")));
}

#[netnsctl_machine::test]
fn links_send_by_declared_links_of_every_namespace() {
    configure(
        "[netns.a]\n[[netns.a.link]]\ninterface = \"top\"\nkind = \"macvlan\"\nparent = \"lan\"\n\
         parent_netns = \"b\"\n\
         [netns.b]\n[[netns.b.link]]\ninterface = \"port\"\nkind = \"macvlan\"\nparent = \"lan\"\n\
         parent_netns = \"b\"\n[[netns.b.link]]\ninterface = \"lan\"\nkind = \"bridge\"\n",
    );
    expect(0, &["up"]);
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    // What goes takes its children along, and all are made again.
    by_hand("b", |batch| batch.delete_link("lan"));
    assert!(!has_link("a", "top"));
    let said = expect(0, &["up"]).stdout;
    assert!(said.contains("3 added"), "{said}");
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    configure("[netns.a]\n[netns.b]\n");
    let said = expect(0, &["up"]).stdout;
    assert!(!has_link("b", "port") && !has_link("b", "lan"), "{said}");
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
}

#[netnsctl_machine::test]
fn a_vxlan_leaves_by_the_host_namespace() {
    let declare = |more: &str| {
        configure(&format!(
            "[netns.lab]\n[[netns.lab.link]]\ninterface = \"up0\"\nkind = \"vxlan\"\nid = 42\n\
             remote = \"192.0.2.2\"\naddress = [\"10.9.0.1/24\"]\n{more}"
        ));
    };
    declare("");
    let said = expect(0, &["up"]).stdout;
    let line = "+ link up0 (vxlan from default, id 42, learning true, port 4789, remote \
                192.0.2.2, ttl 0)";
    assert!(said.contains(line), "{said}");
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    // The socket is where packets leave.
    let sockets = |netns| {
        within(netns, || {
            std::fs::read_to_string("/proc/thread-self/net/udp")
        })
    };
    let has_socket = |netns| sockets(netns).expect("it can be read").contains(":12B5 ");
    assert!(has_socket("default") && !has_socket("lab"));
    let index = link("lab", "up0").index;
    declare("ttl = 9\nlocal = \"192.0.2.1\"\n");
    let said = expect(0, &["up"]).stdout;
    assert!(said.contains("~ link up0 ttl 0 → 9"), "{said}");
    assert_eq!(link("lab", "up0").index, index);
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    declare("parent_netns = \"lab\"\n");
    expect(0, &["up"]);
    assert_ne!(link("lab", "up0").index, index);
    assert!(has_socket("lab") && !has_socket("default"));
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    let text = expect(0, &["import", "lab"]).stdout;
    assert!(
        text.contains("kind = \"vxlan\"") && text.contains("id = 42"),
        "{text}"
    );
}

#[netnsctl_machine::test]
fn a_link_in_the_way_is_left_alone() {
    declare("kind = \"bridge\"\n");
    expect(0, &["up"]);
    expect(0, &["up", "lab", "--part", "link:1"]);
    expect(0, &["down", "lab", "--part", "link:1"]);
    assert!(!has_link("lab", "up0"));
    expect(0, &["up", "lab", "--part", "link:1"]);
    assert!(has_link("lab", "up0"));
    configure("[netns.lab]\n");
    expect(0, &["up"]);
    assert!(!has_link("lab", "up0"));
    add_bridge("lab", "up0");
    declare("kind = \"ifb\"\n");
    let said = expect(1, &["up"]).stderr;
    assert!(said.contains("cannot create ifb \"up0\""), "{said}");
    assert_eq!(kind_of("lab", "up0").as_deref(), Some("bridge"));
}

#[netnsctl_machine::test]
fn serve_goes_on_with_what_waits_once_its_link_comes() {
    configure(
        "[netns.lab]\n[[netns.lab.link]]\ninterface = \"up0\"\nkind = \"macvlan\"\n\
         parent = \"uplink\"\n[[netns.lab.route]]\nto = \"default\"\ninterface = \"wg0\"\n",
    );
    let served = crate::served::Served::ready(&[]);
    add_bridge("default", "uplink");
    eventually("the link", || has_link("lab", "up0").then_some(()));
    add_bridge("lab", "wg0");
    let is_routed = || {
        let routes = crate::net::routes("lab");
        routes.iter().any(|route| route.contains("wg0"))
    };
    eventually("the route", || is_routed().then_some(()));
    // Again, as often as it goes.
    by_hand("default", |batch| batch.delete_link("uplink"));
    assert!(!has_link("lab", "up0"));
    add_bridge("default", "uplink");
    eventually("the link again", || has_link("lab", "up0").then_some(()));
    drop(served);
}
