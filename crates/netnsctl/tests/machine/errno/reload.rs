//! The same for a `serve` that reads its configuration again: it goes on, whatever fails.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harm::watch::{DEADLINE, Deed, Hit, Watch};
use crate::harm::world::{FORWARDS, ONE, OTHER, OTHER_FORWARDS, World, Wrong, settled};
use crate::served::{Served, arguments, children, is_alive};
use crate::support::{configure, netnsctl, say};

/// CI takes every so many of its injections.
const EVERY: usize = 36;

/// How long `serve` is silent when it has done what it can, if its word that it is ready again got
/// lost.
const SILENCE: Duration = Duration::from_millis(300);

/// A `serve` that is watched.
struct Server {
    served: Served,
    watch: Watch,
    /// Which of the two declarations it has.
    has_other: bool,
    /// Bytes of its stderr that were read before.
    read: usize,
}

impl Server {
    fn start() -> Self {
        configure(&format!("{ONE}{FORWARDS}"));
        let watch = Watch::new(0, Deed::Nothing).alone();
        let mut served = Served::start_by(netnsctl(&["serve"]), |command| watch.start(command));
        served.wait_ready();
        Self {
            served,
            watch,
            has_other: false,
            read: 0,
        }
    }

    /// Changes the declaration to the other one, and does `deed` at call `at` of the reload.
    fn reload(&mut self, at: usize, deed: Deed) {
        self.has_other = !self.has_other;
        configure(&if self.has_other {
            format!("{OTHER}{OTHER_FORWARDS}")
        } else {
            format!("{ONE}{FORWARDS}")
        });
        // What came too late for the reload before would count as the word of this one.
        while self
            .served
            .tells_within("READY=1", Duration::from_millis(1))
        {}
        self.read = self.served.text().len();
        self.watch.again(at, deed);
        self.served.signal(Signal::HUP);
        let deadline = Instant::now() + DEADLINE;
        while !self.served.tells_within("READY=1", SILENCE) && Instant::now() < deadline {
            let before = self.watch.count();
            std::thread::sleep(SILENCE);
            if !is_alive(self.served.pid()) || self.watch.count() == before {
                break;
            }
        }
    }

    /// What it said since the reload began.
    fn said(&self) -> String {
        self.served
            .text()
            .get(self.read..)
            .unwrap_or_default()
            .to_owned()
    }

    /// Everything is as declared.
    fn is_right(&self) -> Wrong {
        let found: Vec<_> = children(self.served.pid())
            .into_iter()
            .map(arguments)
            .collect();
        let has = |part: &str, words: &[&str]| {
            let all = |line: &&Vec<String>| {
                let is_word = |word: &&str| line.iter().any(|it| it == word);
                line.get(1).is_some_and(|it| it == part) && words.iter().all(is_word)
            };
            found.iter().filter(all).count()
        };
        let (first, second, daemons) = if self.has_other {
            (
                &["--connect=127.0.0.1:2001", "--max-connections=7"][..],
                "--connect=127.0.0.1:2003",
                2,
            )
        } else {
            (
                &["--connect=127.0.0.1:2001"][..],
                "--connect=127.0.0.1:2002",
                3,
            )
        };
        let counts = [
            has("forward", &[]),
            has("forward", first),
            has("forward", &[second]),
            has("nscd", &[]),
        ];
        if counts != [2, 1, 1, daemons] {
            return Err(format!("it has {counts:?} children: {found:?}"));
        }
        settled(&[])
    }
}

/// One injection; where it was and what went wrong.
fn once(server: &mut Server, at: usize, choice: usize) -> (Option<Hit>, Vec<String>) {
    server.reload(at, Deed::Fail(choice));
    let hit = server.watch.hit();
    server.watch.again(0, Deed::Nothing);
    let state = server.is_right();
    // What it said last may have been on its way until now.
    let said = server.said();
    let mut wrong = Vec::new();
    if said.contains("panicked") {
        wrong.push(format!("panics: {said}"));
    }
    if !is_alive(server.served.pid()) {
        wrong.push(format!("it ended: {said}"));
        return (hit, wrong);
    }
    if let Err(why) = state
        && !said.contains("error: ")
    {
        // A child that failed is started again a little later.
        let later = eventually_right(server).err();
        wrong.extend(later.map(|_| format!("it said {said:?}, but {why}")));
    }
    // One reload without a fault reaches the end.
    server.has_other = !server.has_other;
    server.reload(0, Deed::Nothing);
    wrong.extend(eventually_right(server).err());
    (hit, wrong)
}

fn eventually_right(server: &Server) -> Wrong {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let result = server.is_right();
        if result.is_ok() || Instant::now() > deadline || !is_alive(server.served.pid()) {
            return result;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn inject() {
    let world = World::new();
    world.reset();
    let mut server = Server::start();
    // There and back again, so that the second one is of the other direction.
    let mut errors = Vec::new();
    for _ in 0..2 {
        server.reload(0, Deed::Nothing);
        errors = server.watch.errors();
        eventually_right(&server).expect("nothing fails");
    }
    let chosen = super::choose(&errors, EVERY);
    let (mut bad, mut hits, start) = (0, 0, Instant::now());
    for (at, choice) in chosen.taken.clone() {
        let (hit, wrong) = once(&mut server, at, choice);
        hits += usize::from(hit.is_some());
        if wrong.is_empty() {
            continue;
        }
        let hit = hit.map_or_else(|| "no hit".to_owned(), |hit| hit.to_string());
        say(&format!(
            "BAD reload {at}:{choice} {hit}: {}",
            wrong.join("; ")
        ));
        bad += 1;
        drop(server);
        world.reset();
        server = Server::start();
    }
    server.watch.again(0, Deed::Nothing);
    server.served.stop();
    super::end("reload", &chosen, hits, bad, start);
}
