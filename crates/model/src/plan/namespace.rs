//! The namespace itself, and what a record of it says.

use std::sync::LazyLock;

use crate::desired::VethPair;
use crate::etc_files::{ETC_NETNS, directory};
use crate::item::{self, Change, Key, LinkKey, Value};
use crate::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};
use crate::observed::{Applied, EtcFile, FileState, Presence};

use super::planner::{Planner, Standing, is_owned};
use super::{LinkPlace, Verb};

impl<'a> Planner<'a> {
    /// Everything that may be put somewhere for `name`.
    pub(super) fn target(&self, name: &NetnsName) -> Applied {
        let netns = self.netns(name);
        let here = NetnsRef::Named(name.clone());
        let mut keys = Vec::new();
        let base = LinkPlace::new(&here, &netns.holder.interface);
        keys.push(Key::Link(LinkKey {
            place: base.clone(),
            peer: None,
        }));
        let address = |link: &LinkPlace, address| {
            let link = link.clone();
            Key::Address(item::Address { link, address })
        };
        keys.extend(netns.holder.address.iter().map(|it| address(&base, *it)));
        let of_it = self.ends.get(&here).into_iter().flatten();
        let owned = of_it.filter(|(pair, _)| is_owned(pair, name));
        for (pair, _) in owned {
            keys.push(Key::Link(key_of(pair)));
            for end in [&pair.near, &pair.far] {
                let link = LinkPlace::new(&end.netns, &end.interface);
                let all = self.end_addresses(end, pair.mtu);
                keys.extend(all.into_iter().map(|it| address(&link, it)));
            }
        }
        for link in &netns.links {
            let place = LinkPlace::new(&here, &link.interface);
            if self.done.waiting.contains(&place) {
                continue;
            }
            keys.extend(link.address.iter().map(|it| address(&place, *it)));
            keys.push(Key::Link(LinkKey { place, peer: None }));
        }
        keys.extend(netns.entries.iter().cloned().map(Key::Entry));
        keys.extend(netns.routes.iter().cloned().map(Key::Route));
        keys.extend(netns.sysctl.keys().cloned().map(Key::Sysctl));
        let forwarding = forwarding(netns.ipv4_forwarding, netns.ipv6_forwarding);
        keys.extend(forwarding.map(|(key, _)| Key::Sysctl(key)));
        let directories = self.claimed_directories(name);
        keys.extend(directories.into_iter().map(Key::Directory));
        keys.into_iter().collect()
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
            !etc.directories.contains(path)
                || outlived_record
                || self.recorded_directories.contains(path)
        };
        wanted.into_iter().filter(claimed).collect()
    }

    /// The namespace with what needs no link, `lo`, and its base link.
    pub(super) fn make_netns(&mut self, name: &'a NetnsName, target: &Applied) {
        let here = NetnsRef::Named(name.clone());
        let standing = self.standing(name);
        match standing {
            Standing::Fresh => {
                let stale = self.observed.netns.get(name) == Some(&Presence::Stale);
                let stale = stale.then(|| self.step(name, Verb::Remove, item::Name));
                let applied = target.clone();
                let number = self.step(name, Verb::Add, item::Netns { applied });
                self.needs(number, stale);
                self.done.recorded.insert(here.clone(), number);
            }
            Standing::Adoptable => {
                let applied = target.clone();
                let number = self.step(name, Verb::Change, item::Netns { applied });
                self.done.recorded.insert(here.clone(), number);
            }
            Standing::Ours | Standing::Foreign => {}
        }
        self.forwarding(name);
        self.sysctls_before_links(name, target);
        let files = self.files(name);
        if standing == Standing::Fresh {
            let number = self.step(name, Verb::Add, item::Name);
            self.needs(number, files);
            self.quiet(number);
            self.done.named.insert(here.clone(), number);
        }
        if let Ok(lo) = InterfaceName::parse("lo") {
            let lo = LinkPlace::new(&here, &lo);
            self.sysctls_of_link(&lo);
            self.set_up(name, &lo);
        }
        self.base_link(name, target);
    }

    /// Sets a link up unless it is. One that this plan makes is made with that in mind.
    pub(super) fn set_up(&mut self, of: &NetnsName, link: &LinkPlace) {
        if self.link(link).is_some_and(|observed| observed.up) {
            return;
        }
        let change = Change {
            what: "up",
            from: Some(Value::Flag(false)),
            to: Value::Flag(true),
        };
        let number = self.change(of, item::Link::at(link.clone()), change);
        if let Some(created) = self.done.created.get(link).copied() {
            self.needs(number, [created]);
            self.quiet(number);
        }
        self.done.up.insert(link.clone(), number);
    }
}

/// The four forwarding keys, in the order they are written. `all` also sets every link that
/// exists, so it comes last (`inet_forward_change()` in net/ipv4/devinet.c).
static FORWARDING: LazyLock<Vec<SysctlKey>> = LazyLock::new(|| {
    let keys = [
        "net.ipv4.conf.default.forwarding",
        "net.ipv4.conf.all.forwarding",
        "net.ipv6.conf.default.forwarding",
        "net.ipv6.conf.all.forwarding",
    ];
    keys.iter()
        .filter_map(|key| SysctlKey::parse(key).ok())
        .collect()
});

/// The forwarding keys with their values, in the order they are written.
pub(super) fn forwarding(ipv4: bool, ipv6: bool) -> impl Iterator<Item = (SysctlKey, String)> {
    let values = [ipv4, ipv4, ipv6, ipv6].map(|on| u8::from(on).to_string());
    FORWARDING.iter().cloned().zip(values)
}

pub(super) fn key_of(pair: &VethPair) -> LinkKey {
    LinkKey {
        place: LinkPlace::new(&pair.near.netns, &pair.near.interface),
        peer: Some(LinkPlace::new(&pair.far.netns, &pair.far.interface)),
    }
}
