//! A forward: a socket where it listens, and a service where it connects.
//!
//! The socket belongs to systemd and outlives the service: who connects while that is restarted
//! waits in the socket's queue. A second socket, for root alone, is where the service tells its
//! counters.

use std::path::Path;
use std::time::Duration;

use netnsctl_model::config::section::forward::{Written, written};
use netnsctl_model::desired::{Forward, Protocol};
use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::name::NetnsRef;

use crate::name::{control_path, orders_path, path};
use crate::namespace::follow;
use crate::nscd::{RESTART, never_give_up, socket_dependencies};
use crate::text::Unit;
use crate::{Making, escape, namespace_of, sandbox};

/// Connections that may wait for the forwarder, as long as net.core.somaxconn allows. `serve` has
/// the same.
const BACKLOG: &str = "4096";

/// The time to stop beyond that of draining, before the forwarder is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Folders that services with a home or /tmp of their own do not see.
const PRIVATE: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// What a forwarder's command line says behind the program: `forward` and its options. Whoever
/// starts it passes the sockets.
pub fn arguments(forward: &Forward) -> Vec<String> {
    let mut words = vec![
        "forward".to_owned(),
        format!("--connect={}", forward.connect),
    ];
    for (key, value) in written(&forward.options) {
        let name = key.argument();
        words.extend(match value {
            None | Some(Written::Switch(false)) => None,
            Some(Written::Switch(true)) => Some(format!("--{name}")),
            Some(value) => Some(format!("--{name}={value}")),
        });
    }
    words
}

/// The sockets and the service of one forward.
pub(crate) fn units(making: &mut Making<'_>, netns: &NetnsRef, number: usize, forward: &Forward) {
    let stem = namespace_of(netns).forward(number, &forward.netns, forward.protocol);
    let [service, socket, control] =
        ["service", "socket", "control"].map(|kind| format!("{stem}.{kind}"));
    let control = control.replace(".control", "-control.socket");
    let what = format!("forward {number}");
    let ends = [netns, &forward.netns];
    if let Some(why) = making.missing(&ends).or_else(|| unfit(forward)) {
        making.leave_out(netns, Some(what), why);
        return;
    }
    if !making.are_free(netns, &what, &[&service, &socket, &control]) {
        return;
    }
    let unit = listener(making, netns, number, forward, &service);
    making.add(&socket, unit, &ends);
    let mut sockets = vec![socket];
    if let Some(path) = control_path(netns, number, forward.protocol) {
        let orders = orders_path(netns, number, forward.protocol);
        let paths = [Some(path), orders];
        let unit = control_socket(making, netns, number, forward, &service, &paths);
        making.add(&control, unit, &ends);
        sockets.push(control);
    }
    let unit = forwarder(making, netns, number, forward, &sockets);
    making.add(&service, unit, &ends);
}

/// Why there can be no unit for `forward`, if there cannot.
fn unfit(forward: &Forward) -> Option<String> {
    if !escape::is_line(&forward.listen.to_string()) {
        return Some("systemd cannot listen at a path that ends in a space or a backslash".into());
    }
    let ForwardAddress::Unix(path) = &forward.connect else {
        return None;
    };
    let folder = path.as_path().parent()?.to_str()?;
    PRIVATE.contains(&folder).then(|| {
        format!("services have a {folder} of their own; put the socket it connects to elsewhere")
    })
}

/// The unit that makes the link which gives a link-local `address` its meaning, if one does.
fn link_unit<'a>(
    making: &'a Making<'_>,
    netns: &NetnsRef,
    address: &ForwardAddress,
) -> Option<&'a String> {
    let scope = address.endpoint()?.scope.as_ref()?;
    making.links.get(&(netns.clone(), scope.clone()))
}

fn description(netns: &NetnsRef, forward: &Forward) -> String {
    let listen = match &forward.listen {
        ForwardAddress::Inet(endpoint) => {
            format!(
                "{} {endpoint} in network namespace \"{netns}\"",
                forward.protocol
            )
        }
        socket @ ForwardAddress::Unix(_) => format!("\"{socket}\""),
    };
    let connect = match &forward.connect {
        ForwardAddress::Inet(endpoint) => format!("{endpoint} in \"{}\"", forward.netns),
        socket @ ForwardAddress::Unix(_) => format!("\"{socket}\""),
    };
    format!("{listen} to {connect}")
}

fn listener(
    making: &Making<'_>,
    netns: &NetnsRef,
    number: usize,
    forward: &Forward,
    service: &str,
) -> Unit {
    let description = format!(
        "Socket of forward {number}: {}",
        description(netns, forward)
    );
    let mut unit = making.unit(netns, &description);
    socket_dependencies(&mut unit, &[netns, &forward.netns]);
    // It is bound to the very link, and to no later one of that name.
    if let Some(veth) = link_unit(making, netns, &forward.listen) {
        unit.set("Requires", veth);
        unit.set("After", veth);
        unit.set("PartOf", veth);
    }
    unit.section("Socket");
    unit.set("Service", service);
    unit.set("FileDescriptorName", "listen");
    match &forward.listen {
        ForwardAddress::Unix(path) => {
            let path = path.as_path().display().to_string();
            unit.set("ListenStream", escape::value(&path));
            unit.set_all(&[
                ("SocketMode", "0666"),
                ("DirectoryMode", "0755"),
                ("RemoveOnStop", "yes"),
            ]);
        }
        ForwardAddress::Inet(endpoint) => {
            if let Some(name) = netns.name() {
                unit.set("NetworkNamespacePath", escape::value(&path(name)));
            }
            let key = match forward.protocol {
                Protocol::Tcp => "ListenStream",
                Protocol::Udp => "ListenDatagram",
            };
            // Without its scope, which systemd would look for at home.
            unit.set(key, endpoint.socket_address().to_string());
            if let Some(scope) = &endpoint.scope {
                unit.set("BindToDevice", escape::value(scope.as_str()));
            }
            let both = endpoint.ip.is_unspecified();
            unit.set("BindIPv6Only", if both { "both" } else { "ipv6-only" });
            unit.comment("The address may come later than the socket.");
            unit.set("FreeBind", "yes");
        }
    }
    if forward.protocol == Protocol::Tcp {
        unit.set("Backlog", BACKLOG);
    }
    unit.set("TriggerLimitIntervalSec", "0");
    unit
}

fn control_socket(
    making: &Making<'_>,
    netns: &NetnsRef,
    number: usize,
    forward: &Forward,
    service: &str,
    [counters, orders]: &[Option<String>; 2],
) -> Unit {
    let about = format!(
        "Control of forward {number}: {}",
        description(netns, forward)
    );
    let mut unit = making.unit(netns, &about);
    socket_dependencies(&mut unit, &[netns, &forward.netns]);
    unit.section("Socket");
    unit.set("Service", service);
    unit.set("FileDescriptorName", "control");
    for (key, path) in [("ListenStream", counters), ("ListenDatagram", orders)] {
        if let Some(path) = path {
            unit.set(key, escape::value(path));
        }
    }
    unit.set_all(&[
        ("SocketMode", "0600"),
        ("DirectoryMode", "0700"),
        ("RemoveOnStop", "yes"),
        ("TriggerLimitIntervalSec", "0"),
    ]);
    unit
}

fn forwarder(
    making: &Making<'_>,
    netns: &NetnsRef,
    number: usize,
    forward: &Forward,
    sockets: &[String],
) -> Unit {
    let description = format!("Forward {number}: {}", description(netns, forward));
    let mut unit = making.unit(netns, &description);
    follow(&mut unit, &[netns, &forward.netns]);
    unit.set("Requires", sockets.join(" "));
    unit.set("After", sockets.join(" "));
    if let Some(veth) = link_unit(making, &forward.netns, &forward.connect) {
        unit.set("After", veth);
    }
    never_give_up(&mut unit);
    unit.section("Service");
    unit.set("Type", "notify");
    unit.set("Sockets", sockets.join(" "));
    let mut words = vec![escape::program(&making.facts.program)];
    words.extend(arguments(forward).iter().map(|word| escape::argument(word)));
    // What a changed one is told by: the command of a running process shows no sockets.
    let passed = match &forward.listen {
        ForwardAddress::Inet(endpoint) => format!("{}:{endpoint}", forward.protocol),
        socket @ ForwardAddress::Unix(_) => socket.to_string(),
    };
    words.push(escape::argument(&format!("--passed={passed}")));
    unit.set("ExecStart", words.join(" "));
    unit.set_all(RESTART);
    let patience = forward.options.drain.saturating_add(STOP_PATIENCE);
    unit.set("TimeoutStopSec", format!("{}ms", patience.as_millis()));
    let inet = forward.connect.endpoint().is_some();
    if let Some(name) = forward.netns.name() {
        unit.set("NetworkNamespacePath", escape::value(&path(name)));
    }
    unit.set_all(sandbox::COMMON);
    match private_folder(&forward.connect) {
        Some(folder) => {
            unit.comment("The folder of what it connects to, and nothing beside it.");
            unit.set("ProtectHome", "tmpfs");
            unit.set("BindReadOnlyPaths", escape::word(&folder));
        }
        None => unit.set("ProtectHome", "yes"),
    }
    // A unix socket is told of readiness.
    let families = if inet {
        "AF_INET AF_INET6 AF_UNIX"
    } else {
        "AF_UNIX"
    };
    unit.set("RestrictAddressFamilies", families);
    unit
}

/// The folder of a unix socket that would be hidden from a service.
fn private_folder(connect: &ForwardAddress) -> Option<String> {
    let ForwardAddress::Unix(path) = connect else {
        return None;
    };
    let folder = path.as_path().parent()?;
    let hidden = PRIVATE
        .iter()
        .any(|private| folder.starts_with(Path::new(private)));
    hidden.then(|| folder.display().to_string())
}
