//! Which pairs and namespaces of a plan become possible with which namespace.

use std::collections::BTreeMap;

use crate::desired::VethPair;
use crate::name::NetnsName;

/// What becomes possible with which namespace of the order.
pub(super) struct Schedule<'a> {
    /// The pairs of which both ends' namespaces exist once that namespace does.
    pub(super) veths: Vec<Vec<(&'a NetnsName, &'a VethPair)>>,
    /// The namespaces that have all their links then.
    pub(super) complete: Vec<Vec<&'a NetnsName>>,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(order: &[&'a NetnsName], pairs: &[(&'a NetnsName, &'a VethPair)]) -> Self {
        let position: BTreeMap<_, _> = order
            .iter()
            .enumerate()
            .map(|(at, name)| (*name, at))
            .collect();
        let mut ready: Vec<usize> = (0..order.len()).collect();
        let mut veths = vec![Vec::new(); order.len()];
        for (owner, pair) in pairs {
            let places: Vec<_> = [&pair.near.netns, &pair.far.netns]
                .into_iter()
                .filter_map(|netns| position.get(netns.name()?))
                .collect();
            let Some(&&latest) = places.iter().max() else {
                continue;
            };
            veths[latest].push((*owner, *pair));
            for place in places {
                ready[*place] = ready[*place].max(latest);
            }
        }
        let mut complete = vec![Vec::new(); order.len()];
        for (at, name) in order.iter().enumerate() {
            complete[ready[at]].push(*name);
        }
        Self { veths, complete }
    }
}
