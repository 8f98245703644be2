//! `graph`: what is declared and what is there, drawn.

use std::fs;

use netnsctl_netlink::NewLink;

use crate::serve::{QUICKSTART, make_foreign};
use crate::served::Served;
use crate::support::{command, configure, expect};
use crate::traffic::{change, connect, expect_answer, expect_datagram, serve_tcp, serve_udp};

const OFFICE: &str = r#"
[netns.office]
address = ["10.20.0.1/24", "fd20::1/64"]
[netns.office.sysctl]
"net.ipv4.ip_unprivileged_port_start" = 7
[[netns.office.veth]]
address = ["192.168.77.2/30"]
peer_address = ["192.168.77.1/30"]
[[netns.office.route]]
to = "default"
via = "192.168.77.1"
[netns.lab]
[[netns.lab.veth]]
netns = "office"
mtu = 1300
"#;

/// A picture without its style sheet, in which every mark stands.
fn picture(arguments: &[&str]) -> String {
    let svg = expect(0, &[&["graph"], arguments].concat()).stdout;
    let (_, drawn) = svg.split_once("</style>").expect("a picture has a style");
    assert!(drawn.ends_with("</svg>\n"), "{drawn}");
    drawn.to_owned()
}

/// How often something is drawn with this class.
fn marked(drawn: &str, class: &str) -> usize {
    let classes = drawn.split("class=\"").skip(1);
    let classes = classes.filter_map(|rest| rest.split('"').next());
    classes
        .filter(|all| all.split(' ').any(|one| one == class))
        .count()
}

/// Whether a text is there, in this class.
#[track_caller]
fn has_text(drawn: &str, class: &str, text: &str) {
    let is_it = |line: &&str| {
        line.starts_with(&format!("<text class=\"{class}\""))
            && line.ends_with(&format!(">{text}</text>"))
    };
    assert!(
        drawn.lines().any(|line| is_it(&line)),
        "{class}: {text}\n{drawn}"
    );
}

#[netnsctl_machine::test]
fn a_declaration_is_drawn_without_a_look_at_the_machine() {
    configure(OFFICE);
    let drawn = picture(&[]);
    assert_eq!(drawn, picture(&["--format", "svg"]));
    for title in [
        "veth office:host ⇄ default:office, mtu 1400",
        "veth lab:office ⇄ office:lab, mtu 1300",
    ] {
        assert_eq!(
            drawn.matches(&format!("<title>{title}</title>")).count(),
            1,
            "{drawn}"
        );
    }
    expect(0, &["up", "--quiet"]);
    change("office", |batch, index| {
        batch.add_address(index("office"), "10.9.9.9".parse().unwrap(), 32);
    });
    assert_eq!(drawn, picture(&[]));
    let dot = expect(0, &["graph", "--format", "dot"]).stdout;
    assert!(dot.starts_with("digraph netnsctl {\n"), "{dot}");
    let mermaid = expect(0, &["graph", "--format", "mermaid"]).stdout;
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    expect(2, &["graph", "--format", "png"]);
    // A terminal shows no pictures; the text that a person can read is said to be that.
    let line = format!("'{}' graph", env!("CARGO_BIN_EXE_netnsctl"));
    let terminal = command("script")
        .args(["-qec", &line, "/dev/null"])
        .output();
    let shown = String::from_utf8(terminal.expect("bsdutils is there").stdout).unwrap();
    assert!(
        shown.contains("flowchart LR") && shown.contains(">topology.svg"),
        "{shown}"
    );
}

#[netnsctl_machine::test]
fn what_is_as_declared_is_drawn_without_a_mark() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    let drawn = picture(&["--live"]);
    for class in ["missing", "extra", "differs", "word"] {
        assert_eq!(marked(&drawn, class), 0, "{class}: {drawn}");
    }
    has_text(&drawn, "value plain", "10.20.0.1/24");
    assert!(drawn.contains("default via 192.168.77.1"), "{drawn}");
}

#[netnsctl_machine::test]
fn every_kind_of_drift_is_drawn_and_named() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    change("default", |batch, _| batch.delete_link("office"));
    change("office", |batch, index| {
        batch.add_address(index("office"), "10.9.9.9".parse().unwrap(), 32);
        batch.delete_address(index("office"), "fd20::1".parse().unwrap(), 64);
        batch.set_link_mtu("lab", 1280);
        batch.create_link(NewLink {
            name: "br0",
            kind: "bridge",
            ..Default::default()
        });
    });
    let resolv = "/etc/netns/office/resolv.conf";
    fs::remove_file(resolv).expect("up wrote it");
    let drawn = picture(&["--live"]);
    let lost = "<g class=\"line veth missing\"><title>veth office:host ⇄ default:office, mtu 1400 (missing)</title>";
    assert!(drawn.contains(lost), "{drawn}");
    let other =
        "<g class=\"line veth differs\"><title>veth lab:office ⇄ office:lab, mtu 1300</title>";
    assert!(drawn.contains(other), "{drawn}");
    has_text(&drawn, "value extra", "10.9.9.9/32");
    has_text(&drawn, "word extra", "extra");
    has_text(&drawn, "value missing", "fd20::1/64");
    has_text(&drawn, "word missing", "missing");
    has_text(&drawn, "value differs", "differs: mtu 1280, declared 1300");
    has_text(&drawn, "label extra", "br0");
    has_text(&drawn, "value missing", "default via 192.168.77.1");
    has_text(&drawn, "value differs", &format!("+ file {resolv}"));
    has_text(&drawn, "value plain", "10.20.0.1/24");
    for words in [
        "declared, not there",
        "there, not declared",
        "differs from what is declared",
    ] {
        has_text(&drawn, "legend", words);
    }
    let mermaid = expect(0, &["graph", "--live", "--format", "mermaid"]).stdout;
    assert!(mermaid.contains("10.9.9.9/32 (extra)"), "{mermaid}");
    assert!(
        mermaid
            .contains(" -.-|\"host 192.168.77.2/30 ⇄<br/>office 192.168.77.1/30<br/>(missing)\"| "),
        "{mermaid}"
    );
    let dot = expect(0, &["graph", "--live", "--format", "dot"]).stdout;
    assert!(
        dot.contains("style=dashed, tooltip=\"veth office:host"),
        "{dot}"
    );
    expect(0, &["up", "--quiet"]);
    let drawn = picture(&["--live"]);
    // What nobody declared is nobody's to take away.
    assert_eq!(
        (marked(&drawn, "missing"), marked(&drawn, "differs")),
        (0, 0),
        "{drawn}"
    );
    has_text(&drawn, "value extra", "10.9.9.9/32");
}

#[netnsctl_machine::test]
fn forwards_are_drawn_with_what_they_carried() {
    let served = Served::ready(&[QUICKSTART]);
    serve_tcp("right", "127.0.0.1:8000", "1234567890");
    serve_udp("right", "127.0.0.1:5353", "1234567890");
    let mut client = connect("left", "127.0.0.1:8080");
    expect_answer(&mut client, "1234567890", "hello");
    expect_datagram("left", "127.0.0.1:0", "127.0.0.1:5300", "1234567890");
    let drawn = picture(&["--live"]);
    has_text(
        &drawn,
        "value muted",
        "1 open, 1 ever, 5 B there, 15 B back",
    );
    has_text(
        &drawn,
        "value muted",
        "1 session, 1 ever, 1 datagrams (4 B)",
    );
    has_text(&drawn, "value muted", "there, 1 (14 B) back");
    assert_eq!(marked(&drawn, "missing"), 0, "{drawn}");
    let mermaid = expect(0, &["graph", "--live", "--format", "mermaid"]).stdout;
    assert!(
        mermaid.contains("1 open, 1 ever, 5 B there, 15 B back"),
        "{mermaid}"
    );
    drop(client);
    drop(served);
    // Without a server nothing carries them.
    let drawn = picture(&["--live", "--config", QUICKSTART]);
    assert!(drawn.contains("(not running)</title>"), "{drawn}");
    has_text(&drawn, "word missing", "not running");
}

#[netnsctl_machine::test]
fn namespaces_that_are_down_or_of_others_are_drawn_as_such() {
    configure(&format!("{OFFICE}[netns.mine]\n"));
    expect(0, &["up", "--quiet", "lab", "office"]);
    make_foreign("mine");
    make_foreign("other");
    configure(&OFFICE.replace("[netns.lab]", "[netns.mine]\n[netns.new]\n[netns.lab]"));
    expect(0, &["down", "--quiet", "lab"]);
    let drawn = picture(&["--live"]);
    for (name, class, word) in [
        ("lab", "missing", "missing"),
        ("new", "missing", "missing"),
        ("mine", "differs", "not made by netnsctl"),
        ("other", "extra", "not managed"),
    ] {
        let cards = drawn.split("<g class=\"card ").skip(1);
        let card = cards
            .into_iter()
            .find(|card| card.contains(&format!(">{name}</text>\n<text class=\"tag\"")));
        let card = card.unwrap_or_else(|| panic!("{name}: {drawn}"));
        assert!(card.starts_with(class), "{name}: {card}");
        has_text(card, "tag", word);
    }
    assert!(
        drawn.contains("veth lab:office ⇄ office:lab, mtu 1300 (missing)"),
        "{drawn}"
    );
    configure("[netns.lab]\n");
    let drawn = picture(&["--live"]);
    has_text(&drawn, "tag", "no longer declared");
    // What joins it to others is still there, and nobody declares it any more.
    assert!(
        drawn.contains("veth default:office ⇄ office:host, mtu 1400 (extra)"),
        "{drawn}"
    );
}

#[netnsctl_machine::test]
fn some_namespaces_may_be_drawn_alone() {
    configure(&format!("{OFFICE}[netns.far]\n"));
    for live in [&[][..], &["--live"]] {
        if !live.is_empty() {
            expect(0, &["up", "--quiet"]);
        }
        let drawn = picture(&[live, &["lab"]].concat());
        assert_eq!(marked(&drawn, "card"), 2, "{drawn}");
        assert!(
            !drawn.contains("10.20.0.1") && !drawn.contains("office:host"),
            "{drawn}"
        );
        assert_eq!(marked(&drawn, "missing"), 0, "{drawn}");
        let drawn = picture(&[live, &["default"]].concat());
        assert_eq!(marked(&drawn, "card"), 2, "{drawn}");
        let ran = expect(2, &[&["graph"], live, &["nowhere"]].concat());
        assert!(
            ran.stderr.contains("\"nowhere\"") && ran.stderr.contains("hint: "),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "");
        expect(2, &[&["graph"], live, &["a/b"]].concat());
    }
}

#[netnsctl_machine::test]
fn a_picture_is_drawn_in_spite_of_a_broken_configuration() {
    configure(OFFICE);
    expect(0, &["up", "--quiet"]);
    configure("[netns.office]\nadress = []\n");
    let ran = expect(2, &["graph", "--live"]);
    assert!(ran.stderr.contains("adress"), "{}", ran.stderr);
    assert!(
        ran.stdout.contains(">10.20.0.1/24</text>"),
        "{}",
        ran.stdout
    );
    let ran = expect(2, &["graph"]);
    assert_eq!(ran.stdout, "");
    let ended = command("sh")
        .args([
            "-c",
            "\"$0\" graph --live | head -c 1",
            env!("CARGO_BIN_EXE_netnsctl"),
        ])
        .output()
        .expect("there is a shell");
    assert_eq!(ended.stdout, b"<");
}
