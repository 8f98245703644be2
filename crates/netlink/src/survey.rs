//! What a namespace may have that nobody here makes: queueing disciplines, neighbours, routes of
//! every kind and table.
//!
//! Only enough of each is read to say in words that it is there. Sources: rtnetlink(7), tc(8),
//! ip-neighbour(8).

use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::tc::{TcAttribute, TcMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::Error;
use crate::message::Route;
use crate::socket::{Socket, is_absent};

/// Metric of a route for which none was given: that of IPv4, and that of IPv6 (IP6_RT_PRIO_USER
/// of include/net/ip6_route.h).
const DEFAULT_METRIC: [u32; 2] = [0, 1024];

/// RT_TABLE_LOCAL of include/uapi/linux/rtnetlink.h: the kernel's own routes to local addresses.
const TABLE_LOCAL: u32 = 255;

/// A route, whatever its kind and table, and what it has beyond destination, gateway and interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyRoute {
    /// What a [`Route`] says.
    pub route: Route,
    /// Somebody put it there: no protocol of the kernel's own or of router advertisements.
    pub by_hand: bool,
    /// It is more than that or something else: in another table, with next hops, unreachable.
    pub special: Vec<String>,
    /// What else it has that can be left out without leading elsewhere, such as its metric.
    pub extra: Vec<String>,
}

impl Socket {
    /// All routes but those of the table `local`, both families.
    pub fn all_routes(&mut self) -> Result<Vec<AnyRoute>, Error> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let request = || {
                let mut message = RouteMessage::default();
                message.header.address_family = family;
                RouteNetlinkMessage::GetRoute(message)
            };
            let dumped = self.dump(request, |message| match message {
                RouteNetlinkMessage::NewRoute(route) => any_route(route),
                _ => None,
            });
            routes.extend(present(dumped)?);
        }
        Ok(routes)
    }

    /// The queueing disciplines that somebody chose: index of the interface, and kind.
    pub fn chosen_qdiscs(&mut self) -> Result<Vec<(u32, String)>, Error> {
        let request = || RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let dumped = self.dump(request, |message| match message {
            RouteNetlinkMessage::NewQueueDiscipline(qdisc) => chosen_qdisc(qdisc),
            _ => None,
        });
        present(dumped)
    }

    /// The permanent neighbours: index of the interface, and address.
    pub fn permanent_neighbours(&mut self) -> Result<Vec<(u32, String)>, Error> {
        let request = || RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let dumped = self.dump(request, |message| match message {
            RouteNetlinkMessage::NewNeighbour(neighbour) => permanent(neighbour),
            _ => None,
        });
        present(dumped)
    }
}

/// What was dumped; nothing where the kernel has no such thing.
///
/// Errors: all others of a dump.
pub fn present<T>(dumped: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match dumped {
        Err(Error::Kernel(error)) if is_absent(&error) => Ok(Vec::new()),
        result => result,
    }
}

fn any_route(message: RouteMessage) -> Option<AnyRoute> {
    let header = message.header.clone();
    let mut table = u32::from(header.table);
    let (mut special, mut extra) = (Vec::new(), Vec::new());
    let ipv6 = header.address_family == AddressFamily::Inet6;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::MultiPath(hops) => special.push(format!("{} next hops", hops.len())),
            RouteAttribute::Via(_) => special.push("a gateway of another family".to_owned()),
            RouteAttribute::Encap(_) => special.push("an encapsulation".to_owned()),
            RouteAttribute::NhId(id) => special.push(format!("next hop object {id}")),
            RouteAttribute::Priority(metric) if *metric != DEFAULT_METRIC[usize::from(ipv6)] => {
                extra.push(format!("metric {metric}"));
            }
            RouteAttribute::PrefSource(_) => extra.push("a preferred source".to_owned()),
            RouteAttribute::Metrics(_) => extra.push("mtu or other metrics".to_owned()),
            _ => {}
        }
    }
    if table == TABLE_LOCAL || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    if table != u32::from(RouteHeader::RT_TABLE_MAIN) {
        special.push(format!("in table {table}"));
    }
    if header.kind != RouteType::Unicast {
        special.push(format!("{:?}", header.kind).to_lowercase());
    }
    if header.source_prefix_length != 0 {
        special.push("only from some sources".to_owned());
    }
    if header.flags.contains(RouteFlags::Onlink) {
        special.push("onlink".to_owned());
    }
    if header.tos != 0 {
        special.push(format!("tos {}", header.tos));
    }
    // Who has them from the network will have them again, without a declaration.
    match header.protocol {
        RouteProtocol::Ra => extra.push("learned from a router advertisement".to_owned()),
        RouteProtocol::IcmpRedirect => extra.push("learned from a redirect".to_owned()),
        RouteProtocol::Dhcp => extra.push("learned by DHCP".to_owned()),
        _ => {}
    }
    let by_hand = ![
        RouteProtocol::Kernel,
        RouteProtocol::Ra,
        RouteProtocol::IcmpRedirect,
        RouteProtocol::Dhcp,
    ]
    .contains(&header.protocol);
    let route = Route::read(message)?;
    Some(AnyRoute {
        route,
        by_hand,
        special,
        extra,
    })
}

/// The kernel gives handles only to those that somebody asked for (`qdisc_create_dflt()` in
/// net/sched/sch_generic.c makes them without).
fn chosen_qdisc(message: TcMessage) -> Option<(u32, String)> {
    let index = u32::try_from(message.header.index).ok()?;
    let kind = message.attributes.iter().find_map(|one| match one {
        TcAttribute::Kind(kind) => Some(kind.clone()),
        _ => None,
    });
    (message.header.handle.major != 0).then_some((index, kind?))
}

fn permanent(message: NeighbourMessage) -> Option<(u32, String)> {
    use netlink_packet_route::neighbour::NeighbourAddress;
    let address = message.attributes.iter().find_map(|one| match one {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(ip.to_string()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(ip.to_string()),
        _ => None,
    });
    let lasting = message.header.state == NeighbourState::Permanent;
    // Those of the kernel: what a link is joined to by itself.
    let unicast = message.header.kind == RouteType::Unicast;
    (lasting && unicast).then_some((message.header.ifindex, address?))
}
