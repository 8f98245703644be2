//! What is set on the forwarder's sockets, as /proc/net/tcp tells of them.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use netnsctl_forward::{Keepalive, Options};

use crate::harness::{Forwarder, PATIENCE, echo};

/// A row of /proc/net/tcp (proc_net_tcp.txt of the kernel's documentation).
#[derive(Debug)]
struct Row {
    local: u16,
    remote: u16,
    /// Which timer runs: none, 1 for a retransmission, 2 for keepalive.
    timer: u8,
    /// Until it goes off.
    left: Duration,
}

/// The sockets that are connected. Others may stay for a minute after their end and have the port
/// of one that came later.
fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string("/proc/net/tcp").unwrap();
    text.lines().skip(1).filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    /// TCP_ESTABLISHED.
    const CONNECTED: &str = "01";
    let words: Vec<&str> = line.split_whitespace().collect();
    if words[3] != CONNECTED {
        return None;
    }
    let port = |address: &str| {
        let (_, port) = address.split_once(':').unwrap();
        u16::from_str_radix(port, 16).unwrap()
    };
    let (timer, left) = words[5].split_once(':').unwrap();
    // Clock ticks, of which there are a hundred a second wherever Linux runs.
    let ticks = u64::from_str_radix(left, 16).unwrap();
    Some(Row {
        local: port(words[1]),
        remote: port(words[2]),
        timer: u8::from_str_radix(timer, 16).unwrap(),
        left: Duration::from_millis(ticks * 10),
    })
}

/// The client of a connection through `forwarder`, and the rows of the three sockets that can be
/// told apart: the client's, the forwarder's to it, and the forwarder's to the target.
fn three(forwarder: &Forwarder, client: &TcpStream, target: SocketAddr) -> Option<[Row; 3]> {
    let client = client.local_addr().unwrap().port();
    let listen = forwarder.at[0].port();
    let mut rows = rows();
    let mut find = |wanted: &dyn Fn(&Row) -> bool| {
        let at = rows.iter().position(wanted)?;
        Some(rows.swap_remove(at))
    };
    Some([
        find(&|row| row.local == client && row.remote == listen)?,
        find(&|row| row.local == listen && row.remote == client)?,
        find(&|row| row.remote == target.port())?,
    ])
}

#[test]
fn both_sides_are_asked_for_signs_of_life_as_the_options_say() {
    let probing = |idle| Keepalive {
        idle: Duration::from_secs(idle),
        ..Keepalive::default()
    };
    for (keepalive, least, most) in [
        (Keepalive::default(), 0, 15),
        (probing(1000), 500, 1000),
        (probing(5000), 4000, 5000),
    ] {
        let target = echo("127.0.0.1:0");
        let change = |options: &mut Options| options.keepalive = Some(keepalive);
        let forwarder = Forwarder::tcp_with("127.0.0.1:0", target, change);
        let client = forwarder.connect();
        let start = Instant::now();
        // The timer of the handshake comes first.
        let [own, to_client, to_target] = loop {
            let found = three(&forwarder, &client, target);
            match found.filter(|[_, a, b]| (a.timer, b.timer) == (2, 2)) {
                Some(rows) => break rows,
                None => assert!(start.elapsed() < PATIENCE, "{:?}", rows()),
            }
        };
        let expected = Duration::from_secs(least)..=Duration::from_secs(most);
        for row in [to_client, to_target] {
            assert!(expected.contains(&row.left), "{row:?} {expected:?}");
        }
        // Nobody asked for it on the client's own.
        assert_eq!(own.timer, 0, "{own:?}");
    }
}
