//! Killed at any moment, `up` and `down` leave a state from which the next one reaches its end.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::Test;
use crate::support::{configure, expect, netnsctl, settled, traces};

pub(crate) const TESTS: &[Test] = &[
    ("up_can_be_killed_at_any_moment", killed_up),
    ("down_can_be_killed_at_any_moment", killed_down),
    ("a_change_can_be_killed_at_any_moment", killed_change),
];

/// How often each is killed.
const KILLS: usize = 200;

/// Six namespaces, each with a pair to home and one to its neighbour.
fn declaration(second: u8) -> String {
    let mut text = String::new();
    for number in 0..6u8 {
        let neighbour = (number + 1) % 6;
        text.push_str(&format!(
            "[netns.n{number}]\naddress = [\"10.20.{number}.1/24\", \"10.20.{number}.{second}/24\"]\n\
             [netns.n{number}.sysctl]\n\"net.ipv4.ip_unprivileged_port_start\" = {second}\n\
             [[netns.n{number}.veth]]\naddress = [\"10.30.{number}.2/30\"]\n\
             peer_address = [\"10.30.{number}.1/30\"]\n\
             [[netns.n{number}.veth]]\nnetns = \"n{neighbour}\"\ninterface = \"right{second}\"\n\
             peer_interface = \"left{second}\"\n\
             [[netns.n{number}.route]]\nto = \"198.51.100.0/24\"\nvia = \"10.30.{number}.1\"\n"
        ));
    }
    text
}

/// Chance that can be had again: a xorshift64* of which the seed is printed.
struct Chance(u64);

impl Chance {
    #[expect(
        clippy::print_stderr,
        reason = "a failure is to be repeated with this seed"
    )]
    fn new() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let chosen = std::env::var("NETNSCTL_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = chosen.unwrap_or_else(|| now.map_or(1, |now| u64::from(now.subsec_nanos())) | 1);
        eprintln!("NETNSCTL_SEED={seed}");
        Self(seed)
    }

    /// Some part of `whole`.
    fn part_of(&mut self, whole: Duration) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        whole.mul_f64(number as f64 / f64::from(u32::MAX))
    }
}

fn start(command: &str) -> Child {
    netnsctl(&[command, "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program can be started")
}

/// How long a command takes that nobody disturbs: the longest of a few.
fn undisturbed(command: &str, prepare: impl Fn()) -> Duration {
    let once = || {
        prepare();
        let start = Instant::now();
        expect(0, &[command, "--quiet"]);
        start.elapsed()
    };
    (0..3).map(|_| once()).max().unwrap_or_default()
}

/// Starts a command and kills it after some part of `duration`. True if it was still running.
///
/// `duration` is how long the command is thought to take, and follows what is seen: the load of the
/// machine changes meanwhile.
fn killed(command: &str, duration: &mut Duration, chance: &mut Chance) -> bool {
    let delay = chance.part_of(*duration);
    let mut child = start(command);
    std::thread::sleep(delay);
    child.kill().expect("it is our child");
    let in_time = !child.wait().expect("it is our child").success();
    *duration = if in_time {
        *duration * 21 / 20
    } else {
        *duration * 9 / 10
    };
    in_time
}

/// One `up` reaches what is declared, to the last trace.
#[track_caller]
fn up_converges(complete: &[String]) {
    expect(0, &["up", "--quiet"]);
    assert_eq!(traces(), complete);
    assert_eq!(
        expect(0, &["plan", "--exit-code"]).stdout,
        "nothing to do\n"
    );
}

/// One `down` leaves nothing.
#[track_caller]
fn down_clears(before: &[String]) {
    expect(0, &["down", "--quiet"]);
    assert_eq!(traces(), before);
}

/// The traces of nothing, and of everything.
fn extremes() -> (Vec<String>, Vec<String>) {
    let before = traces();
    configure(&declaration(2));
    expect(0, &["up", "--quiet"]);
    let complete = traces();
    expect(0, &["down", "--quiet"]);
    assert_eq!(traces(), before);
    (before, complete)
}

/// Kills that came too late prove nothing; under a changing load many do.
#[track_caller]
fn enough(hits: usize) {
    assert!(
        hits * 10 > KILLS,
        "only {hits} of {KILLS} kills came in time"
    );
}

fn killed_up() {
    let mut chance = Chance::new();
    let (before, complete) = extremes();
    let down = || drop(expect(0, &["down", "--quiet"]));
    let mut duration = undisturbed("up", down);
    down();
    let mut hits = 0;
    for round in 0..KILLS {
        hits += usize::from(killed("up", &mut duration, &mut chance));
        if round % 2 == 0 {
            up_converges(&complete);
        }
        down_clears(&before);
    }
    enough(hits);
}

fn killed_down() {
    let mut chance = Chance::new();
    let (before, complete) = extremes();
    let up = || drop(expect(0, &["up", "--quiet"]));
    let mut duration = undisturbed("down", up);
    let mut hits = 0;
    for round in 0..KILLS {
        up_converges(&complete);
        hits += usize::from(killed("down", &mut duration, &mut chance));
        if round % 2 == 0 {
            down_clears(&before);
        }
    }
    enough(hits);
    down_clears(&before);
}

fn killed_change() {
    let mut chance = Chance::new();
    let (before, _) = extremes();
    let [one, other] = [2, 3].map(declaration);
    configure(&one);
    let mut duration = undisturbed("up", || {
        configure(&other);
        expect(0, &["up", "--quiet"]);
        configure(&one);
    });
    for round in 0..KILLS / 4 {
        configure(if round % 2 == 0 { &other } else { &one });
        killed("up", &mut duration, &mut chance);
        if round % 5 == 4 {
            down_clears(&before);
        } else {
            expect(0, &["up", "--quiet"]);
            settled();
        }
        // Nothing of the other declaration is left.
        let stale = if round % 2 == 0 { "right2" } else { "right3" };
        if round % 5 != 4 {
            assert!(!crate::net::has_link("n3", stale), "{stale} is left");
        }
    }
    down_clears(&before);
}
