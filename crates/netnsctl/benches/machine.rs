//! How long the program takes, beside iproute2 doing the same on the same machine in the same run.
//!
//! Rounds of each contender alternate, medians are given, and only ratios mean anything: see
//! benches/README.md. Needs root and iproute2.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use netnsctl_session::sandbox::{self, Isolation};

/// Set in the child that is to run one measurement on a machine of its own.
const TASK: &str = "NETNSCTL_BENCH";

/// Rounds of each measurement.
const ROUNDS: usize = 3;

/// Commands started inside a namespace per round.
const RUNS: u32 = 100;

fn main() {
    if let Ok(task) = std::env::var(TASK) {
        sandbox::enter(Isolation::Privileged).expect("root is needed");
        let took = measure(&task);
        clear();
        println!("{}", took.as_nanos());
        return;
    }
    println!("| work | netnsctl | iproute2 | ratio |\n|---|---|---|---|");
    for count in [1, 10, 100] {
        row(
            &format!("up, {count}"),
            &format!("up {count}"),
            Some(&format!("script {count}")),
        );
    }
    row("up, 500", "up 500", None);
    row("up again, 500", "again 500", None);
    row("status, 500", "status 500", None);
    row("down until gone, 100", "down 100", Some("script-down 100"));
    row("run /bin/true, 1 there", "run 1", Some("exec 1"));
    row("run /bin/true, 500 there", "run 500", Some("exec 500"));
}

/// Measures both in turn and prints the medians.
fn row(what: &str, ours: &str, theirs: Option<&str>) {
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(in_machine(ours));
        other.extend(theirs.map(in_machine));
    }
    let own = median(own);
    let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    if other.is_empty() {
        println!("| {what} | {} | – | – |", millis(own));
    } else {
        let other = median(other);
        let ratio = other.as_secs_f64() / own.as_secs_f64();
        println!(
            "| {what} | {} | {} | {ratio:.1} × |",
            millis(own),
            millis(other)
        );
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark runs the program and its peers"
)]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// Runs one measurement in a process and machine of its own.
fn in_machine(task: &str) -> Duration {
    let own = std::env::current_exe().expect("the benchmark's own path");
    let output = command(own)
        .env(TASK, task)
        .stderr(Stdio::inherit())
        .output();
    let output = output.expect("the benchmark can start itself");
    let nanos = String::from_utf8_lossy(&output.stdout).trim().parse();
    Duration::from_nanos(nanos.unwrap_or_else(|_| panic!("{task}: {}", output.status)))
}

fn measure(task: &str) -> Duration {
    let (kind, count) = task.split_once(' ').expect("a kind and a count");
    let count: u32 = count.parse().expect("a count");
    std::fs::create_dir_all("/etc/netnsctl").expect("/etc is ours");
    std::fs::write("/etc/netnsctl/bench.toml", configuration(count)).expect("/etc is ours");
    match kind {
        "up" => time(|| netnsctl(&["up", "-q"])),
        "again" => {
            netnsctl(&["up", "-q"]);
            time(|| netnsctl(&["up", "-q"]))
        }
        "status" => {
            netnsctl(&["up", "-q"]);
            time(|| netnsctl(&["status"]))
        }
        "down" => {
            netnsctl(&["up", "-q"]);
            time(|| netnsctl(&["down", "-q"]))
        }
        "run" => {
            netnsctl(&["up", "-q"]);
            time(|| (0..RUNS).for_each(|_| netnsctl(&["run", "n0", "/bin/true"]))) / RUNS
        }
        "exec" => {
            netnsctl(&["up", "-q"]);
            time(|| {
                (0..RUNS)
                    .for_each(|_| run(command("ip").args(["netns", "exec", "n0", "/bin/true"])))
            }) / RUNS
        }
        "script" => {
            let script = script(count);
            time(|| shell(&script))
        }
        "script-down" => {
            shell(&script(count));
            let script: String = (0..count)
                .map(|i| format!("ip link del n{i}\nip netns del n{i}\n"))
                .collect();
            time(|| shell(&script))
        }
        _ => panic!("{task}"),
    }
}

/// Leaves nothing for the kernel to clean up beside the next measurement: it frees some 50
/// namespaces a second, and making new ones meanwhile takes many times as long.
fn clear() {
    shell("ip -all netns delete");
    let mut socket = netnsctl_netlink::Socket::open().expect("a netlink socket");
    let deadline = Instant::now() + Duration::from_secs(120);
    while socket.links().expect("the links of home").len() > 1 {
        assert!(
            Instant::now() < deadline,
            "the kernel does not free the namespaces"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn netnsctl(arguments: &[&str]) {
    run(command(env!("CARGO_BIN_EXE_netnsctl")).args(arguments));
}

fn shell(script: &str) {
    run(command("/bin/sh").args(["-ec", script]));
}

fn run(command: &mut Command) {
    let status = command
        .stdout(Stdio::null())
        .status()
        .expect("it can be started");
    assert!(status.success(), "{command:?}: {status}");
}

/// A holder link with four addresses, four forwarding sysctls and a veth pair home, for each.
fn configuration(count: u32) -> String {
    let mut text = String::new();
    for i in 0..count {
        let (high, low) = (i / 256, i % 256);
        let _ = write!(
            text,
            "[netns.n{i}]\ninterface_kind = \"bridge\"\n\
             address = [\"10.201.{high}.{low}/32\", \"10.202.{high}.{low}/32\", \
             \"fd01::{i:x}:1/128\", \"fd02::{i:x}:1/128\"]\n\
             ipv4_forwarding = true\nipv6_forwarding = true\n\
             [[netns.n{i}.veth]]\ninterface = \"host\"\npeer_interface = \"n{i}\"\n"
        );
    }
    text
}

/// The same, one process a step.
fn script(count: u32) -> String {
    let mut text = String::new();
    for i in 0..count {
        let (high, low) = (i / 256, i % 256);
        let _ = write!(
            text,
            "ip netns add n{i}\nip -n n{i} link add n{i} type bridge\n"
        );
        let _ = write!(
            text,
            "ip -n n{i} link set lo up\nip -n n{i} link set n{i} up\n"
        );
        for key in [
            "ipv4/conf/default",
            "ipv4/conf/all",
            "ipv6/conf/default",
            "ipv6/conf/all",
        ] {
            let file = format!("/proc/sys/net/{key}/forwarding");
            let _ = writeln!(text, "ip netns exec n{i} /bin/sh -c 'echo 1 > {file}'");
        }
        let addresses = [
            format!("10.201.{high}.{low}/32"),
            format!("10.202.{high}.{low}/32"),
            format!("fd01::{i:x}:1/128"),
            format!("fd02::{i:x}:1/128"),
        ];
        for address in addresses {
            let _ = writeln!(text, "ip -n n{i} addr add {address} dev n{i}");
        }
        let _ = writeln!(text, "ip link add n{i} type veth peer host netns n{i}");
        let _ = write!(text, "ip link set n{i} up\nip -n n{i} link set host up\n");
    }
    text
}
