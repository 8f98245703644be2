//! Rules that choose the table of a route.

use crate::net::within;
use crate::support::{configure, expect};
use netnsctl_netlink::packet::RouteNetlinkMessage;
use netnsctl_netlink::packet::rule::{RuleAttribute, RuleMessage};

/// The priorities of the rules of `lab` for IPv4.
fn priorities() -> Vec<u32> {
    within("lab", || {
        let mut socket = netnsctl_netlink::Socket::open().expect("a socket");
        let request = || {
            let mut message = RuleMessage::default();
            message.header.family = netnsctl_netlink::packet::AddressFamily::Inet;
            RouteNetlinkMessage::GetRule(message)
        };
        let priority = |message: RuleMessage| {
            let mut found = message.attributes.into_iter().filter_map(|it| match it {
                RuleAttribute::Priority(number) => Some(number),
                _ => None,
            });
            found.next().or(Some(0))
        };
        let rules = socket.dump(request, |message| match message {
            RouteNetlinkMessage::NewRule(rule) => priority(rule),
            _ => None,
        });
        rules.expect("the rules can be listed")
    })
}

/// Every key of a rule, in several.
const MANY: &str = "[netns.lab]\n\
    [[netns.lab.rule]]\npriority = 100\nfrom = \"10.20.0.0/16\"\ntable = 100\n\
    [[netns.lab.rule]]\npriority = 101\nto = \"fd00::/8\"\niif = \"lo\"\nnot = true\ntable = 70000\n\
    [[netns.lab.rule]]\npriority = 102\nfwmark = 0x10\nfwmask = 0xff\nuid = \"0-0\"\n\
    protocol = \"tcp\"\nport = 443\nsource_port = \"1024-65534\"\noif = \"wan\"\n\
    action = \"prohibit\"\n\
    [[netns.lab.rule]]\npriority = 103\nfamily = \"ipv6\"\nprotocol = \"icmpv6\"\ntable = 254\n\
    [[netns.lab.rule]]\npriority = 104\nfwmark = 7\nuid = 0\naction = \"blackhole\"\n";

#[netnsctl_machine::test]
fn rules_are_added_kept_and_removed() {
    configure(MANY);
    let said = expect(0, &["up"]).stdout;
    for line in [
        "+ rule 100 (ipv4): from 10.20.0.0/16 lookup 100",
        "+ rule 101 (ipv6): not from all to fd00::/8 iif lo lookup 70000",
        "+ rule 102 (ipv4): from all oif wan fwmark 0x10/0xff uidrange 0 ipproto tcp \
         sport 1024-65534 dport 443 prohibit",
        "+ rule 103 (ipv6): from all ipproto icmpv6 lookup 254",
        "+ rule 104 (ipv4): from all fwmark 0x7 uidrange 0 blackhole",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert_eq!(expect(0, &["plan"]).stdout, "nothing to do\n");
    assert_eq!(priorities(), [0, 100, 102, 104, 32_766, 32_767]);
    let status = expect(0, &["status"]).stdout;
    assert!(status.contains("102 (ipv4): from all oif wan"), "{status}");
    // What somebody removes comes back; what others added stays.
    crate::net::by_hand("lab", |batch| {
        let mut message = RuleMessage::default();
        message.header.family = netnsctl_netlink::packet::AddressFamily::Inet;
        message.attributes.push(RuleAttribute::Priority(104));
        batch.push(0, RouteNetlinkMessage::DelRule(message.clone()));
        message.attributes = vec![RuleAttribute::Priority(9), RuleAttribute::Table(254)];
        message.header.action = netnsctl_netlink::packet::rule::RuleAction::ToTable;
        batch.push(0x600, RouteNetlinkMessage::NewRule(message));
    });
    let said = expect(0, &["up"]).stdout;
    assert!(said.contains("1 added, 0 changed, 0 removed"), "{said}");
    let text = expect(0, &["import", "lab"]).stdout;
    for line in [
        "priority = 9\n",
        "source_port = \"1024-65534\"\n",
        "fwmark = 16\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    configure("[netns.lab]\n");
    let said = expect(0, &["up"]).stdout;
    assert!(said.contains(", 5 removed"), "{said}");
    assert_eq!(priorities(), [0, 9, 32_766, 32_767]);
}
