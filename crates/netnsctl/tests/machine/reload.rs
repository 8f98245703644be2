//! SIGHUP: what differs is changed, and nothing else is touched.

use rustix::process::Signal;

use crate::serve::make_foreign;
use crate::served::{Served, forwarders, is_alive, send};
use crate::support::{configure, eventually, expect, inside, traces};
use crate::traffic::{connect, expect_answer, listen, serve_tcp, try_connect};

/// Namespaces `left` and `right`, and these forwards in `left`: port, target port, more keys.
fn config(forwards: &[(u16, u16, &str)]) -> String {
    let mut text = "[netns.left]\n[netns.right]\n".to_owned();
    for (listen, connect, more) in forwards {
        text.push_str(&format!(
            "[[netns.left.forward]]\nlisten = \"127.0.0.1:{listen}\"\nnetns = \"right\"\n\
             connect = \"127.0.0.1:{connect}\"\n{more}\n"
        ));
    }
    text
}

fn target(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[netnsctl_machine::test]
fn a_reload_without_a_change_touches_nothing() {
    configure(&config(&[(1001, 2001, ""), (1002, 2002, "")]));
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "one ");
    let mut client = connect("left", "127.0.0.1:1001");
    expect_answer(&mut client, "one ", "before");
    let (before, there) = (forwarders(served.pid()), traces());
    served.reload();
    assert_eq!(forwarders(served.pid()), before);
    assert_eq!(traces(), there);
    expect_answer(&mut client, "one ", "after");
    served.stop();
}

#[netnsctl_machine::test]
fn a_forward_is_added_and_removed_beside_others() {
    configure(&config(&[(1001, 2001, "")]));
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "one ");
    serve_tcp("right", "127.0.0.1:2002", "two ");
    let kept = served.forwarder(&target(2001));
    let mut client = connect("left", "127.0.0.1:1001");
    expect_answer(&mut client, "one ", "before");

    configure(&config(&[(1002, 2002, ""), (1001, 2001, "")]));
    served.reload();
    assert_eq!(served.forwarder(&target(2001)), kept);
    let mut second = connect("left", "127.0.0.1:1002");
    expect_answer(&mut second, "two ", "added");
    expect_answer(&mut client, "one ", "between");

    let gone = served.forwarder(&target(2002));
    configure(&config(&[(1001, 2001, "")]));
    served.reload();
    // Who is connected may finish; nobody new gets in.
    eventually("a closed port", || {
        try_connect("left", "127.0.0.1:1002").err()
    });
    expect_answer(&mut second, "two ", "still");
    drop(second);
    eventually("its end", || (!is_alive(gone)).then_some(()));
    expect_answer(&mut client, "one ", "after");
    assert_eq!(forwarders(served.pid()), [kept]);
}

#[netnsctl_machine::test]
fn a_changed_target_serves_who_waits_and_lets_the_old_finish() {
    configure(&config(&[
        (1001, 2001, ""),
        (1002, 2004, "max_connections = 7"),
    ]));
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "old ");
    serve_tcp("right", "127.0.0.1:2003", "new ");
    let all = forwarders(served.pid());
    let mut client = connect("left", "127.0.0.1:1001");
    expect_answer(&mut client, "old ", "before");

    // Stopped forwarders take nobody: the client below waits in the socket's queue.
    all.iter().for_each(|pid| send(*pid, Signal::STOP));
    let mut waiting = connect("left", "127.0.0.1:1001");
    configure(&config(&[
        (1001, 2003, ""),
        (1002, 2004, "max_connections = 7"),
    ]));
    served.reload();
    expect_answer(&mut waiting, "new ", "patience");
    all.iter().for_each(|pid| send(*pid, Signal::CONT));
    expect_answer(&mut client, "old ", "after");
    let unchanged = served.forwarder(&target(2004));
    assert!(all.contains(&unchanged));
    assert!(!all.contains(&served.forwarder(&target(2003))));
    drop(client);
    let old = all.iter().find(|pid| **pid != unchanged).unwrap();
    eventually("the old one's end", || (!is_alive(*old)).then_some(()));
    expect_answer(&mut waiting, "new ", "still");
}

#[netnsctl_machine::test]
fn changed_options_start_only_their_own_forwarder_anew() {
    configure(&config(&[(1001, 2001, ""), (1002, 2002, "")]));
    let mut served = Served::ready(&[]);
    let (one, two) = (
        served.forwarder(&target(2001)),
        served.forwarder(&target(2002)),
    );
    configure(&config(&[
        (1001, 2001, ""),
        (1002, 2002, "max_connections = 1"),
    ]));
    served.reload();
    eventually("the old one's end", || (!is_alive(two)).then_some(()));
    assert_eq!(served.forwarder(&target(2001)), one);
    let changed = served.forwarder(&target(2002));
    assert_ne!(changed, two);
    let words = crate::served::arguments(changed);
    assert!(
        words.contains(&"--max-connections=1".to_owned()),
        "{words:?}"
    );
}

#[netnsctl_machine::test]
fn an_address_changes_under_an_open_connection() {
    let text = config(&[(1001, 2001, "")]);
    configure(&text);
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "one ");
    let mut client = connect("left", "127.0.0.1:1001");
    expect_answer(&mut client, "one ", "before");
    let before = forwarders(served.pid());
    let address = "[netns.left]\naddress = [\"10.9.8.7/24\"]";
    configure(&text.replace("[netns.left]", address));
    served.reload();
    assert!(inside("left", "cat /proc/net/fib_trie").contains("10.9.8.7"));
    served.wait_for("+ address 10.9.8.7/24 on left");
    expect_answer(&mut client, "one ", "after");
    assert_eq!(forwarders(served.pid()), before);
    configure(&text);
    served.reload();
    assert!(!inside("left", "cat /proc/net/fib_trie").contains("10.9.8.7"));
    expect_answer(&mut client, "one ", "at last");
}

#[netnsctl_machine::test]
fn namespaces_come_and_go_with_their_forwards() {
    let few = config(&[(1001, 2001, "")]);
    let more = format!(
        "{few}\n[netns.third]\n[[netns.third.veth]]\n\
         [[netns.third.forward]]\nlisten = \"127.0.0.1:1003\"\nnetns = \"right\"\nconnect = \"127.0.0.1:2001\"\n\
         [[netns.left.forward]]\nlisten = \"127.0.0.1:1004\"\nnetns = \"third\"\nconnect = \"127.0.0.1:2004\"\n"
    );
    configure(&few);
    let mut served = Served::ready(&[]);
    let (there, kept) = (traces(), served.forwarder(&target(2001)));
    serve_tcp("right", "127.0.0.1:2001", "one ");
    configure(&more);
    served.reload();
    let mut from_third = connect("third", "127.0.0.1:1003");
    expect_answer(&mut from_third, "one ", "out");
    let listener = listen("third", "127.0.0.1:2004");
    let into_third = connect("left", "127.0.0.1:1004");
    let (in_third, _) = listener.accept().unwrap();
    drop(listener);

    configure(&few);
    served.reload();
    eventually("no more forwarders", || {
        (forwarders(served.pid()) == [kept]).then_some(())
    });
    assert_eq!(expect(0, &["list"]).stdout, "left\nright\n");
    let trace = |trace: &String| !trace.contains("/serve/");
    let without_sockets = |all: Vec<String>| all.into_iter().filter(trace).collect::<Vec<_>>();
    assert_eq!(without_sockets(traces()), without_sockets(there));
    let text = served.text();
    assert!(text.contains("- netns third"), "{text}");
    // No forwarder of ours held it, only sockets of the test did.
    assert!(!text.contains("(netnsctl)"), "{text}");
    drop((from_third, into_third, in_third));
    served.stop();
}

#[netnsctl_machine::test]
fn a_namespace_that_goes_makes_room_for_one_that_comes() {
    let veth = "peer_interface = \"cable\"\n[[netns.default.forward]]\n";
    let of = |name: &str| {
        format!(
            "[netns.{name}]\n[[netns.{name}.veth]]\n{veth}listen = \"127.0.0.1:1001\"\n\
             netns = \"{name}\"\nconnect = \"127.0.0.1:2001\"\n"
        )
    };
    configure(&of("one"));
    let mut served = Served::ready(&[]);
    serve_tcp("one", "127.0.0.1:2001", "one ");
    expect_answer(&mut connect("default", "127.0.0.1:1001"), "one ", "hello");
    configure(&of("two"));
    served.reload();
    assert!(!served.text().contains("error"), "{}", served.text());
    assert_eq!(expect(0, &["list"]).stdout, "two\n");
    serve_tcp("two", "127.0.0.1:2001", "two ");
    expect_answer(&mut connect("default", "127.0.0.1:1001"), "two ", "hello");
    served.stop();
}

#[netnsctl_machine::test]
fn a_broken_file_changes_nothing_and_is_shown() {
    let text = config(&[(1001, 2001, "")]);
    configure(&text);
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2001", "one ");
    let (there, before) = (traces(), forwarders(served.pid()));
    let file = configure("[netns.left]\naddress = [\"10.0.0.300\"]\n");
    served.reload();
    served.wait_for("10.0.0.300");
    served.wait_for("everything goes on as before");
    std::fs::remove_file(file).unwrap();
    served.reload();
    served.wait_for("there is no configuration");
    assert_eq!(forwarders(served.pid()), before);
    assert_eq!(traces(), there);
    expect_answer(&mut connect("left", "127.0.0.1:1001"), "one ", "hello");
    configure(&text);
    served.reload();
    assert_eq!(forwarders(served.pid()), before);
}

#[netnsctl_machine::test]
fn a_forward_that_cannot_listen_is_had_by_a_later_reload() {
    configure(&config(&[(1001, 2001, "")]));
    let mut served = Served::ready(&[]);
    for (port, greeting) in [(2001, "one "), (2002, "two "), (2003, "three ")] {
        serve_tcp("right", target(port).as_str(), greeting);
    }
    let kept = served.forwarder(&target(2001));
    let taken = listen("left", "127.0.0.1:1002");
    configure(&config(&[
        (1001, 2001, ""),
        (1002, 2002, ""),
        (1003, 2003, ""),
    ]));
    served.reload();
    served.wait_for("127.0.0.1:1002: Address already in use (EADDRINUSE)");
    assert_eq!(served.forwarder(&target(2001)), kept);
    expect_answer(&mut connect("left", "127.0.0.1:1001"), "one ", "kept");
    expect_answer(&mut connect("left", "127.0.0.1:1003"), "three ", "made");
    assert_eq!(forwarders(served.pid()).len(), 2);
    drop(taken);
    served.reload();
    expect_answer(&mut connect("left", "127.0.0.1:1002"), "two ", "at last");
    assert_eq!(served.forwarder(&target(2001)), kept);
}

#[netnsctl_machine::test]
fn an_address_given_up_can_be_taken_by_another_forward() {
    let of = |address: &str| {
        format!(
            "[netns.left]\n[[netns.left.forward]]\nprotocol = \"udp\"\nlisten = \"{address}\"\n\
             connect = \"127.0.0.1:2001\"\n[[netns.left.forward]]\nlisten = \"{address}\"\n\
             connect = \"127.0.0.1:2001\"\n"
        )
    };
    configure(&of("127.0.0.1:1001"));
    let mut served = Served::ready(&[]);
    serve_tcp("default", "127.0.0.1:2001", "home ");
    crate::traffic::serve_udp("default", "127.0.0.1:2001", "home ");
    let mut client = connect("left", "127.0.0.1:1001");
    expect_answer(&mut client, "home ", "before");
    for address in ["0.0.0.0:1001", "127.0.0.1:1001", "[::]:1001"] {
        configure(&of(address));
        served.reload();
        assert!(!served.text().contains("error"), "{}", served.text());
        expect_answer(&mut connect("left", "127.0.0.1:1001"), "home ", address);
        crate::traffic::expect_datagram("left", "127.0.0.1:0", "127.0.0.1:1001", "home ");
    }
    expect_answer(&mut client, "home ", "still");
}

#[netnsctl_machine::test]
fn trouble_with_one_namespace_leaves_the_forwards_of_others() {
    let text = config(&[(1001, 2001, "")]);
    configure(&text);
    let mut served = Served::ready(&[]);
    serve_tcp("right", "127.0.0.1:2002", "two ");
    make_foreign("foreign");
    configure(&format!("[netns.foreign]\n{}", config(&[(1001, 2002, "")])));
    served.reload();
    served.wait_for("error: netns \"foreign\"");
    expect_answer(&mut connect("left", "127.0.0.1:1001"), "two ", "hello");
    served.stop();
    assert_eq!(expect(0, &["list"]).stdout, "foreign\n");
}

#[netnsctl_machine::test]
fn status_does_not_take_one_forward_for_another() {
    configure(&config(&[(1001, 2001, "")]));
    let _served = Served::ready(&[]);
    assert!(expect(0, &["status"]).stdout.contains("running"));
    // Edited, but not reloaded: what is declared now does not run.
    configure(&config(&[(1002, 2002, "")]));
    let text = expect(0, &["status"]).stdout;
    assert!(text.contains("tcp 127.0.0.1:1002"), "{text}");
    let line = text.lines().find(|line| line.contains("1002")).unwrap();
    assert!(line.contains("not running"), "{text}");
}
