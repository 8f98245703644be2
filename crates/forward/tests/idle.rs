//! What an idle connection holds. The only test of its process, because it counts the process's
//! descriptors.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[path = "harness/mod.rs"]
mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use harness::{Forwarder, PATIENCE, echo, noise};

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

#[test]
fn an_idle_connection_holds_two_sockets_and_no_pipe() {
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
    let expected = sockets + 4 * CONNECTIONS;
    let start = Instant::now();
    while open("socket") != expected || open("pipe") > pipes + 2 * POOLED {
        let found = (open("socket"), open("pipe"));
        assert!(start.elapsed() < PATIENCE, "{found:?} sockets and pipes");
        thread::yield_now();
    }
    let counters = forwarder.counters();
    assert_eq!(counters.tcp.connections_now, CONNECTIONS as u64);
    assert_eq!(
        counters.tcp.bytes_to_client,
        (CONNECTIONS * payload.len()) as u64
    );
}
