//! Ending in order.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use netnsctl_daemon::Log;
use netnsctl_forward::{Control, Options, Protocol, RunError, run};

use crate::harness::{Forwarder, PATIENCE, assert_reset, echo, exchange};

/// Waits until nothing listens at the forwarder's address any more.
fn refuses(forwarder: &Forwarder) {
    let start = Instant::now();
    while TcpStream::connect(forwarder.at[0]).is_ok() {
        assert!(start.elapsed() < PATIENCE, "still listening");
        std::thread::yield_now();
    }
}

#[test]
fn a_connection_under_way_may_finish_after_the_order_to_stop() {
    let mut forwarder = Forwarder::tcp("127.0.0.1:0", echo("127.0.0.1:0"));
    let mut stream = forwarder.connect();
    stream.write_all(b"before ").unwrap();
    stream.read_exact(&mut [0; 7]).unwrap();
    forwarder.stop();
    refuses(&forwarder);
    assert_eq!(exchange(&stream, b"after"), b"after");
    forwarder.join();
}

#[test]
fn without_connections_it_ends_at_once() {
    let listen = [
        (Protocol::Tcp, "127.0.0.1:0"),
        (Protocol::Udp, "127.0.0.1:0"),
    ];
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.drain = Duration::from_secs(3600);
    let mut forwarder = Forwarder::start(&listen, options);
    forwarder.stop();
    forwarder.join();
}

#[test]
fn a_connection_that_does_not_finish_is_reset_and_the_log_says_so() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.drain = Duration::from_millis(50);
    options.log = Log::new(move |line| sink.lock().unwrap().push(line.to_owned()));
    let mut forwarder = Forwarder::start(&[(Protocol::Tcp, "[::]:0")], options);
    let target = TcpStream::connect(("127.0.0.1", forwarder.at[0].port())).unwrap();
    forwarder.until(|it| it.tcp.connections_now == 1);
    forwarder.stop();
    assert_reset(&target);
    forwarder.join();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].contains("(IPv6 and IPv4), connecting to 127.0.0.1:"),
        "{lines:?}"
    );
    assert!(lines[1].contains("stopping, 1 connection has"), "{lines:?}");
    assert!(lines[2].contains("resetting 1 connections"), "{lines:?}");
}

#[test]
fn a_stop_descriptor_that_knows_no_events_is_refused() {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let options = Options::new("127.0.0.1:9".parse().unwrap());
    let error = run(
        Vec::new(),
        Control::default(),
        file.as_fd(),
        &options,
        || panic!("ready"),
    )
    .unwrap_err();
    assert!(
        matches!(
            error,
            RunError::Watch {
                errno: rustix::io::Errno::PERM,
                ..
            }
        ),
        "{error}"
    );
}
