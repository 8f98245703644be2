//! Requests that change something, encoded one after the other for a single send.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::message::Route;

/// Changes in the order they were added; [`crate::Socket::commit`] carries them out.
#[derive(Debug, Default)]
pub struct Batch {
    /// One encoded request each. The sequence number is the place in this list plus one, so that
    /// an answer names its request.
    pub(crate) requests: Vec<Vec<u8>>,
}

/// A link to be created.
#[derive(Debug, Clone, Default)]
pub struct NewLink<'a> {
    /// Its name.
    pub name: &'a str,
    /// IFLA_INFO_KIND.
    pub kind: &'a str,
    /// IFLA_INFO_DATA: what its kind has of its own.
    pub data: Option<InfoData>,
    /// IFLA_LINK: the index, in the namespace of the socket, of the link that it sends by.
    pub link: Option<u32>,
    /// The namespace that it is for; that of the socket if none.
    pub netns: Option<BorrowedFd<'a>>,
    /// In bytes; the kernel's choice if none.
    pub mtu: Option<u32>,
    /// Its link-layer address; the kernel's choice if none.
    pub mac: Option<[u8; 6]>,
}

/// One end of a veth pair to be created.
#[derive(Debug, Clone, Copy)]
pub struct VethEnd<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its link-layer address; by chance if none.
    pub mac: Option<[u8; 6]>,
}

/// A veth pair to be created: one end in the socket's namespace, the other in another.
#[derive(Debug, Clone, Copy)]
pub struct NewVeth<'a> {
    /// The end in the namespace of the socket.
    pub near: VethEnd<'a>,
    /// The other end.
    pub far: VethEnd<'a>,
    /// The namespace of the other end.
    pub far_netns: BorrowedFd<'a>,
    /// MTU of both ends, in bytes; the kernel's choice if none.
    pub mtu: Option<u32>,
}

impl Batch {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Creates a link, which is down, and at once in its namespace. EEXIST if there is one of that
    /// name (up to Linux 6.14 in the namespace of the socket too), EOPNOTSUPP if the kernel lacks the
    /// kind.
    pub fn create_link(&mut self, link: NewLink<'_>) {
        let mut info = vec![LinkInfo::Kind(InfoKind::from(link.kind))];
        info.extend(link.data.map(LinkInfo::Data));
        let mut message = LinkMessage::default();
        let attributes = &mut message.attributes;
        attributes.push(LinkAttribute::IfName(link.name.to_owned()));
        attributes.extend(link.mtu.map(LinkAttribute::Mtu));
        attributes.extend(link.mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
        attributes.extend(link.link.map(LinkAttribute::Link));
        let netns = link.netns.map(|netns| netns.as_raw_fd());
        attributes.extend(netns.map(LinkAttribute::NetNsFd));
        attributes.push(LinkAttribute::LinkInfo(info));
        self.push(
            NLM_F_CREATE | NLM_F_EXCL,
            RouteNetlinkMessage::NewLink(message),
        );
    }

    /// Changes what the kind of a link has of its own: what `data` says, and nothing else.
    pub fn change_link_data(&mut self, name: &str, kind: &str, data: InfoData) {
        self.change_link(name, |message| {
            let info = vec![LinkInfo::Kind(InfoKind::from(kind)), LinkInfo::Data(data)];
            message.attributes.push(LinkAttribute::LinkInfo(info));
        });
    }

    /// Gives a link, which has to be down, another name.
    pub fn rename_link(&mut self, index: u32, name: &str) {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let name = LinkAttribute::IfName(name.to_owned());
        message.attributes.push(name);
        self.push(0, RouteNetlinkMessage::NewLink(message));
    }

    /// Creates a veth pair, each end at once in its place and with its link-layer address: no
    /// half-placed link is ever visible and nobody can rename it in between. Both ends are down.
    pub fn create_veth(&mut self, pair: NewVeth<'_>) {
        let mut far = veth_end(pair.far, pair.mtu);
        far.attributes
            .push(LinkAttribute::NetNsFd(pair.far_netns.as_raw_fd()));
        let mut near = veth_end(pair.near, pair.mtu);
        near.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))),
        ]));
        self.push(
            NLM_F_CREATE | NLM_F_EXCL,
            RouteNetlinkMessage::NewLink(near),
        );
    }

    /// Sets a link administratively up, found by name: the index need not be known.
    pub fn set_link_up(&mut self, name: &str) {
        self.change_link(name, |message| set_up(&mut message.header));
    }

    /// Sets a link administratively down.
    pub fn set_link_down(&mut self, name: &str) {
        self.change_link(name, |message| {
            message.header.change_mask |= LinkFlags::Up;
        });
    }

    /// Sets a link's MTU, in bytes.
    pub fn set_link_mtu(&mut self, name: &str, mtu: u32) {
        self.change_link(name, |message| {
            message.attributes.push(LinkAttribute::Mtu(mtu))
        });
    }

    /// Sets a link's link-layer address.
    pub fn set_link_mac(&mut self, name: &str, mac: [u8; 6]) {
        self.change_link(name, |message| {
            message
                .attributes
                .push(LinkAttribute::Address(mac.to_vec()));
        });
    }

    fn change_link(&mut self, name: &str, change: impl FnOnce(&mut LinkMessage)) {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        change(&mut message);
        self.push(0, RouteNetlinkMessage::NewLink(message));
    }

    /// Deletes a link, and with one end of a veth pair the other. ENODEV if there is none.
    pub fn delete_link(&mut self, name: &str) {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        self.push(0, RouteNetlinkMessage::DelLink(message));
    }

    /// Deletes a link found by its index, which no other link of its namespace ever had.
    pub fn delete_link_by_index(&mut self, index: u32) {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.push(0, RouteNetlinkMessage::DelLink(message));
    }

    /// Adds an address. IPv6 ones skip duplicate-address detection (IFA_F_NODAD), so that they can
    /// be bound at once. EEXIST if it is there.
    pub fn add_address(&mut self, index: u32, ip: IpAddr, prefix_len: u8) {
        let message = address(index, ip, prefix_len);
        self.push(
            NLM_F_CREATE | NLM_F_EXCL,
            RouteNetlinkMessage::NewAddress(message),
        );
    }

    /// Removes an address. EADDRNOTAVAIL if it is not there.
    pub fn delete_address(&mut self, index: u32, ip: IpAddr, prefix_len: u8) {
        self.push(
            0,
            RouteNetlinkMessage::DelAddress(address(index, ip, prefix_len)),
        );
    }

    /// Adds a route to the main table. EEXIST if there is one to that destination (and metric).
    pub fn add_route(&mut self, route: &Route) {
        let message = RouteNetlinkMessage::NewRoute(main_route(route));
        self.push(NLM_F_CREATE | NLM_F_EXCL, message);
    }

    /// Removes a route from the main table. ESRCH if it is not there.
    pub fn delete_route(&mut self, route: &Route) {
        self.push(0, RouteNetlinkMessage::DelRoute(main_route(route)));
    }

    /// Gives another namespace an id in that of the socket, whichever is free (RTM_NEWNSID). EEXIST
    /// if it has one.
    pub fn give_nsid(&mut self, netns: BorrowedFd<'_>) {
        let mut message = NsidMessage::default();
        let fd = u32::try_from(netns.as_raw_fd()).unwrap_or(u32::MAX);
        message.attributes = vec![NsidAttribute::Fd(fd), NsidAttribute::Id(-1)];
        self.push(0, RouteNetlinkMessage::NewNsId(message));
    }

    /// Adds any request; `flags` are those of netlink(7) besides NLM_F_REQUEST and NLM_F_ACK.
    pub fn push(&mut self, flags: u16, message: RouteNetlinkMessage) {
        let sequence = u32::try_from(self.requests.len() + 1).unwrap_or(u32::MAX);
        self.requests.push(encode(flags, sequence, message));
    }
}

/// The bytes of one request.
pub(crate) fn encode(flags: u16, sequence: u32, message: RouteNetlinkMessage) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len().next_multiple_of(4)];
    message.serialize(&mut bytes);
    bytes
}

fn set_up(header: &mut LinkHeader) {
    header.flags |= LinkFlags::Up;
    header.change_mask |= LinkFlags::Up;
}

/// One queue each way, which is what a veth uses by default. Left to itself the kernel makes one
/// for each processor, then takes all but one out of use, and waits for an RCU grace period to do
/// so, which takes as long as making the pair (`veth_init_queues()` in drivers/net/veth.c).
fn veth_end(end: VethEnd<'_>, mtu: Option<u32>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::NumTxQueues(1));
    message.attributes.push(LinkAttribute::NumRxQueues(1));
    message
        .attributes
        .push(LinkAttribute::IfName(end.name.to_owned()));
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    if let Some(mac) = end.mac {
        message
            .attributes
            .push(LinkAttribute::Address(mac.to_vec()));
    }
    message
}

fn address(index: u32, ip: IpAddr, prefix_len: u8) -> AddressMessage {
    let flags = if ip.is_ipv6() {
        AddressHeaderFlags::Nodad
    } else {
        AddressHeaderFlags::empty()
    };
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: family(ip),
        prefix_len,
        flags,
        index,
        ..AddressHeader::default()
    };
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    if let (IpAddr::V4(v4), true) = (ip, prefix_len < 31) {
        let host_bits = u32::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
        let broadcast = (v4.to_bits() | host_bits).into();
        message
            .attributes
            .push(AddressAttribute::Broadcast(broadcast));
    }
    message
}

fn main_route(route: &Route) -> RouteMessage {
    // As ip-route(8): a destination without a gateway is on the link. IPv6 knows no scopes.
    let scope = match (route.destination, route.gateway) {
        (IpAddr::V4(_), None) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(route.destination),
        destination_prefix_length: route.prefix_len,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        kind: RouteType::Unicast,
        scope,
        ..RouteHeader::default()
    };
    if route.prefix_len > 0 {
        message
            .attributes
            .push(RouteAttribute::Destination(route.destination.into()));
    }
    if let Some(gateway) = route.gateway {
        message
            .attributes
            .push(RouteAttribute::Gateway(gateway.into()));
    }
    if let Some(interface) = route.interface {
        message.attributes.push(RouteAttribute::Oif(interface));
    }
    message
}

fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
