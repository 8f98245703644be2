//! Killed at any system call, each command leaves a state from which the next one reaches its end.

mod serve;

use std::process::{Command, Stdio};

use crate::harm::chance::Chance;
use crate::harm::watch::{Deed, Watch, within_deadline};
use crate::harm::world::{
    ONE, OTHER, World, Wrong, alice_stays_out, difference, fine, is, recorded, settled, state,
};
use crate::support::{Ran, configure, count, netnsctl};

#[netnsctl_machine::test]
fn each_call_of_serve_may_be_its_last() {
    serve::killed();
}

/// How many kills all tests try together.
const KILLS: &str = "NETNSCTL_KILLS";

/// The default of that number.
const IN_CI: usize = 300;

/// At most so many kills come one after another, before a command is let be.
const IN_A_ROW: usize = 3;

/// The kills of one test.
#[derive(Debug)]
pub(crate) struct Kills {
    what: &'static str,
    /// How many there are to be.
    wanted: usize,
    tried: usize,
    hits: usize,
    chance: Chance,
}

impl Kills {
    /// So many hundredths of all kills, of the command `what`.
    fn new(what: &'static str, hundredths: usize) -> Self {
        let all = std::env::var(KILLS).ok().and_then(|all| all.parse().ok());
        let chance = Chance::new();
        // A test that fails is to be repeated with it.
        crate::support::say(&format!("NETNSCTL_SEED={}", chance.seed));
        Self {
            what,
            wanted: all.unwrap_or(IN_CI) * hundredths / 100,
            tried: 0,
            hits: 0,
            chance,
        }
    }

    fn more(&self) -> bool {
        self.tried < self.wanted
    }

    /// Kills before or during a call.
    fn deed(&mut self) -> Deed {
        if self.chance.below(2) == 0 {
            Deed::KillBefore
        } else {
            Deed::KillDuring
        }
    }

    /// Kills the command at some of its `calls`, once or a few times in a row; whether the last
    /// one came to its end. What it has in the end is checked by the caller.
    #[track_caller]
    fn row(&mut self, calls: usize, command: &dyn Fn() -> Command) {
        for _ in 0..=self.chance.below(IN_A_ROW) {
            let at = self.chance.below(calls);
            let watch = Watch::new(at, self.deed());
            let mut command = command();
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped());
            let ended = within_deadline(watch.start(&mut command)).map(Ran::of);
            let ran = ended.unwrap_or_else(|| panic!("{}: hangs at call {at}", self.what));
            self.tried += 1;
            self.hits += usize::from(ran.status.is_none());
            self.good(
                recorded(),
                &format!("kill {} at call {at}: {}", self.tried, ran.stderr),
            );
        }
    }

    /// What is to be right after a kill is.
    #[track_caller]
    fn good(&self, result: Wrong, when: &str) {
        if let Err(why) = result {
            let (what, seed) = (self.what, self.chance.seed);
            panic!("{what}, NETNSCTL_SEED={seed}, {when}: {why}");
        }
    }

    /// Tells how many there were. Most of them hit: only where threads run beside each other a
    /// command may have fewer calls than before.
    #[track_caller]
    fn end(self) {
        let Self {
            what,
            tried,
            hits,
            chance,
            ..
        } = self;
        let seed = chance.seed;
        count(&format!(
            "kills of {what}: {tried} tried, {hits} hit (NETNSCTL_SEED={seed})"
        ));
        assert!(hits * 10 >= tried, "only {hits} of {tried} kills hit");
    }
}

/// How many calls an undisturbed command makes.
#[track_caller]
fn calls(command: &dyn Fn() -> Command) -> usize {
    let watch = Watch::new(0, Deed::Nothing);
    let ran = watch.run(&mut command()).map(Ran::of).expect("it ends");
    assert_eq!(ran.status, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(watch.count() > 50, "only {} calls were seen", watch.count());
    watch.count()
}

fn reset(world: &World) {
    configure(ONE);
    fine(&["down", "--quiet"]).expect("nothing is in the way");
    is(&world.nothing, "at first").expect("nothing is left");
}

/// One command reaches the end that is wanted.
fn reaches(arguments: &[&str], wanted: &[String]) -> Wrong {
    fine(arguments)?;
    is(wanted, &format!("after {arguments:?}"))
}

/// Everything of the first declaration is there after one command, or nothing.
fn up_or_down(world: &World, choice: usize) -> Wrong {
    if choice == 0 {
        reaches(&["up", "--quiet"], &world.one)?;
        settled(&[])
    } else {
        reaches(&["down", "--quiet"], &world.nothing)
    }
}

#[netnsctl_machine::test]
fn each_call_of_up_may_be_its_last() {
    let world = World::new();
    reset(&world);
    let command = || netnsctl(&["up"]);
    let calls = calls(&command);
    let mut kills = Kills::new("up", 20);
    while kills.more() {
        reset(&world);
        kills.row(calls, &command);
        let choice = kills.chance.below(2);
        kills.good(up_or_down(&world, choice), "then");
    }
    kills.end();
}

#[netnsctl_machine::test]
fn each_call_of_down_may_be_its_last() {
    let world = World::new();
    reset(&world);
    let command = || netnsctl(&["down"]);
    fine(&["up", "--quiet"]).expect("nothing is in the way");
    let calls = calls(&command);
    let mut kills = Kills::new("down", 20);
    while kills.more() {
        fine(&["up", "--quiet"]).expect("nothing is in the way");
        kills.row(calls, &command);
        let choice = kills.chance.below(2);
        kills.good(up_or_down(&world, choice), "then");
    }
    kills.end();
}

#[netnsctl_machine::test]
fn each_call_of_a_change_may_be_its_last() {
    let world = World::new();
    reset(&world);
    let command = || netnsctl(&["up", "--prune"]);
    fine(&["up", "--quiet"]).expect("nothing is in the way");
    configure(OTHER);
    let calls = calls(&command);
    let mut kills = Kills::new("a change", 20);
    let mut goes_back = true;
    while kills.more() {
        let (text, wanted) = if goes_back {
            (ONE, &world.one)
        } else {
            (OTHER, &world.other)
        };
        configure(text);
        kills.row(calls, &command);
        if kills.chance.below(4) == 0 {
            kills.good(reaches(&["down", "--quiet"], &world.nothing), "then");
        }
        kills.good(reaches(&["up", "--prune", "--quiet"], wanted), "then");
        kills.good(settled(&["--prune"]), "then");
        if !goes_back {
            kills.good(alice_stays_out(), "then");
        }
        goes_back = !goes_back;
    }
    kills.end();
}

/// What a command inside sees of name services.
const LOOK: &str = "cat /etc/resolv.conf; ls /run/nscd /run/systemd/resolve";

#[netnsctl_machine::test]
fn each_call_of_run_may_be_its_last() {
    let world = World::new();
    let look = ["run", "office", "--", "/bin/sh", "-c", LOOK];
    let command = || netnsctl(&look);
    let seen = fine(&look).expect("nothing fails").stdout;
    assert!(
        !seen.contains("socket") && seen.contains("192.168.78.2"),
        "{seen}"
    );
    let with_view = state();
    fine(&["down", "office", "--part", "view"]).expect("nothing is in the way");
    let calls = calls(&command);
    let mut kills = Kills::new("run", 20);
    while kills.more() {
        // From nothing, or from a view that has to be put right.
        if kills.chance.below(2) == 0 {
            fine(&["down", "office", "--part", "view"]).expect("nothing is in the way");
        } else {
            world.restart_services();
        }
        kills.row(calls, &command);
        let right = fine(&look).and_then(|ran| {
            is(&with_view, "after \"run\"")?;
            settled(&[])?;
            let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
            let differs = difference(&lines(&ran.stdout), &lines(&seen));
            if differs.is_empty() {
                Ok(())
            } else {
                Err(differs)
            }
        });
        kills.good(right, "the next run");
    }
    reset(&world);
    kills.end();
}
