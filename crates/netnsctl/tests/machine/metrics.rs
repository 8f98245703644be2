//! `metrics`: what crossed, for Prometheus.

use crate::prometheus::{Exposition, parse};
use crate::serve::QUICKSTART;
use crate::served::Served;
use crate::support::{configure, eventually, expect};
use crate::traffic::{
    connect, expect_answer, expect_datagram, expect_refusal, serve_tcp, serve_udp,
};

const TCP: (&str, &str) = ("protocol", "tcp");
const UDP: (&str, &str) = ("protocol", "udp");

#[track_caller]
fn metrics() -> Exposition {
    let text = expect(0, &["metrics"]).stdout;
    parse(&text).unwrap_or_else(|error| panic!("{error} in:\n{text}"))
}

#[netnsctl_machine::test]
fn what_crossed_is_told_under_its_names() {
    let _served = Served::ready(&[QUICKSTART]);
    serve_tcp("right", "127.0.0.1:8000", "1234567890");
    serve_udp("right", "127.0.0.1:5353", "1234567890");
    let mut client = connect("left", "127.0.0.1:8080");
    expect_answer(&mut client, "1234567890", "hello");
    expect_datagram("left", "127.0.0.1:0", "127.0.0.1:5300", "1234567890");
    let told = metrics();
    let of = |name: &str, labels: &[_]| told.value(&format!("netnsctl_forward_{name}"), labels);
    for protocol in [TCP, UDP] {
        assert_eq!(of("up", &[protocol]), Some(1));
    }
    let all_labels = [
        ("netns", "left"),
        TCP,
        ("listen", "127.0.0.1:8080"),
        ("connect_netns", "right"),
        ("connect", "127.0.0.1:8000"),
    ];
    assert_eq!(of("connections", &all_labels), Some(1));
    assert_eq!(of("connections_total", &[TCP]), Some(1));
    assert_eq!(
        of("bytes_total", &[TCP, ("direction", "to_target")]),
        Some(5)
    );
    assert_eq!(
        of("bytes_total", &[TCP, ("direction", "to_client")]),
        Some(15)
    );
    assert_eq!(of("sessions", &[UDP]), Some(1));
    assert_eq!(
        of("datagrams_total", &[UDP, ("direction", "to_client")]),
        Some(1)
    );
    assert_eq!(
        of("bytes_total", &[UDP, ("direction", "to_client")]),
        Some(14)
    );
    drop(client);
    eventually("no open connection", || {
        let open = metrics().value("netnsctl_forward_connections", &[]);
        (open == Some(0)).then_some(())
    });
}

#[netnsctl_machine::test]
fn connect_errors_are_told_by_their_names() {
    let _served = Served::ready(&[QUICKSTART]);
    for _ in 0..3 {
        expect_refusal("left", "127.0.0.1:8080");
    }
    let name = "netnsctl_forward_connect_errors_total";
    let refused = metrics().value(name, &[("errno", "ECONNREFUSED")]);
    assert_eq!(refused, Some(3));
}

#[netnsctl_machine::test]
fn a_declared_forward_that_does_not_run_is_down() {
    assert_eq!(expect(0, &["metrics"]).stdout, "");
    let told = parse(&expect(0, &["--config", QUICKSTART, "metrics"]).stdout).unwrap();
    assert_eq!(told.samples(), 2);
    assert_eq!(told.value("netnsctl_forward_up", &[TCP]), Some(0));
    assert_eq!(told.value("netnsctl_forward_up", &[UDP]), Some(0));
}

const LEFT: &str = "[netns.left]\n[[netns.left.forward]]\n";

#[netnsctl_machine::test]
fn one_that_is_no_longer_declared_is_told_while_it_runs() {
    configure(&format!(
        "{LEFT}listen = \"127.0.0.1:1001\"\nconnect = \"127.0.0.1:1\"\n"
    ));
    let _served = Served::ready(&[]);
    configure(&format!(
        "{LEFT}listen = \"127.0.0.1:1002\"\nconnect = \"127.0.0.1:1\"\n"
    ));
    let told = metrics();
    let up = |listen| told.value("netnsctl_forward_up", &[("listen", listen)]);
    assert_eq!(
        (up("127.0.0.1:1001"), up("127.0.0.1:1002")),
        (Some(1), Some(0))
    );
}

#[netnsctl_machine::test]
fn a_refused_configuration_does_not_hide_what_runs() {
    configure(&format!(
        "{LEFT}listen = \"127.0.0.1:1001\"\nconnect = \"127.0.0.1:1\"\n"
    ));
    let _served = Served::ready(&[]);
    configure("[netns.left]\nmistake = 1\n");
    let ran = expect(2, &["metrics"]);
    assert!(ran.stderr.contains("mistake"), "{}", ran.stderr);
    let told = parse(&ran.stdout).unwrap();
    assert_eq!(told.value("netnsctl_forward_up", &[]), Some(1));
}
