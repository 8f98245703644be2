//! The machine on which programs are harmed: what is declared, what may be there, and how to get
//! back to the start.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::mount::{UnmountFlags, unmount};

use super::watch::within_deadline;
use crate::support::{Ran, configure, netnsctl, say, traces};

/// What goes wrong, in words.
pub(crate) type Wrong = Result<(), String>;

const RULES: &str = "/etc/polkit-1/rules.d";
const ACTIONS: &str = "/etc/polkit-1/actions";

/// The sockets of a host's name services.
const SERVICES: [&str; 2] = [
    "/run/nscd/socket",
    "/run/systemd/resolve/io.systemd.Resolve",
];

/// Three namespaces with all that `up` makes. Alice may enter the first.
pub(crate) const ONE: &str = r#"
[netns.office]
address = ["10.20.0.1/24"]
dns.nameservers = ["192.168.78.2"]
run.users = ["alice"]
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 80
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.veth]]
netns = "lab"
address = ["192.168.78.1/30"]
peer_address = ["192.168.78.2/30"]
[[netns.office.route]]
to = "10.30.0.0/24"
via = "192.168.77.1"

[netns.lab]
[[netns.lab.route]]
to = "10.20.0.0/24"
interface = "office"

[netns.attic]
[[netns.attic.veth]]
"#;

/// The same after a change of everything: Alice may enter no longer, and there is no attic.
pub(crate) const OTHER: &str = r#"
[netns.office]
address = ["10.20.0.2/24"]
dns.nameservers = ["192.168.78.6"]
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 90
[[netns.office.veth]]
address = ["192.168.77.6/30"]
peer_address = ["192.168.77.5/30"]
[[netns.office.veth]]
netns = "lab"
interface = "cable"
address = ["192.168.78.5/30"]
peer_address = ["192.168.78.6/30"]
[[netns.office.route]]
to = "10.40.0.0/24"
via = "192.168.77.5"

[netns.lab]
run.groups = ["lab"]
[[netns.lab.route]]
to = "10.20.0.0/25"
interface = "office"
"#;

/// Forwards for [`ONE`], which only `serve` makes use of.
pub(crate) const FORWARDS: &str = r#"
[[netns.office.forward]]
listen = "127.0.0.1:1001"
netns = "lab"
connect = "127.0.0.1:2001"
[[netns.lab.forward]]
protocol = "udp"
listen = "127.0.0.1:1002"
connect = "127.0.0.1:2002"
"#;

/// Forwards for [`OTHER`]: one has another option, one is gone and one is new.
pub(crate) const OTHER_FORWARDS: &str = r#"
[[netns.office.forward]]
listen = "127.0.0.1:1001"
netns = "lab"
connect = "127.0.0.1:2001"
max_connections = 7
[[netns.default.forward]]
listen = "127.0.0.1:1003"
netns = "lab"
connect = "127.0.0.1:2003"
"#;

/// The states that the machine is to be in.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) nothing: Vec<String>,
    pub(crate) one: Vec<String>,
    pub(crate) other: Vec<String>,
    /// What a host's name services have in /run, which no view may show.
    _services: Vec<UnixListener>,
}

impl World {
    /// A machine with the name services of a host, and with polkit if that would be asked here.
    pub(crate) fn new() -> Self {
        let map = fs::read_to_string("/proc/self/uid_map").expect("it is there");
        if map.split_whitespace().nth(2) == Some("4294967295") {
            fs::create_dir_all(RULES).expect("/etc is ours");
        }
        let services = SERVICES.map(|socket| {
            let folder = Path::new(socket).parent().expect("it has one");
            fs::create_dir_all(folder).expect("/run is ours");
            UnixListener::bind(socket).expect("/run is ours")
        });
        let _ = fs::remove_file("/etc/resolv.conf");
        fs::write("/etc/resolv.conf", "nameserver 198.51.100.1\n").expect("/etc is ours");
        configure(ONE);
        // Afterwards /run/netns is a mount, and stays one.
        for command in ["up", "down"] {
            fine(&[command, "--quiet"]).expect("nothing is in the way");
        }
        let nothing = state();
        let reach = |text: &str| {
            configure(text);
            fine(&["up", "--prune", "--quiet"]).expect("nothing is in the way");
            state()
        };
        let other = reach(OTHER);
        let one = reach(ONE);
        Self {
            nothing,
            one,
            other,
            _services: services.into(),
        }
    }

    /// The host starts its name services again, and writes its resolv.conf.
    pub(crate) fn restart_services(&self) {
        let restart = || {
            fs::write("/etc/resolv.conf.new", "nameserver 198.51.100.2\n")?;
            fs::rename("/etc/resolv.conf.new", "/etc/resolv.conf")?;
            for socket in SERVICES {
                let folder = Path::new(socket).parent().expect("it has one");
                fs::remove_dir_all(folder)?;
                fs::create_dir(folder)?;
                // Nobody accepts there; that it is there is enough.
                UnixListener::bind(socket)?;
            }
            Ok::<(), std::io::Error>(())
        };
        restart().expect("/run and /etc are ours");
    }

    /// Gets back to nothing, by force where the program does not.
    pub(crate) fn reset(&self) {
        configure(ONE);
        let _ = fine(&["down", "--quiet"]);
        if state() == self.nothing {
            return;
        }
        for _ in 0..100 {
            let points = mounts();
            let last = points.iter().rev().find(|point| *point != "/run/netns");
            let Some(point) = last else { break };
            let _ = unmount(point.as_str(), UnmountFlags::DETACH);
        }
        let entries = fs::read_dir("/run").expect("/run is there").flatten();
        for entry in entries {
            if entry.file_name().to_string_lossy().starts_with("netns") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        for folder in ["/etc/netns", ACTIONS, RULES] {
            let _ = fs::remove_dir_all(folder);
        }
        if self.one.iter().any(|line| line.starts_with(RULES)) {
            fs::create_dir_all(RULES).expect("/etc is ours");
        }
        // Links go with the namespaces, some time later.
        for _ in 0..200 {
            if state() == self.nothing {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        say(&difference(&state(), &self.nothing));
    }
}

/// All that a command may leave: traces, mounts below /run, and files with what they say.
pub(crate) fn state() -> Vec<String> {
    let mut found = traces();
    for folder in [ACTIONS, RULES] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path().display().to_string()));
    }
    for line in &mut found {
        let has_text = line.starts_with("/etc") && Path::new(line).is_file();
        if has_text && let Ok(text) = fs::read_to_string(&*line) {
            line.push_str(&format!(": {text}"));
        }
    }
    found.extend(mounts().into_iter().map(|point| format!("mount {point}")));
    found.sort();
    found
}

/// The mount points of the program.
pub(crate) fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").expect("it is there");
    let points = text.lines().filter_map(|line| line.split(' ').nth(4));
    let own = points.filter(|point| point.starts_with("/run/netns"));
    own.map(str::to_owned).collect()
}

/// The same without what `serve` makes besides, which stays after a kill: views, and what it keeps
/// for `status`.
pub(crate) fn without_serve(mut state: Vec<String>) -> Vec<String> {
    let own = [
        "/run/netnsctl/serve",
        "/run/netnsctl/views",
        "/run/netns-",
        "mount /run/netnsctl/views",
    ];
    state.retain(|line| !own.iter().any(|own| line.starts_with(own)));
    state
}

/// What one state has and the other has not.
pub(crate) fn difference(found: &[String], wanted: &[String]) -> String {
    let more = found.iter().filter(|line| !wanted.contains(line));
    let fewer = wanted.iter().filter(|line| !found.contains(line));
    let more = more.map(|line| format!("+{line}"));
    let lines: Vec<_> = more.chain(fewer.map(|line| format!("-{line}"))).collect();
    lines.join(" | ").replace('\n', "\\n")
}

/// The machine is in the state that is wanted.
pub(crate) fn is(wanted: &[String], when: &str) -> Wrong {
    let found = state();
    if found == wanted {
        return Ok(());
    }
    Err(format!("{when}: {}", difference(&found, wanted)))
}

/// Runs a command that is not harmed to its end.
pub(crate) fn quietly(mut command: Command) -> Result<Ran, String> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().expect("the program can be started");
    within_deadline(child)
        .map(Ran::of)
        .ok_or_else(|| "hangs".to_owned())
}

/// Runs the program unharmed, which must succeed.
pub(crate) fn fine(arguments: &[&str]) -> Result<Ran, String> {
    let words = arguments.join(" ");
    let ran = quietly(netnsctl(arguments)).map_err(|why| format!("then \"{words}\" {why}"))?;
    if ran.status == Some(0) {
        return Ok(ran);
    }
    let (out, err) = (ran.stdout.trim(), ran.stderr.trim());
    Err(format!(
        "then \"{words}\" ended with {:?}: {out} {err}",
        ran.status
    ))
}

/// Nothing is left to do.
pub(crate) fn settled(arguments: &[&str]) -> Wrong {
    let planned = fine(&[&["plan"], arguments].concat())?;
    let said = (planned.stdout.as_str(), planned.stderr.as_str());
    if said == ("nothing to do\n", "") {
        return Ok(());
    }
    Err(format!("then \"plan\" says {said:?}"))
}

/// Every name of a namespace has its record: all of them are the program's.
pub(crate) fn recorded() -> Wrong {
    for point in mounts() {
        let Some(name) = point.strip_prefix("/run/netns/") else {
            continue;
        };
        if !Path::new(&format!("/run/netnsctl/{name}.json")).exists() {
            return Err(format!("netns {name} is there and has no record"));
        }
    }
    for (folder, before, after) in [
        (RULES, "50-org.netnsctl.run.", ".rules"),
        (ACTIONS, "org.netnsctl.run.", ".policy"),
    ] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = file
                .strip_prefix(before)
                .and_then(|it| it.strip_suffix(after));
            let record = name.map(|name| format!("/run/netnsctl/{name}.json"));
            if record.is_some_and(|record| !Path::new(&record).exists()) {
                return Err(format!("{folder}/{file} is there and has no record"));
            }
        }
    }
    Ok(())
}

/// Alice may enter no namespace.
pub(crate) fn alice_stays_out() -> Wrong {
    for entry in fs::read_dir(RULES).into_iter().flatten().flatten() {
        if fs::read_to_string(entry.path()).is_ok_and(|text| text.contains("alice")) {
            return Err(format!("{} lets alice in", entry.path().display()));
        }
    }
    Ok(())
}
