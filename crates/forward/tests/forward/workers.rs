//! Several loops for one forwarder.

use std::io::{Read, Write};
use std::net::{Shutdown, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use netnsctl_daemon::Log;
use netnsctl_forward::{Options, Protocol};

use crate::harness::{Forwarder, PATIENCE, assert_reset, echo, exchange, serve};

const WORKERS: usize = 4;

fn options(target: std::net::SocketAddr) -> Options {
    let mut options = Options::new(target.into());
    options.workers = NonZeroUsize::new(WORKERS).unwrap();
    options
}

#[test]
fn connections_of_all_workers_count_together() {
    let forwarder = Forwarder::start(
        &[(Protocol::Tcp, "127.0.0.1:0"), (Protocol::Tcp, "[::1]:0")],
        options(echo("127.0.0.1:0")),
    );
    let payload = vec![0x5a; 300_000];
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..8 {
                    let mut stream = forwarder.connect();
                    // The target's echo is read while the rest is written.
                    let writer = stream.try_clone().unwrap();
                    let sent = &payload;
                    let writing = scope.spawn(move || {
                        (&writer).write_all(sent).unwrap();
                        writer.shutdown(Shutdown::Write).unwrap();
                    });
                    let mut received = Vec::new();
                    stream.read_to_end(&mut received).unwrap();
                    writing.join().unwrap();
                    assert!(received == payload);
                }
            });
        }
    });
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.connections_ever, 128);
    assert_eq!(counters.tcp.bytes_to_target, 128 * 300_000);
    assert_eq!(counters.tcp.bytes_to_client, 128 * 300_000);
}

#[test]
fn a_limit_holds_for_all_workers_together_and_a_free_place_is_told_to_any() {
    let start = Instant::now();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let mut options = options(echo("127.0.0.1:0"));
    options.max_connections = Some(2);
    options.log = Log::new(move |line| sink.lock().unwrap().push(line.to_owned()));
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    for _ in 0..20 {
        let mut clients: Vec<_> = (0..12).map(|_| forwarder.connect()).collect();
        for client in &mut clients {
            client.write_all(b"x").unwrap();
        }
        // One is served after the other, in the order the kernel queued them.
        for client in clients {
            // One more for each worker but one that had seen a free place at the same time.
            assert!(forwarder.counters().tcp.connections_now < 2 + WORKERS as u64);
            assert_eq!(exchange(&client, b"y"), b"xy");
        }
        forwarder.until(|it| it.tcp.connections_now == 0);
    }
    // One worker speaks for all, every half a minute.
    let lines = lines.lock().unwrap();
    let told = lines.iter().filter(|line| line.starts_with("limit of 2"));
    let periods = 1 + start.elapsed().as_secs() / 30;
    assert!((1..=periods).contains(&(told.count() as u64)), "{lines:?}");
}

#[test]
fn each_udp_listener_has_one_worker_and_every_worker_answers() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let listen = [(Protocol::Udp, "127.0.0.1:0"); WORKERS + 1];
    let forwarder = Forwarder::start(&listen, options(target.local_addr().unwrap()));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for at in &forwarder.at {
        let mut session = None;
        for _ in 0..20 {
            client.send_to(b"question", at).unwrap();
            let mut buffer = [0; 16];
            let (length, from) = target.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"question");
            assert_eq!(*session.get_or_insert(from), from);
            target.send_to(b"answer", from).unwrap();
            let (length, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (b"answer".as_slice(), *at));
        }
    }
    let udp = forwarder.counters().udp;
    assert_eq!(udp.sessions_now, listen.len() as u64);
    assert_eq!(udp.datagrams_to_target, 20 * listen.len() as u64);
}

#[test]
fn all_workers_end_when_told_to() {
    let target = serve("127.0.0.1:0", |mut stream| {
        let _ = stream.read(&mut [0; 1]);
    });
    let mut options = options(target);
    options.drain = std::time::Duration::ZERO;
    let mut forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let clients: Vec<_> = (0..32).map(|_| forwarder.connect()).collect();
    forwarder.until(|it| it.tcp.connections_ever == 32);
    forwarder.stop();
    for client in &clients {
        assert_reset(client);
    }
    forwarder.join();
}
