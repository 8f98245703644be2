//! Much at once: what is worth carrying without copying, and what holds it up.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::harness::{Forwarder, PATIENCE, abort, echo, exchange, noise, serve};

const MIB: usize = 1 << 20;

/// The largest that the kernel lets a buffer of a TCP socket grow, in bytes: `tcp_rmem`,
/// `tcp_wmem` (tcp(7)).
fn largest_buffer(key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{key}")).unwrap();
    text.split_whitespace().last().unwrap().parse().unwrap()
}

#[test]
fn a_client_that_does_not_read_stops_the_target_within_bounded_memory() {
    const ALL: usize = 256 * MIB;
    let chunk = Arc::new(noise(MIB, 4));
    let sent = Arc::new(AtomicU64::new(0));
    let (source, count) = (chunk.clone(), sent.clone());
    let target = serve("127.0.0.1:0", move |mut stream| {
        for part in source.chunks(64 << 10).cycle().take(ALL / (64 << 10)) {
            stream.write_all(part).unwrap();
            count.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let mut client = forwarder.connect();
    // In the kernel, on its way to the forwarder; then one pipe or buffer of ours, and as much of
    // slack.
    let bound = largest_buffer("tcp_wmem") + largest_buffer("tcp_rmem") + 2 * MIB as u64;
    let (mut before, mut quiet) = (u64::MAX, 0);
    while quiet < 50 {
        // In this order: what is handed on in between makes the difference smaller, never larger.
        let sent = sent.load(Ordering::Relaxed);
        let passed = forwarder.counters().tcp.bytes_to_client;
        let held = sent.saturating_sub(passed);
        assert!(held <= bound, "{held} bytes between target and client");
        assert!(sent < ALL as u64, "nothing held the target back");
        quiet = if sent == before { quiet + 1 } else { 0 };
        before = sent;
        thread::sleep(std::time::Duration::from_millis(2));
    }
    let mut got = vec![0; MIB];
    for _ in 0..ALL / MIB {
        client.read_exact(&mut got).unwrap();
        assert!(got == *chunk);
    }
    assert_eq!(client.read(&mut got).unwrap(), 0);
}

#[test]
fn blocked_bulk_holds_no_other_connection_up() {
    let (pumping, is_pumping) = mpsc::channel();
    let target = serve("127.0.0.1:0", move |mut stream| {
        let mut order = [0];
        stream.read_exact(&mut order).unwrap();
        if order == *b"p" {
            // More than all buffers on the way take, so this ends by the client's reset.
            let much = noise(MIB, 1);
            stream.write_all(&much).unwrap();
            pumping.send(()).unwrap();
            while stream.write_all(&much).is_ok() {}
        } else {
            std::io::copy(&mut &stream, &mut &stream).unwrap();
        }
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let blocked: Vec<TcpStream> = (0..20).map(|_| forwarder.connect()).collect();
    for mut stream in &blocked {
        stream.write_all(b"p").unwrap();
        is_pumping.recv_timeout(PATIENCE).unwrap();
    }
    for seed in 0..50 {
        let mut payload = noise(100_000, seed);
        payload[0] = b'e';
        let answer = exchange(&forwarder.connect(), &payload);
        assert!(answer == payload[1..], "{} bytes", answer.len());
    }
    blocked.into_iter().for_each(abort);
    forwarder.until(|it| it.tcp.connections_now == 0);
}

#[test]
fn a_connection_may_turn_from_much_to_little_and_back() {
    let forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    let stream = forwarder.connect();
    let round_trip = |payload: &[u8]| {
        thread::scope(|scope| {
            scope.spawn(|| (&stream).write_all(payload).unwrap());
            let mut answer = vec![0; payload.len()];
            (&stream).read_exact(&mut answer).unwrap();
            assert!(answer == payload, "{} bytes", payload.len());
        });
    };
    for seed in 0..4 {
        round_trip(&noise(3 * MIB, seed));
        for length in 1..100 {
            round_trip(&noise(length, seed));
        }
    }
    assert_eq!(exchange(&stream, b"end"), b"end");
}

#[test]
fn an_urgent_byte_amid_bulk_arrives_in_its_place() {
    let forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    let stream = forwarder.connect();
    let payload = noise(2 * MIB, 8);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                (&stream).write_all(&payload).unwrap();
                rustix::net::send(&stream, b"!", rustix::net::SendFlags::OOB).unwrap();
            }
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut answer = Vec::new();
        (&stream).read_to_end(&mut answer).unwrap();
        let expected = [&payload[..], b"!"].concat().repeat(3);
        assert!(answer == expected, "{} bytes", answer.len());
    });
}

#[test]
fn what_a_target_sent_before_its_end_arrives_however_late_it_is_read() {
    let (send, ended) = mpsc::channel();
    let target = serve("127.0.0.1:0", move |mut stream| {
        let mut size = [0; 4];
        stream.read_exact(&mut size).unwrap();
        let size = u32::from_le_bytes(size);
        stream
            .write_all(&noise(size as usize, size.into()))
            .unwrap();
        drop(stream);
        send.send(()).unwrap();
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    // From what fits into the kernel's buffers to what waits in ours as well.
    for size in [1, 100_000, 1_000_000, 2_500_000, 4_000_000, 5_000_000] {
        let mut stream = forwarder.connect();
        stream.write_all(&u32::to_le_bytes(size)).unwrap();
        ended.recv_timeout(PATIENCE).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer == noise(size as usize, size.into()), "{size} bytes");
    }
}

#[test]
fn a_target_that_is_reset_amid_an_upload_resets_its_client() {
    let target = serve("127.0.0.1:0", |mut stream| {
        stream.read_exact(&mut vec![0; 3 * MIB]).unwrap();
        abort(stream);
    });
    let forwarder = Forwarder::tcp("127.0.0.1:0", target);
    let stream = forwarder.connect();
    let payload = noise(MIB, 2);
    let mut sent = 0;
    // The error may be told to this writer or to a reader.
    while (&stream).write_all(&payload).is_ok() {
        sent += 1;
        assert!(sent < 512, "the reset did not arrive");
    }
    assert!(sent >= 2);
    let counters = forwarder.until(|it| it.tcp.connections_now == 0);
    assert_eq!(counters.tcp.resets, 1);
}
