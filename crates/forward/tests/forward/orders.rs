//! Other options for a forwarder that serves.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use netnsctl_daemon::Log;
use netnsctl_forward::{ConnectTarget, Obstacle, Options, Protocol};

use crate::harness::{Forwarder, PATIENCE, echo, exchange};

/// A target that answers every connection with `word` and keeps it open.
fn telling(word: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(word.as_bytes()).unwrap();
            kept.push(stream);
        }
    });
    address
}

/// What a new client is told at first.
fn told(forwarder: &Forwarder) -> String {
    let mut word = [0; 3];
    forwarder.connect().read_exact(&mut word).unwrap();
    String::from_utf8(word.to_vec()).unwrap()
}

#[test]
fn new_clients_go_to_the_new_target_and_old_ones_stay() {
    for workers in [1, 4] {
        let mut options = Options::new(echo("127.0.0.1:0").into());
        options.workers = NonZeroUsize::new(workers).unwrap();
        let forwarder = Forwarder::start(&[(Protocol::Tcp, "127.0.0.1:0")], options);
        let mut old: Vec<_> = (0..8).map(|_| forwarder.connect()).collect();
        for stream in &mut old {
            stream.write_all(b"a").unwrap();
            stream.read_exact(&mut [0]).unwrap();
        }
        forwarder.becomes(&format!("connect {}", telling("new")));
        // The label is that of the first loop; the others hear the bell at the same time.
        forwarder.becomes(&format!("connect {}", telling("two")));
        let is_new = |_| told(&forwarder) == "two";
        let start = std::time::Instant::now();
        while !(0..16).all(is_new) {
            assert!(
                start.elapsed() < PATIENCE,
                "a loop goes on with old options"
            );
        }
        for mut stream in old {
            stream.write_all(b"bc").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut rest = String::new();
            stream.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "bc");
        }
    }
}

#[test]
fn a_client_that_goes_on_sending_reaches_the_new_target() {
    let targets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let at = targets.each_ref().map(|it| it.local_addr().unwrap());
    for target in &targets {
        target.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let forwarder = Forwarder::start(
        &[(Protocol::Udp, "127.0.0.1:0")],
        Options::new(at[0].into()),
    );
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(forwarder.at[0]).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for (number, target) in targets.iter().enumerate() {
        if number > 0 {
            forwarder.becomes(&format!("connect {}", at[1]));
        }
        client.send(b"question").unwrap();
        let mut buffer = [0; 16];
        let (length, from) = target.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"question");
        target.send_to(b"answer", from).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 6);
    }
    let counters = forwarder.counters();
    assert_eq!(counters.udp.sessions_now, 1);
    assert_eq!(counters.udp.sessions_evicted, 0);
}

#[test]
fn a_raised_limit_lets_in_who_waits() {
    let forwarder = Forwarder::tcp_with("127.0.0.1:0", telling("yes"), |options| {
        options.max_connections = Some(1);
    });
    let _first = forwarder.connect();
    forwarder.until(|it| it.tcp.connections_now == 1);
    let mut second = forwarder.connect();
    second
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    assert!(second.read(&mut [0; 3]).is_err(), "the limit holds");
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    forwarder.becomes("most 2");
    let mut word = [0; 3];
    second.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"yes");
}

#[test]
fn an_order_that_cannot_be_followed_changes_nothing() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let forwarder = Forwarder::tcp_with("127.0.0.1:0", echo("127.0.0.1:0"), |options| {
        options.label = "first".to_owned();
        options.log = Log::new(move |line| sink.lock().unwrap().push(line.to_owned()));
    });
    for order in [
        "nonsense",
        "connect [::1]:80",
        "connect unix:/run/app.sock",
        "connect 127.0.0.1:99999",
        "workers 2",
        &"x".repeat(20_000),
    ] {
        forwarder.order(order);
    }
    let refused = || {
        let lines = lines.lock().unwrap();
        let is_it = |line: &&String| line.starts_with("new options are refused, ");
        lines.iter().filter(is_it).count()
    };
    forwarder.until(|_| refused() == 6);
    assert_eq!(forwarder.counters().options, "first");
    assert_eq!(exchange(&forwarder.connect(), b"as before"), b"as before");
    let said = lines.lock().unwrap().join("\n");
    for reason in ["another kind", "number of workers", "too long", "no target"] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    // The log goes where it went.
    forwarder.becomes("most 7");
    let now = lines.lock().unwrap().join("\n");
    assert!(
        now.contains("other options, connecting to 127.0.0.1"),
        "{now}"
    );
}

#[test]
fn a_target_of_the_same_family_may_follow() {
    let options = |target: &str| Options::new(target.parse::<ConnectTarget>().unwrap());
    let cases = [
        ("127.0.0.1:80", "192.0.2.1:81", Ok(())),
        ("[::1]:80", "[fe80::1%host]:80", Ok(())),
        ("127.0.0.1:80", "[::1]:80", Err(Obstacle::Target)),
        ("unix:/a", "unix:/a", Ok(())),
        ("unix:/a", "unix:/b", Err(Obstacle::Target)),
        ("unix:/a", "127.0.0.1:80", Err(Obstacle::Target)),
        ("[::1]:80", "unix:/a", Err(Obstacle::Target)),
    ];
    for (before, after, wanted) in cases {
        let answer = options(before).may_become(&options(after));
        assert_eq!(answer, wanted, "{before} {after}");
    }
}
