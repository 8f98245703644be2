//! Mistakes that people make: each is told with its cause and a next step.

use std::net::UdpSocket;
use std::os::unix::net::UnixListener;

use crate::net::{add_address, add_bridge, make_foreign, within};
use crate::served::Served;
use crate::support::{Ran, command, configure, expect, traces};
use crate::traffic::{expect_refusal, listen};

/// Fails with `status`, an error line with `cause` and a hint line with `step`.
#[track_caller]
fn mistake(status: i32, words: &[&str], cause: &str, step: &str) {
    told(&expect(status, words), words, cause, step);
}

#[track_caller]
fn told(ran: &Ran, words: &[&str], cause: &str, step: &str) {
    let has = |start: &str, part: &str| {
        let mut lines = ran.stderr.lines();
        lines.any(|line| line.starts_with(start) && line.contains(part))
    };
    assert!(
        has("error: ", cause) && has("  hint: ", step),
        "{words:?} should say {cause:?} and {step:?}:\n{}",
        ran.stderr
    );
}

fn own() -> String {
    format!("process {} (", std::process::id())
}

#[netnsctl_machine::test]
fn a_taken_port_is_told_with_the_process_that_has_it() {
    configure("[netns.office]\n");
    expect(0, &["up"]);
    let taken = "Address already in use (EADDRINUSE)";
    let target = ["--connect", "127.0.0.1:1"];
    let forward = |listen: &str, netns: &str, cause: &str, step: &str| {
        let words = ["forward", "--listen", listen, "--listen-netns", netns];
        mistake(1, &[&words[..], &target].concat(), cause, step);
    };
    let _home = listen("default", "127.0.0.1:1001");
    let _inside = listen("office", "0.0.0.0:1002");
    let udp = within("office", || UdpSocket::bind("[::1]:1003"));
    let _udp = udp.expect("the port is free");
    forward("tcp:127.0.0.1:1001", "default", taken, &own());
    forward("tcp:127.0.0.1:1002", "office", taken, &own());
    forward("udp:[::1]:1003", "office", taken, &own());
    forward(
        "tcp:127.0.0.1:1002",
        "office",
        "netns \"office\"",
        "0.0.0.0:1002; end it",
    );
}

#[netnsctl_machine::test]
fn a_taken_path_is_told_with_the_process_that_listens() {
    let target = ["--connect", "127.0.0.1:1"];
    let _taken = UnixListener::bind("/run/in.sock").expect("/run is ours");
    std::fs::write("/run/file", "").expect("/run is ours");
    for (path, step) in [
        ("unix:/run/in.sock", own().as_str()),
        ("unix:/run/file", "no socket: remove it"),
        ("unix:/run/nowhere/in.sock", "make its folder first"),
    ] {
        let words = ["forward", "--listen", path];
        mistake(1, &[&words[..], &target].concat(), path, step);
    }
    mistake(
        1,
        &["nscd", "--socket", "/run/in.sock"],
        "EADDRINUSE",
        &own(),
    );
}

#[netnsctl_machine::test]
fn a_namespace_that_is_not_there_is_told_by_every_command() {
    configure("[netns.office]\n");
    let absent = "there is no network namespace \"nowhere\"";
    let list = "\"netnsctl list\" shows";
    mistake(125, &["run", "nowhere", "--", "true"], absent, list);
    mistake(1, &["doctor", "nowhere"], absent, list);
    let words = [
        "forward",
        "--listen",
        "tcp:127.0.0.1:1001",
        "--connect",
        "127.0.0.1:1",
    ];
    for option in ["--listen-netns", "--connect-netns"] {
        mistake(
            1,
            &[&words[..], &[option, "nowhere"]].concat(),
            absent,
            list,
        );
    }
    let undeclared = "netns \"nowhere\" is not declared";
    for name in ["up", "plan"] {
        mistake(2, &[name, "nowhere"], undeclared, "declared are: office");
    }
    mistake(
        2,
        &["status", "nowhere"],
        "neither declared nor managed",
        list,
    );
    std::fs::create_dir_all("/run/netns").expect("/run is ours");
    std::fs::write("/run/netns/office", "").expect("/run is ours");
    let stale = "/run/netns/office is a file, but no network namespace";
    mistake(
        125,
        &["run", "office", "--", "true"],
        stale,
        "\"netnsctl up office\"",
    );
    expect(0, &["up"]);
    expect(0, &["run", "office", "--", "true"]);
}

#[netnsctl_machine::test]
fn a_missing_configuration_is_told_with_where_it_belongs() {
    let before = traces();
    for name in ["up", "plan", "serve"] {
        mistake(2, &[name], "there is no configuration", "/etc/netnsctl");
        let words = ["--config", "/nowhere.toml", name];
        mistake(
            2,
            &words,
            "No such file or directory (ENOENT)",
            "is the path right?",
        );
    }
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn a_name_of_somebody_else_is_told_with_the_way_out() {
    configure("[netns.office]\n");
    make_foreign("office");
    mistake(1, &["up"], "office", "\"netnsctl up --adopt office\"");
    mistake(
        1,
        &["down", "office"],
        "not made by netnsctl",
        "\"ip netns del office\"",
    );
}

#[netnsctl_machine::test]
fn what_the_kernel_refuses_is_told_with_what_to_change() {
    add_bridge("default", "taken");
    for (declared, cause, step) in [
        (
            "[[netns.office.route]]\nto = \"default\"\nvia = \"192.0.2.1\"\n",
            "(ENETUNREACH)",
            "the gateway is in no subnet",
        ),
        (
            "[netns.office.sysctl]\n\"net.no.such\" = 1\n",
            "net.no.such",
            "only in the namespace the machine booted in",
        ),
        (
            "[[netns.office.veth]]\npeer_interface = \"taken\"\n",
            "taken",
            "rename or delete that link",
        ),
    ] {
        configure(&format!("[netns.office]\n{declared}"));
        mistake(1, &["up"], cause, step);
        expect(0, &["down"]);
    }
}

#[netnsctl_machine::test]
fn another_serve_is_told_with_what_to_do() {
    configure("[netns.office]\n");
    let mut served = Served::ready(&[]);
    let first = format!("another netnsctl serve (process {})", served.pid());
    mistake(1, &["serve"], &first, "send it SIGHUP");
    served.stop();
}

#[netnsctl_machine::test]
fn forbidden_user_namespaces_are_told_with_the_setting() {
    configure("[netns.office]\n");
    // The limit is one of the user namespace in which it is written (namespaces(7)).
    let script = "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$0\" serve --sandbox";
    let mut inside = command("unshare");
    inside.args(["--user", "--map-root-user", "sh", "-c", script]);
    let ran = inside.arg(env!("CARGO_BIN_EXE_netnsctl")).output();
    let ran = Ran::of(ran.expect("unshare of util-linux"));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let step = "\"sysctl user.max_user_namespaces=15000\" lets users make them";
    told(
        &ran,
        &["serve"],
        "cannot create a user namespace: No space left",
        step,
    );
}

#[netnsctl_machine::test]
fn a_name_beside_a_configuration_of_home_alone_is_told_with_what_to_add() {
    configure("[netns.default]\n");
    let step = "no namespace is declared; add [netns.office] to the configuration";
    mistake(
        2,
        &["up", "office"],
        "netns \"office\" is not declared",
        step,
    );
}

/// `up` by a root that lacks some capabilities.
fn poor(without: &str, step: &str) {
    configure("[netns.office]\n");
    let mut poor = command("setpriv");
    poor.args(["--bounding-set", without, "--inh-caps", without]);
    poor.arg(env!("CARGO_BIN_EXE_netnsctl")).arg("up");
    let ran = Ran::of(poor.output().expect("setpriv of util-linux"));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    told(&ran, &["up"], "Operation not permitted (EPERM)", step);
}

#[netnsctl_machine::test]
fn root_without_capabilities_is_told_which_it_lacks() {
    let lacking = "root lacks CAP_SYS_ADMIN and CAP_NET_ADMIN here; is this a container?";
    poor("-sys_admin,-net_admin", lacking);
}

#[netnsctl_machine::test]
fn root_without_net_admin_is_told_so() {
    poor(
        "-net_admin",
        "root lacks CAP_NET_ADMIN here; is this a container?",
    );
}

#[netnsctl_machine::test]
fn a_target_that_cannot_be_reached_is_told_by_status() {
    configure(
        "[netns.office]\n[[netns.default.forward]]\nlisten = \"127.0.0.1:1001\"\n\
         netns = \"office\"\nconnect = \"127.0.0.1:80\"\n\
         [[netns.default.forward]]\nlisten = \"127.0.0.1:1002\"\n\
         netns = \"office\"\nconnect = \"192.0.2.1:80\"\n",
    );
    let mut served = Served::ready(&[]);
    let before = expect(0, &["status"]).stdout;
    assert!(!before.contains("hint:"), "{before}");
    for address in ["127.0.0.1:1001", "127.0.0.1:1002"] {
        expect_refusal("default", address);
    }
    let text = expect(0, &["status"]).stdout;
    for hint in [
        "hint: nobody listened at 127.0.0.1:80 in netns \"office\" when a client came; \
         \"netnsctl run office -- ss -tlnp\" shows who listens there",
        "hint: there was no way to 192.0.2.1:80 in netns \"office\" when a client came; \
         \"netnsctl run office -- ip route\" shows its routes",
    ] {
        assert!(text.contains(hint), "{text}");
    }
    served.stop();
}

#[netnsctl_machine::test]
fn a_veth_pair_that_waits_is_told_with_what_brings_it() {
    configure("[netns.office]\n[[netns.office.veth]]\nnetns = \"lab\"\n[netns.lab]\n");
    let ran = expect(0, &["up", "office"]);
    let note = "waits for netns \"lab\"; \"netnsctl up lab\" brings both";
    assert!(ran.stderr.contains(note), "{ran:?}");
    expect(0, &["up", "lab"]);
    assert!(expect(0, &["plan"]).stdout.contains("nothing to do"));
}

/// Has `up` meet a file system, mounted so at `folder`.
fn up_on(folder: &str, options: &str, cause: &str, step: &str) {
    configure("[netns.office]\n");
    std::fs::create_dir_all(folder).expect("the stage is ours");
    let mount = ["-t", "tmpfs", "-o", options, "small", folder];
    let mounted = command("mount").args(mount).status();
    assert!(mounted.expect("mount of util-linux").success());
    mistake(1, &["up"], cause, step);
}

#[netnsctl_machine::test]
fn read_only_file_systems_are_told_by_name() {
    let step = "what /etc/netns is on cannot be written";
    up_on("/etc/netns", "ro", "Read-only file system (EROFS)", step);
}

#[netnsctl_machine::test]
fn a_full_file_system_is_told_with_how_to_find_it() {
    let full = "No space left on device (ENOSPC)";
    up_on(
        "/etc/netns",
        "nr_inodes=1",
        full,
        "\"df /run /etc\" and \"df -i /run /etc\"",
    );
}

#[netnsctl_machine::test]
fn a_port_of_root_is_told_with_the_setting() {
    configure("[netns.office]\n");
    expect(0, &["up"]);
    let mut poor = command("setpriv");
    poor.args(["--bounding-set", "-net_bind_service"]);
    poor.args(["--inh-caps", "-net_bind_service"]);
    poor.arg(env!("CARGO_BIN_EXE_netnsctl"));
    let words = [
        "forward",
        "--listen",
        "tcp:127.0.0.1:80",
        "--connect",
        "127.0.0.1:1",
    ];
    let ran = Ran::of(poor.args(words).output().expect("setpriv of util-linux"));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    told(
        &ran,
        &words,
        "(EACCES)",
        "net.ipv4.ip_unprivileged_port_start",
    );
}

#[netnsctl_machine::test]
fn an_address_that_another_link_has_is_told_with_its_name() {
    configure("[netns.office]\n[[netns.office.veth]]\n");
    expect(0, &["up", "--quiet"]);
    for (interface, ip, length) in [
        ("lan", "10.1.0.1", 24),
        ("wan", "10.2.0.1", 24),
        ("one", "10.3.0.1", 32),
    ] {
        add_bridge("default", interface);
        add_address("default", interface, ip, length);
    }
    let pair = |addresses: &str| {
        format!("[netns.office]\n[[netns.office.veth]]\npeer_address = [{addresses}]\n")
    };
    // An address of the whole length may be on two links.
    configure(&pair("\"10.1.0.1/30\", \"10.2.0.2/30\", \"10.3.0.1/32\""));
    let told =
        "note: address 10.1.0.1/30 of \"office\" in netns \"default\" is also on \"lan\" there";
    let doctor = expect(0, &["doctor"]).stdout;
    let warning = doctor
        .lines()
        .find(|line| line.starts_with("warning declared: address 10.1.0.1/30"));
    assert!(
        warning.is_some_and(|line| line.contains("\"lan\"")),
        "{doctor}"
    );
    for command in ["plan", "up"] {
        let ran = expect(0, &[command]);
        assert!(ran.stderr.starts_with(told), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    }
    assert_eq!(expect(0, &["up"]).stderr, "");
}
