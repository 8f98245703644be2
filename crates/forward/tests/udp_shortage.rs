//! UDP without descriptors to spare. The only test of its process, because the limit is the
//! process's.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]

#[path = "harness/mod.rs"]
mod harness;

use std::net::UdpSocket;
use std::thread;

use harness::{Forwarder, PATIENCE};
use netnsctl_forward::{Options, Protocol};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn ask(client: &UdpSocket) {
    client.send(b"hello").unwrap();
    assert_eq!(client.recv(&mut [0; 8]).unwrap(), 5);
}

#[test]
fn without_descriptors_strangers_give_way_and_the_established_stay() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    let options = Options::new(target.local_addr().unwrap().into());
    thread::spawn(move || {
        let mut bytes = [0; 8];
        while let Ok((length, from)) = target.recv_from(&mut bytes) {
            let _ = target.send_to(&bytes[..length], from);
        }
    });
    let forwarder = Forwarder::start(&[(Protocol::Udp, "127.0.0.1:0")], options);
    let client = || {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(forwarder.at[0]).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    };
    let clients: Vec<UdpSocket> = (0..20).map(|_| client()).collect();
    ask(&clients[0]);
    ask(&clients[0]);
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    let limit = getrlimit(Resource::Nofile);
    // Reading the folder took one.
    let few = Rlimit {
        current: Some(open as u64 + 2),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, few).unwrap();
    for client in &clients {
        ask(client);
        ask(&clients[0]);
    }
    setrlimit(Resource::Nofile, limit).unwrap();
    let udp = forwarder.counters().udp;
    // The established one was never made anew, and every other got its answer.
    assert_eq!(udp.sessions_ever, 20);
    assert!(udp.sessions_evicted > 10, "{udp:?}");
    assert!(udp.dropped.is_empty(), "{udp:?}");
}
