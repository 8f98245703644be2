//! `serve`: what it brings up carries traffic, and all of it goes again.

use std::io::{Read, Write};
use std::net::Shutdown;

use rustix::process::Signal;

use crate::served::{Served, forwarders, is_alive, netns_called, netns_of, send, status};
use crate::support::{Ran, command, configure, eventually, expect, netnsctl, traces};
use crate::traffic::{
    connect, expect_answer, expect_datagram, expect_end, expect_refusal, listen, scoped, serve_tcp,
    serve_udp, try_connect,
};

/// The file of the README.
pub(crate) const QUICKSTART: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/quickstart.toml"
);

/// Two namespaces with a forward to each of two ports.
const TWO_PORTS: &str = r#"
[netns.left]
[netns.right]
[[netns.left.forward]]
listen = "127.0.0.1:1001"
netns = "right"
connect = "127.0.0.1:2001"
[[netns.left.forward]]
listen = "127.0.0.1:1002"
netns = "right"
connect = "127.0.0.1:2002"
"#;

#[netnsctl_machine::test]
fn serve_is_ready_when_every_listener_accepts() {
    let mut served = Served::ready(&[QUICKSTART]);
    // Nothing is tried twice here.
    let mut client = connect("left", "127.0.0.1:8080");
    expect_end(&mut client);
    serve_tcp("right", "127.0.0.1:8000", "tcp ");
    serve_udp("right", "127.0.0.1:5353", "udp ");
    let mut client = connect("left", "127.0.0.1:8080");
    expect_answer(&mut client, "tcp ", "hello");
    expect_answer(&mut client, "tcp ", "again");
    expect_datagram("left", "127.0.0.1:0", "127.0.0.1:5300", "udp ");
    // The cable of the quickstart carries as well.
    serve_tcp("right", "10.20.0.2:9000", "cable ");
    expect_answer(&mut connect("left", "10.20.0.2:9000"), "cable ", "hello");
    served.stop();
}

#[netnsctl_machine::test]
fn each_side_may_stop_sending_and_still_hear_the_other() {
    let _served = Served::ready(&[QUICKSTART]);
    let listener = listen("right", "127.0.0.1:8000");
    let mut text = String::new();

    let mut client = connect("left", "127.0.0.1:8080");
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    server.read_to_string(&mut text).unwrap();
    assert_eq!(text, "question");
    server.write_all(b"answer").unwrap();
    drop(server);
    text.clear();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "answer");

    let mut client = connect("left", "127.0.0.1:8080");
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"greeting").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    text.clear();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "greeting");
    client.write_all(b"thanks").unwrap();
    drop(client);
    text.clear();
    server.read_to_string(&mut text).unwrap();
    assert_eq!(text, "thanks");
}

#[netnsctl_machine::test]
fn ipv6_and_link_local_addresses_are_forwarded_from_and_to_home() {
    configure(
        r#"
[netns.office]
[[netns.office.veth]]
[[netns.office.forward]]
listen = "[fe80::ff:fe00:1%host]:7000"
connect = "[::1]:7001"
[[netns.default.forward]]
listen = "[::1]:7002"
netns = "office"
connect = "[fe80::ff:fe00:0%host]:7003"
[[netns.default.forward]]
protocol = "udp"
listen = "[::]:7004"
netns = "office"
connect = "[::1]:7005"
"#,
    );
    let mut served = Served::ready(&[]);
    serve_tcp("default", "[::1]:7001", "home ");
    let address = scoped("default", "[fe80::ff:fe00:1]:7000", "office");
    expect_answer(&mut connect("default", address), "home ", "over the cable");

    let target = scoped("default", "[fe80::ff:fe00:0]:7003", "office");
    serve_tcp("default", target, "back ");
    expect_answer(&mut connect("default", "[::1]:7002"), "back ", "and home");

    serve_udp("office", "[::1]:7005", "both ");
    expect_datagram("default", "[::1]:0", "[::1]:7004", "both ");
    expect_datagram("default", "127.0.0.1:0", "127.0.0.1:7004", "both ");
    served.stop();
}

#[netnsctl_machine::test]
fn nobody_else_can_take_the_locks() {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir("/run/netnsctl").expect("/run is ours");
    let _served = Served::ready(&[QUICKSTART]);
    for (folder, wanted) in [("/run/netnsctl", 0o711), ("/run/netnsctl/serve", 0o700)] {
        let mode = std::fs::metadata(folder)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, wanted, "{folder}: {mode:o}");
    }
}

#[netnsctl_machine::test]
fn a_dead_target_refuses_only_its_own_clients() {
    configure(TWO_PORTS);
    let _served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "alive ");
    let mut lucky = connect("left", "127.0.0.1:1001");
    expect_answer(&mut lucky, "alive ", "before");
    for _ in 0..10 {
        expect_refusal("left", "127.0.0.1:1002");
        expect_answer(&mut lucky, "alive ", "during");
    }
    expect_answer(&mut connect("left", "127.0.0.1:1001"), "alive ", "after");
    serve_tcp("right", "127.0.0.1:2002", "risen ");
    expect_answer(&mut connect("left", "127.0.0.1:1002"), "risen ", "at last");
}

#[netnsctl_machine::test]
fn hundreds_of_clients_are_served_at_once() {
    let _served = Served::ready(&[QUICKSTART]);
    serve_tcp("right", "127.0.0.1:8000", "tcp ");
    let connected = (0..300).map(|_| connect("left", "127.0.0.1:8080"));
    let mut clients: Vec<_> = connected.collect();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            let text = format!("client {number} round {round}");
            expect_answer(client, "tcp ", &text);
        }
    }
}

#[netnsctl_machine::test]
fn a_listener_outlives_its_forwarder() {
    let served = Served::ready(&[QUICKSTART]);
    serve_tcp("right", "127.0.0.1:8000", "tcp ");
    let first = served.forwarder("127.0.0.1:8000");
    assert_eq!(
        std::fs::read_to_string(format!("/proc/{first}/comm")).unwrap(),
        "netnsctl\n"
    );
    send(first, Signal::KILL);
    // Whether it is dead by now or not, the socket is there; nothing is tried twice.
    eventually("its death", || (!is_alive(first)).then_some(()));
    let mut client = connect("left", "127.0.0.1:8080");
    expect_answer(&mut client, "tcp ", "patience");
    assert_ne!(served.forwarder("127.0.0.1:8000"), first);
}

#[netnsctl_machine::test]
fn forwarders_are_started_again_ever_more_slowly() {
    let served = Served::ready(&[QUICKSTART]);
    let mut last = 0;
    for pause in ["100ms", "200ms", "400ms"] {
        let pid = eventually("another forwarder", || {
            Some(served.forwarder("127.0.0.1:8000")).filter(|pid| *pid != last)
        });
        last = pid;
        send(pid, Signal::KILL);
        served.wait_for(&format!(
            "the forwarder of tcp 127.0.0.1:8080 in netns \"left\" to 127.0.0.1:8000 in netns \
             \"right\" was ended by signal 9; starting it again in {pause}"
        ));
    }
}

#[netnsctl_machine::test]
fn a_forwarder_can_do_nothing_but_forward() {
    let served = Served::ready(&[QUICKSTART]);
    let home = netns_of(std::process::id());
    assert_eq!(forwarders(served.pid()).len(), 2);
    for target in ["127.0.0.1:8000", "127.0.0.1:5353"] {
        let pid = served.forwarder(target);
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status(pid, set).unwrap(), "0000000000000000", "{set}");
        }
        assert_eq!(status(pid, "NoNewPrivs").unwrap(), "1");
        assert_eq!(status(pid, "Name").unwrap(), "netnsctl");
        assert_eq!(netns_of(pid), netns_called("right"));
        assert_ne!(netns_of(pid), home);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let group = stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap();
        assert_eq!(group, pid.to_string());
        expect_not_dumpable(pid);
        let environment = std::fs::read(format!("/proc/{pid}/environ"));
        let environment = String::from_utf8(environment.unwrap()).unwrap();
        let names = environment.split_terminator('\0');
        let mut names: Vec<_> = names.map(|v| v.split('=').next().unwrap()).collect();
        names.sort_unstable();
        let ours = [
            "LISTEN_FDNAMES",
            "LISTEN_FDS",
            "LISTEN_PID",
            "NOTIFY_SOCKET",
        ];
        assert_eq!(names, ours);
    }
}

/// A command of a forwarder's user, without any capability.
fn poor(user: &str, program: &str) -> std::process::Command {
    let mut poor = command("setpriv");
    if user != "0" {
        poor.args([&format!("--reuid={user}"), &format!("--regid={user}")]);
        poor.arg("--clear-groups");
    }
    poor.args(["--bounding-set=-all", "--inh-caps=-all", program]);
    poor
}

/// Whether a process is as open as others are, to a command of `user` without any capability.
fn may_be_looked_at(user: &str, pid: u32) -> bool {
    let output = poor(user, "readlink")
        .arg(format!("/proc/{pid}/exe"))
        .output();
    output.expect("util-linux is there").status.success()
}

/// A process that is not dumpable cannot be looked at by a process of its own user without any capability. The
/// kernel asks the same of a process that would trace it (ptrace(2), access mode checking).
#[track_caller]
pub(crate) fn expect_not_dumpable(pid: u32) {
    let user = status(pid, "Uid").unwrap();
    let user = user.split_whitespace().next().unwrap();
    assert!(!may_be_looked_at(user, pid));
    let mut other = poor(user, "sleep").arg("1000").spawn().unwrap();
    eventually("what may be looked at", || {
        may_be_looked_at(user, other.id()).then_some(())
    });
    other.kill().unwrap();
    other.wait().unwrap();
}

#[netnsctl_machine::test]
fn a_killed_serve_takes_its_forwarders_along_and_can_be_started_again() {
    let before = traces();
    let mut served = Served::ready(&[QUICKSTART]);
    let forwarders = forwarders(served.pid());
    assert_eq!(forwarders.len(), 2);
    served.signal(Signal::KILL);
    served.exit();
    for pid in forwarders {
        eventually("a forwarder's end", || (!is_alive(pid)).then_some(()));
    }
    let mut served = Served::ready(&[QUICKSTART]);
    serve_tcp("right", "127.0.0.1:8000", "tcp ");
    let mut client = connect("left", "127.0.0.1:8080");
    expect_answer(&mut client, "tcp ", "hello");
    served.signal(Signal::KILL);
    served.exit();
    assert!(traces().contains(&"/run/netnsctl/serve/state.json".to_owned()));
    expect(0, &["down"]);
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn connections_are_told_one_by_one_only_if_asked_for() {
    let run = |arguments: &[&str]| {
        let mut served = Served::ready(arguments);
        serve_tcp("right", "127.0.0.1:8000", "tcp ");
        let mut client = connect("left", "127.0.0.1:8080");
        expect_answer(&mut client, "tcp ", "hello");
        client.shutdown(Shutdown::Write).unwrap();
        expect_end(&mut client);
        let name = format!("client {} at 127.0.0.1:8080", client.local_addr().unwrap());
        served.stop();
        (served.text(), name)
    };
    let (text, name) = run(&[QUICKSTART]);
    assert!(!text.contains(&name), "{text}");
    let (text, name) = run(&["--verbose", QUICKSTART]);
    let begins = format!("{name}: connecting to 127.0.0.1:8000\n");
    assert!(text.contains(&begins), "{text}");
    let ends = text.split_once(&format!("{name}: ended after ")).unwrap().1;
    assert!(ends.contains(" s, 5 bytes there, 9 back"), "{text}");
}

#[netnsctl_machine::test]
fn sigterm_leaves_nothing_behind() {
    ends_well(Signal::TERM, false);
}

#[netnsctl_machine::test]
fn sigint_leaves_nothing_behind_though_a_client_is_connected() {
    ends_well(Signal::INT, true);
}

fn ends_well(signal: Signal, connected: bool) {
    let before = traces();
    let mut served = Served::ready(&[QUICKSTART]);
    let forwarders = forwarders(served.pid());
    let client = connected.then(|| {
        serve_tcp("right", "127.0.0.1:8000", "tcp ");
        let mut client = connect("left", "127.0.0.1:8080");
        expect_answer(&mut client, "tcp ", "hello");
        client
    });
    assert_ne!(traces(), before);
    served.signal(signal);
    assert_eq!(served.message(), ["STOPPING=1"]);
    assert_eq!(served.exit().code(), Some(0));
    assert_eq!(traces(), before);
    assert!(forwarders.iter().all(|pid| !is_alive(*pid)));
    if let Some(mut client) = client {
        expect_end(&mut client);
    }
    for name in ["left", "right"] {
        assert!(served.text().contains(&format!("- netns {name}")));
    }
}

#[netnsctl_machine::test]
fn serve_names_the_process_that_keeps_a_namespace() {
    let before = traces();
    let mut served = Served::ready(&[QUICKSTART]);
    let mut sleeper = netnsctl(&["run", "left", "--", "sleep", "1000"]);
    let mut sleeper = sleeper.spawn().unwrap();
    let pid = sleeper.id();
    eventually("the command inside", || {
        (status(pid, "Name")? == "sleep").then_some(())
    });
    served.stop();
    let text = served.text();
    assert!(
        text.contains("netns \"left\" lost its name but lives on, held by"),
        "{text}"
    );
    let line = format!("process {pid} (sleep), which runs inside");
    assert!(text.contains(&line), "{text}");
    assert_eq!(text.matches("which runs inside").count(), 1, "{text}");
    assert_eq!(traces(), before);
    assert!(is_alive(pid));
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[netnsctl_machine::test]
fn veth_ends_at_home_are_gone_when_serve_ends() {
    let before = traces();
    configure(
        r#"
[netns.office]
[[netns.office.veth]]
[[netns.office.forward]]
listen = "127.0.0.1:1001"
connect = "127.0.0.1:2001"
[[netns.default.forward]]
listen = "127.0.0.1:1002"
netns = "office"
connect = "127.0.0.1:2002"
"#,
    );
    let mut served = Served::ready(&[]);
    assert!(traces().contains(&"link office".to_owned()));
    serve_tcp("default", "127.0.0.1:2001", "home ");
    let mut client = connect("office", "127.0.0.1:1001");
    expect_answer(&mut client, "home ", "hello");
    drop(client);
    served.stop();
    assert_eq!(traces(), before);
    // Nothing of it had to be said: nobody held the namespace.
    assert!(!served.text().contains("lives on"), "{}", served.text());
}

#[netnsctl_machine::test]
fn a_second_serve_is_told_of_the_first() {
    let served = Served::ready(&[QUICKSTART]);
    let there = traces();
    let error = expect(1, &["serve", QUICKSTART]).stderr;
    let pid = served.pid();
    assert!(
        error.contains(&format!(
            "another netnsctl serve (process {pid}) is running"
        )),
        "{error}"
    );
    assert!(error.contains("hint: "), "{error}");
    assert_eq!(traces(), there);
    expect_refusal("left", "127.0.0.1:8080");
}

/// A namespace called `name` as `ip netns add` makes it.
pub(crate) fn make_foreign(name: &str) {
    let path = format!("/run/netns/{name}");
    std::fs::create_dir_all("/run/netns").unwrap();
    std::fs::write(&path, "").unwrap();
    let made = command("unshare")
        .args([&format!("--net={path}"), "true"])
        .status();
    assert!(made.expect("util-linux is there").success());
}

#[netnsctl_machine::test]
fn a_start_that_fails_takes_away_what_it_made_and_no_more() {
    configure("[netns.mine]\n[netns.early]\n[netns.foreign]\n");
    make_foreign("foreign");
    expect(0, &["up", "early"]);
    let before = traces();
    let ran = expect(1, &["serve"]);
    assert!(ran.stderr.contains("foreign"), "{}", ran.stderr);
    assert!(ran.stderr.contains("- netns mine"), "{}", ran.stderr);
    assert_eq!(traces(), before);
    assert_eq!(expect(0, &["list"]).stdout, "early\nforeign\n");
}

#[netnsctl_machine::test]
fn a_forward_that_cannot_listen_fails_the_start() {
    let before = traces();
    configure(
        r#"
[netns.office]
[[netns.default.forward]]
listen = "127.0.0.1:1001"
netns = "office"
connect = "127.0.0.1:2001"
"#,
    );
    let _taken = listen("default", "127.0.0.1:1001");
    let error = expect(1, &["serve"]).stderr;
    assert!(error.contains("127.0.0.1:1001"), "{error}");
    assert!(error.contains("EADDRINUSE"), "{error}");
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn bad_configuration_is_refused_before_anything_is_touched() {
    let before = traces();
    configure("[netns.office]\nadress = []\n");
    let ran: Ran = expect(2, &["serve"]);
    assert!(ran.stderr.contains("adress"), "{}", ran.stderr);
    assert!(ran.stderr.contains("address"), "{}", ran.stderr);
    assert_eq!(traces(), before);
    let ran = expect(2, &["serve", "/nowhere.toml"]);
    assert!(ran.stderr.contains("/nowhere.toml"), "{}", ran.stderr);
    assert_eq!(traces(), before);
    assert!(try_connect("default", "127.0.0.1:1").is_err());
}
