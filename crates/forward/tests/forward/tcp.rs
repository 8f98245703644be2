//! What TCP connections carry.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netnsctl_forward::{Keepalive, Listener, Options, Protocol, bind_listener};
use rustix::net::sockopt;

use crate::harness::{Forwarder, PATIENCE, abort, assert_reset, echo, exchange, noise, serve};

const MIB: usize = 1 << 20;

fn carries(listen: &str, target: &str) {
    let forwarder = Forwarder::tcp(listen, echo(target));
    for (seed, length) in [(1, 0), (2, 1), (3, 65_536), (4, 5 * MIB + 7)] {
        let payload = noise(length, seed);
        assert!(
            exchange(&forwarder.connect(), &payload) == payload,
            "{length} bytes"
        );
    }
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    let bytes = (1 + 65_536 + 5 * MIB + 7) as u64;
    assert_eq!(
        (counters.tcp.bytes_to_target, counters.tcp.bytes_to_client),
        (bytes, bytes)
    );
    assert_eq!((counters.tcp.connections_ever, counters.tcp.resets), (4, 0));
}

#[test]
fn ipv4_to_ipv4_is_carried_whole() {
    carries("127.0.0.1:0", "127.0.0.1:0");
}

#[test]
fn ipv4_to_ipv6_is_carried_whole() {
    carries("127.0.0.1:0", "[::1]:0");
}

#[test]
fn ipv6_to_ipv4_is_carried_whole() {
    carries("[::1]:0", "127.0.0.1:0");
}

#[test]
fn ipv6_to_ipv6_is_carried_whole() {
    carries("[::1]:0", "[::1]:0");
}

#[test]
fn the_ipv6_wildcard_serves_ipv4_clients() {
    let forwarder = Forwarder::tcp("[::]:0", echo("127.0.0.1:0"));
    let port = forwarder.at[0].port();
    for address in ["127.0.0.1", "::1"] {
        let stream = TcpStream::connect((address, port)).unwrap();
        assert_eq!(exchange(&stream, b"both"), b"both");
    }
}

#[test]
fn a_client_that_ended_its_side_still_gets_the_answer() {
    let target = serve("127.0.0.1:0", |mut stream| {
        let mut question = Vec::new();
        stream.read_to_end(&mut question).unwrap();
        stream
            .write_all(&noise(3 * MIB, question.len() as u64))
            .unwrap();
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let answer = exchange(&forwarder.connect(), b"what?");
    assert!(answer == noise(3 * MIB, 5));
}

#[test]
fn a_target_that_ended_its_side_still_gets_the_upload() {
    let (send, received) = mpsc::channel();
    let target = serve("127.0.0.1:0", move |mut stream| {
        stream.write_all(b"go").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut upload = Vec::new();
        stream.read_to_end(&mut upload).unwrap();
        send.send(upload).unwrap();
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let mut stream = forwarder.connect();
    let mut greeting = Vec::new();
    stream.read_to_end(&mut greeting).unwrap();
    assert_eq!(greeting, b"go");
    let upload = noise(2 * MIB, 9);
    stream.write_all(&upload).unwrap();
    drop(stream);
    assert!(received.recv_timeout(PATIENCE).unwrap() == upload);
}

#[test]
fn a_slow_reader_slows_its_sender_and_loses_nothing() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
    let target = serve("127.0.0.1:0", move |mut stream| {
        wait.lock().unwrap().recv().unwrap();
        std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let stream = forwarder.connect();
    let payload = noise(4 * MIB, 3);
    // Send until nothing more is taken anywhere on the way: the kernels' buffers are bounded, and
    // so is ours, or this would never end.
    stream.set_nonblocking(true).unwrap();
    let (mut sent, mut quiet, mut before) = (0_usize, 0, 0);
    while quiet < 50 {
        match (&stream).write(&payload[sent % payload.len()..]) {
            Ok(length) => sent += length,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        quiet = if sent == before { quiet + 1 } else { 0 };
        before = sent;
        thread::sleep(Duration::from_millis(2));
        assert!(sent < 512 * MIB, "nothing held the sender back");
    }
    stream.set_nonblocking(false).unwrap();
    // Other clients are not touched by it.
    let counters = forwarder.counters();
    assert_eq!(counters.tcp.connections_now, 1);
    assert!(counters.tcp.bytes_to_target < sent as u64 || sent == 0);
    go.send(()).unwrap();
    let answer = exchange(&stream, &[]);
    assert_eq!(answer.len(), sent);
    let mut parts = answer.chunks(payload.len());
    assert!(parts.all(|part| payload.starts_with(part)));
}

#[test]
fn a_reset_of_the_target_reaches_the_client_after_its_last_bytes() {
    let target = serve("127.0.0.1:0", |mut stream| {
        stream.read_exact(&mut [0; 4]).unwrap();
        stream.write_all(b"last words").unwrap();
        // Wait until the client has them: a reset discards what is still on its way.
        stream.read_exact(&mut [0; 4]).unwrap();
        abort(stream);
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let mut stream = forwarder.connect();
    stream.write_all(b"ping").unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"last words");
    stream.write_all(b"pong").unwrap();
    assert_reset(&stream);
    assert_eq!(
        forwarder.until(|it| it.tcp.connections_now == 0).tcp.resets,
        1
    );
}

#[test]
fn a_reset_of_the_client_reaches_the_target_after_its_last_bytes() {
    let (send, received) = mpsc::channel();
    let target = serve("127.0.0.1:0", move |mut stream| {
        let mut first = [0; 5];
        stream.read_exact(&mut first).unwrap();
        stream.write_all(b"seen").unwrap();
        let end = stream.read(&mut [0; 5]).map_err(|error| error.kind());
        send.send((first, end)).unwrap();
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let mut stream = forwarder.connect();
    stream.write_all(b"hello").unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    abort(stream);
    let (first, end) = received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (&first, end),
        (b"hello", Err(std::io::ErrorKind::ConnectionReset))
    );
    forwarder.until(|it| it.tcp.connections_now == 0 && it.tcp.resets == 1);
}

#[test]
fn a_reset_after_an_orderly_end_is_still_carried() {
    let (send, received) = mpsc::channel();
    let target = serve("127.0.0.1:0", move |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
        let start = std::time::Instant::now();
        // Writing is how a reset shows to one who has read to the end.
        while stream.write_all(b"more").is_ok() {
            assert!(start.elapsed() < PATIENCE);
        }
        send.send(()).unwrap();
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let mut stream = forwarder.connect();
    stream.write_all(b"end").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_exact(&mut [0; 3]).unwrap();
    abort(stream);
    received.recv_timeout(PATIENCE).unwrap();
    forwarder.until(|it| it.tcp.connections_now == 0);
}

#[test]
fn an_urgent_byte_arrives_in_its_place() {
    let forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    let stream = forwarder.connect();
    (&stream).write_all(b"ab").unwrap();
    rustix::net::send(&stream, b"c", rustix::net::SendFlags::OOB).unwrap();
    assert_eq!(exchange(&stream, b"de"), b"abcde");
}

#[test]
fn five_hundred_clients_are_served_at_once() {
    let forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    let streams: Vec<TcpStream> = (0..500).map(|_| forwarder.connect()).collect();
    forwarder.until(|it| it.tcp.connections_now == 500 && it.tcp.connecting_now == 0);
    let payloads: Vec<_> = (0..500)
        .map(|seed| noise(20_000 + 97 * seed, seed as u64))
        .collect();
    for (mut stream, payload) in streams.iter().zip(&payloads) {
        stream.write_all(&payload[..10_000]).unwrap();
    }
    for (stream, payload) in streams.iter().zip(&payloads) {
        assert!(exchange(stream, &payload[10_000..]) == *payload);
    }
    forwarder.until(|it| it.tcp.connections_now == 0 && it.tcp.connections_ever == 500);
}

#[test]
fn keepalive_is_what_the_options_say() {
    let keepalive = |options: Option<Keepalive>| {
        let fd = bind_listener(Protocol::Tcp, "127.0.0.1:0".parse().unwrap()).unwrap();
        // What a service manager may have set.
        sockopt::set_socket_keepalive(&fd, true).unwrap();
        let same = fd.try_clone().unwrap();
        let options = Options {
            keepalive: options,
            ..Options::new(echo("127.0.0.1:0").into())
        };
        let forwarder = Forwarder::of(vec![Listener::from_fd(fd).unwrap()], options);
        assert_eq!(exchange(&forwarder.connect(), b"alive"), b"alive");
        // Those it accepts inherit it.
        sockopt::socket_keepalive(&same).unwrap().then(|| {
            let interval = sockopt::tcp_keepintvl(&same).unwrap();
            let probes = sockopt::tcp_keepcnt(&same).unwrap();
            (sockopt::tcp_keepidle(&same).unwrap(), interval, probes)
        })
    };
    let seconds = Duration::from_secs;
    let usual = Some((seconds(15), seconds(15), 3));
    assert_eq!(keepalive(Some(Keepalive::default())), usual);
    let other = Keepalive {
        idle: seconds(7),
        interval: seconds(9),
        probes: 5,
    };
    assert_eq!(keepalive(Some(other)), Some((seconds(7), seconds(9), 5)));
    assert_eq!(keepalive(None), None);
}
