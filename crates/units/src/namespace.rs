//! The namespace itself, its view and its veth pairs: each a command that is done when it ends.

use std::collections::BTreeMap;

use netnsctl_model::desired::VethPair;
use netnsctl_model::name::{NetnsName, NetnsRef};

use crate::text::Unit;
use crate::{Entry, Making, namespace_of, sandbox};

/// Seconds a part may take to be made or taken away. It takes some milliseconds, or the time
/// others need who have the lock; a oneshot service would wait for ever.
const PATIENCE: &str = "90";

/// `netns-NAME.service`.
pub(crate) fn service(making: &mut Making<'_>, name: &NetnsName) {
    let netns = NetnsRef::Named(name.clone());
    let unit_name = namespace_of(&netns).service();
    let name = name.as_str();
    let mut unit = making.unit(
        &netns,
        &format!("Network namespace \"{name}\" and its link"),
    );
    order(&mut unit, making.facts.after_network);
    let parts = netns.name().and_then(|name| making.parts.get(name));
    unit.set_each("Wants", parts.into_iter().flatten());
    unit.section("Service");
    oneshot(&mut unit);
    unit.set(
        "ExecStart",
        making.command(&["up", name, "--part", "namespace"]),
    );
    unit.comment("In place: what fits stays, and so do those who are in it.");
    unit.set("ExecReload", making.command(&["up", name, "--units"]));
    unit.comment("Not ExecStop=, so that a start that fails leaves nothing either.");
    unit.set("ExecStopPost", making.command(&["down", name]));
    unit.comment("No setting may give it a mount namespace: what it mounts is for the host.");
    unit.set_all(sandbox::MAKER);
    making.add(&unit_name, unit, &[]);
}

/// Where a namespace stands among all that configures networks (systemd.special(7)).
fn order(unit: &mut Unit, after_network: bool) {
    if after_network {
        unit.set("After", "network.target");
    } else {
        unit.comment(
            "It configures networks: behind the firewall, before who wants the network up.",
        );
        unit.set("After", "network-pre.target");
        unit.set("Before", "network.target");
        unit.set("Wants", "network.target");
    }
}

/// `netns-NAME.service` of a namespace that is not declared any more: it can be stopped, with what
/// is left of its parts, and not be started.
pub(crate) fn leftover(making: &mut Making<'_>, name: &NetnsName) {
    let netns = NetnsRef::Named(name.clone());
    let description = format!("Network namespace \"{name}\", no longer declared");
    let mut unit = making.unit(&netns, &description);
    unit.set("RefuseManualStart", "yes");
    unit.section("Service");
    oneshot(&mut unit);
    unit.set(
        "ExecStop",
        making.command(&["down", name.as_str(), "--units"]),
    );
    unit.set_all(sandbox::MAKER);
    let file = namespace_of(&netns).service();
    let text = Entry::File(unit.finish());
    making.units.entries.insert(file, text);
}

/// `netns-NAME-mntns.service`.
pub(crate) fn view(making: &mut Making<'_>, name: &NetnsName, has_nscd: bool) {
    let netns = NetnsRef::Named(name.clone());
    let namespace = namespace_of(&netns);
    let unit_name = namespace.view();
    let description = format!("Name-service view of network namespace \"{name}\"");
    let mut unit = making.unit(&netns, &description);
    follow(&mut unit, &[&netns]);
    if has_nscd {
        unit.set("After", format!("{}.socket", namespace.nscd()));
    }
    unit.section("Service");
    oneshot(&mut unit);
    let name = name.as_str();
    let up = making.command(&["up", name, "--part", "view"]);
    unit.set("ExecStart", &up);
    unit.set("ExecReload", up);
    unit.set(
        "ExecStopPost",
        making.command(&["down", name, "--part", "view"]),
    );
    unit.set_all(sandbox::MAKER);
    making.add(&unit_name, unit, &[&netns]);
}

/// Each pair with its number, counted from 1 in the namespace that declares it.
pub(crate) fn numbered(pairs: &[VethPair]) -> Vec<(&VethPair, usize)> {
    let mut counts: BTreeMap<&NetnsRef, usize> = BTreeMap::new();
    let number = |pair| {
        let pair: &VethPair = pair;
        let count = counts.entry(&pair.near.netns).or_default();
        *count += 1;
        (pair, *count)
    };
    pairs.iter().map(number).collect()
}

/// `netns-NAME-extra-veth-N-OTHER.service`.
pub(crate) fn veth(making: &mut Making<'_>, pair: &VethPair, number: usize) {
    let (near, far) = (&pair.near, &pair.far);
    let unit_name = namespace_of(&near.netns).veth(number, &far.netns);
    let what = format!("veth pair {number}");
    let ends = [&near.netns, &far.netns];
    if let Some(why) = making.missing(&ends) {
        making.leave_out(&near.netns, Some(what), why);
        return;
    }
    if !making.are_free(&near.netns, &what, &[&unit_name]) {
        return;
    }
    for end in [near, far] {
        let place = (end.netns.clone(), end.interface.clone());
        making.links.insert(place, unit_name.clone());
    }
    let description = format!(
        "Veth pair of \"{}\" in network namespace \"{}\" and \"{}\" in \"{}\"",
        near.interface, near.netns, far.interface, far.netns
    );
    let mut unit = making.unit(&near.netns, &description);
    follow(&mut unit, &ends);
    unit.section("Service");
    oneshot(&mut unit);
    let (name, part) = (near.netns.as_str(), format!("veth:{number}"));
    let up = making.command(&["up", name, "--part", &part]);
    unit.set("ExecStart", &up);
    unit.set("ExecReload", up);
    unit.set(
        "ExecStopPost",
        making.command(&["down", name, "--part", &part]),
    );
    unit.set_all(sandbox::MAKER);
    making.add(&unit_name, unit, &ends);
}

/// What ties a unit to the life of namespaces: it is started after them and never without them,
/// and stops and restarts with them. Home is always there.
pub(crate) fn follow(unit: &mut Unit, namespaces: &[&NetnsRef]) {
    let mut services: Vec<_> = namespaces
        .iter()
        .filter(|netns| netns.name().is_some())
        .map(|netns| namespace_of(netns).service())
        .collect();
    services.sort();
    services.dedup();
    for key in ["Requires", "After", "PartOf"] {
        if !services.is_empty() {
            unit.set(key, services.join(" "));
        }
    }
}

pub(crate) fn oneshot(unit: &mut Unit) {
    unit.set_all(&[
        ("Type", "oneshot"),
        ("RemainAfterExit", "yes"),
        ("TimeoutSec", PATIENCE),
    ]);
}
