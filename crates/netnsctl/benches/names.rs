//! How long users wait for the name-service daemon while all its hosts hang.
//!
//! Look-ups of a user are timed while nothing else goes on, and again while 500 of hosts wait for a
//! name server that never answers; each round has a daemon of its own. See benches/README.md. Needs
//! root.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use netnsctl_session::sandbox::{self, Isolation};

/// Where the daemon listens.
const SOCKET: &str = "/run/nscd-bench";

/// Daemons, one after the other.
const ROUNDS: usize = 7;

/// Look-ups of a user in each half of a round.
const LOOKUPS: usize = 20_000;

/// Hosts that hang.
const HOSTS: usize = 500;

/// Numbers of the requests GETPWBYNAME, GETHOSTBYNAME and GETSTAT.
const USER: i32 = 0;
const HOST: i32 = 4;
const STATISTICS: i32 = 9;

fn main() {
    sandbox::enter(Isolation::Privileged).expect("root is needed");
    let put = |name: &str, text: &str| {
        let path = format!("/etc/{name}");
        let _ = std::fs::remove_file(&path);
        std::fs::write(path, text).expect("/etc is ours");
    };
    put(
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n",
    );
    put("nsswitch.conf", "passwd: files\nhosts: dns\n");
    put(
        "resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n",
    );
    let _silent = UdpSocket::bind("127.0.0.1:53").expect("the port is free");
    let (mut idle, mut hanging) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let daemon = Daemon::start();
        idle.push(users());
        let ask = |number| connect(HOST, &format!("host{number}.test\0"));
        let hosts: Vec<_> = (0..HOSTS).map(ask).collect();
        while hosts_going_on() != Some(HOSTS as u64) {
            std::thread::yield_now();
        }
        hanging.push(users());
        drop((hosts, daemon));
    }
    println!("| user by name | median | 99th percentile |\n|---|---|---|");
    let micros = |time: Duration| format!("{:.1} µs", time.as_secs_f64() * 1e6);
    for (what, mut rounds) in [("nothing else", idle), ("500 hosts hang", hanging)] {
        rounds.sort_by_key(|round| round[1]);
        let [median, last] = rounds[ROUNDS / 2].map(micros);
        println!("| {what} | {median} | {last} |");
    }
}

/// The daemon, which ends with this.
struct Daemon(Child);

impl Daemon {
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark runs the program it measures"
    )]
    fn start() -> Self {
        let _ = std::fs::remove_file(SOCKET);
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_netnsctl"));
        let daemon = daemon.args(["nscd", "--socket", SOCKET]).spawn();
        let daemon = Self(daemon.expect("it can be started"));
        while UnixStream::connect(SOCKET).is_err() {
            std::thread::yield_now();
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The median and the 99th percentile of look-ups one after the other.
fn users() -> [Duration; 2] {
    let time = |_| {
        let start = Instant::now();
        let mut reply = Vec::new();
        let asked = connect(USER, "ann\0").read_to_end(&mut reply);
        asked.expect("an answer");
        assert_eq!(reply.get(4..8), Some(&1i32.to_ne_bytes()[..]), "found");
        start.elapsed()
    };
    let mut times: Vec<_> = (0..LOOKUPS).map(time).collect();
    times.sort();
    [times[LOOKUPS / 2], times[LOOKUPS / 100 * 99]]
}

/// How many look-ups of hosts go on.
fn hosts_going_on() -> Option<u64> {
    let mut line = String::new();
    let mut stream = BufReader::new(connect(STATISTICS, ""));
    stream.read_line(&mut line).expect("an answer");
    let statistics: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    statistics["going_on"]["hosts"].as_u64()
}

fn connect(number: i32, key: &str) -> UnixStream {
    let mut stream = UnixStream::connect(SOCKET).expect("the daemon listens");
    let length = i32::try_from(key.len()).expect("a short key");
    let header = [2, number, length].map(i32::to_ne_bytes).concat();
    let request = [&header, key.as_bytes()].concat();
    stream.write_all(&request).expect("the daemon reads");
    stream
}
