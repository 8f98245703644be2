//! Many connections that end in every way, checked byte by byte at both ends. The only test of
//! its process, because it counts the process's descriptors afterwards.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[path = "harness/mod.rs"]
mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use harness::{Forwarder, abort, noise, serve};

/// Connections per thread and threads per pair of families.
const ROUNDS: u64 = 40;
const THREADS: u64 = 8;

/// What one connection does, told to the target in the first bytes.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    up: usize,
    down: usize,
    /// Who resets the connection half-way: 1 the client, 2 the target, else nobody.
    aborts: u8,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let dice = noise(8, seed ^ 0x5eed);
        let size = |a: u8, b: u8| usize::from(a) * usize::from(b) * if b < 8 { 300 } else { 3 };
        Self {
            seed,
            up: size(dice[0], dice[1]),
            down: size(dice[2], dice[3]),
            aborts: dice[4] % 6,
        }
    }

    fn header(self) -> Vec<u8> {
        let mut header = self.seed.to_le_bytes().to_vec();
        header.resize(16, 0xa5);
        header
    }
}

/// Sends `payload`, or half of it and then no more if `half`.
fn send(mut stream: &TcpStream, payload: &[u8], half: bool) {
    let length = if half {
        payload.len() / 2
    } else {
        payload.len()
    };
    // The other side may abort meanwhile.
    let _ = stream.write_all(&payload[..length]);
    if !half {
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// Receives to the end and checks that it is `expected`, or the beginning of it after a reset.
fn receive(mut stream: &TcpStream, expected: &[u8], plan: Plan) {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => assert!(
            received == *expected,
            "{} bytes of {plan:?}",
            received.len()
        ),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{plan:?}");
            assert!((1..=2).contains(&plan.aborts), "reset by nobody: {plan:?}");
            assert!(expected.starts_with(&received), "{plan:?}");
        }
    }
}

/// Plays one side: sends `ours`, checks `theirs`, and resets half-way if `aborts`.
fn play(stream: TcpStream, ours: &[u8], theirs: &[u8], plan: Plan, aborts: bool) {
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(&stream, ours, aborts));
        if aborts {
            let mut some = vec![0; theirs.len() / 3];
            if (&stream).read_exact(&mut some).is_ok() {
                assert!(theirs.starts_with(&some), "{plan:?}");
            }
        } else {
            receive(&stream, theirs, plan);
        }
        sender.join().unwrap();
    });
    if aborts {
        abort(stream);
    }
}

fn storm(listen: &str, target: &str, base: u64) {
    let failures = Arc::new(AtomicU64::new(0));
    let served = Arc::new(AtomicU64::new(0));
    let (count_failures, count_served) = (failures.clone(), served.clone());
    let target = serve(target, move |mut stream| {
        let outcome = std::panic::catch_unwind(move || {
            let mut header = [0; 16];
            if stream.read_exact(&mut header).is_err() {
                return;
            }
            let plan = Plan::new(u64::from_le_bytes(*header.first_chunk().unwrap()));
            let (up, down) = (noise(plan.up, plan.seed), noise(plan.down, !plan.seed));
            play(stream, &down, &up, plan, plan.aborts == 2);
        });
        count_failures.fetch_add(u64::from(outcome.is_err()), Ordering::Relaxed);
        count_served.fetch_add(1, Ordering::Relaxed);
    });
    let forwarder = Forwarder::tcp(listen, target);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let forwarder = &forwarder;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let plan = Plan::new(base + thread * ROUNDS + round);
                    let (up, down) = (noise(plan.up, plan.seed), noise(plan.down, !plan.seed));
                    let mut stream = forwarder.connect();
                    stream.write_all(&plan.header()).unwrap();
                    play(stream, &up, &down, plan, plan.aborts == 1);
                }
            });
        }
    });
    let all = THREADS * ROUNDS;
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.connections_ever, all);
    forwarder.until(|_| served.load(Ordering::Relaxed) == all);
    assert_eq!(
        failures.load(Ordering::Relaxed),
        0,
        "targets saw something else"
    );
    stop(forwarder);
}

fn stop(mut forwarder: Forwarder) {
    forwarder.stop();
    forwarder.join();
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn no_byte_and_no_descriptor_is_lost_in_a_storm() {
    let before = descriptors();
    let pairs = [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:0", "[::1]:0"),
        ("[::1]:0", "127.0.0.1:0"),
        ("[::1]:0", "[::1]:0"),
    ];
    for ((listen, target), number) in pairs.into_iter().zip(0..) {
        storm(listen, target, number * 1_000_000);
    }
    // Each target's listener stays; a serving thread may be about to close its socket.
    let start = std::time::Instant::now();
    while descriptors() > before + pairs.len() {
        assert!(start.elapsed() < harness::PATIENCE, "descriptors leak");
        thread::yield_now();
    }
}
