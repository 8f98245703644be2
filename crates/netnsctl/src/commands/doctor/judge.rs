//! What was seen from inside a view, and what that says.

use netnsctl_model::etc_files::{self, directory, name_servers};
use netnsctl_model::name::NetnsName;
use netnsctl_model::outside::Outside;

use super::inside::{Inside, Server, Shown, Way};
use super::places::Places;
use super::socket::{BUS, Door, Nscd, Process};
use super::{Check, Mark};

/// Modules of nsswitch.conf(5) that ask a daemon over a socket, which knows no network namespace,
/// and those daemons.
const DAEMONS: [(&str, &str); 9] = [
    ("resolve", "systemd-resolved"),
    ("mymachines", "systemd-machined"),
    ("mdns", "avahi-daemon"),
    ("mdns4", "avahi-daemon"),
    ("mdns6", "avahi-daemon"),
    ("mdns_minimal", "avahi-daemon"),
    ("mdns4_minimal", "avahi-daemon"),
    ("mdns6_minimal", "avahi-daemon"),
    ("sss", "sssd"),
];

pub(super) fn judge(name: &NetnsName, inside: &Inside, places: &Places) -> Vec<Check> {
    let mut checks: Vec<Check> = inside
        .files
        .iter()
        .map(|shown| file(name, shown, inside))
        .collect();
    for wanted in ["resolv.conf", "nsswitch.conf"] {
        if !inside.files.iter().any(|shown| shown.name == wanted) {
            checks.push(not_own(name, wanted, inside));
        }
    }
    checks.push(modules(inside));
    for (path, nscd) in &inside.nscd {
        checks.push(daemon(name, path, nscd, inside, places));
    }
    for (path, door) in &inside.sockets {
        checks.push(socket(name, path, door));
    }
    let usable = inside.servers.iter().any(is_usable);
    for server in &inside.servers {
        checks.push(name_server(server, usable));
    }
    checks
}

/// What a file of name service says, in a few words.
fn says(file: &str, inside: &Inside) -> String {
    match file {
        "resolv.conf" => match &inside.resolv_conf_text {
            Some(text) => format!(": name servers {}", visible(&name_servers(text).join(", "))),
            None => String::new(),
        },
        "nsswitch.conf" => match hosts_line(inside) {
            Some(line) => format!(": hosts {}", visible(line)),
            None => ": it has no hosts line".to_owned(),
        },
        _ => String::new(),
    }
}

/// Text of a file as it can be shown on a terminal.
fn visible(text: &str) -> String {
    let text: String = text.trim().chars().take(200).collect();
    Outside(&text).to_string()
}

fn file(name: &NetnsName, shown: &Shown, inside: &Inside) -> Check {
    let subject = format!("/etc/{}", visible(&shown.name));
    let own = format!("{}/{}", directory(name), visible(&shown.name));
    let says = says(&shown.name, inside);
    if shown.own == (0, 0) {
        let message = format!("{own} leads nowhere");
        return Check::new("file", subject, Mark::Problem, message);
    }
    if shown.shown == shown.own {
        return Check::new(
            "file",
            subject,
            Mark::Ok,
            format!("the namespace's own{says}"),
        );
    }
    if shown.shown == (0, 0) {
        let message = format!("does not show: the host has no such file that {own} could cover");
        let check = Check::new("file", subject, Mark::Warning, message);
        return check.hint("make an empty one on the host, or load overlayfs");
    }
    let (mark, message) = if shown.shown == shown.host {
        (Mark::Leak, format!("the host's shows, and not {own}{says}"))
    } else {
        let message = format!("neither {own} shows, as it is now, nor the host's{says}");
        (Mark::Problem, message)
    };
    Check::new("file", subject, mark, message).hint(mend(name))
}

fn mend(name: &NetnsName) -> String {
    format!("\"netnsctl up {name}\" puts the view right, and so does the next \"netnsctl run\"")
}

/// A file of name service that the namespace does not have.
fn not_own(name: &NetnsName, file: &str, inside: &Inside) -> Check {
    let says = says(file, inside);
    let message = format!(
        "the host's, as there is no {}/{file}{says}",
        directory(name)
    );
    Check::new("file", format!("/etc/{file}"), Mark::Warning, message)
        .hint("\"netnsctl up\" writes one for a namespace that is declared")
}

/// The services that hosts are looked up with.
fn hosts_line(inside: &Inside) -> Option<&str> {
    etc_files::hosts_line(inside.nsswitch_conf_text.as_deref()?)
}

fn modules(inside: &Inside) -> Check {
    let line = hosts_line(inside).unwrap_or_default();
    let words = || line.split(|c: char| c.is_whitespace() || c == '[' || c == ']');
    let asking: Vec<_> = DAEMONS
        .iter()
        .filter(|(module, _)| words().any(|word| word == *module))
        .map(|(module, daemon)| format!("\"{module}\" asks {daemon}"))
        .collect();
    let check = |mark, message| Check::new("hosts_modules", "hosts modules", mark, message);
    if asking.is_empty() {
        return check(
            Mark::Ok,
            "none of them asks a daemon of the host".to_owned(),
        );
    }
    let message = format!(
        "{}, which answers from another namespace",
        asking.join("; ")
    );
    check(Mark::Warning, message).hint("take it out of the hosts line of its nsswitch.conf")
}

fn daemon(name: &NetnsName, path: &str, nscd: &Nscd, inside: &Inside, places: &Places) -> Check {
    let check = |mark, message: String| Check::new("nscd", path, mark, message);
    let leak = |message: String| {
        let hint = format!("end what listens there, or hide it: {}", mend(name));
        check(Mark::Leak, message).hint(hint)
    };
    match nscd {
        Nscd::Nobody => {
            let message = "nobody answers there, so programs look up by themselves";
            check(Mark::Ok, message.to_owned())
        }
        Nscd::Failed(words) => check(Mark::Unknown, format!("cannot connect: {words}")),
        Nscd::Netnsctl {
            network,
            cookie,
            resolv_conf,
            nsswitch_conf,
        } => {
            if (*network, *cookie) != (inside.network, inside.cookie) {
                let place = places.called(network.1);
                return leak(format!("a netnsctl nscd of {place} answers"));
            }
            let differ: Vec<_> = [
                (*resolv_conf == inside.resolv_conf, "resolv.conf"),
                (*nsswitch_conf == inside.nsswitch_conf, "nsswitch.conf"),
            ]
            .iter()
            .filter(|(same, _)| !same)
            .map(|(_, file)| format!("/etc/{file}"))
            .collect();
            if differ.is_empty() {
                let message = "netnsctl's own answers, in this namespace and with these files";
                return check(Mark::Ok, message.to_owned());
            }
            let differ = differ.join(" and ");
            check(
                Mark::Problem,
                format!("netnsctl's own answers, but it sees another {differ}"),
            )
            .hint("start it anew in the view that is there now")
        }
        Nscd::Other(process) => {
            let who = who(process, places);
            leak(format!("{who} answers, which is not netnsctl's"))
        }
        Nscd::Silent(process) => {
            let who = who(process, places);
            leak(format!(
                "{who} listens and says nothing, which holds every look-up up"
            ))
        }
    }
}

fn who(process: &Process, places: &Places) -> String {
    let Process {
        pid,
        command,
        network,
    } = process;
    if *pid == 0 {
        return "a process that cannot be seen from here".to_owned();
    }
    let place = network.map(|inode| format!(" in {}", places.called(inode)));
    format!("process {pid} ({command}){}", place.unwrap_or_default())
}

fn socket(name: &NetnsName, path: &str, door: &Door) -> Check {
    let is_bus = path == BUS;
    let word = if is_bus { "dbus" } else { "resolved" };
    let check = |mark, message: String| Check::new(word, path, mark, message);
    match door {
        Door::Absent => check(Mark::Ok, "out of reach".to_owned()),
        Door::Closed => check(Mark::Ok, "nobody listens there".to_owned()),
        Door::Failed(words) => check(Mark::Unknown, format!("cannot connect: {words}")),
        Door::Open(_) if is_bus => {
            let message = "the host's bus can be reached: who asks systemd-resolved over D-Bus \
                           (resolvectl does) is answered from home";
            check(Mark::Warning, message.to_owned()).hint(format!(
                "hide {BUS} from services that must not (InaccessiblePaths= of systemd.exec(5))"
            ))
        }
        Door::Open(process) => {
            let command = &process.command;
            let message = format!(
                "the host's systemd-resolved can be reached ({command}): the module \"resolve\" \
                 is answered from home"
            );
            check(Mark::Leak, message).hint(mend(name))
        }
    }
}

fn is_usable(server: &Server) -> bool {
    matches!(server.way, Way::Route | Way::Local { is_served: true })
}

/// A name server that cannot be used is a problem if no other can: the C library goes on to the
/// next one at once.
fn name_server(server: &Server, is_other_usable: bool) -> Check {
    let subject = format!("name server {}", visible(&server.address));
    let bad = if is_other_usable {
        Mark::Warning
    } else {
        Mark::Problem
    };
    let check = |mark, message: String| Check::new("name_server", subject.clone(), mark, message);
    match &server.way {
        Way::Route => check(Mark::Ok, "there is a route to it".to_owned()),
        Way::Local { is_served: true } => check(
            Mark::Ok,
            "inside this namespace, and somebody listens there".to_owned(),
        ),
        Way::Local { is_served: false } => {
            let message = "an address of this very namespace, in which nobody listens at port 53";
            check(bad, message.to_owned()).hint(
                "name one that can be reached from here, or carry its port here with a forward",
            )
        }
        Way::NoRoute(words) => check(bad, format!("cannot be reached from here: {words}"))
            .hint("give the namespace a route to it, or name another"),
        Way::Unreadable => check(bad, "is no address".to_owned()),
    }
}
