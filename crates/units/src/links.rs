//! Links that stand alone: a unit for each, which is done when its command ends.

use netnsctl_model::desired::{Desired, Link};
use netnsctl_model::item::LinkPlace;
use netnsctl_model::name::{NetnsName, NetnsRef};

use crate::namespace::{follow, oneshot};
use crate::{Entry, Making, escape, namespace_of, sandbox};

/// The links of a namespace with their numbers, counted from 1.
pub(crate) fn of<'d>(
    desired: &'d Desired,
    name: &'d NetnsName,
) -> impl Iterator<Item = (&'d NetnsName, usize, &'d Link)> {
    let links = desired.netns.get(name).into_iter();
    let links = links.flat_map(|netns| netns.links.iter().enumerate());
    links.map(move |(n, link)| (name, n + 1, link))
}

/// `netns-NAME-link-N.service`.
pub(crate) fn service(
    making: &mut Making<'_>,
    desired: &Desired,
    name: &NetnsName,
    number: usize,
    link: &Link,
) {
    let here = NetnsRef::Named(name.clone());
    let unit_name = namespace_of(&here).link(number);
    let what = format!("link {number}");
    let birthplace = link.birthplace().unwrap_or(NetnsRef::Home);
    let follows = [&here, &birthplace];
    if let Some(why) = making.missing(&follows) {
        making.leave_out(&here, Some(what), why);
        return;
    }
    if !making.are_free(&here, &what, &[&unit_name]) {
        return;
    }
    let description = format!(
        "Link \"{}\" in network namespace \"{name}\"",
        link.interface
    );
    let mut unit = making.unit(&here, &description);
    follow(&mut unit, &follows);
    let parent = link.parent();
    if let Some(parent) = &parent {
        comes_after(making, desired, &mut unit, parent);
    }
    unit.section("Service");
    oneshot(&mut unit);
    let part = format!("link:{number}");
    let up = making.command(&["up", name.as_str(), "--part", &part]);
    unit.set("ExecStart", &up);
    unit.set("ExecReload", up);
    let down = making.command(&["down", name.as_str(), "--part", &part]);
    unit.set("ExecStopPost", down);
    unit.set_all(sandbox::MAKER);
    making.add(&unit_name, unit, &follows);
    if let Some(device) = parent.and_then(|parent| device(desired, making, &parent)) {
        let wants = format!("{device}.wants/{unit_name}");
        let link = Entry::Link(format!("../{unit_name}"));
        making.units.entries.insert(wants, link);
    }
}

/// Has the unit come after what brings the parent of its link.
fn comes_after(
    making: &Making<'_>,
    desired: &Desired,
    unit: &mut crate::text::Unit,
    parent: &LinkPlace,
) {
    let place = (parent.netns.clone(), parent.interface.clone());
    if let Some(other) = making.links.get(&place) {
        for key in ["Requires", "After", "PartOf"] {
            unit.set(key, other);
        }
    } else if device(desired, making, parent).is_some() {
        unit.comment("Whoever brings that link: the device wants this unit once it is there.");
        let path = format!("/sys/class/net/{}", parent.interface);
        unit.set("ConditionPathExists", escape::value(&path));
    }
}

/// The device unit of a link of the host namespace that nothing declared brings
/// (systemd.device(5)).
fn device(desired: &Desired, making: &Making<'_>, parent: &LinkPlace) -> Option<String> {
    let place = (parent.netns.clone(), parent.interface.clone());
    let is_declared = making.links.contains_key(&place) || parent.netns != NetnsRef::Home;
    let mut ends = desired.veths.iter().flat_map(|it| [&it.near, &it.far]);
    let is_end = ends.any(|end| end.netns == parent.netns && end.interface == parent.interface);
    // A dash would stand for a slash of the device's path (systemd-escape(1)).
    let escaped = escape::unit_name(parent.interface.as_str()).replace('-', "\\x2d");
    (!is_declared && !is_end).then(|| format!("sys-subsystem-net-devices-{escaped}.device"))
}
