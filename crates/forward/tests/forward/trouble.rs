//! Targets that do not answer, and limits.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use netnsctl_forward::{ConnectTarget, Options, Protocol};

use crate::harness::{
    Forwarder, Silent, abort, assert_reset, echo, exchange, patient, refusing, serve,
};

#[test]
fn a_refused_client_is_reset_and_the_errno_counted() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (target, _bound) = refusing(address);
        // At once, not at the timeout.
        let change = |options: &mut Options| options.connect_timeout = Duration::from_secs(3600);
        let forwarder = Forwarder::tcp_with("127.0.0.1:0", target, change);
        for _ in 0..3 {
            assert_reset(&forwarder.connect());
        }
        let counters = forwarder.until(|it| it.tcp.connections_now == 0);
        assert_eq!(counters.tcp.connect_errors["ECONNREFUSED"], 3);
        assert_eq!(counters.tcp.connections_ever, 3);
    }
}

#[test]
fn a_target_that_appears_later_is_reached() {
    let (target, bound) = refusing("127.0.0.1:0");
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    assert_reset(&forwarder.connect());
    rustix::net::listen(&bound, 4).unwrap();
    let listener = TcpListener::from(bound);
    let mut client = forwarder.connect();
    let (mut served, _) = listener.accept().unwrap();
    served.write_all(b"here").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
}

#[test]
fn a_silent_target_holds_no_other_client_up() {
    let mut silent = Silent::new();
    let change = |options: &mut Options| options.connect_timeout = Duration::from_secs(3600);
    let forwarder = Forwarder::tcp_with("127.0.0.1:0", silent.at, change);
    let waiting: Vec<TcpStream> = (0..20).map(|_| forwarder.connect()).collect();
    // All are accepted though none is connected.
    forwarder.until(|it| it.tcp.connections_now == 20 && it.tcp.connecting_now == 20);
    // One that gives up does not stay.
    let mut waiting = waiting.into_iter();
    waiting.next().map(abort).unwrap();
    forwarder.until(|it| it.tcp.connections_now == 19);
    // Those who stay are served once the target answers; their bytes have waited for it.
    let mut waiting: Vec<TcpStream> = waiting.collect();
    for stream in &mut waiting {
        stream.write_all(b"patient").unwrap();
    }
    for _ in 0..3 {
        assert_eq!(silent.accept().1, b"patient");
    }
}

#[test]
fn a_connection_that_stands_goes_on_while_others_wait_for_a_silent_target() {
    let mut silent = Silent::answering();
    let change = |options: &mut Options| options.connect_timeout = Duration::from_secs(3600);
    let forwarder = Forwarder::tcp_with("127.0.0.1:0", silent.at, change);
    let mut client = forwarder.connect();
    let mut target = patient(silent.listener.accept().unwrap().0);
    silent.fill();
    let waiting: Vec<TcpStream> = (0..100).map(|_| forwarder.connect()).collect();
    forwarder.until(|it| it.tcp.connecting_now == 100);
    for round in 0..100 {
        client.write_all(&[round]).unwrap();
        let mut byte = [0];
        target.read_exact(&mut byte).unwrap();
        target.write_all(&byte).unwrap();
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [round]);
    }
    let counters = forwarder.counters();
    assert_eq!((counters.tcp.connecting_now, waiting.len()), (100, 100));
}

#[test]
fn what_a_client_sent_before_it_left_reaches_a_target_that_answers_late() {
    let mut silent = Silent::new();
    let change = |options: &mut Options| options.connect_timeout = Duration::from_secs(3600);
    let forwarder = Forwarder::tcp_with("127.0.0.1:0", silent.at, change);
    let mut client = forwarder.connect();
    client.write_all(b"left early").unwrap();
    drop(client);
    forwarder.until(|it| it.tcp.connecting_now == 1);
    let (mut target, bytes) = silent.accept();
    assert_eq!(bytes, b"left early");
    assert_eq!(target.read(&mut [0]).unwrap(), 0);
    drop(target);
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.resets, 0);
}

#[test]
fn a_client_of_a_silent_target_is_reset_at_the_timeout() {
    let silent = Silent::new();
    let mut options = Options::new(silent.at.into());
    options.connect_timeout = Duration::from_millis(50);
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let clients: Vec<TcpStream> = (0..5).map(|_| forwarder.connect()).collect();
    clients.iter().for_each(assert_reset);
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.connect_errors["ETIMEDOUT"], 5);
}

#[test]
fn a_connection_half_closed_by_either_side_that_carries_nothing_is_reset() {
    let target = serve("127.0.0.1:0", |mut stream| {
        // One byte and it ends; an end and it never answers, nor ends.
        if stream.read(&mut [0]).unwrap() == 1 {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let _ = stream.set_read_timeout(None);
        std::thread::park();
    });
    let change = |options: &mut Options| options.half_close_timeout = Duration::from_millis(50);
    let forwarder = Forwarder::tcp_with("127.0.0.1:0", target, change);
    let client = forwarder.connect();
    client.shutdown(Shutdown::Write).unwrap();
    assert_reset(&client);
    forwarder.until(|it| it.tcp.connections_now == 0 && it.tcp.resets == 1);
    let mut client = forwarder.connect();
    client.write_all(b"x").unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    // The end was read already, so that only a writer learns of the reset.
    forwarder.until(|it| it.tcp.connections_now == 0 && it.tcp.resets == 2);
    assert!(client.write_all(b"x").is_err());
}

#[test]
fn an_open_connection_may_be_silent_for_longer_than_a_half_closed_one() {
    let change = |options: &mut Options| options.half_close_timeout = Duration::ZERO;
    let forwarder = Forwarder::tcp_with("127.0.0.1:0", echo("127.0.0.1:0"), change);
    let mut open = forwarder.connect();
    open.write_all(b"x").unwrap();
    open.read_exact(&mut [0]).unwrap();
    // The timer of another one goes off, or its target is quicker; either way it is gone.
    let half = forwarder.connect();
    half.shutdown(Shutdown::Write).unwrap();
    forwarder.until(|it| it.tcp.connections_now == 1 && it.tcp.connections_ever == 2);
    open.write_all(b"y").unwrap();
    open.read_exact(&mut [0]).unwrap();
}

#[test]
fn clients_beyond_the_limit_wait_for_a_place() {
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.max_connections = Some(2);
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let first = forwarder.connect();
    let second = forwarder.connect();
    forwarder.until(|it| it.tcp.connections_now == 2);
    let mut third = forwarder.connect();
    third.write_all(b"third").unwrap();
    assert_eq!(exchange(&first, b"first"), b"first");
    assert_eq!(exchange(&third, b" now"), b"third now");
    assert_eq!(forwarder.counters().tcp.connections_ever, 3);
    assert_eq!(exchange(&second, b"second"), b"second");
}

#[test]
fn an_interface_that_is_not_there_is_counted_and_a_real_one_is_used() {
    let absent = ConnectTarget::LinkLocal {
        address: "fe80::1".parse().unwrap(),
        port: 9,
        interface: "no-such-link".to_owned(),
    };
    let listen = [(Protocol::Tcp, "127.0.0.1:0")];
    let forwarder = Forwarder::start(&listen, Options::new(absent));
    assert_reset(&forwarder.connect());
    assert_eq!(forwarder.counters().tcp.connect_errors["ENODEV"], 1);
    // The kernel ignores the scope of an address that is not link-local, so ::1 does for a test.
    let port = echo("[::1]:0").port();
    let address = "::1".parse().unwrap();
    let present = ConnectTarget::LinkLocal {
        address,
        port,
        interface: "lo".to_owned(),
    };
    let forwarder = Forwarder::start(&listen, Options::new(present));
    assert_eq!(exchange(&forwarder.connect(), b"scoped"), b"scoped");
}
