//! Many namespaces, and many at once.

use std::process::{Child, Stdio};

use crate::net::{has_link, inode, link};
use crate::support::{Ran, complaints, configure, expect, netnsctl, settled, steps, traces};

fn declaration(count: u16) -> String {
    let declare = |number: u16| {
        let (high, low) = (number / 250, number % 250);
        format!(
            "[netns.n{number}]\naddress = [\"10.20.{high}.{low}/32\"]\n[[netns.n{number}.veth]]\n\
             address = [\"10.3{high}.{low}.2/30\"]\npeer_address = [\"10.3{high}.{low}.1/30\"]\n"
        )
    };
    (0..count).map(declare).collect()
}

fn start(arguments: &[&str]) -> Child {
    netnsctl(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be started")
}

#[track_caller]
fn ended(children: Vec<Child>) -> Vec<Ran> {
    let output = |child: Child| Ran::of(child.wait_with_output().expect("it is our child"));
    children.into_iter().map(output).collect()
}

#[netnsctl_machine::test]
fn of_twenty_ups_at_once_one_makes_everything() {
    let before = traces();
    configure(&declaration(10));
    let planned = steps(&expect(0, &["plan"]).stdout);
    let ran = ended((0..20).map(|_| start(&["up"])).collect());
    let mut makers = 0;
    for ran in ran {
        assert_eq!((ran.status, complaints(&ran.stderr)), (Some(0), Vec::new()));
        if ran.stdout != "nothing to do\n" {
            assert_eq!(steps(&ran.stdout), planned);
            makers += 1;
        }
    }
    assert_eq!(makers, 1);
    settled();
    expect(0, &["down"]);
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn twenty_ups_of_different_names_at_once_make_them_all() {
    let before = traces();
    configure(&declaration(20));
    let names: Vec<_> = (0..20).map(|number| format!("n{number}")).collect();
    let ran = ended(names.iter().map(|name| start(&["up", name])).collect());
    for ran in ran {
        assert_eq!((ran.status, complaints(&ran.stderr)), (Some(0), Vec::new()));
    }
    settled();
    let ran = ended(names.iter().map(|name| start(&["down", name])).collect());
    for ran in ran {
        assert_eq!((ran.status, complaints(&ran.stderr)), (Some(0), Vec::new()));
    }
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn three_hundred_namespaces_come_up_and_go_down() {
    let before = traces();
    configure(&declaration(300));
    let ran = expect(0, &["up"]);
    assert_eq!(
        steps(&ran.stdout)
            .iter()
            .filter(|step| *step == "+ network namespace")
            .count(),
        300
    );
    settled();
    let status: serde_json::Value =
        serde_json::from_str(&expect(0, &["status", "--json"]).stdout).expect("it is JSON");
    let all = status["netns"].as_array().expect("a list");
    assert_eq!(all.len(), 300);
    for netns in all {
        let [drift, problems] = ["drift", "problems"].map(|key| netns[key].as_array());
        assert_eq!(
            (drift.map(Vec::len), problems.map(Vec::len)),
            (Some(0), Some(0)),
            "{netns}"
        );
    }
    assert_eq!(expect(0, &["list"]).stdout.lines().count(), 300);
    for name in ["n0", "n150", "n299"] {
        assert!(link(name, "host").carrier && link("default", name).carrier);
    }
    // One of many changes alone.
    let kept = inode("n7");
    configure(&declaration(300).replace("10.20.0.7/32", "10.20.9.7/32"));
    let ran = expect(0, &["up"]);
    let heads: Vec<_> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("netns "))
        .collect();
    assert_eq!(heads, ["netns n7"]);
    assert_eq!(inode("n7"), kept);
    expect(0, &["down", "n0", "n299"]);
    assert!(!has_link("default", "n0") && has_link("default", "n1"));
    expect(0, &["down"]);
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn up_and_down_at_once_end_in_a_state_that_down_clears() {
    let before = traces();
    configure(&declaration(8));
    for _ in 0..15 {
        let children = ["up", "down", "up", "down"].map(|command| start(&[command]));
        for ran in ended(children.into()) {
            assert_eq!((ran.status, complaints(&ran.stderr)), (Some(0), Vec::new()));
        }
        expect(0, &["down"]);
        assert_eq!(traces(), before);
    }
}
