use super::{Format, Source, desired, load};
use crate::desired::{Desired, Workers};

/// The example of the contract, as it stands there.
const EXAMPLE: &str = include_str!("example.toml");

/// The same in JSON.
const EXAMPLE_JSON: &str = include_str!("example.json");

#[test]
fn the_example_means_what_it_says() {
    let read = desired(&[("example.toml", EXAMPLE)]);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_debug_snapshot!("example", read);
    });
    assert_eq!(read, desired(&[("example.json", EXAMPLE_JSON)]));
}

#[test]
fn nothing_declared_is_nothing_desired() {
    let empty = [
        "",
        "\u{feff}",
        "# comment only\r\n",
        "# ..................................................\n",
        "[netns]\n",
        "[netns.default]\n",
    ];
    for text in empty {
        assert_eq!(
            desired(&[("empty.toml", text)]),
            Desired::default(),
            "{text:?}"
        );
    }
    for text in ["{}", "\u{feff}{}", "{ \"netns\": {} }\r\n"] {
        assert_eq!(
            desired(&[("empty.json", text)]),
            Desired::default(),
            "{text:?}"
        );
    }
    assert_eq!(load(&[]).desired, Some(Desired::default()));
}

#[test]
fn defaults_of_links_follow_the_other_end() {
    let text = "[[netns.a.veth]]\n[[netns.a.veth]]\nnetns = \"b\"\n[netns.b]\n[netns.c]\n[[netns.default.veth]]\nnetns = \"c\"\n";
    let ends = |d: Desired| -> Vec<String> {
        let pairs = d.veths.into_iter().map(|pair| {
            let (near, far) = (pair.near, pair.far);
            format!(
                "{}@{} {}@{}",
                near.interface, near.netns, far.interface, far.netns
            )
        });
        pairs.collect()
    };
    assert_eq!(
        ends(desired(&[("a.toml", text)])),
        ["c@default host@c", "host@a a@default", "b@a a@b"]
    );
}

#[test]
fn two_pairs_between_two_namespaces_need_names_only() {
    let text = "[[netns.a.veth]]\nnetns = \"b\"\n[[netns.b.veth]]\nnetns = \"a\"\ninterface = \"x\"\npeer_interface = \"y\"\n";
    assert_eq!(desired(&[("a.toml", text)]).veths.len(), 2);
}

#[test]
fn a_namespace_may_be_spread_over_tables_but_not_files() {
    let files = [
        ("a.toml", "[[netns.a.veth]]\nnetns = \"b\"\n"),
        (
            "b.json",
            "{ \"netns\": { \"b\": { \"forward\": [ { \"listen\": \"[::1]:1\", \"netns\": \"a\", \"connect\": \"[::1]:1\" } ] } } }",
        ),
    ];
    assert_eq!(desired(&files).netns.len(), 2);
}

#[test]
fn values_of_sysctls_become_text() {
    let text = "[netns.a.sysctl]\n\"net.ipv4.tcp_sack\" = false\n\"net.core.somaxconn\" = 4096\n\"net.ipv4.tcp_rmem\" = \"1\\t2\\t3\"\n";
    let read = desired(&[("a.toml", text)]);
    let values: Vec<_> = read
        .netns
        .values()
        .flat_map(|n| n.sysctl.values())
        .collect();
    assert_eq!(values, ["4096", "1\t2\t3", "0"]);
}

#[test]
fn the_family_of_a_default_route_is_its_gateways() {
    let text = "[netns.a]\naddress = [\"10.0.0.1/24\", \"fd00::1/64\"]\n[[netns.a.route]]\nto = \"default\"\nvia = \"10.0.0.2\"\n[[netns.a.route]]\nto = \"default\"\nvia = \"fd00::2\"\n[[netns.a.route]]\nto = \"10.9.9.9\"\ninterface = \"lo\"\n";
    let read = desired(&[("a.toml", text)]);
    let to: Vec<_> = read
        .netns
        .values()
        .flat_map(|n| &n.routes)
        .map(|r| r.to.to_string())
        .collect();
    assert_eq!(to, ["0.0.0.0/0", "::/0", "10.9.9.9/32"]);
}

#[test]
fn file_names_tell_the_format() {
    for (name, format) in [
        ("a.toml", Some(Format::Toml)),
        ("a.b.json", Some(Format::Json)),
        (".toml", None),
        ("a.toml~", None),
        ("toml", None),
        ("a.JSON", None),
    ] {
        assert_eq!(Format::of_file_name(name), format, "{name}");
    }
}

#[test]
fn columns_count_characters() {
    let source = Source::new(
        "a.toml",
        Format::Toml,
        "\u{feff}\"日本\" = 1\r\n\"ü\" = 2\r\n",
    );
    let loaded = load(&[source]);
    let starts: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|d| (d.start.line, d.start.column, d.end.column))
        .collect();
    assert_eq!(starts, [(1, 1, 5), (2, 1, 4)]);
}

#[test]
fn one_line_is_one_line() {
    let source = Source::new(
        "a\nb.toml",
        Format::Toml,
        "[netns.office]\n\"adress\" = []\n",
    );
    let sources = [source];
    let lines: Vec<_> = (load(&sources).diagnostics.iter())
        .map(|d| d.one_line(&sources))
        .collect();
    assert_eq!(
        lines,
        [
            "a␊b.toml:2:1: error: unknown key \"adress\" in a namespace (a similar key is known: \"address\")"
        ]
    );
}

#[test]
fn colour_is_all_that_colour_adds() {
    let sources = [Source::new(
        "a.toml",
        Format::Toml,
        "[netns.office]\nadress = \"\u{1b}[31m\"\nipv4_forwarding = 1\n",
    )];
    let diagnostics = load(&sources).diagnostics;
    let coloured = super::render(&sources, &diagnostics, true);
    let mut plain = String::new();
    for (n, piece) in coloured.split("\u{1b}[").enumerate() {
        let text = if n == 0 {
            piece
        } else {
            piece.split_once('m').unwrap().1
        };
        plain.push_str(text);
    }
    assert_ne!(plain, coloured);
    assert_eq!(plain, super::render(&sources, &diagnostics, false));
}

#[test]
fn the_same_port_elsewhere_is_no_circle() {
    // 192.168.77.1 is home's; what listens on all addresses of office does not hear it.
    let text = "[[netns.office.forward]]\nlisten = \"0.0.0.0:80\"\nnetns = \"office\"\nconnect = \"192.168.77.1:80\"\n";
    desired(&[("a.toml", text)]);
}

#[test]
fn workers_are_counted_in_any_notation() {
    for (written, workers) in [
        ("\"auto\"", Workers::Auto),
        ("2", Workers::Exactly(2)),
        ("0x1_0", Workers::Exactly(16)),
        ("\"3\"", Workers::Exactly(3)),
    ] {
        let text = format!(
            "[[netns.a.forward]]\nlisten = \"127.0.0.1:80\"\nconnect = \"unix:/run/app.sock\"\nworkers = {written}\n"
        );
        let read = desired(&[("a.toml", text.as_str())]);
        let forwards = read.netns.values().flat_map(|netns| &netns.forwards);
        let found: Vec<_> = forwards.map(|forward| forward.options.workers).collect();
        assert_eq!(found, [workers], "{written}");
    }
}
