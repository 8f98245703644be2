//! Addresses of our links.

use std::net::IpAddr;

use crate::address::InterfaceAddress;
use crate::desired::VethEnd;
use crate::name::{InterfaceName, NetnsName};
use crate::observed::{Applied, Link};

use super::planner::Planner;
use super::{Action, LinkPlace};

/// Bytes that every link with IPv6 can carry, RFC 8200 section 5.
const IPV6_MIN_MTU: u32 = 1280;

impl Planner<'_> {
    /// Brings the addresses of one of our links to `wanted`, and takes away those we once put
    /// there and no longer want.
    pub(super) fn addresses(
        &mut self,
        of: &NetnsName,
        link: &LinkPlace,
        wanted: &[InterfaceAddress],
        target: &Applied,
    ) {
        let observed = self.link(link);
        let removed = self.outdated_addresses(of, link, target);
        for address in &removed {
            let action = Action::RemoveAddress {
                link: link.clone(),
                address: *address,
            };
            self.step(of, action);
        }
        let dropped =
            |address: &InterfaceAddress| removed.iter().any(|gone| shares_subnet(gone, address));
        for address in wanted {
            let there = observed.is_some_and(|observed| observed.has(address));
            let again = there && dropped(address);
            if !there || again {
                self.add_address(of, link, *address, again);
            }
        }
        // What somebody else added to the same subnet must not go with ours.
        for other in observed.into_iter().flat_map(|link| &link.addresses) {
            let address = other.address;
            let is_ours = wanted.contains(&address) || removed.contains(&address);
            if !is_ours && !other.kernel_made && dropped(&address) {
                self.add_address(of, link, address, true);
            }
        }
    }

    fn add_address(
        &mut self,
        of: &NetnsName,
        link: &LinkPlace,
        address: InterfaceAddress,
        again: bool,
    ) {
        let action = Action::AddAddress {
            link: link.clone(),
            address,
            again,
        };
        self.step(of, action);
    }

    /// Tells of links that keep an address which is added to another one of their namespace. The
    /// kernel takes that, and sends by whichever link has the narrower subnet. Links may share an
    /// address that has the whole of itself as prefix (unnumbered links).
    pub(super) fn tell_of_shared_addresses(&mut self) {
        let told = self.plan.steps.iter().filter_map(|step| {
            let Action::AddAddress {
                link,
                address,
                again: false,
            } = &step.action
            else {
                return None;
            };
            let other = self.other_with(link, address)?;
            Some(format!(
                "address {address} of \"{}\" in netns \"{}\" is also on \"{other}\" there; only one of \
                 the two links is used for it",
                link.interface, link.netns
            ))
        });
        let told: Vec<_> = told.collect();
        self.plan.notes.extend(told);
    }

    /// The link beside `link` that will have `address` too.
    fn other_with(&self, link: &LinkPlace, address: &InterfaceAddress) -> Option<&InterfaceName> {
        if matches!(address.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local()) {
            return None;
        }
        let single = |it: &InterfaceAddress| it.prefix_len() == it.0.max_prefix_len();
        let has_it = |other: &Link| {
            let mut addresses = other.addresses.iter().map(|it| it.address);
            addresses.any(|it| it.ip() == address.ip() && !(single(&it) && single(address)))
        };
        let links = self.interior(&link.netns)?.links.iter();
        let mut with = links.filter(|(_, other)| has_it(other));
        with.find_map(|(name, _)| {
            let place = LinkPlace {
                netns: link.netns.clone(),
                interface: name.clone(),
            };
            let stays = self.link(&place).is_some() && !self.takes(&place, address);
            (place != *link && stays).then_some(name)
        })
    }

    /// Whether a step of this plan takes `address` from a link.
    fn takes(&self, from: &LinkPlace, address: &InterfaceAddress) -> bool {
        self.plan.steps.iter().any(|step| match &step.action {
            Action::RemoveAddress {
                link,
                address: gone,
            } => link == from && gone.ip() == address.ip(),
            _ => false,
        })
    }

    /// Addresses that are there, were put there by us and are not wanted any more.
    fn outdated_addresses(
        &self,
        of: &NetnsName,
        link: &LinkPlace,
        target: &Applied,
    ) -> Vec<InterfaceAddress> {
        let Some(observed) = self.link(link) else {
            return Vec::new();
        };
        let recorded = self
            .record(of)
            .into_iter()
            .flat_map(|record| &record.applied.addresses);
        recorded
            .filter(|(netns, interface, _)| (netns, interface) == (&link.netns, &link.interface))
            .filter(|entry| !target.addresses.contains(entry))
            .map(|(_, _, address)| *address)
            .filter(|address| observed.has(address))
            .collect()
    }

    /// The declared addresses of a veth end and the link-local one that follows from its
    /// link-layer address. The kernel would make that one by itself, but only once there is a
    /// carrier and after a second of duplicate-address detection.
    pub(super) fn end_addresses(&self, end: &VethEnd, mtu: u32) -> Vec<InterfaceAddress> {
        let mut addresses = end.address.clone();
        let link_local = end.mac.link_local();
        // Below its minimum MTU a link has no IPv6 at all (`addrconf_notify()` in
        // net/ipv6/addrconf.c).
        if mtu >= IPV6_MIN_MTU && self.has_ipv6(end) && !addresses.contains(&link_local) {
            addresses.push(link_local);
        }
        addresses
    }

    /// Whether IPv6 will be on for a veth end: the kernel has it, and no sysctl turns it off.
    fn has_ipv6(&self, end: &VethEnd) -> bool {
        let observed = |which: &str| {
            let wanted = format!("net.ipv6.conf.{which}.disable_ipv6");
            let mut sysctls = self.observed.home.sysctl.iter();
            sysctls
                .find(|(key, _)| key.as_str() == wanted)
                .and_then(|(_, value)| value.as_deref())
        };
        let kernel_has_it = observed("default").is_some();
        let Some(name) = end.netns.name() else {
            return kernel_has_it
                && observed("default") == Some("0")
                && observed("all") == Some("0");
        };
        let interface = end.interface.as_str().replace('.', "/");
        let declared = self.desired.netns.get(name).map(|netns| &netns.sysctl);
        let off = declared.into_iter().flatten().any(|(key, value)| {
            let words: Vec<_> = key.as_str().split('.').collect();
            let turns_off = matches!(words[..], ["net", "ipv6", "conf", which, "disable_ipv6"]
                if which == "all" || which == "default" || which == interface);
            turns_off && value != "0"
        });
        kernel_has_it && !off
    }

    /// Whether a step of this plan takes an IPv4 address from `link`, and with it, maybe, routes
    /// (`fib_del_ifaddr()` in net/ipv4/fib_frontend.c).
    pub(super) fn loses_ipv4(&self, link: &LinkPlace) -> bool {
        self.plan.steps.iter().any(|step| match &step.action {
            Action::RemoveAddress { link: of, address } => of == link && address.ip().is_ipv4(),
            _ => false,
        })
    }
}

/// Whether the kernel may drop `other` along with `gone`: unless `promote_secondaries` is on, all
/// IPv4 addresses of a subnet go with its first (`inet_del_ifa()` in net/ipv4/devinet.c).
fn shares_subnet(gone: &InterfaceAddress, other: &InterfaceAddress) -> bool {
    matches!(gone.ip(), IpAddr::V4(_)) && gone.0.trunc() == other.0.trunc()
}

/// Whether `ip` is in the subnet of one of the link's addresses.
pub(super) fn reaches(link: &Link, ip: IpAddr) -> bool {
    link.addresses
        .iter()
        .any(|observed| observed.address.0.contains(&ip))
}
