//! Names: what runs in a namespace asks the daemon of that namespace, under a running `serve`.

mod asker;

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;

use rustix::process::Signal;

use self::asker::Asker;
use crate::nscd::{answer_names, count_of, put};
use crate::served::{Served, arguments, is_alive, send, status};
use crate::support::{
    Ran, command, configure, eventually, expect, inside, netnsctl, settled, traces,
};
use crate::traffic::within;

/// Where each of two namespaces has a name server of its own.
const SERVER: &str = "10.20.0.1";

/// What the name servers of the two namespaces say of a name.
pub(crate) const SERVERS: [(&str, [u8; 4], &str); 2] = [
    ("left", [192, 0, 2, 1], "192.0.2.1"),
    ("right", [192, 0, 2, 2], "192.0.2.2"),
];

/// Two namespaces, each with a name server of its own at the same address, and a host with one
/// that nobody reaches. `more` is about `left`.
fn declare(more: &str) {
    put(
        "nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    );
    put("hosts", "127.0.0.1 localhost\n192.0.2.3 known.test\n");
    put(
        "resolv.conf",
        "nameserver 198.51.100.1\noptions attempts:1 timeout:1\n",
    );
    let of = |(netns, ..): (&str, _, _)| {
        format!("[netns.{netns}]\naddress = [\"{SERVER}/24\"]\ndns.nameservers = [\"{SERVER}\"]\n")
    };
    configure(&format!("{}{more}", SERVERS.map(of).concat()));
}

/// Has the name servers answer; the namespaces must be there.
fn serve_names() {
    for (netns, address, _) in SERVERS {
        let socket = within(netns, || UdpSocket::bind((SERVER, 53)));
        answer_names(socket.expect("the port is free"), address);
    }
}

fn socket_of(netns: &str) -> String {
    format!("/run/netns-{netns}/nscd/socket")
}

/// Two namespaces under a running `serve`, each with a name server that answers.
pub(crate) fn serve() -> Served {
    declare("");
    let served = Served::ready(&[]);
    serve_names();
    served
}

/// How many names the daemon of a namespace has found.
#[track_caller]
pub(crate) fn found(netns: &str) -> u64 {
    count_of(&socket_of(netns), "GETHOSTBYNAME", "found")
}

/// Looks a name up by `run`, which may find it: an address and two names.
#[track_caller]
fn look_up(netns: &str) -> String {
    expect(0, &["run", netns, "getent", "hosts", "nick.test"]).stdout
}

#[netnsctl_machine::test]
fn each_namespace_asks_its_own_daemon() {
    declare("");
    let listing = in_run();
    let mut served = Served::ready(&[]);
    serve_names();
    for (number, (netns, _, address)) in SERVERS.into_iter().enumerate() {
        let before = SERVERS.map(|(netns, ..)| found(netns));
        assert!(look_up(netns).starts_with(address), "{}", look_up(netns));
        let mut after = SERVERS.map(|(netns, ..)| found(netns));
        assert!(after[number] > before[number]);
        after[number] = before[number];
        assert_eq!(after, before);
    }
    // The folder that was made on the host is none of a daemon.
    assert_eq!(fs::read_dir("/run/nscd").unwrap().count(), 0);
    assert_eq!(fs::metadata("/run/nscd").unwrap().mode() & 0o7777, 0o755);
    settled();
    served.stop();
    assert_eq!(traces(), ["link lo"]);
    assert_eq!(in_run(), listing);
}

/// What stands in /run but for what other programs share with us and the test itself makes.
fn in_run() -> Vec<String> {
    let entries = fs::read_dir("/run").unwrap();
    let names = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.retain(|name| !["netns", "test-notify"].contains(&name.as_str()));
    names.sort();
    names
}

#[netnsctl_machine::test]
fn a_service_that_binds_the_folder_asks_that_daemon() {
    declare("");
    let _served = Served::ready(&[]);
    serve_names();
    fs::create_dir_all("/run/nscd").unwrap();
    for (netns, _, address) in SERVERS {
        // As a service manager does for BindPaths=. The name server in its resolv.conf cannot be
        // reached, so that only the daemon can have told it the name.
        let shell = format!(
            "mount --bind /run/netns-{netns}/nscd /run/nscd && grep -q 198.51.100.1 /etc/resolv.conf \
             && exec getent hosts nick.test"
        );
        let mut service = command("nsenter");
        service.args([&format!("--net=/run/netns/{netns}"), "unshare", "--mount"]);
        let ran = Ran::of(service.args(["sh", "-c", &shell]).output().unwrap());
        assert!(ran.stdout.starts_with(address), "{ran:?}");
        assert_eq!(found(netns), 1);
    }
}

#[netnsctl_machine::test]
fn a_killed_daemon_is_followed_by_one_that_those_inside_reach() {
    declare("");
    let mut served = Served::ready(&[]);
    serve_names();
    let mut inhabitant = Asker::new().inside();
    inhabitant.finds_by_the_daemon();
    let (first, other) = (served.daemon("left"), served.daemon("right"));
    for _ in 0..2 {
        let killed = served.daemon("left");
        send(killed, Signal::KILL);
        // Whoever asks now waits in the socket's queue.
        let answer = inhabitant.ask("nick.test");
        assert!(answer.starts_with("192.0.2.1 "), "{answer}");
        assert!(look_up("left").starts_with("192.0.2.1"));
        assert_ne!(served.daemon("left"), killed);
        inhabitant.finds_by_the_daemon();
    }
    assert_ne!(served.daemon("left"), first);
    assert_eq!(served.daemon("right"), other);
    served.wait_for("the name-service daemon of netns \"left\" was ended by signal 9; starting it");
    settled();
    drop(inhabitant);
    served.stop();
}

#[netnsctl_machine::test]
fn a_daemon_whose_files_the_host_covers_gives_way_to_another() {
    declare("");
    let served = Served::ready(&[]);
    serve_names();
    let mut inside = Asker::new().inside();
    inside.finds_by_the_daemon();
    let daemon = served.daemon("left");
    // As every program that writes it does; the mount on the old one goes with that.
    fs::write("/etc/resolv.conf.new", "nameserver 198.51.100.2\n").unwrap();
    fs::rename("/etc/resolv.conf.new", "/etc/resolv.conf").unwrap();
    eventually("its end", || (!is_alive(daemon)).then_some(()));
    let next = served.daemon("left");
    inside.finds_by_the_daemon();
    // Nobody has entered the view since, and it is right for those inside too.
    let own = fs::read_to_string("/etc/netns/left/resolv.conf").unwrap();
    let seen = format!("/proc/{}/root/etc/resolv.conf", inside.pid());
    assert_eq!(fs::read_to_string(seen).unwrap(), own);
    // A file that is none of the namespace's is no reason.
    fs::write("/etc/motd.new", "").unwrap();
    fs::rename("/etc/motd.new", "/etc/motd").unwrap();
    inside.finds_by_the_daemon();
    assert_eq!(served.daemon("left"), next);
}

#[netnsctl_machine::test]
fn a_view_made_before_serve_shows_its_daemon() {
    declare("");
    expect(0, &["up", "--quiet"]);
    let mut inhabitant = Asker::new().inside();
    let mut served = Served::ready(&[]);
    serve_names();
    inhabitant.finds_by_the_daemon();
    drop(inhabitant);
    served.stop();
}

#[netnsctl_machine::test]
fn a_hosts_own_daemon_is_out_of_reach_and_stays() {
    declare("");
    fs::create_dir("/run/nscd").unwrap();
    let host = UnixListener::bind("/run/nscd/socket").unwrap();
    host.set_nonblocking(true).unwrap();
    expect(0, &["up", "--quiet"]);
    let mut inhabitant = Asker::new().inside();
    let mut served = Served::ready(&[]);
    serve_names();
    inhabitant.finds_by_the_daemon();
    assert!(look_up("right").starts_with("192.0.2.2"));
    // It starts anew, in a folder that is another one.
    fs::rename("/run/nscd", "/run/nscd-before").unwrap();
    fs::create_dir("/run/nscd").unwrap();
    let again = UnixListener::bind("/run/nscd/socket").unwrap();
    again.set_nonblocking(true).unwrap();
    let before = found("right");
    assert!(look_up("right").starts_with("192.0.2.2"));
    assert_eq!(found("right"), before + 1);
    declare("[netns.left.nscd]\nenable = false\n");
    served.reload();
    assert_eq!(inside("left", "ls -A /run/nscd"), "");
    served.stop();
    for listener in [host, again] {
        let nobody = listener.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(nobody, Err(std::io::ErrorKind::WouldBlock));
    }
    assert!(fs::exists("/run/nscd/socket").unwrap());
}

#[netnsctl_machine::test]
fn a_daemon_runs_in_its_namespace_and_its_view_without_rights() {
    declare("");
    let mut command = netnsctl(&["serve"]);
    command
        .env("LD_LIBRARY_PATH", "/run/lib")
        .env("SECRET", "1");
    let mut served = Served::start_as(command);
    served.wait_ready();
    for (netns, ..) in SERVERS {
        let daemon = served.daemon(netns);
        let view = fs::metadata(format!("/run/netns-{netns}/mntns")).unwrap();
        let mounts = fs::read_link(format!("/proc/{daemon}/ns/mnt")).unwrap();
        assert_eq!(mounts.to_str().unwrap(), format!("mnt:[{}]", view.ino()));
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(daemon, set).unwrap(), "0000000000000000");
        }
        assert_eq!(status(daemon, "NoNewPrivs").unwrap(), "1");
        // Modules of the name service are found, and nothing else is handed on.
        let environment = fs::read_to_string(format!("/proc/{daemon}/environ")).unwrap();
        assert!(environment.contains("LD_LIBRARY_PATH=/run/lib\0"));
        assert!(!environment.contains("SECRET"), "{environment:?}");
        let socket = fs::symlink_metadata(socket_of(netns)).unwrap();
        assert_eq!(socket.mode() & 0o7777, 0o666);
    }
    served.stop();
}

#[netnsctl_machine::test]
fn a_reload_changes_only_the_daemon_that_is_declared_anew() {
    declare("");
    let mut served = Served::ready(&[]);
    serve_names();
    let mut inhabitant = Asker::new().inside();
    let (left, right) = (served.daemon("left"), served.daemon("right"));
    let inode = || fs::metadata(socket_of("left")).unwrap().ino();
    let socket = inode();
    declare("[netns.left.nscd]\ncache = \"10s\"\n");
    served.reload();
    // The old one may not have ended yet.
    eventually("its end", || (!is_alive(left)).then_some(()));
    let cached = served.daemon("left");
    assert!(arguments(cached).contains(&"--cache=10s".to_owned()));
    assert_eq!((served.daemon("right"), inode()), (right, socket));
    inhabitant.finds_by_the_daemon();

    declare("[netns.left.nscd]\nenable = false\n");
    served.reload();
    eventually("its end", || (!is_alive(cached)).then_some(()));
    assert!(!fs::exists("/run/netns-left/nscd").unwrap());
    assert!(inhabitant.ask("nick.test").starts_with("192.0.2.1 "));
    assert!(look_up("left").starts_with("192.0.2.1"));
    settled();

    declare("");
    served.reload();
    inhabitant.finds_by_the_daemon();
    assert_eq!(served.daemon("right"), right);
    let mounts = inside("left", "cat /proc/self/mountinfo");
    assert_eq!(on_nscd(&mounts), 1, "{mounts}");
    drop(inhabitant);
    served.stop();
}

/// How many mounts there are on /run/nscd.
fn on_nscd(mounts: &str) -> usize {
    let place = |line: &&str| line.split(' ').nth(4) == Some("/run/nscd");
    mounts.lines().filter(place).count()
}

#[netnsctl_machine::test]
fn a_socket_that_went_is_made_again_by_a_reload() {
    declare("");
    let mut served = Served::ready(&[]);
    serve_names();
    let before = served.daemon("left");
    fs::remove_dir_all("/run/netns-left/nscd").unwrap();
    served.reload();
    eventually("its end", || (!is_alive(before)).then_some(()));
    let mut inhabitant = Asker::new().inside();
    inhabitant.finds_by_the_daemon();
    drop(inhabitant);
    served.stop();
}

#[netnsctl_machine::test]
fn a_replaced_folder_shows_from_the_next_command_on() {
    declare("");
    expect(0, &["up", "--quiet"]);
    let folder = "/run/netns-left/nscd";
    inside("left", "true");
    let sees = || inside("left", "ls /run/nscd");
    let line = "  ~ view, where /run/nscd is not the namespace's own\n";
    for file in ["one", "two"] {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        fs::write(format!("{folder}/{file}"), "").unwrap();
        let plan = expect(0, &["plan"]).stdout;
        assert!(plan.contains(line), "{plan}");
        expect(0, &["up", "--quiet"]);
        settled();
        assert_eq!(sees(), format!("{file}\n"));
    }
    // The host gets a folder of its own.
    fs::remove_dir("/run/nscd").unwrap();
    fs::create_dir("/run/nscd").unwrap();
    fs::write("/run/nscd/host", "").unwrap();
    assert!(expect(0, &["plan"]).stdout.contains(line));
    assert_eq!(sees(), "two\n");
    // A folder that is another's now is not the namespace's.
    fs::rename(folder, "/run/moved").unwrap();
    assert_eq!(sees(), "");
    fs::create_dir(folder).unwrap();
    fs::write(format!("{folder}/three"), "").unwrap();
    assert_eq!(sees(), "three\n");
    // Nor is one that a link leads to.
    fs::remove_dir_all(folder).unwrap();
    std::os::unix::fs::symlink("/run/moved", folder).unwrap();
    assert_eq!(sees(), "");
    settled();
    assert!(fs::exists("/run/nscd/host").unwrap());
}

#[netnsctl_machine::test]
fn a_folder_alone_is_reason_for_a_view() {
    crate::serve::make_foreign("foreign");
    fs::create_dir_all("/run/netns-foreign/nscd").unwrap();
    fs::write("/run/netns-foreign/nscd/file", "").unwrap();
    assert_eq!(inside("foreign", "ls /run/nscd"), "file\n");
}

#[netnsctl_machine::test]
fn both_places_are_covered_where_var_run_is_no_link() {
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("var", "/var", "tmpfs", flags, None).unwrap();
    fs::create_dir_all("/var/run/nscd").unwrap();
    fs::write("/var/run/nscd/host", "").unwrap();
    declare("");
    expect(0, &["up", "--quiet"]);
    assert_eq!(inside("left", "ls /var/run/nscd"), "");
    fs::create_dir_all("/run/netns-left/nscd").unwrap();
    fs::write("/run/netns-left/nscd/own", "").unwrap();
    assert_eq!(
        inside("left", "ls /run/nscd /var/run/nscd")
            .matches("own\n")
            .count(),
        2
    );
    fs::remove_dir_all("/var/run/nscd").unwrap();
    assert_eq!(inside("left", "ls /var/run/nscd"), "own\n");
    fs::remove_dir_all("/run/netns-left/nscd").unwrap();
    expect(0, &["down"]);
    for place in ["/run/nscd", "/var/run/nscd"] {
        assert!(!fs::exists(place).unwrap(), "{place}");
    }
}

#[netnsctl_machine::test]
fn a_daemon_follows_when_the_view_gives_way_to_another() {
    declare("");
    fs::create_dir_all("/etc/netns/left").unwrap();
    fs::write("/etc/netns/left/hosts", "192.0.2.7 printer.test\n").unwrap();
    let mut served = Served::ready(&[]);
    let printer = || inside("left", "getent hosts printer.test || echo none");
    assert_eq!(printer(), "192.0.2.7       printer.test\n");
    let before = (served.daemon("left"), served.daemon("right"));
    fs::remove_file("/etc/netns/left/hosts").unwrap();
    // The first command finds the view outdated and makes another.
    eventually("an answer without the file", || {
        (printer() == "none\n").then_some(())
    });
    eventually("its end", || (!is_alive(before.0)).then_some(()));
    assert_eq!(served.daemon("right"), before.1);
    served.stop();
}

#[netnsctl_machine::test]
fn what_is_taken_down_by_hand_stays_down_until_a_reload() {
    declare("");
    let mut served = Served::ready(&[]);
    let daemon = served.daemon("left");
    // It keeps the namespace for now.
    let said = expect(0, &["down", "left", "--no-wait"]);
    assert!(said.stderr.contains(&daemon.to_string()), "{said:?}");
    // Its files went with that, upon which it ends by itself.
    served.wait_for("cannot start the name-service daemon of netns \"left\": the namespace");
    assert!(!traces().iter().any(|path| path.contains("left")));
    served.reload();
    serve_names();
    let mut inhabitant = Asker::new().inside();
    inhabitant.finds_by_the_daemon();
    drop(inhabitant);
    served.stop();
}

#[netnsctl_machine::test]
fn status_tells_of_daemons_that_answer() {
    declare("[netns.none.nscd]\nenable = false\n");
    let row = |netns: &str, state: &str| {
        let text = expect(0, &["status", netns]).stdout;
        let row = text
            .lines()
            .find(|line| line.trim_start().starts_with("nscd "));
        let path = socket_of(netns);
        let words = row.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(words, Some(format!("nscd {path} {state}")), "{text}");
    };
    expect(0, &["up", "--quiet"]);
    row("left", "not running");
    let mut served = Served::ready(&[]);
    row("left", "running");
    // A process that does not answer may run all the same.
    let daemon = served.daemon("left");
    send(daemon, Signal::STOP);
    let unknown = "whether it runs cannot be found out: no answer within 500 ms";
    row("left", unknown);
    send(daemon, Signal::CONT);
    row("left", "running");
    let json = expect(0, &["status", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let nscd = |number: usize| json["netns"][number]["nscd"].clone();
    let wanted = |netns: &str, runs: bool| serde_json::json!({"enabled": runs, "socket": socket_of(netns), "running": runs, "error": null});
    assert_eq!(nscd(0), wanted("left", true));
    assert_eq!(nscd(1), wanted("none", false));
    assert!(!expect(0, &["status", "none"]).stdout.contains("nscd"));
    served.stop();
}

#[netnsctl_machine::test]
fn a_daemon_serves_in_a_sandbox() {
    let plain = crate::sandbox::Plain::new();
    declare("");
    let mut served = Served::start_as(plain.command(&["serve", "--sandbox"]));
    served.wait_ready();
    let run = |arguments: &[&str]| {
        let output = plain.command(arguments).output().unwrap();
        Ran::of(output).stdout
    };
    let status = run(&["status", "--sandbox", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect(&status);
    assert_eq!(status["netns"][0]["nscd"]["running"], true, "{status}");
    let listing = run(&["run", "--sandbox", "left", "--", "ls", "/run/nscd"]);
    assert_eq!(listing, "socket\n");
    // With nothing in its /etc only the daemon can have told it.
    let shell = "mount -t tmpfs none /etc && exec getent hosts known.test";
    let enter = ["run", "--sandbox", "left", "--", "unshare", "--mount"];
    let line = run(&[&enter[..], &["sh", "-c", shell]].concat());
    assert_eq!(line, "192.0.2.3       known.test\n");
    served.stop();
    assert!(!fs::exists("/run/netns-left").unwrap());
}

#[netnsctl_machine::test]
fn down_takes_away_what_a_killed_serve_left() {
    declare("");
    let listing = in_run();
    let mut served = Served::ready(&[]);
    inside("left", "true");
    let daemon = served.daemon("left");
    served.signal(Signal::KILL);
    served.exit();
    eventually("its end", || (!is_alive(daemon)).then_some(()));
    assert!(fs::exists(socket_of("left")).unwrap());
    // So does systemd, of units whose declaration is gone.
    fs::create_dir("/run/netns-left/forward").unwrap();
    drop(UnixListener::bind("/run/netns-left/forward/1-tcp.sock").unwrap());
    expect(0, &["down"]);
    assert_eq!(traces(), ["link lo"]);
    assert_eq!(in_run(), listing);
}
