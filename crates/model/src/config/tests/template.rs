//! Namespaces that are declared many times by one table, and defaults of a file.

use std::collections::BTreeSet;

use super::super::{Format, Source, load};
use super::{desired, printed};

refused!(
    templates,
    "lab.toml",
    [
        ("a name that does not count", "[netns.host]\ncount = 3\n"),
        (
            "a number without a count",
            "[netns.host]\ninterface = \"h{n}\"\n"
        ),
        ("a count out of range", "[netns.\"h{n}\"]\ncount = 0\n"),
        (
            "past the end of the prefix",
            "[netns.\"h{n}\"]\ncount = 400\naddress = [\"10.0.0.{n}/24\"]\n"
        ),
        (
            "one mistake in all of them",
            "[netns.\"h{n}\"]\ncount = 400\nadress = [\"10.0.0.{n}/16\"]\n"
        ),
        (
            "links of one name in the host namespace",
            "[netns.\"h{n}\"]\ncount = 3\n[[netns.\"h{n}\".veth]]\npeer_interface = \"lab\"\n"
        ),
        (
            "another has the name of one of them",
            "[netns.h2]\n[netns.\"h{n}\"]\ncount = 3\n"
        ),
        (
            "a mistake in defaults, told once",
            "[defaults.nscd]\ncache = \"5\"\n[netns.a]\n[netns.b]\n[netns.c]\n"
        ),
        (
            "no default for it",
            "[defaults]\naddress = [\"10.0.0.1\"]\n[netns.a]\n"
        ),
    ]
);

#[test]
fn one_table_declares_many_namespaces() {
    let lab = desired(&[(
        "lab.toml",
        "[netns.\"host{n}\"]\ncount = 300\naddress = [\"10.0.0.{n}/16\"]\n\
         [[netns.\"host{n}\".veth]]\npeer_interface = \"h{n}\"\n\
         [netns.\"host{n}\".sysctl]\n\"net.ipv4.conf.host{n}.rp_filter\" = 1\n",
    )]);
    let written: String = (1..=300)
        .map(|n| {
            let address = format!("10.0.{}.{}/16", n / 256, n % 256);
            format!(
                "[netns.host{n}]\naddress = [\"{address}\"]\n\
                 [[netns.host{n}.veth]]\npeer_interface = \"h{n}\"\n\
                 [netns.host{n}.sysctl]\n\"net.ipv4.conf.host{n}.rp_filter\" = 1\n"
            )
        })
        .collect();
    assert_eq!(lab, desired(&[("written.toml", &written)]));
}

#[test]
fn what_a_namespace_does_not_say_is_as_the_defaults_of_its_file_say() {
    let defaults = desired(&[
        (
            "a.toml",
            "[defaults]\nmtu = 9000\n[defaults.dns]\nnameservers = [\"10.0.0.53\"]\nsearch = [\"lab\"]\n\
             [defaults.nscd]\nenable = false\n[defaults.run]\nusers = [\"alice\"]\n\
             [netns.default]\n[[netns.default.veth]]\nnetns = \"a\"\n\
             [netns.a]\n[netns.b]\n[netns.b.dns]\nsearch = [\"b\"]\n[netns.b.run]\ngroups = [\"staff\"]\n\
             [[netns.b.veth]]\nmtu = 1500\n",
        ),
        ("b.toml", "[netns.c]\n"),
    ]);
    let written = desired(&[
        (
            "a.toml",
            "[netns.default]\n[[netns.default.veth]]\nnetns = \"a\"\nmtu = 9000\n\
             [netns.a.dns]\nnameservers = [\"10.0.0.53\"]\nsearch = [\"lab\"]\n[netns.a.nscd]\nenable = false\n\
             [netns.a.run]\nusers = [\"alice\"]\n\
             [netns.b.dns]\nnameservers = [\"10.0.0.53\"]\nsearch = [\"b\"]\n[netns.b.nscd]\nenable = false\n\
             [netns.b.run]\ngroups = [\"staff\"]\n[[netns.b.veth]]\nmtu = 1500\n",
        ),
        ("b.toml", "[netns.c]\n"),
    ]);
    assert_eq!(defaults, written);
}

/// A mistake in a template or in defaults is one mistake, however many namespaces there are.
#[test]
fn each_place_of_a_template_is_reported_once() {
    let text = "[defaults.dns]\nsearch = [\"a b\"]\n[netns.\"h{n}\"]\ncount = 50\nmtu = 1\n\
                [[netns.\"h{n}\".veth]]\nnetns = \"nowhere\"\nmac = \"x\"\n";
    let source = Source::new("lab.toml", Format::Toml, text);
    let loaded = load(&[source]);
    let places: BTreeSet<_> = (loaded.diagnostics.iter())
        .map(|it| (it.start.line, it.start.column))
        .collect();
    assert_eq!(places.len(), loaded.diagnostics.len());
    assert!(printed(&[("lab.toml", text)]).matches("error").count() < 8);
}
