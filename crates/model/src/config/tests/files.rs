//! What several files declare together.

use super::{desired, printed};

#[test]
fn home_may_be_spread_over_files() {
    let files = [
        (
            "a.toml",
            "[netns.a]\n[netns.default.run]\nusers = [\"alice\", \"bob\"]\n[[netns.default.forward]]\nlisten = \"127.0.0.1:1\"\nnetns = \"a\"\nconnect = \"127.0.0.1:1\"\n",
        ),
        (
            "b.json",
            r#"{ "netns": { "b": {}, "default": { "run": { "users": ["bob", "carol"], "groups": ["lab"] }, "veth": [ { "netns": "b" } ],
                "forward": [ { "listen": "127.0.0.1:2", "netns": "b", "connect": "127.0.0.1:1" } ] } } }"#,
        ),
        ("c.toml", "[netns.c]\n[netns.default]\n"),
    ];
    let read = desired(&files);
    let listen = read.home.forwards.iter().map(|it| it.listen.to_string());
    assert_eq!(listen.collect::<Vec<_>>(), ["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!(read.veths.len(), 1);
    let run = read.home.run.unwrap();
    assert_eq!(run.users, ["alice", "bob", "carol"]);
    assert_eq!(run.groups, ["lab"]);
}

/// What is told of the second of two files.
fn two_files(name: &str, files: &[(&str, &str)]) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, printed(files));
    });
}

#[test]
fn one_namespace_or_port_in_two_files() {
    let first = "# the first\n[netns.office]\n";
    let second = "{ \"netns\": { \"office\": {} } }\n";
    two_files(
        "two_files",
        &[
            ("/etc/netnsctl/a.toml", first),
            ("/etc/netnsctl/b.json", second),
        ],
    );
    let forward = "[[netns.default.forward]]\nnetns = \"a\"\nconnect = \"127.0.0.1:1\"\nlisten =";
    let first = format!("[netns.a]\n{forward} \"127.0.0.1:8080\"\n");
    let second = format!("{forward} \"0.0.0.0:8080\"\n");
    two_files(
        "one_port_in_two_files",
        &[
            ("/etc/netnsctl/a.toml", &first),
            ("/etc/netnsctl/b.toml", &second),
        ],
    );
}
