//! Each kind of item is created, changed, damaged by another program, repaired and removed.
//!
//! A new kind of item joins with one row.

use netnsctl_machine::net::{
    addresses, by_hand, links, name_exists, remove_address, routes, set_sysctl, sysctl,
};
use netnsctl_netlink::{Link, Route};

use crate::engine::{down, plan, up};

/// An item in the namespace `office`.
struct Row {
    /// What a failure calls it.
    name: &'static str,
    /// The configuration that declares it, and what [`Row::look`] sees then.
    declared: (&'static str, &'static str),
    /// The configuration that declares it differently.
    changed: (&'static str, &'static str),
    /// The configuration that no longer declares it.
    removed: (&'static str, &'static str),
    /// Damages what `changed` made, in a way that `look` sees.
    damage: fn(),
    /// The item as the kernel shows it.
    look: fn() -> String,
}

const ROWS: &[Row] = &[
    Row {
        name: "base link",
        declared: (
            "[netns.office]\naddress = [\"10.20.0.1/24\"]\n",
            "office up",
        ),
        changed: (
            "[netns.office]\ninterface = \"lan\"\naddress = [\"10.20.0.1/24\"]\n",
            "lan up",
        ),
        // A namespace always has one; the one of the default name replaces it.
        removed: ("[netns.office]\n", "office up"),
        damage: || by_hand("office", |batch| batch.delete_link("lan")),
        look: links_of_office,
    },
    Row {
        name: "address",
        declared: (
            "[netns.office]\naddress = [\"10.20.0.1/24\", \"10.30.0.1/24\"]\n",
            "10.20.0.1/24 10.30.0.1/24",
        ),
        changed: (
            "[netns.office]\naddress = [\"10.20.0.1/24\", \"10.30.0.2/25\"]\n",
            "10.20.0.1/24 10.30.0.2/25",
        ),
        removed: (
            "[netns.office]\naddress = [\"10.20.0.1/24\"]\n",
            "10.20.0.1/24",
        ),
        damage: || remove_address("office", "office", "10.30.0.2", 25),
        look: || {
            // The kernel adds the link-local one when it likes.
            let mut all = addresses("office", "office");
            all.retain(|address| !address.starts_with("fe80:"));
            all.join(" ")
        },
    },
    Row {
        name: "veth",
        declared: ("[netns.office]\n[[netns.office.veth]]\n", "up 1400"),
        changed: (
            "[netns.office]\n[[netns.office.veth]]\nmtu = 1300\n",
            "up 1300",
        ),
        removed: ("[netns.office]\n", ""),
        damage: || by_hand("office", |batch| batch.set_link_mtu("host", 1350)),
        look: || {
            let there = links("office")
                .into_iter()
                .filter(|link| link.name == "host");
            let text = there.map(|link| format!("{} {}", up_or_down(&link), link.mtu));
            text.collect()
        },
    },
    Row {
        name: "route",
        declared: (
            "[netns.office]\naddress = [\"10.20.0.1/24\"]\n\
             [[netns.office.route]]\nto = \"198.51.100.0/24\"\nvia = \"10.20.0.254\"\n",
            "198.51.100.0/24 via 10.20.0.254 dev office",
        ),
        changed: (
            "[netns.office]\naddress = [\"10.20.0.1/24\"]\n\
             [[netns.office.route]]\nto = \"198.51.100.0/24\"\nvia = \"10.20.0.253\"\n",
            "198.51.100.0/24 via 10.20.0.253 dev office",
        ),
        removed: ("[netns.office]\naddress = [\"10.20.0.1/24\"]\n", ""),
        damage: || {
            by_hand("office", |batch| {
                batch.delete_route(&Route {
                    destination: "198.51.100.0".parse().expect("an address"),
                    prefix_len: 24,
                    gateway: Some("10.20.0.253".parse().expect("an address")),
                    interface: None,
                    kernel_made: false,
                });
            });
        },
        look: || routes("office").join(" "),
    },
    Row {
        name: "sysctl",
        declared: (
            "[netns.office.sysctl]\n\"net.ipv4.ip_unprivileged_port_start\" = 80\n",
            "80",
        ),
        changed: (
            "[netns.office.sysctl]\n\"net.ipv4.ip_unprivileged_port_start\" = 81\n",
            "81",
        ),
        // The kernel's own value (PROT_SOCK of include/net/sock.h).
        removed: ("[netns.office]\n", "1024"),
        damage: || set_sysctl("office", "net.ipv4.ip_unprivileged_port_start", "9"),
        look: || sysctl("office", "net.ipv4.ip_unprivileged_port_start"),
    },
];

/// The links of the namespace but `lo`, and whether they are up.
fn links_of_office() -> String {
    let links = links("office");
    let links = links.iter().filter(|link| link.name != "lo");
    let text = links.map(|link| format!("{} {}", link.name, up_or_down(link)));
    text.collect::<Vec<_>>().join(" ")
}

fn up_or_down(link: &Link) -> &'static str {
    if link.up { "up" } else { "down" }
}

impl Row {
    /// Brings a configuration up: there are steps, then it is as it must be and there are none.
    #[track_caller]
    fn becomes(&self, stage: &str, (text, seen): (&str, &str)) {
        up(text);
        assert_eq!((self.look)(), seen, "{} {stage}", self.name);
        let again = plan(text);
        assert!(again.is_empty(), "{} {stage}: {again:?}", self.name);
    }
}

#[netnsctl_machine::test]
fn every_item_is_created_changed_mended_and_removed() {
    for row in ROWS {
        row.becomes("created", row.declared);
        row.becomes("changed", row.changed);
        (row.damage)();
        assert_ne!(
            (row.look)(),
            row.changed.1,
            "{}: the damage shows",
            row.name
        );
        row.becomes("mended", row.changed);
        row.becomes("removed", row.removed);
        down();
        assert!(!name_exists("office"), "{}", row.name);
    }
}
