//! The lines about single connections.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netnsctl_daemon::Log;
use netnsctl_forward::{Options, Protocol};

use crate::harness::{Forwarder, Silent, abort, assert_reset, echo, exchange, refusing, serve};

/// A forwarder and what it tells of each connection.
struct Traced {
    forwarder: Forwarder,
    target: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Traced {
    fn start(target: SocketAddr, change: fn(&mut Options)) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let mut options = Options::new(target.into());
        change(&mut options);
        options.trace = Some(Log::new(move |line| {
            sink.lock().unwrap().push(line.to_owned());
        }));
        let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
        Self {
            forwarder,
            target,
            lines,
        }
    }

    /// Asserts that all told of the only client, whose address was `client`, is that it was
    /// connected, and that it ended as the words say.
    fn told(self, client: SocketAddr, before: &str, after: &str) {
        self.forwarder.until(|it| it.tcp.connections_now == 0);
        self.have_told(client, before, after);
    }

    fn have_told(self, client: SocketAddr, before: &str, after: &str) {
        let name = format!("client {client} at {}", self.forwarder.at[0]);
        let lines = self.lines.lock().unwrap();
        let [first, last] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(*first, format!("{name}: connecting to {}", self.target));
        assert!(
            last.starts_with(&format!("{name}: {before} after ")),
            "{last}"
        );
        assert!(last.ends_with(&format!(" s, {after}")), "{last}");
    }
}

/// Sends a byte and gets it back.
fn stand(mut client: &TcpStream) -> SocketAddr {
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    client.local_addr().unwrap()
}

#[test]
fn an_orderly_end_is_told_with_the_bytes() {
    let traced = Traced::start(echo("127.0.0.1:0"), |_| {});
    let client = traced.forwarder.connect();
    let at = client.local_addr().unwrap();
    assert_eq!(exchange(&client, &[7; 3000]).len(), 3000);
    traced.told(at, "ended", "3000 bytes there, 3000 back");
}

#[test]
fn who_reset_a_connection_is_told() {
    let traced = Traced::start(echo("127.0.0.1:0"), |_| {});
    let client = traced.forwarder.connect();
    let at = stand(&client);
    abort(client);
    traced.told(at, "reset by the client", "1 bytes there, 1 back");

    let target = serve("127.0.0.1:0", |mut stream| {
        stream.read_exact(&mut [0]).unwrap();
        abort(stream);
    });
    let traced = Traced::start(target, |_| {});
    let mut client = traced.forwarder.connect();
    client.write_all(b"x").unwrap();
    assert_reset(&client);
    let at = client.local_addr().unwrap();
    traced.told(at, "reset by the target", "1 bytes there, 0 back");
}

#[test]
fn what_kept_a_target_from_being_reached_is_told() {
    let (target, _bound) = refusing("127.0.0.1:0");
    let traced = Traced::start(target, |_| {});
    let client = traced.forwarder.connect();
    assert_reset(&client);
    let at = client.local_addr().unwrap();
    let lines = traced.lines.lock().unwrap().clone();
    let name = format!("client {at} at {}", traced.forwarder.at[0]);
    let refused = format!("{name}: reset, cannot connect to {target}: Connection refused");
    // The kernel may refuse within connect(2), before there is a connection.
    assert!(lines.last().unwrap().starts_with(&refused), "{lines:?}");

    let silent = Silent::new();
    let soon = |options: &mut Options| options.connect_timeout = Duration::from_millis(50);
    let traced = Traced::start(silent.at, soon);
    let client = traced.forwarder.connect();
    assert_reset(&client);
    let words = format!(
        "reset, cannot connect to {}: Connection timed out (ETIMEDOUT)",
        silent.at
    );
    let at = client.local_addr().unwrap();
    traced.told(at, &words, "0 bytes there, 0 back");

    let traced = Traced::start(silent.at, |_| {});
    let client = traced.forwarder.connect();
    let at = client.local_addr().unwrap();
    traced.forwarder.until(|it| it.tcp.connecting_now == 1);
    abort(client);
    let words = "left before the target answered";
    traced.told(at, words, "0 bytes there, 0 back");
}

#[test]
fn ends_by_a_timer_are_told() {
    let target = serve("127.0.0.1:0", |_stream| std::thread::park());
    let soon = |options: &mut Options| options.half_close_timeout = Duration::from_millis(50);
    let traced = Traced::start(target, soon);
    let client = traced.forwarder.connect();
    client.shutdown(Shutdown::Write).unwrap();
    assert_reset(&client);
    let at = client.local_addr().unwrap();
    let words = "reset, half-closed and silent for too long";
    traced.told(at, words, "0 bytes there, 0 back");

    let soon = |options: &mut Options| options.drain = Duration::from_millis(50);
    let mut traced = Traced::start(echo("127.0.0.1:0"), soon);
    let client = traced.forwarder.connect();
    let at = stand(&client);
    traced.forwarder.stop();
    assert_reset(&client);
    let words = "reset, the time to stop is over";
    traced.have_told(at, words, "1 bytes there, 1 back");
}
