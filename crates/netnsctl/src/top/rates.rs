//! What happened a second between two samples.
//!
//! A counter that is smaller than it was belongs to a link or forwarder that was made anew: then
//! there is no rate, until the next sample.

use std::collections::BTreeMap;
use std::time::Duration;

use netnsctl_forward::Counters;
use netnsctl_netlink::Traffic;

use super::sample::{LinkKey, Sample};
use super::text::number;
use crate::published::ForwardKey;

/// Two directions: into a namespace and out of it, or to a target and back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Both {
    pub(super) there: f64,
    pub(super) back: f64,
}

/// Of a link, or of all links of a namespace: `there` is received, `back` is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct LinkRate {
    pub(super) bytes: Both,
    pub(super) packets: Both,
}

/// Of a forward: `there` goes to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ForwardRate {
    pub(super) bytes: Both,
    pub(super) datagrams: Both,
    /// TCP connections and UDP sessions that were begun.
    pub(super) begun: f64,
}

/// Of everything that was there in both samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) links: BTreeMap<LinkKey, LinkRate>,
    pub(super) forwards: BTreeMap<ForwardKey, ForwardRate>,
}

impl Rates {
    pub(super) fn between(before: &Sample, after: &Sample) -> Self {
        let passed = after.at.saturating_duration_since(before.at);
        if passed.is_zero() {
            return Self::default();
        }
        let links = after.links.iter().filter_map(|(key, after)| {
            let rate = link(before.links.get(key)?, after, passed)?;
            Some((key.clone(), rate))
        });
        let forwards = after.forwards.iter().filter_map(|(key, after)| {
            let before = before.forwards.get(key)?.counters()?;
            Some((key.clone(), forward(before, after.counters()?, passed)?))
        });
        Self {
            links: links.collect(),
            forwards: forwards.collect(),
        }
    }
}

fn rate(before: u64, after: u64, passed: Duration) -> Option<f64> {
    Some(number(after.checked_sub(before)?) / passed.as_secs_f64())
}

fn link(before: &Traffic, after: &Traffic, passed: Duration) -> Option<LinkRate> {
    // An index is never given twice in a namespace while it lives, a name is.
    if before.index != after.index {
        return None;
    }
    let both = |(b, a): (u64, u64), (c, d): (u64, u64)| {
        Some(Both {
            there: rate(b, a, passed)?,
            back: rate(c, d, passed)?,
        })
    };
    let (received, sent) = ((before.received, after.received), (before.sent, after.sent));
    Some(LinkRate {
        bytes: both(
            (received.0.bytes, received.1.bytes),
            (sent.0.bytes, sent.1.bytes),
        )?,
        packets: both(
            (received.0.packets, received.1.packets),
            (sent.0.packets, sent.1.packets),
        )?,
    })
}

fn forward(before: &Counters, after: &Counters, passed: Duration) -> Option<ForwardRate> {
    let of = |count: fn(&Counters) -> u64| rate(count(before), count(after), passed);
    Some(ForwardRate {
        bytes: Both {
            there: of(|it| {
                it.tcp
                    .bytes_to_target
                    .saturating_add(it.udp.bytes_to_target)
            })?,
            back: of(|it| {
                it.tcp
                    .bytes_to_client
                    .saturating_add(it.udp.bytes_to_client)
            })?,
        },
        datagrams: Both {
            there: of(|it| it.udp.datagrams_to_target)?,
            back: of(|it| it.udp.datagrams_to_client)?,
        },
        begun: of(|it| it.tcp.connections_ever.saturating_add(it.udp.sessions_ever))?,
    })
}

impl std::ops::AddAssign for Both {
    fn add_assign(&mut self, other: Self) {
        self.there += other.there;
        self.back += other.back;
    }
}

impl std::ops::AddAssign for LinkRate {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.packets += other.packets;
    }
}

impl std::ops::AddAssign for ForwardRate {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.datagrams += other.datagrams;
        self.begun += other.begun;
    }
}

/// The sum of what is known; none if nothing is.
pub(super) fn sum<T: Copy + std::ops::AddAssign>(
    rates: impl Iterator<Item = Option<T>>,
) -> Option<T> {
    rates.flatten().reduce(|mut sum, next| {
        sum += next;
        sum
    })
}
