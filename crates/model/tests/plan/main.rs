//! Properties of plans, on machines that exist only as state.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod changes;
mod machine;

use netnsctl_model::address::InterfaceAddress;
use netnsctl_model::desired::{Desired, Link};
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_model::plan::text::{Tense, render};
use netnsctl_model::plan::{LinkPlace, Part, Plan};
use netnsctl_model::testing::desired;
use proptest::prelude::*;

use changes::changed;
use machine::{Machine, PRISTINE, odd_mac};

const ALL: usize = usize::MAX;

/// Brings `machine` to `desired` and wants nothing left to do.
fn converge(machine: &mut Machine, desired: &Desired) {
    let plan = machine.up(desired, ALL);
    let said = |plan: &Plan| render(plan, Tense::Future);
    assert_eq!(plan.problems, [], "{}", said(&plan));
    let again = machine.up(desired, 0);
    assert!(
        again.is_empty(),
        "after\n{}there is left\n{}",
        said(&plan),
        said(&again)
    );
}

/// The links that stand alone, each after its parent.
fn link_parts(desired: &Desired) -> Vec<(NetnsRef, Part)> {
    let mut left: Vec<_> = (desired.netns.iter())
        .flat_map(|(name, netns)| netns.links.iter().map(move |link| (name, link)))
        .collect();
    let place = |(name, link): &(&NetnsName, &Link)| {
        LinkPlace::new(&(*name).clone().into(), &link.interface)
    };
    let mut parts = Vec::new();
    while !left.is_empty() {
        let places: Vec<_> = left.iter().map(place).collect();
        let waits = |it: &(&NetnsName, &Link)| it.1.parent().is_some_and(|it| places.contains(&it));
        let (later, next): (Vec<_>, Vec<_>) = left.into_iter().partition(waits);
        parts.extend(next.into_iter().map(|(name, link)| {
            let part = Part::Link(name.clone(), Box::new(link.clone()));
            (NetnsRef::Named(name.clone()), part)
        }));
        left = later;
    }
    parts
}

/// Every part, namespaces first, as units are ordered.
fn parts(desired: &Desired) -> Vec<(NetnsRef, Part)> {
    let names = || desired.netns.keys().cloned().map(NetnsRef::Named);
    let namespaces = names().map(|netns| (netns, Part::Namespace));
    let veths = desired.veths.iter().map(|pair| {
        let part = Part::Veth(Box::new(pair.clone()));
        (pair.near.netns.clone(), part)
    });
    let links = link_parts(desired);
    let views = names().map(|netns| (netns, Part::View));
    namespaces.chain(veths).chain(links).chain(views).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_plan_carried_out_leaves_nothing_to_plan(desired in desired()) {
        converge(&mut Machine::new(), &desired);
    }

    #[test]
    fn a_changed_declaration_is_reached_in_place(
        (old, new) in desired().prop_flat_map(|old| (Just(old.clone()), changed(old))),
    ) {
        let mut machine = Machine::new();
        converge(&mut machine, &old);
        let kept: Vec<_> = new.netns.keys().map(|name| {
            let netns = NetnsRef::Named(name.clone());
            (netns.clone(), machine.interior(&netns).identity)
        }).collect();
        // A host's file that was replaced shows through.
        for name in new.netns.keys() {
            machine.outdate_view(name);
        }
        converge(&mut machine, &new);
        for (netns, identity) in kept {
            prop_assert_eq!(machine.interior(&netns).identity, identity, "{} was made anew", netns);
        }
    }

    #[test]
    fn a_change_and_its_reverse_plan_back_to_the_start(
        (old, new) in desired().prop_flat_map(|old| (Just(old.clone()), changed(old))),
    ) {
        let mut machine = Machine::new();
        converge(&mut machine, &old);
        converge(&mut machine, &new);
        converge(&mut machine, &old);
        converge(&mut machine, &Desired::default());
        prop_assert!(machine.is_empty());
    }

    #[test]
    fn a_kill_at_any_step_is_mended_by_the_next_plan(
        (old, new) in desired().prop_flat_map(|old| (Just(old.clone()), changed(old))),
        first in 0..60usize,
        second in 0..60usize,
    ) {
        let mut machine = Machine::new();
        machine.up(&old, first);
        machine.up(&new, second);
        converge(&mut machine, &new);
        converge(&mut machine, &Desired::default());
        prop_assert!(machine.is_empty());
    }

    #[test]
    fn a_failure_fails_only_what_needs_it(
        (old, new) in desired().prop_flat_map(|old| (Just(old.clone()), changed(old))),
        failing in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        again in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let mut machine = Machine::new();
        machine.up_failing(&old, &failing);
        machine.up_failing(&new, &again);
        converge(&mut machine, &new);
        for (name, netns) in &new.netns {
            let before = old.netns.get(name).into_iter().flat_map(|it| it.sysctl.keys());
            for key in before.filter(|key| key.interface().is_none()) {
                let is_declared = netns.sysctl.contains_key(key);
                let value = machine.general_value(name, key);
                prop_assert!(is_declared || value.trim() == PRISTINE, "{} stays {}", key, value);
            }
        }
        converge(&mut machine, &Desired::default());
        prop_assert!(machine.is_empty());
    }

    #[test]
    fn the_parts_of_a_declaration_are_the_whole_of_it(mut desired in desired()) {
        if desired.netns.is_empty() {
            // Who may come home is told along with any namespace.
            desired.home.run = None;
        }
        let mut machine = Machine::new();
        for (netns, part) in parts(&desired) {
            let plan = machine.up_part(&desired, &netns, part.clone());
            prop_assert_eq!(&plan.problems, &[], "{:?} of {}", part, netns);
            let again = machine.up_part(&desired, &netns, part.clone());
            prop_assert!(again.is_empty(), "{:?} of {}: {}", part, netns, render(&again, Tense::Future));
        }
        let left = machine.up(&desired, 0);
        prop_assert!(left.is_empty(), "{}", render(&left, Tense::Future));
    }

    #[test]
    fn a_veth_pair_goes_alone_and_comes_back(desired in desired(), which in any::<prop::sample::Index>()) {
        let mut machine = Machine::new();
        converge(&mut machine, &desired);
        if desired.veths.is_empty() {
            return Ok(());
        }
        let pair = desired.veths[which.index(desired.veths.len())].clone();
        prop_assert_eq!(machine.down_veth(&desired, &pair).steps.len(), 1);
        prop_assert!(machine.down_veth(&desired, &pair).is_empty());
        let netns = pair.near.netns.clone();
        machine.up_part(&desired, &netns, Part::Veth(Box::new(pair)));
        // What sent by one of its ends went with it.
        for (netns, part) in link_parts(&desired) {
            machine.up_part(&desired, &netns, part);
        }
        let left = machine.up(&desired, 0);
        prop_assert!(left.is_empty(), "{}", render(&left, Tense::Future));
    }

    #[test]
    fn what_others_added_stays_and_what_they_changed_is_mended(
        desired in desired(),
        spoil in any::<prop::sample::Index>(),
    ) {
        let mut machine = Machine::new();
        converge(&mut machine, &desired);
        let Some(name) = (!desired.netns.is_empty()).then(|| {
            desired.netns.keys().nth(spoil.index(desired.netns.len())).unwrap()
        }) else { return Ok(()) };
        let holder = LinkPlace {
            netns: NetnsRef::Named(name.clone()),
            interface: desired.netns[name].holder.interface.clone(),
        };
        let extra = InterfaceAddress("203.0.113.77/32".parse().unwrap());
        machine.add_by_hand(&holder, extra);
        machine.link(&holder).up = false;
        for pair in &desired.veths {
            let end = LinkPlace {
                netns: pair.far.netns.clone(),
                interface: pair.far.interface.clone(),
            };
            machine.link(&end).mac = Some(odd_mac());
            machine.link(&end).mtu = 68;
        }
        converge(&mut machine, &desired);
        prop_assert!(machine.link(&holder).up && machine.link(&holder).has(&extra));
    }
}
