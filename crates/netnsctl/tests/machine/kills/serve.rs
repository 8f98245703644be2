//! The same for `serve`: as it starts, runs, reads its configuration again, and ends. What it
//! started dies with it.

use rustix::process::Signal;

use super::{IN_A_ROW, Kills, reaches};
use crate::harm::watch::{DEADLINE, Deed, Watch};
use crate::harm::world::{
    FORWARDS, ONE, OTHER, OTHER_FORWARDS, World, Wrong, fine, is, recorded, settled, state,
    without_serve,
};
use crate::served::{Served, is_alive};
use crate::support::{configure, netnsctl};

/// When it is killed.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Start,
    Running,
    Reload,
    End,
}

const PHASES: [Phase; 4] = [Phase::Start, Phase::Running, Phase::Reload, Phase::End];

fn one() {
    configure(&format!("{ONE}{FORWARDS}"));
}

fn other() {
    configure(&format!("{OTHER}{OTHER_FORWARDS}"));
}

/// A `serve` that nobody has waited for.
fn start(watch: &Watch) -> Served {
    Served::start_by(netnsctl(&["serve"]), |command| watch.start(command))
}

/// How many calls each phase has.
fn calls() -> [usize; 4] {
    one();
    let watch = Watch::new(0, Deed::Nothing);
    let mut served = start(&watch);
    served.wait_ready();
    let at_start = watch.count();
    other();
    watch.again(0, Deed::Nothing);
    served.reload();
    let in_reload = watch.count();
    watch.again(0, Deed::Nothing);
    served.stop();
    [at_start, 1, in_reload, watch.count()]
}

/// Starts one and kills it in that phase, if it comes to that call. Gives whether it was killed.
fn kill(kills: &mut Kills, phase: Phase, calls: usize) -> (bool, Watch) {
    let (at, deed) = (kills.chance.below(calls), kills.deed());
    one();
    let begins = match phase {
        Phase::Start => deed,
        _ => Deed::Nothing,
    };
    let watch = Watch::new(at, begins);
    let mut served = start(&watch);
    if !served.tells_within("READY=1", DEADLINE) {
        assert!(
            !is_alive(served.pid()),
            "it starts, without an end: {}",
            served.text()
        );
    }
    if is_alive(served.pid()) {
        match phase {
            Phase::Start => {}
            Phase::Running => served.signal(Signal::KILL),
            Phase::Reload => {
                other();
                watch.again(at, deed);
                served.signal(Signal::HUP);
                served.tells_within("READY=1", DEADLINE);
            }
            Phase::End => {
                watch.again(at, deed);
                served.signal(Signal::TERM);
                served.exit();
            }
        }
    }
    // One that was not hit is killed here.
    if is_alive(served.pid()) && !matches!(phase, Phase::Running) {
        served.signal(Signal::KILL);
    }
    let hit = watch.hit().is_some() || matches!(phase, Phase::Running);
    drop(served);
    (hit, watch)
}

/// Nothing lives that it started: they get a signal when it dies, and end by themselves.
fn orphans_end(watch: &Watch) -> Wrong {
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        let left: Vec<_> = watch
            .processes()
            .into_iter()
            .filter(|pid| is_alive(*pid))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if std::time::Instant::now() > deadline {
            return Err(format!("processes {left:?} live on"));
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// The next command reaches its end.
fn recovers(world: &World, choice: usize) -> Wrong {
    let has_other =
        std::fs::read_to_string("/etc/netnsctl/test.toml").is_ok_and(|text| text.contains("cable"));
    if choice == 0 {
        let wanted = if has_other { &world.other } else { &world.one };
        fine(&["up", "--quiet", "--prune"])?;
        let found = without_serve(state());
        if found != *wanted {
            return Err(crate::harm::world::difference(&found, wanted));
        }
        settled(&[])?;
    }
    reaches(&["down", "--quiet"], &world.nothing)
}

pub(super) fn killed() {
    let world = World::new();
    world.reset();
    let calls = calls();
    is(&world.nothing, "after \"serve\"").expect("nothing is left");
    let mut kills = Kills::new("serve", 20);
    while kills.more() {
        let mut watches = Vec::new();
        for _ in 0..=kills.chance.below(IN_A_ROW) {
            let phase = kills.chance.below(PHASES.len());
            let (hit, watch) = kill(&mut kills, PHASES[phase], calls[phase]);
            kills.tried += 1;
            kills.hits += usize::from(hit);
            let when = format!("kill {} in {:?}", kills.tried, PHASES[phase]);
            kills.good(recorded(), &when);
            watches.push((watch, when));
        }
        let choice = kills.chance.below(2);
        kills.good(recovers(&world, choice), "then");
        for (watch, when) in &watches {
            kills.good(orphans_end(watch), when);
        }
    }
    kills.end();
}
