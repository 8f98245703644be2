//! `doctor`: a view that holds, and each leak that somebody opens.

mod host;
mod stage;

use std::fs;
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::path::Path;

use self::stage::{daemon, declare, doctor, healthy, in_view, says, serve, show_daemon, wrong};
use crate::support::{Ran, command, configure, expect, say};

const QUESTION: (&str, &str) = ("question", "");
const NSCD: (&str, &str) = ("nscd", "/run/nscd/socket");

#[netnsctl_machine::test]
fn doctor_finds_a_healthy_view_healthy() {
    healthy();
    let checks = doctor(0, &["office"]);
    assert_eq!(wrong(&checks), [], "{checks:#?}");
    let resolv = ("file", "/etc/resolv.conf");
    says(&checks, resolv, "ok", "own: name servers 192.0.2.2");
    says(
        &checks,
        ("file", "/etc/nsswitch.conf"),
        "ok",
        "hosts files dns",
    );
    says(&checks, NSCD, "ok", "nobody");
    says(&checks, ("name_server", "192.0.2.2"), "ok", "a route");
    says(
        &checks,
        QUESTION,
        "ok",
        "left through link \"cable\", and was answered",
    );
    // The same for people.
    let text = expect(0, &["doctor", "--verbose", "office"]).stdout;
    let lines = text.lines().filter(|line| line.starts_with("ok      "));
    assert_eq!(lines.count(), checks.len(), "{text}");
    assert!(
        text.ends_with("\nnetns \"office\": all is well\n"),
        "{text}"
    );
}

#[netnsctl_machine::test]
fn doctor_mends_nothing_and_up_does() {
    healthy();
    fs::write("/run/other/resolv.conf", "nameserver 192.0.2.2\n").unwrap();
    in_view("mount --bind /run/other/resolv.conf /etc/resolv.conf");
    for _ in 0..2 {
        let checks = doctor(1, &["office"]);
        let resolv = ("file", "/etc/resolv.conf");
        says(
            &checks,
            resolv,
            "problem",
            "neither /etc/netns/office/resolv.conf shows",
        );
        assert_eq!(wrong(&checks), [("file", "problem")]);
    }
    expect(0, &["up", "office"]);
    doctor(0, &["office"]);
}

#[netnsctl_machine::test]
fn doctor_names_a_resolv_conf_of_the_host() {
    healthy();
    in_view("umount /etc/resolv.conf");
    let checks = doctor(1, &["office"]);
    let resolv = ("file", "/etc/resolv.conf");
    says(
        &checks,
        resolv,
        "leak",
        "the host's shows, and not /etc/netns/office/resolv.conf",
    );
    says(&checks, resolv, "leak", "name servers 192.0.2.6");
    let server = ("name_server", "192.0.2.6");
    says(
        &checks,
        server,
        "problem",
        "Network is unreachable (ENETUNREACH)",
    );
}

#[netnsctl_machine::test]
fn doctor_names_a_nsswitch_conf_of_the_host() {
    healthy();
    in_view("umount /etc/nsswitch.conf");
    let checks = doctor(1, &["office"]);
    says(
        &checks,
        ("file", "/etc/nsswitch.conf"),
        "leak",
        "hosts resolve",
    );
    says(
        &checks,
        ("hosts_modules", ""),
        "warning",
        "\"resolve\" asks systemd-resolved",
    );
}

#[netnsctl_machine::test]
fn doctor_names_the_daemon_of_home_and_where_questions_leave() {
    healthy();
    let _daemon = daemon(&[env!("CARGO_BIN_EXE_netnsctl")]);
    show_daemon();
    let checks = doctor(1, &["office"]);
    says(&checks, NSCD, "leak", "nscd of the host namespace answers");
    says(
        &checks,
        QUESTION,
        "leak",
        "left from the host namespace, link \"to-server\", and not from here",
    );
    // All else is as it should be: nothing else would have told.
    assert_eq!(wrong(&checks), [("nscd", "leak"), ("question", "leak")]);
}

#[netnsctl_machine::test]
fn doctor_knows_the_daemon_of_the_namespace() {
    healthy();
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let _daemon = daemon(&[program, "run", "office", "--", program]);
    show_daemon();
    let checks = doctor(0, &["office"]);
    says(
        &checks,
        NSCD,
        "ok",
        "in this namespace and with these files",
    );
    says(&checks, QUESTION, "ok", "link \"cable\"");
}

#[netnsctl_machine::test]
fn doctor_names_a_daemon_with_other_files() {
    healthy();
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let _daemon = daemon(&["nsenter", "--net=/run/netns/office", program]);
    show_daemon();
    let checks = doctor(1, &["office"]);
    says(
        &checks,
        NSCD,
        "problem",
        "another /etc/resolv.conf and /etc/nsswitch.conf",
    );
}

#[netnsctl_machine::test]
fn doctor_names_daemons_of_others() {
    healthy();
    let listener = UnixListener::bind("/run/other/socket").unwrap();
    show_daemon();
    let own = format!("process {} (", std::process::id());
    // It says nothing; and where the C library waits for it, so does the question.
    let checks = doctor(1, &["office"]);
    says(&checks, NSCD, "leak", "says nothing");
    says(&checks, NSCD, "leak", &own);
    says(&checks, NSCD, "leak", "in the host namespace");
    // It hangs up, as daemons do that do not know the request.
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut header = [0; 12];
            let _ = std::io::Read::read_exact(&mut client.unwrap(), &mut header);
        }
    });
    let checks = doctor(1, &["office"]);
    says(&checks, NSCD, "leak", &own);
    says(&checks, NSCD, "leak", "not netnsctl's");
    // Clients then look up by themselves.
    assert_eq!(wrong(&checks), [("nscd", "leak")]);
}

#[netnsctl_machine::test]
fn doctor_names_resolved_within_reach() {
    let folder = "/run/systemd/resolve";
    fs::create_dir_all(folder).unwrap();
    let paths =
        ["io.systemd.Resolve", "io.systemd.Resolve.Monitor"].map(|it| format!("{folder}/{it}"));
    let _listeners = paths
        .each_ref()
        .map(|path| UnixListener::bind(path).unwrap());
    healthy();
    let checks = doctor(0, &["office"]);
    says(&checks, ("resolved", "Resolve"), "ok", "out of reach");
    in_view(
        "umount /run/systemd/resolve/resolv.conf /run/systemd/resolve/stub-resolv.conf /run/systemd/resolve",
    );
    let checks = doctor(1, &["office"]);
    for path in &paths {
        says(&checks, ("resolved", path), "leak", "answered from home");
    }
    assert_eq!(wrong(&checks), [("resolved", "leak"); 2]);
}

#[netnsctl_machine::test]
fn doctor_warns_of_the_bus_of_the_host() {
    healthy();
    fs::create_dir_all("/run/dbus").unwrap();
    let _listener = UnixListener::bind("/run/dbus/system_bus_socket").unwrap();
    let checks = doctor(0, &["office"]);
    says(&checks, ("dbus", ""), "warning", "D-Bus");
    assert_eq!(wrong(&checks), [("dbus", "warning")]);
}

#[netnsctl_machine::test]
fn doctor_names_name_servers_that_cannot_answer() {
    declare("[\"127.0.0.1\"]");
    let checks = doctor(1, &["office"]);
    says(
        &checks,
        ("name_server", "127.0.0.1"),
        "problem",
        "nobody listens at port 53",
    );
    says(
        &checks,
        QUESTION,
        "problem",
        "stayed inside, on \"lo\"; no answer came",
    );
    declare("[\"203.0.113.9\", \"2001:db8::9\"]");
    let checks = doctor(1, &["office"]);
    for server in ["203.0.113.9", "2001:db8::9"] {
        says(
            &checks,
            ("name_server", server),
            "problem",
            "unreachable (ENETUNREACH)",
        );
    }
    says(&checks, QUESTION, "unknown", "no name server was asked");
    // With another that answers it is no more than a nuisance.
    declare("[\"203.0.113.9\", \"192.0.2.1\", \"192.0.2.2\"]");
    serve("server", "0.0.0.0:53", |answer| Some(answer.to_vec()));
    let checks = doctor(0, &["office"]);
    says(
        &checks,
        ("name_server", "203.0.113.9"),
        "warning",
        "unreachable",
    );
    says(
        &checks,
        ("name_server", "192.0.2.1"),
        "warning",
        "nobody listens",
    );
    says(&checks, QUESTION, "ok", "was answered");
}

#[netnsctl_machine::test]
fn doctor_sees_that_a_name_server_is_dead() {
    declare("[\"192.0.2.2\"]\noptions = [\"timeout:1\", \"attempts:1\"]");
    serve("server", "0.0.0.0:53", |_| None);
    let checks = doctor(1, &["office"]);
    says(
        &checks,
        QUESTION,
        "problem",
        "netns \"server\", which has the address 192.0.2.2, and nothing there answered",
    );
    assert_eq!(wrong(&checks), [("question", "problem")]);
}

/// The message and the hint of the check of the DNS question.
#[track_caller]
fn unanswered() -> (String, String) {
    let output = expect(1, &["doctor", "--json", "office"]).stdout;
    let report: serde_json::Value = serde_json::from_str(&output).unwrap();
    let mut checks = report["checks"].as_array().unwrap().iter();
    let question = checks.find(|it| it["check"] == "question").unwrap();
    assert_eq!(question["mark"], "problem", "{question}");
    let text = |key: &str| question[key].as_str().unwrap().to_owned();
    (text("message"), text("hint"))
}

#[netnsctl_machine::test]
fn doctor_finds_where_the_question_is_lost() {
    let asks = |server: &str| {
        configure(&format!(
            "[netns.office.dns]\nnameservers = [\"{server}\"]\noptions = [\"timeout:1\", \"attempts:1\"]\n\
             [[netns.office.veth]]\naddress = [\"192.168.77.2/30\"]\n\
             peer_address = [\"192.168.77.1/30\"]\n\
             [[netns.office.route]]\nto = \"default\"\nvia = \"192.168.77.1\"\n\
             [netns.server]\n[[netns.server.veth]]\npeer_interface = \"to-server\"\n\
             address = [\"203.0.113.9/24\"]\npeer_address = [\"203.0.113.1/24\"]\n"
        ));
        expect(0, &["up", "--quiet"]);
    };
    asks("203.0.113.9");
    serve("server", "0.0.0.0:53", |answer| Some(answer.to_vec()));
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    let (message, hint) = unanswered();
    let lost = "the host namespace received it on link \"office\", and does not forward";
    assert!(message.ends_with(lost), "{message}");
    assert!(hint.contains("sysctl -w net.ipv4.ip_forward=1"), "{hint}");
    // It forwards now, but the server has no route back to the private address.
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    let (message, hint) = unanswered();
    let lost =
        "by link \"to-server\" from the private address 192.168.77.2, and no answer came back";
    assert!(message.ends_with(lost), "{message}");
    let cure = "ip saddr 192.168.77.2 oifname \"to-server\" masquerade";
    assert!(hint.contains(cure), "{hint}");
    // The host namespace itself is asked, and has no name server.
    asks("192.168.77.1");
    let (message, _) = unanswered();
    let lost = "which has the address 192.168.77.1, and nothing there answered";
    assert!(message.ends_with(lost), "{message}");
}

#[netnsctl_machine::test]
fn doctor_sees_who_asks_once_more() {
    declare("[\"192.0.2.2\"]");
    // A proxy that asks another server, from home.
    serve("server", "192.0.2.6:53", |_| None);
    serve("server", "192.0.2.2:53", |answer| {
        let mut question = answer.to_vec();
        question[..4].copy_from_slice(&[answer[0] ^ 1, answer[1], 1, 0]);
        let socket = UdpSocket::bind("192.0.2.5:0").unwrap();
        socket.send_to(&question, "192.0.2.6:53").unwrap();
        Some(answer.to_vec())
    });
    let checks = doctor(0, &["office"]);
    says(&checks, QUESTION, "ok", "link \"cable\"");
    says(
        &checks,
        ("question_elsewhere", ""),
        "warning",
        "the host namespace, link \"to-server\"",
    );
}

#[netnsctl_machine::test]
fn doctor_takes_a_server_inside_for_what_it_is() {
    declare("[\"127.0.0.1\"]");
    serve("office", "127.0.0.1:53", |answer| Some(answer.to_vec()));
    let checks = doctor(0, &["office"]);
    says(
        &checks,
        ("name_server", "127.0.0.1"),
        "ok",
        "somebody listens there",
    );
    says(
        &checks,
        QUESTION,
        "ok",
        "stayed inside, on \"lo\", and was answered",
    );
}

#[netnsctl_machine::test]
fn doctor_says_what_a_foreign_namespace_lacks() {
    healthy();
    crate::net::make_foreign("foreign");
    let checks = doctor(1, &["foreign"]);
    for file in ["resolv.conf", "nsswitch.conf"] {
        says(&checks, ("file", file), "warning", "the host's");
    }
    says(
        &checks,
        ("name_server", "192.0.2.6"),
        "problem",
        "unreachable",
    );
    let made = Path::new("/run/netns-foreign").exists();
    assert!(!made, "there is nothing to keep a view for");
}

#[netnsctl_machine::test]
fn doctor_says_what_it_cannot_examine() {
    let nobody = expect(1, &["doctor", "nosuch"]);
    assert_eq!(nobody.stdout, "");
    let words = "there is no network namespace \"nosuch\"";
    assert!(nobody.stderr.contains(words), "{}", nobody.stderr);
    expect(2, &["doctor", "default"]);
    expect(2, &["doctor", "a/b"]);
    healthy();
    // Who has no right to enter is told so.
    let somebody = |words: &[&str]| {
        let mut somebody = command("setpriv");
        somebody.args(["--reuid", "1", "--clear-groups"]);
        let program = env!("CARGO_BIN_EXE_netnsctl");
        let output = somebody.arg(program).args(words).output();
        Ran::of(output.expect("setpriv of util-linux"))
    };
    if somebody(&["--version"]).status == Some(0) {
        let ran = somebody(&["doctor", "office"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""));
        let words = "cannot enter netns \"office\": Operation not permitted (EPERM)";
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(ran.stderr.contains("this needs root"), "{}", ran.stderr);
    } else {
        say("SKIPPED: there is nobody else here to try as");
    }
    // From inside, home cannot be watched.
    let program = env!("CARGO_BIN_EXE_netnsctl");
    let inside = expect(1, &["run", "office", "--", program, "doctor", "office"]);
    assert!(
        inside.stderr.contains("inside netns \"office\""),
        "{}",
        inside.stderr
    );
}
