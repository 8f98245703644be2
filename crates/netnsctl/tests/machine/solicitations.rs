//! Router solicitations, seen by packet sockets: a namespace without IPv6 sends none, not even while it
//! is brought up.

use std::collections::BTreeSet;

use netnsctl_sys::packet::{Direction, PacketSocket};

use crate::net::{links, make_foreign, within};
use crate::support::{configure, eventually, expect};

/// IPv6's next header of ICMPv6 (RFC 4443), which has no other header before it in a solicitation.
const ICMPV6: u8 = 58;

/// ICMPv6's type of a router solicitation (RFC 4861).
const ROUTER_SOLICITATION: u8 = 133;

/// Bytes of an IPv6 header.
const IPV6_HEADER: usize = 40;

/// The router solicitations that passed the links of a namespace since this was made.
struct Watch {
    socket: PacketSocket,
    netns: &'static str,
    direction: Direction,
    /// The indices of the links.
    seen: BTreeSet<u32>,
}

impl Watch {
    /// Watches every link of `netns`, those still to be made as well.
    fn new(netns: &'static str, direction: Direction) -> Self {
        Self {
            socket: within(netns, PacketSocket::open).unwrap(),
            netns,
            direction,
            seen: BTreeSet::new(),
        }
    }

    /// The names of the links by which one passed so far.
    fn links(&mut self) -> BTreeSet<String> {
        let mut buffer = [0; 128];
        while let Some(packet) = self.socket.receive(&mut buffer).unwrap() {
            let bytes = &buffer[..packet.length];
            let is_solicitation = bytes.first().is_some_and(|first| first >> 4 == 6)
                && bytes.get(6) == Some(&ICMPV6)
                && bytes.get(IPV6_HEADER) == Some(&ROUTER_SOLICITATION);
            if is_solicitation && packet.direction == self.direction {
                self.seen.insert(packet.interface);
            }
        }
        assert_eq!(self.socket.dropped().unwrap(), 0, "packets were missed");
        let links = links(self.netns).into_iter();
        let seen = links.filter(|link| self.seen.contains(&link.index));
        seen.map(|link| link.name).collect()
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Two namespaces, one of them without IPv6. The other is the control: once its solicitations were
/// seen, those of the first, which is brought up before, would have been seen too.
const QUIET_AND_LOUD: &str = "[netns.a_quiet]\n\
    interface = \"base\"\n\
    address = [\"10.20.0.1/24\"]\n\
    [[netns.a_quiet.veth]]\n\
    peer_interface = \"quiet0\"\n\
    address = [\"10.30.0.1/24\"]\n\
    [netns.a_quiet.sysctl]\n\
    \"net.ipv6.conf.all.disable_ipv6\" = 1\n\
    \"net.ipv6.conf.default.disable_ipv6\" = 1\n\
    [netns.b_loud]\n\
    interface = \"base\"\n\
    address = [\"10.21.0.1/24\"]\n\
    [[netns.b_loud.veth]]\n\
    peer_interface = \"loud0\"\n\
    address = [\"10.31.0.1/24\"]\n";

#[netnsctl_machine::test]
fn a_new_namespace_without_ipv6_solicits_no_router() {
    configure(QUIET_AND_LOUD);
    let mut here = Watch::new("default", Direction::In);
    expect(0, &["up"]);
    eventually("a solicitation of b_loud", || {
        here.links().contains("loud0").then_some(())
    });
    assert_eq!(here.links(), names(&["loud0"]));
}

#[netnsctl_machine::test]
fn no_link_of_a_namespace_without_ipv6_solicits_a_router() {
    configure(QUIET_AND_LOUD);
    make_foreign("a_quiet");
    make_foreign("b_loud");
    let mut quiet = Watch::new("a_quiet", Direction::Out);
    let mut loud = Watch::new("b_loud", Direction::Out);
    expect(0, &["up", "--adopt"]);
    eventually("a solicitation of each link of b_loud", || {
        loud.links()
            .is_superset(&names(&["base", "host"]))
            .then_some(())
    });
    assert_eq!(quiet.links(), names(&[]));
}
