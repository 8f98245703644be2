//! Links that stand alone, of every kind, at random.

use proptest::prelude::*;

use super::items::{link_values, with_parent};
use super::{Builder, PrefixLength, lengths, link_name, suffix};
use crate::address::MacAddress;
use crate::desired::Link;
use crate::item::link::kinds::KINDS;
use crate::item::{LinkPlace, Values};
use crate::name::NetnsRef;

/// A link that stands alone before it has a namespace: which one it will be in, the end of its
/// name, the number of its kind, values for each kind, the lengths of its addresses' prefixes, its
/// MTU and address, whether it is up, and which link will be its parent.
#[derive(Debug, Clone)]
pub(super) struct OwnLinkSeed {
    netns: usize,
    suffix: String,
    kind: usize,
    values: Vec<Values>,
    lengths: Vec<PrefixLength>,
    mtu: Option<u32>,
    mac: Option<[u8; 4]>,
    up: bool,
    parent: usize,
}

pub(super) fn own_link() -> impl Strategy<Value = OwnLinkSeed> {
    let common = (
        prop::option::of(1280..9000_u32),
        prop::option::of(any::<[u8; 4]>()),
        prop::bool::weighted(0.8),
    );
    let own = (0..KINDS.len(), link_values(), any::<usize>());
    (any::<usize>(), suffix(), lengths(), common, own).prop_map(
        |(netns, suffix, lengths, (mtu, mac, up), (kind, values, parent))| OwnLinkSeed {
            netns,
            suffix,
            kind,
            values,
            lengths,
            mtu,
            mac,
            up,
            parent,
        },
    )
}

impl Builder {
    /// All links declared so far, wherever they are.
    fn all_links(&self) -> Vec<LinkPlace> {
        let mut all = Vec::new();
        for (name, netns) in &self.desired.netns {
            let here = NetnsRef::Named(name.clone());
            let own = netns.links.iter().map(|link| &link.interface);
            let names = own.chain([&netns.holder.interface]);
            all.extend(names.map(|name| LinkPlace::new(&here, name)));
        }
        let ends = self.desired.veths.iter().flat_map(|it| [&it.near, &it.far]);
        all.extend(ends.map(|end| LinkPlace::new(&end.netns, &end.interface)));
        all
    }

    pub(super) fn own_link(&mut self, seed: OwnLinkSeed) {
        let mut parents = self.all_links();
        let kind = KINDS[seed.kind];
        let own = self.desired.netns.iter();
        let unfit: Vec<_> = own
            .flat_map(|(name, netns)| netns.links.iter().map(move |link| (name, link)))
            .filter(|(_, link)| kind.never_on.contains(&link.kind.word))
            .map(|(name, link)| LinkPlace::new(&name.clone().into(), &link.interface))
            .collect();
        parents.retain(|place| !unfit.contains(place));
        let number = self.number();
        let address = self.addresses(&seed.lengths);
        let name = self.names.get(seed.netns % self.names.len().max(1));
        let Some(netns) = name.and_then(|name| self.desired.netns.get_mut(name)) else {
            return;
        };
        let values = seed.values[seed.kind].clone();
        let parent = &parents[seed.parent % parents.len()];
        netns.links.push(Link {
            interface: link_name(&seed.suffix, usize::from(number)),
            kind,
            address,
            mtu: seed.mtu,
            mac: seed.mac.map(|[a, b, c, d]| MacAddress([2, a, b, c, d, 9])),
            up: seed.up,
            values: with_parent(seed.kind, values, parent),
        });
    }
}
