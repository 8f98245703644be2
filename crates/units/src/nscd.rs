//! The name-service daemon of a namespace: a socket, and a service in the namespace and its files.

use netnsctl_model::config::values::write_duration;
use netnsctl_model::desired::Nscd;
use netnsctl_model::etc_files::directory;
use netnsctl_model::name::{NetnsName, NetnsRef};

use crate::name::{SOCKET_PATH_MAX, nscd_folder, path};
use crate::namespace::follow;
use crate::text::Unit;
use crate::{Facts, Making, escape, namespace_of, sandbox};

/// Folders in which name services of the host listen, whatever network a client is in. An empty
/// folder in their place also hides what comes later, where InaccessiblePaths= would hide what is
/// there at the start.
pub(crate) const HOST_SERVICES: [&str; 2] = ["/run/systemd/resolve:ro", "/run/nscd:ro"];

/// `netns-NAME-nscd.socket` and `.service`. False if there can be none.
pub(crate) fn units(making: &mut Making<'_>, name: &NetnsName, nscd: &Nscd) -> bool {
    let netns = NetnsRef::Named(name.clone());
    let stem = namespace_of(&netns).nscd();
    let (socket, service) = (format!("{stem}.socket"), format!("{stem}.service"));
    let what = "its name-service daemon";
    if !has_room(name) {
        let why = format!("the path of its socket would be longer than {SOCKET_PATH_MAX} bytes");
        making.leave_out(&netns, Some(what.to_owned()), why);
        return false;
    }
    let mut unit = making.unit(
        &netns,
        &format!("Socket of the name-service daemon of network namespace \"{name}\""),
    );
    socket_dependencies(&mut unit, &[&netns]);
    unit.section("Socket");
    let path = format!("{}/socket", nscd_folder(name));
    unit.set("ListenStream", escape::value(&path));
    unit.comment("Only if they are gone: the namespace's service makes both folders.");
    unit.set("DirectoryMode", "0700");
    unit.set_all(&[
        ("SocketMode", "0666"),
        ("Backlog", "4096"),
        ("RemoveOnStop", "yes"),
        ("TriggerLimitIntervalSec", "0"),
    ]);
    making.add(&socket, unit, &[&netns]);
    let unit = daemon(making, name, nscd, &socket);
    making.add(&service, unit, &[&netns]);
    true
}

/// Whether the name leaves room for the path of the socket.
pub(crate) fn has_room(name: &NetnsName) -> bool {
    nscd_folder(name).len() + "/socket".len() <= SOCKET_PATH_MAX
}

fn daemon(making: &Making<'_>, name: &NetnsName, nscd: &Nscd, socket: &str) -> Unit {
    let netns = NetnsRef::Named(name.clone());
    let description = format!("Name-service daemon of network namespace \"{name}\"");
    let mut unit = making.unit(&netns, &description);
    follow(&mut unit, &[&netns]);
    unit.set("Requires", socket);
    unit.set("After", socket);
    never_give_up(&mut unit);
    unit.section("Service");
    unit.set("Type", "notify");
    let cache = format!("--cache={}", write_duration(nscd.cache));
    let words = [
        escape::program(&making.facts.program),
        escape::argument("nscd"),
        cache,
        escape::argument(&format!("--files={}", directory(name))),
    ];
    unit.set("ExecStart", words.join(" "));
    unit.set_all(RESTART);
    unit.set("NetworkNamespacePath", escape::value(&path(name)));
    unit.comment("The namespace's own files, and nobody else to ask.");
    unit.set_each("BindReadOnlyPaths", binds(name, making.facts));
    unit.set_each("TemporaryFileSystem", HOST_SERVICES);
    unit.set_all(sandbox::COMMON);
    unit.set("ProtectHome", "yes");
    unit.set(
        "RestrictAddressFamilies",
        "AF_INET AF_INET6 AF_NETLINK AF_UNIX",
    );
    unit
}

/// `BindReadOnlyPaths=` of the files of a namespace over those of /etc. Not recursive, since what
/// might be mounted on them is what they shall hide.
pub(crate) fn binds(name: &NetnsName, facts: &Facts) -> Vec<String> {
    let own = directory(name);
    let files = facts.files_of(name).into_iter();
    let files = files.filter(|file| !file.chars().any(netnsctl_model::name::is_control));
    files
        .map(|file| {
            let (from, to) = (format!("{own}/{file}"), format!("/etc/{file}"));
            format!("{}:{}:norbind", escape::word(&from), escape::word(&to))
        })
        .collect()
}

/// How often a long-running part is started again: whenever it ends. Its socket stays meanwhile.
pub(crate) const RESTART: &[(&str, &str)] = &[("Restart", "always"), ("RestartSec", "500ms")];

/// A service that failed too often would take its socket with it, and with that its clients.
pub(crate) fn never_give_up(unit: &mut Unit) {
    unit.set("StartLimitIntervalSec", "0");
}

/// What ties a socket to namespaces. They come after basic.target, which by default comes after
/// all sockets.
pub(crate) fn socket_dependencies(unit: &mut Unit, namespaces: &[&NetnsRef]) {
    unit.set("DefaultDependencies", "no");
    unit.set("Conflicts", "shutdown.target");
    unit.set("Before", "shutdown.target");
    unit.set("Requires", "sysinit.target");
    unit.set("After", "sysinit.target");
    follow(unit, namespaces);
}
