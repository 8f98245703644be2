//! Running out of descriptors. The only test of its process, because the limit is the process's.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[path = "harness/mod.rs"]
mod harness;

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use harness::{Forwarder, echo, exchange, patient};
use netnsctl_forward::{Log, Options, Protocol};
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
    let before = getrlimit(Resource::Nofile);
    // Clients, made in this same process, get as far as the kernel's queue and no farther.
    let clients: Vec<_> = (0..10)
        .map(|_| {
            rustix::net::socket(
                rustix::net::AddressFamily::INET,
                rustix::net::SocketType::STREAM,
                None,
            )
            .unwrap()
        })
        .collect();
    leave(3);
    for client in &clients {
        rustix::net::connect(client, &forwarder.at[0]).unwrap();
    }
    let told = || {
        lines
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains("cannot"))
            .count()
    };
    let start = std::time::Instant::now();
    while told() == 0 {
        assert!(
            start.elapsed() < harness::PATIENCE,
            "{:?}",
            lines.lock().unwrap()
        );
        std::thread::yield_now();
    }
    // The connection that stands is served all the while.
    first.write_all(b"b").unwrap();
    first.read_exact(&mut [0; 1]).unwrap();
    setrlimit(Resource::Nofile, before).unwrap();
    for client in clients {
        let client = patient(client.into());
        assert_eq!(exchange(&client, b"late"), b"late");
    }
    let counters =
        forwarder.until(|it| it.tcp.connections_ever == 11 && it.tcp.connections_now == 1);
    assert!(counters.tcp.accept_errors["EMFILE"] > 0);
    assert_eq!(told(), 1, "{:?}", lines.lock().unwrap());
}
