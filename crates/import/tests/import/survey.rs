//! What a kernel has, printed and read again.

use std::collections::{BTreeMap, BTreeSet};

use netnsctl_import::of_survey;
use netnsctl_model::desired::{Desired, Nscd, Route};
use netnsctl_model::etc_files::resolv_conf;
use netnsctl_model::item::Item;
use netnsctl_model::name::{InterfaceName, NetnsName, NetnsRef, SysctlKey};
use netnsctl_model::observed::{
    EtcFile, FileState, Interior, Link, Observed, ObservedRoute, Peer, Presence,
};
use netnsctl_model::plan::text::{Tense, render};
use netnsctl_model::plan::{Request, plan};
use netnsctl_model::surveyed::{Found, Surveyed};
use netnsctl_model::testing::desired;
use proptest::prelude::*;

use crate::accepted;
use crate::machine::Machine;

/// What a survey would tell of a machine.
fn surveyed(observed: &Observed) -> Surveyed {
    let found = |(name, presence): (&NetnsName, &Presence)| {
        let interior = presence.interior()?.clone();
        let file = observed.etc.files.get(&(name.clone(), EtcFile::Resolv));
        let resolv_conf = match file {
            Some(FileState::Ours(text)) => Some(text.clone()),
            _ => None,
        };
        let found = Found {
            interior,
            resolv_conf,
            ..Found::default()
        };
        Some((name.clone(), found))
    };
    Surveyed {
        home: observed.home.clone(),
        passed_over: Vec::new(),
        netns: observed.netns.iter().filter_map(found).collect(),
        fresh_sysctl: observed.pristine_sysctl.clone(),
    }
}

/// A state without what no kernel keeps.
fn kept_by_a_kernel(mut desired: Desired) -> Desired {
    desired.home = Default::default();
    for netns in desired.netns.values_mut() {
        netns.forwards.clear();
        netns.run = None;
        netns.nscd = Nscd::default();
        // A base link takes none of these, and one of these may be taken for it.
        for link in netns.links.iter_mut().filter(|it| it.kind.keys.is_empty()) {
            (link.mtu, link.mac, link.up) = (None, None, true);
        }
    }
    desired
}

/// Links and routes, whichever namespace they are in.
fn facts(interior: &Interior) -> (BTreeMap<InterfaceName, Link>, BTreeSet<(Route, bool)>) {
    let mut links = interior.links.clone();
    // Any kind but a bridge will do for an address, so which one is not declared.
    for link in links
        .values_mut()
        .filter(|link| link.kind.as_deref() == Some("dummy"))
    {
        link.kind = Some("ifb".to_owned());
    }
    let route = |one: &ObservedRoute| (one.route.clone(), one.kernel_made);
    (links, interior.routes.iter().map(route).collect())
}

/// The values of sysctls, as the kernel takes them.
fn values(interior: &Interior) -> BTreeMap<&SysctlKey, Option<Vec<&str>>> {
    interior
        .sysctl
        .iter()
        .map(|(key, value)| {
            let words = value
                .as_deref()
                .map(|value| value.split_whitespace().collect());
            (key, words)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_printed_is_what_is_there(desired in desired()) {
        let desired = kept_by_a_kernel(desired);
        let mut machine = Machine::new();
        prop_assert_eq!(machine.up(&desired, usize::MAX).problems, []);
        let mut observed = machine.observe(&desired);
        let text = of_survey(&surveyed(&observed), &BTreeSet::new());
        let printed = accepted(&text);

        // Taken over where it was found, nothing is left to do.
        observed.records.clear();
        let request = Request { adopt: true, ..Request::default() };
        let taken = plan(&printed, &observed, &request);
        prop_assert_eq!(&taken.problems, &[]);
        let changes = taken.steps.iter().filter(|step| !matches!(step.item, Item::Netns(_) | Item::Name(_)));
        prop_assert_eq!(changes.count(), 0, "{}\n{}", render(&taken, Tense::Future), text);

        // Brought up elsewhere, it is the same.
        let mut elsewhere = Machine::new();
        prop_assert_eq!(elsewhere.up(&printed, usize::MAX).problems, []);
        prop_assert!(elsewhere.up(&printed, 0).is_empty());
        let there = elsewhere.observe(&desired);
        prop_assert_eq!(facts(&there.home), facts(&observed.home));
        for (name, presence) in &observed.netns {
            let (Some(here), Some(there)) = (presence.interior(), there.netns[name].interior()) else {
                panic!("{name} is not there\n{text}");
            };
            prop_assert_eq!(facts(here), facts(there), "{}", text);
            prop_assert_eq!(values(here), values(there), "{}", text);
            let dns = &printed.netns[name].dns;
            prop_assert_eq!(resolv_conf(name, dns), resolv_conf(name, &desired.netns[name].dns));
        }
    }

    #[test]
    fn whatever_is_found_the_text_is_accepted(
        desired in desired(),
        spoil in any::<u64>(),
        words in "[ -~é\u{202e}\n\t\u{0}]{0,40}",
    ) {
        let mut machine = Machine::new();
        machine.up(&kept_by_a_kernel(desired.clone()), usize::MAX);
        let mut surveyed = surveyed(&machine.observe(&desired));
        spoil_links(&mut surveyed, spoil);
        for found in surveyed.netns.values_mut() {
            found.left.push(words.clone());
            found.resolv_conf = Some(format!("nameserver {words}\nsearch {words}\n{words}"));
        }
        let text = of_survey(&surveyed, &BTreeSet::new());
        accepted(&text);
        let line = |line: &str| line.is_empty() || line.chars().all(|c| !c.is_control());
        prop_assert!(text.lines().all(line), "{}", text);
        // Every link is in it, as something declared or in a comment.
        for (name, found) in &surveyed.netns {
            for interface in found.interior.links.keys().filter(|link| link.as_str() != "lo") {
                let default = interface.as_str() == "host" || surveyed.netns.keys().any(|n| n.as_str() == interface.as_str());
                prop_assert!(default || text.contains(interface.as_str()), "{} of {}\n{}", interface, name, text);
            }
        }
    }
}

/// Gives links kinds, addresses and far ends that no declaration could have.
fn spoil_links(surveyed: &mut Surveyed, seed: u64) {
    let names: Vec<_> = surveyed.netns.keys().cloned().collect();
    let mut bits = seed;
    for found in surveyed.netns.values_mut() {
        let shared = found
            .interior
            .links
            .values()
            .find_map(|link| link.addresses.first().cloned());
        for link in found.interior.links.values_mut() {
            match bits % 7 {
                0 => link.kind = Some("wireguard".into()),
                1 => link.addresses.extend(shared.clone()),
                2 => link.mac = Some(netnsctl_model::address::MacAddress([2, 0, 0, 0, 0, 1])),
                3 => link.up = false,
                4 => link.mtu = 60,
                5 if link.peer.is_some() => link.peer = Some(Peer::Elsewhere),
                6 => {
                    let other = names.first().cloned().map(NetnsRef::Named);
                    let lo = InterfaceName::parse("lo").unwrap();
                    link.peer = other.map(|netns| Peer::Known(netns, lo));
                }
                _ => {}
            }
            bits = bits.rotate_right(5) ^ 0x9e37;
        }
    }
}
