//! What of a plan becomes possible with which namespace.

use std::collections::HashMap;

use crate::name::NetnsName;

use super::LinkPlace;
use super::made::Made;

/// What becomes possible with which namespace of the order.
pub(super) struct Schedule<'a> {
    /// What can be made once that namespace exists, in an order in which it can: pairs, and each
    /// link after its parent. Beside each is the namespace it is recorded under.
    pub(super) made: Vec<Vec<(&'a NetnsName, Made<'a>)>>,
    /// The namespaces that have all their links then.
    pub(super) complete: Vec<Vec<&'a NetnsName>>,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(order: &[&'a NetnsName], all: &[(&'a NetnsName, Made<'a>)]) -> Self {
        let position: HashMap<_, _> = order
            .iter()
            .enumerate()
            .map(|(at, name)| (*name, at))
            .collect();
        let mut ready: Vec<usize> = (0..order.len()).collect();
        let mut made = vec![Vec::new(); order.len()];
        let mut known = HashMap::new();
        let any_parent = all.iter().any(|(_, one)| one.parent().is_some());
        for (owner, one) in sorted(all) {
            let netns = one.netns();
            let own = netns.iter().filter_map(|netns| position.get(netns.name()?));
            let own: Vec<_> = own.copied().collect();
            let parent = one.parent().and_then(|parent| known.get(&parent).copied());
            let Some(latest) = own.iter().copied().chain(parent).max() else {
                continue;
            };
            made[latest].push((owner, one));
            for place in one.places() {
                if let Some(at) = place.netns.name().and_then(|name| position.get(name)) {
                    ready[*at] = ready[*at].max(latest);
                }
                if any_parent {
                    known.insert(place, latest);
                }
            }
        }
        let mut complete = vec![Vec::new(); order.len()];
        for (at, name) in order.iter().enumerate() {
            complete[ready[at]].push(*name);
        }
        Self { made, complete }
    }
}

/// Pairs first, then links, each after its parent.
fn sorted<'a>(all: &[(&'a NetnsName, Made<'a>)]) -> Vec<(&'a NetnsName, Made<'a>)> {
    let links = all.iter().filter(|(_, one)| matches!(one, Made::Link(..)));
    let by_place: HashMap<LinkPlace, Made<'_>> = links
        .flat_map(|(_, one)| one.places().into_iter().map(|place| (place, *one)))
        .collect();
    let depth = |one: Made<'_>| {
        let mut depth = 0;
        let mut next = one.parent();
        while let Some(parent) = next.and_then(|place| by_place.get(&place)) {
            depth += 1;
            next = parent.parent().filter(|_| depth <= by_place.len());
        }
        depth
    };
    let mut sorted: Vec<_> = all.to_vec();
    sorted.sort_by_cached_key(|(_, one)| (matches!(one, Made::Link(..)), depth(*one)));
    sorted
}
