//! Services of systemd that are still in an older namespace of a name.
//!
//! systemd opens the path of NetworkNamespacePath= when it starts a process and never again
//! (systemd.exec(5)). One that is not tied to the namespace's unit stays where it was when the
//! namespace is made anew behind systemd's back.

use std::collections::BTreeMap;

use netnsctl_model::name::NetnsName;
use netnsctl_model::observed::Observed;
use netnsctl_systemd::{Systemd, Unit};
use netnsctl_units::Parts;

use crate::output::Failure;

/// Such services, by namespace; none where there is no systemd, or it may not be asked.
pub(super) fn stale(observed: &Observed) -> BTreeMap<NetnsName, Vec<String>> {
    let Ok(mut systemd) = Systemd::connect() else {
        return BTreeMap::new();
    };
    let interiors = observed.netns.iter();
    let interiors = interiors.filter_map(|(name, netns)| Some((name, netns.interior()?)));
    interiors
        .map(|(name, interior)| {
            let found = stale_in(&mut systemd, name, interior.identity.inode);
            (name.clone(), found.unwrap_or_default())
        })
        .collect()
}

fn stale_in(systemd: &mut Systemd, name: &NetnsName, inode: u64) -> Result<Vec<String>, Failure> {
    let mut stale = Vec::new();
    let service = systemd.named(&[&Parts::of(name).service])?;
    let Some(service) = service.first() else {
        return Ok(stale);
    };
    let followers = systemd.required_by(service)?;
    let followers: Vec<&str> = followers
        .iter()
        .map(String::as_str)
        .filter(|unit| unit.ends_with(".service"))
        .collect();
    if followers.is_empty() {
        return Ok(stale);
    }
    for unit in systemd.named(&followers)? {
        if is_elsewhere(systemd, &unit, name, inode)? {
            stale.push(unit.name);
        }
    }
    Ok(stale)
}

/// Whether `unit` is to be in namespace `name` and its main process is in another than `inode`.
fn is_elsewhere(
    systemd: &mut Systemd,
    unit: &Unit,
    name: &NetnsName,
    inode: u64,
) -> Result<bool, Failure> {
    if systemd.netns_path(unit)? != format!("/run/netns/{name}") {
        return Ok(false);
    }
    let process = systemd.main_process(unit)?;
    let link = std::fs::read_link(format!("/proc/{process}/ns/net"));
    Ok(link.is_ok_and(|link| link.to_str() != Some(&format!("net:[{inode}]"))))
}
