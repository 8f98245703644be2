//! How long a plan takes of 1,000 and of 10,000 declared namespaces, of which none is there.
//!
//! Prints the user time of `netnsctl plan` for both and their ratio: see benches/README.md. Needs
//! root.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use netnsctl_session::sandbox::{self, Isolation};

/// Plans of each size.
const ROUNDS: u32 = 5;

/// Unit of the times in proc_pid_stat(5): USER_HZ, the same on every architecture that netnsctl
/// is built for.
const TICK: Duration = Duration::from_millis(10);

fn main() {
    sandbox::enter(Isolation::Privileged).expect("root is needed");
    let [small, large] = [1_000, 10_000].map(user_time);
    println!("| declared namespaces | user time of a plan |\n|---|---|");
    println!("| 1,000 | {:.3} s |", small.as_secs_f64());
    println!("| 10,000 | {:.3} s |", large.as_secs_f64());
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("\nratio: {ratio:.1}");
}

/// The user time of one plan, the mean of all rounds.
fn user_time(count: u32) -> Duration {
    let path = format!("/etc/plan-{count}.toml");
    std::fs::write(&path, configuration(count)).expect("/etc is ours");
    let before = user_time_of_children();
    for _ in 0..ROUNDS {
        plan(&path, count);
    }
    (user_time_of_children() - before) / ROUNDS
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark runs the program that it measures"
)]
fn plan(path: &str, count: u32) {
    let output = Command::new(env!("CARGO_BIN_EXE_netnsctl"))
        .args(["plan", "--config", path])
        .stderr(Stdio::inherit())
        .output()
        .expect("it can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = format!("netns n{}", count - 1);
    assert!(output.status.success(), "{}", output.status);
    assert!(text.contains(&last), "the plan has all namespaces");
}

/// The user time of this process's children that have ended: `cutime` of proc_pid_stat(5).
fn user_time_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks = fields.split_whitespace().nth(13).expect("it has 52 fields");
    TICK * ticks.parse::<u32>().expect("it is a number")
}

/// For each namespace a base link with two addresses, a veth pair to the host namespace and a
/// forward.
fn configuration(count: u32) -> String {
    let mut text = String::new();
    for i in 0..count {
        let (high, low) = (i / 256, i % 256);
        let _ = write!(
            text,
            "[netns.n{i}]\naddress = [\"10.201.{high}.{low}/32\", \"fd01::{i:x}:1/128\"]\n\
             [[netns.n{i}.veth]]\ninterface = \"host\"\npeer_interface = \"n{i}\"\n\
             [[netns.n{i}.forward]]\nlisten = \"127.0.0.1:8080\"\nconnect = \"127.0.0.1:80\"\n\n"
        );
    }
    text
}
