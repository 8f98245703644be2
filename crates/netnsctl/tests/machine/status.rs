//! `status` and `list`: the truth, at a glance.

use std::fs;
use std::os::unix::net::UnixListener;

use serde_json::Value;

use crate::serve::{QUICKSTART, make_foreign};
use crate::served::{Served, netns_called};
use crate::support::{command, configure, eventually, expect, inside, netnsctl};
use crate::traffic::{change, connect, expect_answer, expect_datagram, serve_tcp, serve_udp};
use crate::unknown::keep_lock;

const OFFICE: &str = r#"
[netns.office]
address = ["10.20.0.1/24"]
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 7
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.route]]
to = "default"
via = "192.168.77.1"
"#;

fn json(arguments: &[&str]) -> Value {
    let text = expect(0, &[&["status", "--json"], arguments].concat()).stdout;
    serde_json::from_str(&text).expect("JSON")
}

/// A kind of drift: its name, how it comes about, and what `status` says of it.
type Drift = (&'static str, fn(), &'static str);

const DRIFTS: &[Drift] = &[
    (
        "address missing",
        || {
            change("office", |batch, index| {
                batch.delete_address(index("office"), "10.20.0.1".parse().unwrap(), 24);
            })
        },
        "+ address 10.20.0.1/24 on office",
    ),
    (
        "sysctl changed",
        || {
            drop(inside(
                "office",
                "echo 9 > /proc/sys/net/ipv4/ip_unprivileged_port_start",
            ))
        },
        "~ sysctl net.ipv4.ip_unprivileged_port_start 9 → 7",
    ),
    (
        "forwarding changed",
        || {
            drop(inside(
                "office",
                "echo 1 > /proc/sys/net/ipv4/conf/default/forwarding",
            ))
        },
        "~ sysctl net.ipv4.conf.default.forwarding 1 → 0",
    ),
    (
        "mtu changed",
        || change("office", |batch, _| batch.set_link_mtu("host", 1300)),
        "~ link host mtu 1300 → 1400",
    ),
    (
        "mac changed",
        || {
            change("office", |batch, _| {
                batch.set_link_mac("host", [2, 0, 0, 0, 0, 9])
            })
        },
        "~ link host address 02:00:00:00:00:09 → 02:00:00:00:00:01",
    ),
    (
        "veth deleted",
        || change("default", |batch, _| batch.delete_link("office")),
        "+ veth office:host",
    ),
    (
        "holder deleted",
        || change("office", |batch, _| batch.delete_link("office")),
        "+ link office (",
    ),
    (
        "file edited",
        || {
            let file = "/etc/netns/office/resolv.conf";
            let text = fs::read_to_string(file).expect("it is there");
            fs::write(file, text + "nameserver 192.0.2.1\n").expect("/etc is ours");
        },
        "~ file /etc/netns/office/resolv.conf",
    ),
    (
        "file deleted",
        || fs::remove_file("/etc/netns/office/resolv.conf").expect("it is there"),
        "+ file /etc/netns/office/resolv.conf",
    ),
];

#[netnsctl_machine::test]
fn every_kind_of_drift_is_shown_until_up_mends_it() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    let clean = |after: &str| {
        let text = expect(0, &["status"]).stdout;
        assert!(text.contains("office: up, as declared"), "{after}: {text}");
        assert!(!text.contains("drift"), "{after}: {text}");
    };
    clean("nothing");
    for (what, make, said) in DRIFTS {
        make();
        let text = expect(0, &["status"]).stdout;
        assert!(
            text.contains(&format!("drift: \"up\" would {said}")),
            "{what}: {text}"
        );
        assert!(text.contains("from what is declared"), "{what}: {text}");
        expect(0, &["up", "--quiet"]);
        clean(what);
    }
    let gone = command("umount").arg("/run/netns/office").status();
    assert!(gone.expect("util-linux is there").success());
    let text = expect(0, &["status"]).stdout;
    assert!(
        text.contains("office: down: a name without a namespace"),
        "{text}"
    );
    assert!(text.contains("\"netnsctl up office\" makes it"), "{text}");
    fs::remove_file("/run/netns/office").unwrap();
    let text = expect(0, &["status"]).stdout;
    assert!(text.contains("office: down\n"), "{text}");
    eventually("room for the veth", || {
        let up = netnsctl(&["up", "--quiet"]).status().expect("it starts");
        up.success().then_some(())
    });
    clean("all gone");
}

#[netnsctl_machine::test]
fn a_known_machine_is_shown_like_this() {
    let config = format!(
        "{OFFICE}[[netns.office.forward]]\nlisten = \"127.0.0.1:8080\"\nconnect = \"127.0.0.1:80\"\n\
         [netns.lab]\n"
    );
    configure(&config);
    expect(0, &["up", "--quiet", "office"]);
    make_foreign("other");
    change("office", |batch, _| batch.set_link_mtu("host", 1300));
    let holder = json(&["office"])["netns"][0]["holder"]["kind"].clone();
    let text = expect(0, &["status"]).stdout;
    // How wide columns are depends on the kind of the holder, which depends on the kernel.
    let squeeze = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.join(" ").replace(holder.as_str().unwrap(), "KIND")
    };
    let lines: Vec<_> = text.lines().map(squeeze).collect();
    assert_eq!(
        lines,
        [
            "lab: down",
            "\"netnsctl up lab\" makes it",
            "",
            "office: up, 1 difference from what is declared",
            "holder office KIND, up, mtu 1500 10.20.0.1/24",
            "veth host ⇄ default:office veth, up, mtu 1300 192.168.77.2/30 fe80::ff:fe00:1/64",
            "route default via 192.168.77.1 dev host",
            "forward tcp 127.0.0.1:8080 → default 127.0.0.1:80 not running",
            "nscd /run/netns-office/nscd/socket not running",
            "drift: \"up\" would ~ link host mtu 1300 → 1400",
            "",
            "no \"netnsctl serve\" runs here to carry the forwards and run nscd; start it, or the units of systemd",
            "not managed here: other",
        ],
        "{text}"
    );
    assert!(!text.contains('\x1b'), "colour is for terminals");
}

#[netnsctl_machine::test]
fn the_table_and_the_data_agree() {
    let served = Served::ready(&[QUICKSTART]);
    let (text, data) = (expect(0, &["status"]).stdout, json(&[]));
    assert_eq!(data["serve"], served.pid());
    let all = data["netns"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    for netns in all {
        let name = netns["name"].as_str().unwrap();
        assert_eq!(netns["state"], "up");
        assert_eq!(netns["drift"], serde_json::json!([]));
        assert_eq!(format!("net:[{}]", netns["inode"]), netns_called(name));
        assert!(text.contains(&format!("{name}: up, as declared")), "{text}");
        let holder = &netns["holder"];
        for address in holder["addresses"].as_array().unwrap() {
            let address = address.as_str().unwrap();
            let shown = !address.starts_with("fe80:");
            assert_eq!(text.contains(address), shown, "{address}: {text}");
        }
        for veth in netns["veths"].as_array().unwrap() {
            let word = |key: &str| veth[key].as_str().unwrap();
            let line = format!(
                "{} ⇄ {}:{}",
                word("interface"),
                word("peer_netns"),
                word("peer_interface")
            );
            assert!(text.contains(&line), "{text}");
        }
        for forward in netns["forwards"].as_array().unwrap() {
            assert_eq!(forward["running"], true);
            assert!(text.contains(forward["listen"].as_str().unwrap()), "{text}");
        }
    }
    assert_eq!(text.matches(" running ").count(), 2, "{text}");
}

#[netnsctl_machine::test]
fn what_nobody_declared_is_marked() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    change("office", |batch, index| {
        batch.add_address(index("office"), "10.9.9.9".parse().unwrap(), 32);
        batch.create_link(netnsctl_netlink::NewLink {
            name: "br0",
            kind: "bridge",
            ..Default::default()
        });
    });
    let text = expect(0, &["status"]).stdout;
    assert!(text.contains("10.20.0.1/24  10.9.9.9/32 (extra)"), "{text}");
    assert!(text.contains("br0 (extra)"), "{text}");
    let netns = &json(&[])["netns"][0];
    assert_eq!(
        netns["holder"]["extra_addresses"],
        serde_json::json!(["10.9.9.9/32"])
    );
    assert_eq!(netns["holder"]["declared"], true);
    assert_eq!(netns["other_links"][0]["interface"], "br0");
    assert_eq!(netns["other_links"][0]["declared"], false);
    // It is nobody's to take away, so it is no drift either.
    expect(0, &["up", "--quiet"]);
    assert!(expect(0, &["status"]).stdout.contains("br0 (extra)"));
}

#[netnsctl_machine::test]
fn counters_count_what_crossed() {
    let _served = Served::ready(&[QUICKSTART]);
    serve_tcp("right", "127.0.0.1:8000", "1234567890");
    serve_udp("right", "127.0.0.1:5353", "1234567890");
    let mut client = connect("left", "127.0.0.1:8080");
    expect_answer(&mut client, "1234567890", "hello");
    expect_datagram("left", "127.0.0.1:0", "127.0.0.1:5300", "1234567890");
    let text = expect(0, &["status"]).stdout;
    assert!(
        text.contains("1 open, 1 ever, 5 B there, 15 B back"),
        "{text}"
    );
    assert!(
        text.contains("1 session, 1 ever, 1 datagrams (4 B) there, 1 (14 B) back"),
        "{text}"
    );
    drop(client);
    eventually("no open connection", || {
        let text = expect(0, &["status"]).stdout;
        text.contains("0 open, 1 ever").then_some(())
    });
}

#[netnsctl_machine::test]
fn processes_inside_are_named() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    let mut sleeper = netnsctl(&["run", "office", "--", "sleep", "1000"])
        .spawn()
        .unwrap();
    let line = eventually("the process", || {
        let text = expect(0, &["status"]).stdout;
        let line = text.lines().find(|line| line.ends_with("sleep"))?;
        Some(line.to_owned())
    });
    assert!(line.contains(&sleeper.id().to_string()), "{line}");
    let processes = json(&[])["netns"][0]["processes"].clone();
    assert_eq!(
        processes,
        serde_json::json!([{"pid": sleeper.id(), "command": "sleep"}])
    );
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[netnsctl_machine::test]
fn one_namespace_may_be_asked_for() {
    configure("[netns.one]\n[netns.two]\n");
    expect(0, &["up", "--quiet"]);
    make_foreign("other");
    let text = expect(0, &["status", "two"]).stdout;
    assert!(text.starts_with("two: up, as declared\n"), "{text}");
    assert!(!text.contains("one") && !text.contains("other"), "{text}");
    let error = expect(2, &["status", "three"]).stderr;
    assert!(error.contains("\"three\""), "{error}");
    assert!(error.contains("hint: "), "{error}");
}

#[netnsctl_machine::test]
fn undeclared_and_foreign_namespaces_are_told_apart() {
    configure("[netns.one]\n[netns.two]\n");
    expect(0, &["up", "--quiet"]);
    make_foreign("mine");
    configure("[netns.one]\n[netns.mine]\n");
    let text = expect(0, &["status"]).stdout;
    assert!(text.contains("one: up, as declared"), "{text}");
    assert!(text.contains("two: up, no longer declared"), "{text}");
    assert!(
        text.contains("mine: there, but not made by netnsctl"),
        "{text}"
    );
    let state = |name: &str| json(&[name])["netns"][0]["state"].clone();
    assert_eq!(
        (state("two"), state("mine")),
        ("up".into(), "foreign".into())
    );
    assert_eq!(expect(0, &["list"]).stdout, "mine\none\ntwo\n");
    let list = expect(0, &["list", "--json"]).stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        list,
        serde_json::json!({"version": 1, "netns": [{"name": "mine"}, {"name": "one"}, {"name": "two"}]})
    );
}

#[netnsctl_machine::test]
fn a_broken_configuration_hides_nothing() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    configure("[netns.office]\nadress = []\n");
    let ran = expect(2, &["status"]);
    assert!(ran.stderr.contains("adress"), "{}", ran.stderr);
    assert!(ran.stdout.contains("office: up"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("host ⇄ default:office"),
        "{}",
        ran.stdout
    );
    // What is there is still shown by name, declared or not.
    assert!(ran.stdout.contains("10.20.0.1/24"), "{}", ran.stdout);
}

#[netnsctl_machine::test]
fn a_reader_that_leaves_is_no_failure() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    let program = env!("CARGO_BIN_EXE_netnsctl");
    for arguments in ["list", "status", "plan --json", "check", "--help"] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        drop(reader);
        let output = command(program)
            .args(arguments.split(' '))
            .stdout(writer)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!text.contains("error") && !text.contains("panic"), "{text}");
    }
}

#[netnsctl_machine::test]
fn a_daemon_of_which_nothing_is_known_is_not_called_stopped() {
    configure("[netns.office]\n");
    expect(0, &["up", "--quiet"]);
    let socket = "/run/netns-office/nscd/socket";
    fs::create_dir_all("/run/netns-office/nscd").unwrap();
    let shown = |running: Value, error: Value, words: &str| {
        let data = json(&[]);
        let nscd = &data["netns"][0]["nscd"];
        assert_eq!((&nscd["running"], &nscd["error"]), (&running, &error));
        let text = expect(0, &["status"]).stdout;
        let end = format!("{socket} {words}");
        let row = text.lines().find(|line| line.contains(socket));
        let squeezed: Vec<_> = row.unwrap_or("").split_whitespace().collect();
        assert_eq!(squeezed.join(" "), format!("nscd {end}"), "{text}");
    };
    shown(false.into(), Value::Null, "not running");
    // A socket that nothing listens at.
    drop(UnixListener::bind(socket).unwrap());
    shown(false.into(), Value::Null, "not running");
    fs::remove_file(socket).unwrap();
    let unknown = |why: &str| {
        let words = format!("whether it runs cannot be found out: {why}");
        shown(Value::Null, why.into(), &words);
    };
    std::os::unix::fs::symlink(socket, socket).unwrap();
    unknown("Too many levels of symbolic links (ELOOP)");
    fs::remove_file(socket).unwrap();
    let listener = UnixListener::bind(socket).unwrap();
    unknown("no answer within 500 ms");
    drop(listener);
}

#[netnsctl_machine::test]
fn a_forward_of_which_nothing_is_known_is_not_called_stopped() {
    configure(
        "[netns.office]\n[[netns.office.forward]]\nlisten = \"127.0.0.1:1001\"\nconnect = \"127.0.0.1:2001\"\n",
    );
    expect(0, &["up", "--quiet"]);
    let row = |text: &str| {
        let row = text.lines().find(|line| line.contains("127.0.0.1:2001"));
        let words: Vec<_> = row.unwrap_or("").split_whitespace().collect();
        words.join(" ")
    };
    let hint = "to carry the forwards";
    let up = "netnsctl_forward_up{";
    let text = expect(0, &["status"]).stdout;
    assert!(row(&text).ends_with(" not running"), "{text}");
    assert!(text.contains(hint), "{text}");
    assert!(expect(0, &["metrics"]).stdout.contains(up));
    // Where its unit would answer.
    let control = "/run/netns-office/forward/1-tcp.sock";
    fs::create_dir_all("/run/netns-office/forward").unwrap();
    let unknown = |why: &str| {
        let forward = &json(&[])["netns"][0]["forwards"][0];
        let wanted = (&Value::Null, &Value::from(why));
        assert_eq!((&forward["running"], &forward["error"]), wanted);
        let text = expect(0, &["status"]).stdout;
        let end = format!(" whether it runs cannot be found out: {why}");
        assert!(row(&text).ends_with(&end), "{text}");
        assert!(!text.contains(hint), "{text}");
        assert!(!expect(0, &["metrics"]).stdout.contains(up));
    };
    std::os::unix::fs::symlink(control, control).unwrap();
    unknown("Too many levels of symbolic links (ELOOP)");
    fs::remove_file(control).unwrap();
    let _listener = UnixListener::bind(control).unwrap();
    unknown("no answer within 500 ms");
}

#[netnsctl_machine::test]
fn a_serve_of_which_nothing_is_known_is_not_called_absent() {
    configure("[netns.office]\n");
    expect(0, &["up", "--quiet"]);
    let folder = "/run/netnsctl/serve";
    let file = format!("{folder}/state.json");
    fs::create_dir(folder).unwrap();
    let lock = keep_lock(folder);
    // It has published nothing yet.
    expect(0, &["status"]);
    let unknown = |why: &str| {
        for words in [&["status"][..], &["metrics"], &["up"]] {
            let error = expect(1, words).stderr;
            let why = format!("cannot read {file}: {why}");
            assert!(error.contains(&why), "{words:?}: {error}");
        }
    };
    fs::write(&file, "{}").unwrap();
    unknown("another form is expected");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    unknown("Is a directory (EISDIR)");
    // Without the lock it has ended.
    drop(lock);
    expect(0, &["status"]);
}
