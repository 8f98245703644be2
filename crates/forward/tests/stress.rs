//! Thousands of connections that end in every way, checked byte by byte at both ends. The only
//! test of its process, because it counts the process's descriptors afterwards.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]

#[path = "harness/mod.rs"]
mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;

use harness::{Forwarder, abort, noise, serve};
use netnsctl_forward::Options;

/// Clients at once, and connections each of them makes, for every pair of families.
const CLIENTS: u64 = 200;
const ROUNDS: u64 = 5;

/// What payloads are cut from: no two places of it are alike.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| noise(8 << 20, 77));

/// Most bytes of a payload; several times what fits into the kernel's buffers on the way.
const LARGEST: usize = 6 << 20;

/// Who resets the connection half-way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Abort {
    Client,
    Nobody,
    Target,
}

/// What one connection does, told to the target in the first bytes.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    up: usize,
    down: usize,
    abort: Abort,
    /// Which side, if any, sends only after the other has ended its direction.
    client_waits: bool,
    target_waits: bool,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let (up, down) = (dice.size(), dice.size());
        let abort = match dice.below(8) {
            0 => Abort::Client,
            1 => Abort::Target,
            _ => Abort::Nobody,
        };
        // One that waits for a half of nothing would wait for ever, were the other one to abort.
        let waits = dice.below(4);
        Self {
            seed,
            up,
            down,
            abort,
            client_waits: waits == 0 && abort == Abort::Nobody,
            target_waits: waits == 1 && abort == Abort::Nobody,
        }
    }

    fn header(self) -> Vec<u8> {
        let mut header = self.seed.to_le_bytes().to_vec();
        header.resize(16, 0xa5);
        header
    }

    /// What the client sends, and what the target does.
    fn payloads(self) -> (&'static [u8], &'static [u8]) {
        let mut dice = Dice(!self.seed);
        let mut cut = |length: usize| {
            let start = dice.below(NOISE.len() - length);
            &NOISE[start..start + length]
        };
        (cut(self.up), cut(self.down))
    }
}

/// Numbers that follow from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % limit as u64).unwrap()
    }

    /// Mostly little, sometimes what is worth splicing.
    fn size(&mut self) -> usize {
        let limit = [1, 2000, 100_000, 100_000, 500_000, LARGEST][self.below(6)];
        self.below(limit + 1)
    }
}

/// Sends `payload`, or half of it and then no more if `half`. Returns whether nothing went wrong.
fn send(mut stream: &TcpStream, payload: &[u8], half: bool) -> bool {
    if half {
        return stream.write_all(&payload[..payload.len() / 2]).is_ok();
    }
    stream.write_all(payload).is_ok() && stream.shutdown(Shutdown::Write).is_ok()
}

/// Receives to the end.
fn receive(mut stream: &TcpStream) -> (Vec<u8>, std::io::Result<usize>) {
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received);
    (received, end)
}

/// Checks that what was received is `expected`, or the beginning of it where there was a reset.
/// The kernel tells of one only once: the sender, if `sent` is false, or else the receiver.
fn check(
    (received, end): (Vec<u8>, std::io::Result<usize>),
    expected: &[u8],
    sent: bool,
    plan: Plan,
) {
    let length = received.len();
    let in_order = end.is_ok() && sent;
    if let Err(error) = end {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{plan:?}");
    }
    if in_order {
        assert!(received == *expected, "{length} bytes of {plan:?}");
    } else {
        assert_ne!(plan.abort, Abort::Nobody, "reset by nobody: {plan:?}");
        assert!(expected.starts_with(&received), "{length} of {plan:?}");
    }
}

/// Plays one side: sends `ours`, checks `theirs`, and resets half-way if `aborts`.
fn play(stream: TcpStream, (ours, theirs): (&[u8], &[u8]), plan: Plan, waits: bool, aborts: bool) {
    if waits {
        let received = receive(&stream);
        let sent = send(&stream, ours, false);
        return check(received, theirs, sent, plan);
    }
    thread::scope(|scope| {
        let sender = scope.spawn(|| send(&stream, ours, aborts));
        if aborts {
            let mut some = vec![0; theirs.len() / 3];
            if (&stream).read_exact(&mut some).is_ok() {
                assert!(theirs.starts_with(&some), "{plan:?}");
            }
        } else {
            let received = receive(&stream);
            check(received, theirs, sender.join().unwrap(), plan);
        }
    });
    if aborts {
        abort(stream);
    }
}

fn play_client(mut stream: TcpStream, plan: Plan) {
    let (up, down) = plan.payloads();
    stream.write_all(&plan.header()).unwrap();
    let aborts = plan.abort == Abort::Client;
    play(stream, (up, down), plan, plan.client_waits, aborts);
}

fn play_target(mut stream: TcpStream) {
    let mut header = [0; 16];
    if stream.read_exact(&mut header).is_err() {
        // Its client aborted before this side looked.
        return;
    }
    let plan = Plan::new(u64::from_le_bytes(*header.first_chunk().unwrap()));
    let (up, down) = plan.payloads();
    let aborts = plan.abort == Abort::Target;
    play(stream, (down, up), plan, plan.target_waits, aborts);
}

/// All connections between one pair of families.
fn storm(listen: &str, target: &str, base: u64, change: fn(&mut Options)) {
    let failures = Arc::new(AtomicU64::new(0));
    let served = Arc::new(AtomicU64::new(0));
    let (count_failures, count_served) = (failures.clone(), served.clone());
    let target = serve(target, move |stream| {
        let outcome = std::panic::catch_unwind(move || play_target(stream));
        count_failures.fetch_add(u64::from(outcome.is_err()), Ordering::Relaxed);
        count_served.fetch_add(1, Ordering::Relaxed);
    });
    let forwarder = Forwarder::tcp_with(listen, target, change);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let forwarder = &forwarder;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let plan = Plan::new(base + client * ROUNDS + round);
                    play_client(forwarder.connect(), plan);
                }
            });
        }
    });
    let all = CLIENTS * ROUNDS;
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.connections_ever, all);
    assert!(counters.tcp.accept_errors.is_empty(), "{counters:?}");
    assert!(counters.tcp.connect_errors.is_empty(), "{counters:?}");
    forwarder.until(|_| served.load(Ordering::Relaxed) == all);
    let failures = failures.load(Ordering::Relaxed);
    assert_eq!(failures, 0, "targets saw something else");
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
    for (number, (listen, target)) in (0..).zip(pairs) {
        storm(listen, target, number * 1_000_000, |_| {});
        storm(listen, target, number * 1_000_000 + 500_000, |options| {
            options.workers = NonZeroUsize::new(3).unwrap();
        });
    }
    // Each target's listener stays; a serving thread may be about to close its socket.
    let start = std::time::Instant::now();
    while descriptors() > before + 2 * pairs.len() {
        assert!(start.elapsed() < harness::PATIENCE, "descriptors leak");
        thread::yield_now();
    }
}
