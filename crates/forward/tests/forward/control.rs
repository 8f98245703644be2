//! The counters and who reads them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use netnsctl_forward::{Options, Protocol};

use crate::harness::{Forwarder, echo, exchange};

#[test]
fn counters_are_one_line_and_say_what_happened() {
    let forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    let mut open = forwarder.connect();
    open.write_all(b"12345").unwrap();
    open.read_exact(&mut [0; 5]).unwrap();
    assert_eq!(exchange(&forwarder.connect(), b"678"), b"678");
    let counters = forwarder.until(|it| it.tcp.connections_now == 1);
    assert_eq!(counters.tcp.connections_ever, 2);
    assert_eq!(
        (counters.tcp.bytes_to_target, counters.tcp.bytes_to_client),
        (8, 8)
    );
    let mut text = String::new();
    forwarder.control().read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(
        text.starts_with(r#"{"tcp":{"connections_now":1,"#),
        "{text}"
    );
}

#[test]
fn control_clients_that_never_read_hold_nothing_up() {
    let listen = [(Protocol::Tcp, "127.0.0.1:0")];
    let forwarder = Forwarder::start(&listen, Options::new(echo("127.0.0.1:0").into()));
    let silent: Vec<UnixStream> = (0..100).map(|_| forwarder.control()).collect();
    assert_eq!(exchange(&forwarder.connect(), b"traffic"), b"traffic");
    forwarder.until(|it| it.tcp.connections_now == 0);
    for mut stream in silent {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("}\n"));
    }
}
