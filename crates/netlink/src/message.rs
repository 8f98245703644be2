//! The kernel's answers as plain types: links, addresses, routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{InfoData, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, route::RouteFlags};

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index in its namespace.
    pub index: u32,
    /// IFLA_IFNAME.
    pub name: String,
    /// IFLA_INFO_KIND: `veth`, `bridge`, ...; hardware and `lo` have none.
    pub kind: Option<String>,
    /// IFF_UP: administratively up.
    pub up: bool,
    /// IFF_LOWER_UP: there is a carrier.
    pub carrier: bool,
    /// In bytes.
    pub mtu: u32,
    /// The link-layer address, where it has six bytes.
    pub mac: Option<[u8; 6]>,
    /// IFLA_INFO_DATA: what its kind has of its own.
    pub data: Option<InfoData>,
    /// IFLA_LINK: for veth, the other end's index in its namespace; for a link that sends by
    /// another, that one's, 0 for none.
    pub peer_index: Option<u32>,
    /// IFLA_LINK_NETNSID: the id, here, of the namespace `peer_index` counts in; none means this
    /// very namespace.
    pub peer_nsid: Option<i32>,
    /// IFLA_MASTER: index of the bridge, bond or VRF that it is a port of.
    pub master: Option<u32>,
}

impl Link {
    pub(crate) fn of(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            kind: None,
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
            mtu: 0,
            mac: None,
            data: None,
            peer_index: None,
            peer_nsid: None,
            master: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(bytes) => link.mac = bytes.try_into().ok(),
                LinkAttribute::Link(index) => link.peer_index = Some(index),
                LinkAttribute::Controller(index) => link.master = Some(index),
                LinkAttribute::LinkNetNsId(id) => link.peer_nsid = Some(id),
                LinkAttribute::LinkInfo(infos) => {
                    for info in infos {
                        match info {
                            LinkInfo::Kind(kind) => link.kind = Some(kind.to_string()),
                            LinkInfo::Data(data) => link.data = Some(data),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        link
    }
}

/// What a network interface has carried since it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// The interface's index in its namespace.
    pub index: u32,
    /// IFLA_IFNAME.
    pub name: String,
    /// What came in by it.
    pub received: Flow,
    /// What went out by it.
    pub sent: Flow,
}

/// One direction of [`Traffic`]: counters of IFLA_STATS64 (`struct rtnl_link_stats64` of
/// include/uapi/linux/if_link.h).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Bytes, those of link-layer headers included.
    pub bytes: u64,
    /// Packets; what was coalesced counts once.
    pub packets: u64,
    /// Packets that were broken or could not be sent.
    pub errors: u64,
    /// Packets dropped for want of room, or because nobody wanted them.
    pub dropped: u64,
}

impl Traffic {
    /// None if the kernel told no counters.
    pub(crate) fn of(message: LinkMessage) -> Option<Self> {
        let (mut name, mut counted) = (None, None);
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(it) => name = Some(it),
                LinkAttribute::Stats64(it) => counted = Some(it),
                _ => {}
            }
        }
        let counted = counted?;
        Some(Self {
            index: message.header.index,
            name: name?,
            received: Flow {
                bytes: counted.rx_bytes,
                packets: counted.rx_packets,
                errors: counted.rx_errors,
                dropped: counted.rx_dropped,
            },
            sent: Flow {
                bytes: counted.tx_bytes,
                packets: counted.tx_packets,
                errors: counted.tx_errors,
                dropped: counted.tx_dropped,
            },
        })
    }
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Index of the interface.
    pub index: u32,
    /// The interface's own address (IFA_LOCAL where there is one).
    pub ip: IpAddr,
    /// Bits of the prefix.
    pub prefix_len: u8,
    /// IFA_F_PERMANENT: put there by somebody, not learnt from a router or made for privacy.
    pub permanent: bool,
    /// IFA_F_TENTATIVE: duplicate-address detection still runs; it cannot be bound yet.
    pub tentative: bool,
    /// IFAPROT_KERNEL_LL: made by the kernel itself, link-local (Linux 5.18 and later say so).
    pub kernel_made: bool,
}

impl Address {
    pub(crate) fn of(message: AddressMessage) -> Option<Self> {
        let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
        let (mut local, mut address, mut kernel_made) = (None, None, false);
        for attribute in message.attributes {
            match attribute {
                AddressAttribute::Local(ip) => local = Some(ip),
                AddressAttribute::Address(ip) => address = Some(ip),
                AddressAttribute::Flags(all) => flags = all,
                AddressAttribute::Protocol(protocol) => kernel_made = u8::from(protocol) != 0,
                _ => {}
            }
        }
        Some(Self {
            index: message.header.index,
            ip: local.or(address)?,
            prefix_len: message.header.prefix_len,
            permanent: flags.contains(AddressFlags::Permanent),
            tentative: flags.contains(AddressFlags::Tentative),
            kernel_made,
        })
    }
}

/// A unicast route in the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination's network address.
    pub destination: IpAddr,
    /// Bits of its prefix; 0 is the default route.
    pub prefix_len: u8,
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// Index of the interface it leaves by; none if it has several next hops.
    pub interface: Option<u32>,
    /// Made by the kernel along with an address.
    pub kernel_made: bool,
}

impl Route {
    pub(crate) fn of(message: RouteMessage) -> Option<Self> {
        let header = &message.header;
        let mut table = u32::from(header.table);
        for attribute in &message.attributes {
            if let RouteAttribute::Table(number) = attribute {
                table = *number;
            }
        }
        let wanted = header.kind == RouteType::Unicast
            && table == u32::from(RouteHeader::RT_TABLE_MAIN)
            && !header.flags.contains(RouteFlags::Cloned);
        if wanted { Self::read(message) } else { None }
    }

    /// What every route has, of any kind and table.
    pub(crate) fn read(message: RouteMessage) -> Option<Self> {
        let header = message.header;
        let destination = match header.address_family {
            AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            _ => return None,
        };
        let mut route = Self {
            destination,
            prefix_len: header.destination_prefix_length,
            gateway: None,
            interface: None,
            kernel_made: header.protocol == RouteProtocol::Kernel,
        };
        for attribute in message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => route.destination = ip(address)?,
                RouteAttribute::Gateway(address) => route.gateway = ip(address),
                RouteAttribute::Oif(index) => route.interface = Some(index),
                _ => {}
            }
        }
        Some(route)
    }
}

fn ip(address: RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some(IpAddr::V4(ip)),
        RouteAddress::Inet6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}
