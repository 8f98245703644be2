//! The drop-in that puts another service into a namespace.

use netnsctl_model::name::{NetnsName, NetnsRef};

use crate::name::{nscd_folder, path, unfit};
use crate::namespace::follow;
use crate::text::Unit;
use crate::{Facts, escape, namespace_of, nscd};

/// What another service's drop-in says to live in `netns` and with its files; `has_nscd` if the
/// namespace has a name-service daemon.
///
/// Errors: why no service of systemd can be put there.
pub fn service_config(netns: &NetnsRef, has_nscd: bool, facts: &Facts) -> Result<String, String> {
    let NetnsRef::Named(name) = netns else {
        return Ok("# Home is where services live anyway; there is nothing to set.\n".to_owned());
    };
    if let Some(why) = unfit(name) {
        return Err(why);
    }
    Ok(drop_in(netns, name, has_nscd && nscd::has_room(name), facts).finish())
}

fn drop_in(netns: &NetnsRef, name: &NetnsName, has_nscd: bool, facts: &Facts) -> Unit {
    let mut unit = Unit::drop_in(&format!(
        "Puts a service into network namespace \"{name}\"."
    ));
    unit.section("Unit");
    unit.comment("Not before the namespace is there, and along with it when it is made anew: a");
    unit.comment("service that stayed would be in the old one.");
    follow(&mut unit, &[netns]);
    if has_nscd {
        let socket = format!("{}.socket", namespace_of(netns).nscd());
        unit.set("Requires", &socket);
        unit.set("After", socket);
    }
    unit.section("Service");
    unit.set("NetworkNamespacePath", escape::value(&path(name)));
    unit.comment("The namespace's own files of /etc.");
    unit.set_each("BindReadOnlyPaths", nscd::binds(name, facts));
    let [resolved, host_nscd] = nscd::HOST_SERVICES;
    if has_nscd {
        unit.comment("Its name-service daemon in the place of the host's.");
        let folder = escape::word(&nscd_folder(name));
        unit.set("BindReadOnlyPaths", format!("{folder}:/run/nscd:norbind"));
    } else {
        unit.comment("The host's name-service daemon would answer out of the host's network.");
        unit.set("TemporaryFileSystem", host_nscd);
    }
    unit.comment("So would systemd-resolved, whatever resolv.conf says.");
    unit.set("TemporaryFileSystem", resolved);
    unit
}
