//! What connections hold, and that nothing is held for those that are gone. The only tests of their
//! process, and one after the other, because they count the process's descriptors.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]

#[path = "harness/mod.rs"]
mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Forwarder, PATIENCE, Silent, abort, assert_reset, echo, noise, refusing};
use netnsctl_forward::Options;

const CONNECTIONS: usize = 100;

/// Most pipes that a forwarder may keep for all its connections together.
const POOLED: usize = 32;

/// The descriptors of this process of one kind, `socket` or `pipe`.
fn open(kind: &str) -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let start = format!("{kind}:[");
    links
        .filter(|link| link.to_string_lossy().starts_with(&start))
        .count()
}

/// Sends `payload` and reads it back from the echo, without ending anything.
fn round_trip(mut stream: &TcpStream, payload: &[u8]) {
    thread::scope(|scope| {
        scope.spawn(|| (&mut &*stream).write_all(payload).unwrap());
        let mut answer = vec![0; payload.len()];
        stream.read_exact(&mut answer).unwrap();
        assert!(answer == payload);
    });
}

/// Waits until `sockets` are open, and `pipes` or fewer ends of pipes.
fn until_open(sockets: usize, pipes: usize) {
    let start = Instant::now();
    while open("socket") != sockets || open("pipe") > pipes {
        let found = (open("socket"), open("pipe"));
        assert!(start.elapsed() < PATIENCE, "{found:?} sockets and pipes");
        thread::yield_now();
    }
}

/// Stops `forwarder` and waits until it has let go of everything.
fn stop(mut forwarder: Forwarder) {
    forwarder.stop();
    forwarder.join();
}

/// Held by the test that counts.
static COUNTING: Mutex<()> = Mutex::new(());

fn counting() -> MutexGuard<'static, ()> {
    COUNTING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn an_idle_connection_holds_two_sockets_and_no_pipe() {
    let _alone = counting();
    let payload = noise(4 << 20, 5);
    let forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    let (sockets, pipes) = (open("socket"), open("pipe"));
    let streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| forwarder.connect()).collect();
    // All at once, so that many pipes are in use at the same time.
    thread::scope(|scope| {
        for stream in &streams {
            scope.spawn(|| round_trip(stream, &payload));
        }
    });
    // The client's, the target's and, of the forwarder, one to each.
    until_open(sockets + 4 * CONNECTIONS, pipes + 2 * POOLED);
    let counters = forwarder.counters();
    assert_eq!(counters.tcp.connections_now, CONNECTIONS as u64);
    assert_eq!(
        counters.tcp.bytes_to_client,
        (CONNECTIONS * payload.len()) as u64
    );
    drop(streams);
    forwarder.until(|it| it.tcp.connections_now == 0);
    until_open(sockets, pipes + 2 * POOLED);
    stop(forwarder);
}

#[test]
fn nothing_is_held_for_clients_that_never_reached_the_target() {
    let _alone = counting();
    let (target, _bound) = refusing("127.0.0.1:0");
    let silent = Silent::new();
    let late = |options: &mut Options| options.connect_timeout = Duration::from_secs(3600);
    let soon = |options: &mut Options| options.connect_timeout = Duration::from_millis(20);
    let refused = Forwarder::tcp_with("127.0.0.1:0", target, late);
    let left = Forwarder::tcp_with("127.0.0.1:0", silent.at, late);
    let timed_out = Forwarder::tcp_with("127.0.0.1:0", silent.at, soon);
    let (sockets, pipes) = (open("socket"), open("pipe"));
    for _ in 0..3 {
        for forwarder in [&refused, &timed_out] {
            let clients: Vec<_> = (0..CONNECTIONS).map(|_| forwarder.connect()).collect();
            clients.iter().for_each(assert_reset);
        }
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| left.connect()).collect();
        left.until(|it| it.tcp.connecting_now == CONNECTIONS as u64);
        clients.into_iter().for_each(abort);
        left.until(|it| it.tcp.connections_now == 0 && it.tcp.connecting_now == 0);
        until_open(sockets, pipes);
    }
    for (forwarder, reason) in [(&refused, "ECONNREFUSED"), (&timed_out, "ETIMEDOUT")] {
        let tcp = forwarder.counters().tcp;
        assert_eq!(tcp.connect_errors[reason], 3 * CONNECTIONS as u64);
        assert_eq!((tcp.connections_now, tcp.resets), (0, 0));
    }
    for forwarder in [refused, left, timed_out] {
        stop(forwarder);
    }
}
