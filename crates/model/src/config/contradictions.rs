//! Keys that contradict each other: one rules out what another needs. The kernel takes the one and
//! refuses the other, so a file with both can never be carried out.
//!
//! A section says what its keys rule out and what they need; a subject with both is a mistake. A new
//! contradiction is a call of [`Contradictions::rule_out`], a call of [`Contradictions::need`], and a
//! [`Subject`] if there is none that fits.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use super::diagnostic::{At, Place, Report};
use super::links::Links;
use crate::address::IPV6_MIN_MTU;
use crate::name::{InterfaceName, NetnsRef};

/// What one key rules out and another needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject<'d> {
    /// IPv6 on a link: addresses, and routes through it.
    Ipv6(&'d NetnsRef, InterfaceName),
    /// The IPv6 parameters of a link.
    Ipv6Parameters(&'d NetnsRef, InterfaceName),
    /// That ports below those for outgoing connections need a privilege.
    PrivilegedPorts(&'d NetnsRef),
    /// That an address is one of the namespace's own.
    OwnAddress(&'d NetnsRef, Ipv6Addr),
}

/// A key that rules something out.
#[derive(Debug)]
pub(super) struct RuledOut {
    /// The key, or its value.
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) hint: String,
    /// What stands at the key that needs it.
    pub(super) needed: &'static str,
}

/// What keys rule out, and which of that others need.
#[derive(Debug, Default)]
pub(super) struct Contradictions<'d> {
    ruled_out: BTreeMap<Subject<'d>, Vec<RuledOut>>,
    needed: Vec<(Subject<'d>, Place)>,
}

impl<'d> Contradictions<'d> {
    /// A key rules `subject` out.
    pub(super) fn rule_out(&mut self, subject: Subject<'d>, key: RuledOut) {
        self.ruled_out.entry(subject).or_default().push(key);
    }

    /// The key at `place` needs `subject`.
    pub(super) fn need(&mut self, subject: Subject<'d>, place: Place) {
        if self.ruled_out.contains_key(&subject) {
            self.needed.push((subject, place));
        }
    }

    /// The MTU of the link `name` of `netns`, which is `of`, rules IPv6 out if it is too small: the kernel
    /// has no IPv6 on such a link, and takes no address there (EINVAL, `ipv6_add_dev()` in its
    /// net/ipv6/addrconf.c).
    pub(super) fn mtu(
        &mut self,
        netns: &'d NetnsRef,
        name: &InterfaceName,
        mtu: At<u32>,
        of: &'static str,
    ) {
        if mtu.value >= IPV6_MIN_MTU {
            return;
        }
        let key = || RuledOut {
            place: mtu.place,
            message: format!(
                "an MTU of {} is too small for IPv6, which {of} carries",
                mtu.value
            ),
            hint: format!(
                "give {IPV6_MIN_MTU} or more; the kernel has no IPv6 on a link with less"
            ),
            needed: "IPv6 is used here",
        };
        self.rule_out(Subject::Ipv6(netns, name.clone()), key());
        self.rule_out(Subject::Ipv6Parameters(netns, name.clone()), key());
    }

    /// Every IPv6 address needs IPv6 on its link, and is the namespace's own.
    pub(super) fn need_addresses(&mut self, links: &Links<'d>) {
        for (netns, links) in links.by_netns() {
            let all = links.iter();
            for (link, address) in all.flat_map(|it| it.address.iter().map(move |a| (it, a))) {
                if let IpAddr::V6(ip) = address.value.ip() {
                    self.need(Subject::Ipv6(netns, link.name.name.clone()), address.place);
                    self.need(Subject::OwnAddress(netns, ip), address.place);
                }
            }
        }
    }

    /// Refuses what one key rules out and another needs. A key that rules out several things is refused
    /// for the first.
    pub(super) fn check(&self, report: &mut Report<'_>) {
        let mut told = BTreeSet::new();
        for (subject, place) in &self.needed {
            for key in self.ruled_out.get(subject).into_iter().flatten() {
                if told.insert(key.place) {
                    report
                        .error(key.place, key.message.as_str())
                        .hint(key.hint.as_str())
                        .related(*place, key.needed);
                }
            }
        }
    }
}
