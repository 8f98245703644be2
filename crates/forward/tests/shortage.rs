//! Running out of descriptors. The only test of its process, because the limit is the process's.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]

#[path = "harness/mod.rs"]
mod harness;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use harness::{Forwarder, PATIENCE, echo, exchange, noise, patient};
use netnsctl_daemon::Log;
use netnsctl_forward::{Counters, Options, Protocol};
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lowers the limit so that `free` descriptors are left, counting gaps.
fn leave(free: usize) {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let limit = Rlimit {
        current: Some((open + free) as u64),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[test]
fn running_out_of_descriptors_passes() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.log = Log::new(move |line| sink.lock().unwrap().push(line.to_owned()));
    let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
    let mut first = forwarder.connect();
    first.write_all(b"a").unwrap();
    first.read_exact(&mut [0; 1]).unwrap();
    let count = |word| {
        let lines = lines.lock().unwrap();
        lines.iter().filter(|line| line.contains(word)).count()
    };
    let told = || count("cannot");
    // With different numbers left, it is a client's socket or a target's that cannot be had.
    for free in 1..=4 {
        let shortages = |it: &Counters| it.tcp.accept_errors.values().sum::<u64>();
        let before = shortages(&forwarder.counters());
        let limit = getrlimit(Resource::Nofile);
        let clients: Vec<_> = (0..10).map(|_| socket()).collect();
        let control = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        leave(free);
        for client in &clients {
            rustix::net::connect(client, &forwarder.at[0]).unwrap();
        }
        // Whoever asks now is answered later; the log tells at once, the first time.
        wait_until(|| told() == 1);
        // The connection that stands is served all the while.
        first.write_all(b"b").unwrap();
        first.read_exact(&mut [0; 1]).unwrap();
        rustix::net::connect(&control, &forwarder.control_address()).unwrap();
        setrlimit(Resource::Nofile, limit).unwrap();
        let mut answer = String::new();
        UnixStream::from(control)
            .read_to_string(&mut answer)
            .unwrap();
        assert!(Counters::parse(&answer).is_ok());
        for client in clients {
            let client = patient(client.into());
            assert_eq!(exchange(&client, b"late"), b"late");
        }
        let all_but_first = |it: &Counters| it.tcp.connections_now == 1;
        let counters = forwarder.until(all_but_first);
        assert_eq!(counters.tcp.connections_ever, 1 + 10 * free as u64);
        assert!(shortages(&counters) > before);
        assert!(counters.tcp.accept_errors["EMFILE"] > 0);
        assert_eq!(count(": Too many open files (EMFILE); "), 1);
    }
    // Where no pipe can be had, much is carried all the same.
    let limit = getrlimit(Resource::Nofile);
    leave(0);
    let payload = noise(4 << 20, 3);
    assert!(exchange(&first, &payload) == payload);
    setrlimit(Resource::Nofile, limit).unwrap();
    // One line for one lasting trouble, and one when it is over.
    wait_until(|| count("accepting again after ") == 1);
    assert_eq!(told(), 1, "{:?}", lines.lock().unwrap());
}

fn socket() -> OwnedFd {
    rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap()
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain");
        std::thread::yield_now();
    }
}
