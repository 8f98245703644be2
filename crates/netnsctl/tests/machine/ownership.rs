//! What is somebody else's stays; what is ours goes, and whatever keeps it is named.

use std::fs;

use crate::holders::{Guest, RUNS_INSIDE};
use crate::net::{
    Connection, delete_by_hand, has_link, inode, link, make_foreign, name_exists, netns,
};
use crate::support::{Ran, configure, eventually, expect, settled, steps, traces};

const TWO: &str = "[netns.office]\n[[netns.office.veth]]\n[netns.shop]\n[[netns.shop.veth]]\n";
const FOREIGN: &str = "error: netns \"office\" exists and was not made by netnsctl; it is left alone\n  \
                       hint: \"netnsctl up --adopt office\" takes it over, or choose another name\n";

#[netnsctl_machine::test]
fn a_foreign_namespace_is_left_alone_and_the_others_are_made() {
    configure(TWO);
    make_foreign("office");
    let before = (inode("office"), crate::net::links("office"));
    let ran = expect(1, &["up"]);
    assert_eq!(ran.stderr, FOREIGN);
    assert!(ran.stdout.contains("netns shop\n") && !ran.stdout.contains("netns office"));
    assert_eq!((inode("office"), crate::net::links("office")), before);
    assert!(link("shop", "host").carrier && !has_link("default", "office"));
    assert_eq!(expect(1, &["up"]).stderr, FOREIGN);
    expect(0, &["down"]);
    assert_eq!((inode("office"), crate::net::links("office")), before);
    assert!(!name_exists("shop"));
}

#[netnsctl_machine::test]
fn adopt_takes_a_foreign_namespace_over_and_down_deletes_it() {
    let before = traces();
    configure(TWO);
    make_foreign("office");
    crate::net::add_bridge("office", "mine");
    let old = inode("office");
    let ran = expect(0, &["up", "--adopt"]);
    let took = "~ take over the namespace, which somebody else made".to_owned();
    assert!(steps(&ran.stdout).contains(&took), "{}", ran.stdout);
    settled();
    assert_eq!(inode("office"), old);
    assert!(has_link("office", "mine") && link("office", "host").carrier);
    // From now on it is ours.
    expect(0, &["up"]);
    expect(0, &["down"]);
    assert_eq!(traces(), before);
}

const NOT_OURS: &str = "error: netns \"office\" is not the one netnsctl made; it is left alone\n";

#[netnsctl_machine::test]
fn a_namespace_made_anew_under_our_name_is_not_ours() {
    configure(TWO);
    expect(0, &["up"]);
    delete_by_hand("office");
    make_foreign("office");
    let new = inode("office");
    assert_eq!(expect(1, &["up"]).stderr, FOREIGN);
    let ran = expect(1, &["down"]);
    assert_eq!(ran.stderr, NOT_OURS);
    assert_eq!(ran.stdout, "- netns shop\n");
    assert_eq!(inode("office"), new);
    assert!(
        !fs::exists("/etc/netns").expect("/etc is ours"),
        "our own files are gone"
    );
    assert_eq!(expect(0, &["down"]).stdout, "nothing to do\n");
}

#[netnsctl_machine::test]
fn a_namespace_is_known_by_more_than_its_inode() {
    configure(TWO);
    expect(0, &["up"]);
    let old = inode("office");
    delete_by_hand("office");
    make_foreign("office");
    // The kernel gives inode numbers out again; only its cookie tells.
    let path = "/run/netnsctl/office.json";
    let record = fs::read_to_string(path).expect("the record");
    assert!(record.contains("\"cookie\""), "{record}");
    let [old, new] = [old, inode("office")].map(|inode| format!("\"inode\":{inode},"));
    assert_eq!(record.matches(&old).count(), 1, "{record}");
    fs::write(path, record.replace(&old, &new)).expect("/run is ours");
    assert_eq!(expect(1, &["up"]).stderr, FOREIGN);
    assert_eq!(expect(1, &["down"]).stderr, NOT_OURS);
    assert!(name_exists("office"));
}

#[netnsctl_machine::test]
fn a_stale_file_at_a_name_is_repaired() {
    let before = traces();
    configure("[netns.office]\n");
    fs::create_dir_all("/run/netns").expect("/run is ours");
    fs::write("/run/netns/office", "").expect("/run is ours");
    let ran = expect(0, &["up"]);
    assert_eq!(
        steps(&ran.stdout)[..2],
        [
            "- file /run/netns/office, which is no namespace",
            "+ network namespace"
        ]
    );
    settled();
    assert!(link("office", "office").up);
    // What a machine has whose names were unmounted.
    delete_by_hand("office");
    fs::write("/run/netns/office", "").expect("/run is ours");
    expect(0, &["up"]);
    settled();
    delete_by_hand("office");
    fs::write("/run/netns/office", "").expect("/run is ours");
    assert_eq!(
        expect(0, &["down"]).stdout,
        "- netns office (its remains)\n"
    );
    assert_eq!(traces(), before);
}

#[netnsctl_machine::test]
fn what_stands_at_a_name_and_cannot_go_is_reported() {
    configure(TWO);
    expect(0, &["up"]);
    delete_by_hand("office");
    fs::create_dir("/run/netns/office").expect("/run is ours");
    let ran = expect(1, &["down"]);
    assert_eq!(
        ran.stderr,
        "error: cannot remove /run/netns/office: Is a directory (EISDIR)\n\
         note: netns \"office\" is not removed in full; \"netnsctl down office\" tries again\n"
    );
    assert!(ran.stdout.contains("- netns shop\n"), "{}", ran.stdout);
    assert!(!name_exists("shop") && !has_link("default", "office"));
}

#[netnsctl_machine::test]
fn down_of_what_netnsctl_did_not_make_leaves_it() {
    make_foreign("office");
    let ran = expect(1, &["down", "office"]);
    assert_eq!(
        ran.stderr,
        "error: netns \"office\" was not made by netnsctl; it is left alone\n  \
         hint: \"ip netns del office\" deletes it\n"
    );
    assert!(netns("office").inode > 0);
    let ran = expect(0, &["down", "nobody"]);
    assert_eq!(ran.stdout, "nothing to do\n");
    assert_eq!(ran.stderr, "netns \"nobody\": already gone\n");
    expect(2, &["down", "default"]);
    expect(2, &["down", "../etc"]);
}

#[netnsctl_machine::test]
fn down_goes_on_past_what_is_missing() {
    let before = traces();
    let third = "[netns.bar]\n[[netns.bar.veth]]\nnetns = \"office\"\n";
    configure(&format!("{TWO}{third}"));
    expect(0, &["up"]);
    delete_by_hand("bar");
    crate::net::by_hand("office", |batch| batch.delete_link("host"));
    fs::remove_dir_all("/etc/netns/shop").expect("it is there");
    fs::remove_file("/etc/netns/office/resolv.conf").expect("it is there");
    let ran = expect(0, &["down"]);
    assert_eq!(
        ran.stdout,
        "- netns office\n- netns shop\n- netns bar (its remains)\n"
    );
    assert_eq!(ran.stderr, "");
    assert_eq!(traces(), before);
    assert_eq!(expect(0, &["down"]).stdout, "nothing to do\n");
}

#[netnsctl_machine::test]
fn prune_takes_away_what_is_no_longer_declared() {
    configure(TWO);
    expect(0, &["up"]);
    let kept = inode("shop");
    let guest = Guest::enter("office");
    configure("[netns.shop]\n[[netns.shop.veth]]\n");
    let ran = expect(0, &["up"]);
    assert_eq!(ran.stdout, "nothing to do\n");
    assert_eq!(
        ran.stderr,
        "note: netns \"office\" was made by netnsctl and is no longer declared; \
         \"netnsctl down office\" or \"up --prune\" takes it away\n"
    );
    let planned = expect(3, &["plan", "--prune", "--exit-code"]).stdout;
    let ran = expect(0, &["up", "--prune"]);
    assert_eq!(
        steps(&ran.stdout),
        ["- network namespace, no longer declared"]
    );
    assert_eq!(steps(&planned), steps(&ran.stdout));
    assert!(
        ran.stderr.contains(&guest.line(RUNS_INSIDE)),
        "{}",
        ran.stderr
    );
    assert!(!name_exists("office") && !has_link("default", "office"));
    assert!(!fs::exists("/etc/netns/office").expect("/etc is ours"));
    assert_eq!(inode("shop"), kept);
    expect(0, &["up", "--prune"]);
    settled();
}

/// The record of "office".
const RECORD: &str = "/run/netnsctl/office.json";

/// The record of "office" cannot be understood, and what to do about it.
#[track_caller]
fn is_broken(ran: &Ran) {
    let error = format!("error: cannot understand the record {RECORD}: ");
    let hint = "\n  hint: \"netnsctl up --adopt office\" makes it anew and keeps the namespace, ";
    let is_told = ran.stderr.contains(&error) && ran.stderr.contains(hint);
    assert!(is_told, "{}", ran.stderr);
}

#[netnsctl_machine::test]
fn a_broken_record_is_an_error_with_a_way_out() {
    configure(TWO);
    expect(0, &["up"]);
    for bad in [
        "",
        "{",
        "[]",
        "{\"form\":99,\"device\":1,\"inode\":2}",
        "\u{0}",
    ] {
        fs::write(RECORD, bad).expect("/run is ours");
        let before = traces();
        // Nothing of that namespace is touched, by whatever name it is called.
        for words in [
            &["up"][..],
            &["plan"],
            &["up", "--prune"],
            &["down", "office"],
        ] {
            is_broken(&expect(1, words));
            assert_eq!(traces(), before, "{words:?}");
        }
        let status = expect(0, &["status", "office"]).stdout;
        assert!(status.contains("cannot understand the record"), "{status}");
        expect(0, &["plan", "--exit-code", "shop"]);
    }
    expect(0, &["up", "--adopt"]);
    settled();
    let good = fs::read_to_string(RECORD).expect("the record");
    // The way out is one.
    fs::remove_file(RECORD).expect("it is there");
    assert_eq!(expect(1, &["up"]).stderr, FOREIGN);
    fs::write(RECORD, good).expect("/run is ours");
    settled();
    fs::remove_file(RECORD).expect("it is there");
    expect(0, &["up", "--adopt"]);
    settled();
    expect(0, &["down"]);
    assert!(!name_exists("office") && !has_link("default", "office"));
}

#[netnsctl_machine::test]
fn a_broken_record_keeps_nobody_from_other_namespaces() {
    configure(TWO);
    expect(0, &["up"]);
    fs::write(RECORD, "{").expect("/run is ours");
    let wider = TWO.replace(
        "[netns.shop]",
        "[netns.shop]\nsysctl.\"net.ipv4.ip_default_ttl\" = 42",
    );
    assert_ne!(wider, TWO);
    configure(&wider);
    let ran = expect(1, &["up"]);
    is_broken(&ran);
    assert!(
        ran.stdout.contains("ip_default_ttl 64 → 42"),
        "{}",
        ran.stdout
    );
    configure(TWO);
    expect(1, &["up"]);
    // No longer declared, it is told all the same.
    configure("[netns.shop]\n");
    is_broken(&expect(1, &["up"]));
    is_broken(&expect(1, &["down"]));
    assert!(name_exists("office") && !name_exists("shop") && fs::exists(RECORD).unwrap());
    // What the hint says takes it away, with the folder that has nothing but our files.
    configure("[netns.office]\n");
    expect(0, &["up", "--adopt", "office"]);
    expect(0, &["down", "office"]);
    eventually("its link at home to go with it", || {
        (traces() == ["link lo"]).then_some(())
    });
}

#[netnsctl_machine::test]
fn the_users_own_files_are_never_touched() {
    configure(TWO);
    let path = "/etc/netns/office/resolv.conf";
    fs::create_dir_all("/etc/netns/office").expect("/etc is ours");
    fs::write(path, "nameserver 192.0.2.1\n").expect("/etc is ours");
    expect(0, &["up"]);
    settled();
    assert_eq!(
        crate::support::inside("office", "cat /etc/resolv.conf"),
        "nameserver 192.0.2.1\n"
    );
    expect(0, &["down"]);
    assert_eq!(
        fs::read_to_string(path).expect("it is there"),
        "nameserver 192.0.2.1\n"
    );
    let left: Vec<_> = traces()
        .into_iter()
        .filter(|trace| trace.starts_with("/etc"))
        .collect();
    assert_eq!(left, ["/etc/netns/office", path]);
    // A file of ours that the user made his own by taking the first line out.
    expect(0, &["up"]);
    let ours = "/etc/netns/shop/resolv.conf";
    let text = fs::read_to_string(ours).expect("it is there");
    let (_, own) = text.split_once('\n').expect("it has lines");
    fs::write(ours, own).expect("/etc is ours");
    configure(&format!(
        "{TWO}[netns.shop.dns]\nnameservers = [\"192.0.2.9\"]\n"
    ));
    assert_eq!(expect(0, &["up"]).stdout, "nothing to do\n");
    expect(0, &["down"]);
    assert_eq!(fs::read_to_string(ours).expect("it is there"), own);
}

#[netnsctl_machine::test]
fn folders_that_were_there_before_stay() {
    configure(TWO);
    fs::create_dir("/etc/netns").expect("/etc is ours");
    expect(0, &["up"]);
    expect(0, &["down"]);
    let left: Vec<_> = traces()
        .into_iter()
        .filter(|trace| trace.starts_with("/etc"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(fs::exists("/etc/netns").expect("/etc is ours"));
    fs::create_dir("/etc/netns/office").expect("/etc is ours");
    expect(0, &["up"]);
    expect(0, &["up", "office"]);
    expect(0, &["down"]);
    let left: Vec<_> = traces()
        .into_iter()
        .filter(|trace| trace.starts_with("/etc"))
        .collect();
    assert_eq!(left, ["/etc/netns/office"]);
}

#[netnsctl_machine::test]
fn a_new_namespace_comes_up_beside_an_old_one_that_is_held() {
    configure("[netns.office]\naddress = [\"10.20.0.1/24\"]\n[[netns.office.veth]]\n");
    expect(0, &["up"]);
    let (old, connection) = (inode("office"), Connection::open("office", "10.20.0.1"));
    let guest = Guest::enter("office");
    expect(0, &["down"]);
    expect(0, &["up"]);
    settled();
    assert_ne!(inode("office"), old);
    assert!(link("default", "office").carrier);
    // The old one lives on without a name, and what is in it with it.
    connection.carries();
    assert_eq!(guest.netns(), format!("net:[{old}]"));
    let ran = expect(0, &["down", "--kill"]);
    assert_eq!(ran.stderr, "");
    assert_eq!(guest.netns(), format!("net:[{old}]"));
}

/// The record `text` of `office` as versions before format 2 wrote it.
fn as_format_1(text: &str) -> String {
    let mut record: serde_json::Value = serde_json::from_str(text).unwrap();
    let items = record["items"].take();
    let of = |kind: &str| {
        let all = items.as_array().unwrap().iter();
        let all = all.filter(|item| item["item"] == kind).cloned();
        all.collect::<Vec<_>>()
    };
    let end = |item: &serde_json::Value, netns: &str, interface: &str| serde_json::json!({"netns": item[netns], "interface": item[interface]});
    let (pairs, alone): (Vec<_>, Vec<_>) = of("link")
        .into_iter()
        .partition(|link| link.get("peer_netns").is_some());
    let pair = |link: &serde_json::Value| {
        let near = end(link, "netns", "interface");
        [near, end(link, "peer_netns", "peer_interface")]
    };
    let keys = of("sysctl").into_iter();
    let sysctl = keys.map(|it| (it["key"].as_str().unwrap().to_owned(), "0".into()));
    let sysctl: serde_json::Map<_, serde_json::Value> = sysctl.collect();
    serde_json::json!({
        "form": 1, "device": record["device"], "inode": record["inode"], "cookie": record["cookie"],
        "holders": alone.iter().map(|link| &link["interface"]).collect::<Vec<_>>(),
        "veths": pairs.iter().map(pair).collect::<Vec<_>>(),
        "addresses": of("address"), "routes": of("route"), "sysctl": sysctl,
        "directories": of("directory").iter().map(|it| it["path"].clone()).collect::<Vec<_>>(),
    })
    .to_string()
}

#[netnsctl_machine::test]
fn a_record_of_an_earlier_version_plans_nothing() {
    let before = traces();
    configure(
        "[netns.office]\naddress = [\"10.20.0.1/24\"]\n[[netns.office.veth]]\n\
         address = [\"192.168.77.2/30\"]\n[[netns.office.route]]\nto = \"198.51.100.0/24\"\n\
         interface = \"host\"\n",
    );
    expect(0, &["up"]);
    let file = "/run/netnsctl/office.json";
    let old = as_format_1(&fs::read_to_string(file).unwrap());
    fs::write(file, &old).unwrap();
    settled();
    expect(0, &["up"]);
    assert_eq!(fs::read_to_string(file).unwrap(), old);
    // And what it names can be removed.
    expect(0, &["down"]);
    let left: Vec<_> = traces()
        .into_iter()
        .filter(|it| it != "/run/netns")
        .collect();
    assert_eq!(left, before);
}
