//! The namespace itself, and what a record of it says.

use crate::desired::VethPair;
use crate::etc_files::{ETC_NETNS, directory};
use crate::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};
use crate::observed::{Applied, EtcFile, FileState, Presence, VethEnds};

use super::planner::{Planner, Standing, owner, place};
use super::{Action, LinkPlace};

impl Planner<'_> {
    /// Everything that may be put somewhere for `name`.
    pub(super) fn target(&self, name: &NetnsName) -> Applied {
        let netns = self.netns(name);
        let here = NetnsRef::Named(name.clone());
        let mut applied = Applied::default();
        applied.holders.insert(netns.holder.interface.clone());
        for address in &netns.holder.address {
            applied
                .addresses
                .insert((here.clone(), netns.holder.interface.clone(), *address));
        }
        for pair in self
            .desired
            .veths
            .iter()
            .filter(|pair| owner(pair) == Some(name))
        {
            applied.veths.insert(ends_of(pair));
            for end in [&pair.near, &pair.far] {
                for address in self.end_addresses(end, pair.mtu) {
                    let place = (end.netns.clone(), end.interface.clone(), address);
                    applied.addresses.insert(place);
                }
            }
        }
        applied.routes.extend(netns.routes.iter().cloned());
        applied.sysctl.clone_from(&netns.sysctl);
        applied
            .sysctl
            .extend(forwarding(netns.ipv4_forwarding, netns.ipv6_forwarding));
        applied.directories.extend(self.claimed_directories(name));
        applied
    }

    /// The folders of /etc that are ours: not there yet, made for this or another namespace, or made
    /// before a power cut that took the record: files of ours are in it.
    fn claimed_directories(&self, name: &NetnsName) -> Vec<String> {
        let wanted = [ETC_NETNS.to_owned(), directory(name)];
        let etc = &self.observed.etc;
        let outlived_record = !self.observed.records.contains_key(name)
            && EtcFile::ALL.iter().any(|file| {
                let state = etc.files.get(&(name.clone(), *file));
                matches!(state, Some(FileState::Ours(_)))
            });
        let claimed = |path: &String| {
            let mut records = self.observed.records.values();
            !etc.directories.contains(path)
                || outlived_record
                || records.any(|record| record.applied.directories.contains(path))
        };
        wanted.into_iter().filter(claimed).collect()
    }

    /// The namespace with its forwarding sysctls, `lo` and the holder link.
    pub(super) fn make_netns(&mut self, name: &NetnsName, target: &Applied) {
        match self.standing(name) {
            Standing::Fresh => {
                if self.observed.netns.get(name) == Some(&Presence::Stale) {
                    self.step(name, Action::RemoveStaleName);
                }
                self.step(
                    name,
                    Action::CreateNetns {
                        applied: target.clone(),
                    },
                );
            }
            Standing::Adoptable => self.step(
                name,
                Action::Adopt {
                    applied: target.clone(),
                },
            ),
            Standing::Ours | Standing::Foreign => {}
        }
        self.forwarding(name);
        self.let_ipv6_in(name, target);
        let here = NetnsRef::Named(name.clone());
        if let Ok(lo) = InterfaceName::parse("lo") {
            self.set_up(name, place(&here, &lo));
        }
        self.holder(name, target);
    }

    /// Sets a link up unless it is.
    pub(super) fn set_up(&mut self, of: &NetnsName, link: LinkPlace) {
        if !self.link(&link).is_some_and(|observed| observed.up) {
            self.step(of, Action::SetUp { link });
        }
    }
}

/// The four forwarding keys, in the order they are written. `all` also sets every link that
/// exists, so it comes last (`inet_forward_change()` in net/ipv4/devinet.c).
pub(super) fn forwarding(ipv4: bool, ipv6: bool) -> Vec<(SysctlKey, String)> {
    let keys = [
        ("ipv4", "default", ipv4),
        ("ipv4", "all", ipv4),
        ("ipv6", "default", ipv6),
        ("ipv6", "all", ipv6),
    ];
    let key = |(family, which, on): (&str, &str, bool)| {
        let key = SysctlKey::parse(&format!("net.{family}.conf.{which}.forwarding")).ok()?;
        Some((key, u8::from(on).to_string()))
    };
    keys.into_iter().filter_map(key).collect()
}

pub(super) fn ends_of(pair: &VethPair) -> VethEnds {
    VethEnds {
        near: (pair.near.netns.clone(), pair.near.interface.clone()),
        far: (pair.far.netns.clone(), pair.far.interface.clone()),
    }
}
