//! More clients, and more datagrams, than there is room for.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use netnsctl_daemon::Log;
use netnsctl_forward::{Listener, Options, Protocol, bind_listener};

use crate::harness::{Forwarder, PATIENCE};
use crate::udp::{ask, client, echo};

const UDP: &[(Protocol, &str)] = &[(Protocol::Udp, "127.0.0.1:0")];

/// Options that keep what is logged.
fn logged(target: SocketAddr) -> (Options, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let mut options = Options::new(target.into());
    options.log = Log::new(move |line| sink.lock().unwrap().push(line.to_owned()));
    (options, lines)
}

/// A target that answers `regular` only, and tells the port each such question came from.
fn choosy() -> (SocketAddr, Receiver<u16>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    let (seen, ports) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok((length, from)) = socket.recv_from(&mut bytes) {
            if &bytes[..length] == b"regular" {
                let _ = socket.send_to(&bytes[..length], from);
                let _ = seen.send(from.port());
            }
        }
    });
    (at, ports)
}

#[test]
fn a_flood_of_strangers_leaves_the_established_their_sessions() {
    const STRANGERS: u32 = 50_000;
    const AT_ONCE: u32 = 100;
    let (target, ports) = choosy();
    let mut options = Options::new(target.into());
    options.max_sessions = 64;
    let forwarder = Forwarder::start(UDP, options);
    let regular = client(forwarder.at[0]);
    let exchange = || {
        ask(&regular, b"regular");
        ports.recv_timeout(PATIENCE).unwrap()
    };
    let port = exchange();
    assert_eq!(exchange(), port);
    for first in (0..STRANGERS).step_by(AT_ONCE as usize) {
        for number in first..first + AT_ONCE {
            // 127.1.0.1 and on: all of 127/8 is ours.
            let [_, high, middle, low] = number.to_be_bytes();
            let stranger = SocketAddr::from(([127, high + 1, middle, low], 0));
            let stranger = UdpSocket::bind(stranger).unwrap();
            stranger.send_to(b"stranger", forwarder.at[0]).unwrap();
        }
        // The listener's queue is a queue: an answer means that all before it were served, more
        // of them than there is room for.
        assert_eq!(exchange(), port, "after {first} strangers");
    }
    let counters = forwarder.counters().udp;
    assert_eq!(counters.sessions_now, 64);
    assert_eq!(counters.sessions_ever, 1 + u64::from(STRANGERS));
    assert_eq!(counters.sessions_evicted, counters.sessions_ever - 64);
}

#[test]
fn established_sessions_give_way_to_a_stranger_only_when_there_are_no_others() {
    let mut options = Options::new(echo("127.0.0.1:0").into());
    options.max_sessions = 2;
    let forwarder = Forwarder::start(UDP, options);
    let clients = [(); 3].map(|()| client(forwarder.at[0]));
    for number in [0, 1, 1, 0] {
        ask(&clients[number], b"establish");
    }
    // There is no other: the one unused for longest goes.
    ask(&clients[2], b"new");
    assert_eq!(forwarder.counters().udp.sessions_evicted, 1);
    ask(&clients[0], b"still there");
    assert_eq!(forwarder.counters().udp.sessions_ever, 3);
    // Now there is one, though it was used later.
    ask(&clients[2], b"establish");
    ask(&clients[0], b"latest");
    ask(&clients[1], b"back");
    assert_eq!(forwarder.counters().udp.sessions_ever, 4);
    ask(&clients[0], b"still there");
    assert_eq!(forwarder.counters().udp.sessions_ever, 4);
}

#[test]
fn a_table_that_fills_up_is_told_once_before_and_once_when_it_is_full() {
    let (mut options, lines) = logged(echo("127.0.0.1:0"));
    options.max_sessions = 10;
    let forwarder = Forwarder::start(UDP, options);
    let told = || {
        let lines = lines.lock().unwrap();
        let told = lines.iter().filter(|it| it.contains("sessions"));
        told.cloned().collect::<Vec<_>>()
    };
    let clients: Vec<UdpSocket> = (0..14).map(|_| client(forwarder.at[0])).collect();
    for client in &clients[..7] {
        ask(client, b"x");
    }
    assert_eq!(told(), [""; 0]);
    ask(&clients[7], b"x");
    let early = "8 of 10 UDP sessions in use";
    assert_eq!(told(), [early]);
    for client in &clients[8..10] {
        ask(client, b"x");
    }
    assert_eq!(told(), [early]);
    for client in &clients[10..] {
        ask(client, b"x");
    }
    let full = "all 10 UDP sessions in use, the least recent gives way";
    assert_eq!(told(), [early, full]);
}

#[test]
fn a_question_and_its_answer_end_sooner_than_a_session_that_carried_more() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut options = Options::new(target.local_addr().unwrap().into());
    options.udp_single_timeout = Duration::from_millis(20);
    let forwarder = Forwarder::start(UDP, options);
    let (twice, once, silent) = (
        client(forwarder.at[0]),
        client(forwarder.at[0]),
        client(forwarder.at[0]),
    );
    let heard = || target.recv_from(&mut [0; 8]).unwrap().1;
    twice.send(b"one").unwrap();
    twice.send(b"two").unwrap();
    let session = [heard(), heard()][0];
    target.send_to(b"both", session).unwrap();
    silent.send(b"no answer").unwrap();
    heard();
    once.send(b"one").unwrap();
    target.send_to(b"one", heard()).unwrap();
    assert_eq!(once.recv(&mut [0; 8]).unwrap(), 3);
    let counters = forwarder.until(|it| it.udp.sessions_now == 2);
    assert_eq!(counters.udp.sessions_ever, 3);
    // The session that is gone is neither of the others.
    twice.send(b"three").unwrap();
    assert_eq!(heard(), session);
    silent.send(b"again").unwrap();
    heard();
    assert_eq!(forwarder.counters().udp.sessions_ever, 3);
}

#[test]
fn datagrams_the_kernel_had_no_room_for_are_counted() {
    let fd = bind_listener(Protocol::Udp, "127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = Listener::from_fd(fd).unwrap();
    let client = client(listener.address().inet().unwrap());
    // More than any buffer has room for, while nobody takes any.
    for _ in 0..1000 {
        client.send(&[0; 60_000]).unwrap();
    }
    // A target that takes nothing either.
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let options = Options::new(target.local_addr().unwrap().into());
    let forwarder = Forwarder::of(vec![listener], options);
    let start = Instant::now();
    let lost = loop {
        // What got in tells of what did not.
        client.send(b"x").unwrap();
        let counters = forwarder.counters().udp;
        if let Some(&lost) = counters.dropped.get("receive buffer full") {
            break lost;
        }
        assert!(start.elapsed() < PATIENCE, "{counters:?}");
    };
    let taken = forwarder.counters().udp.datagrams_to_target;
    assert!((1..1000).contains(&lost), "{lost} lost, {taken} taken");
    let all = |it: &netnsctl_forward::Counters| {
        let dropped: u64 = it.udp.dropped.values().sum();
        it.udp.datagrams_to_target + dropped >= 1000
    };
    forwarder.until(all);
}
