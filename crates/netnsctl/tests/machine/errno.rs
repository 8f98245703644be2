//! Each system call of a command fails, one at a time, with each error that it may have. After each
//! the command has ended, has done its work or has said why it has not, and the next command
//! without a fault reaches its end.

mod cases;
mod reload;

use std::time::Instant;

use crate::harm::chance::Chance;
use crate::harm::watch::{Deed, Hit, Watch};
use crate::harm::world::World;
use crate::support::{Ran, count, say};

use self::cases::Case;

#[netnsctl_machine::test]
fn each_call_of_up_may_fail() {
    inject(&cases::UP);
}

#[netnsctl_machine::test]
fn each_call_of_a_second_up_may_fail() {
    inject(&cases::AGAIN);
}

#[netnsctl_machine::test]
fn each_call_of_a_change_may_fail() {
    inject(&cases::CHANGE);
}

#[netnsctl_machine::test]
fn each_call_of_down_may_fail() {
    inject(&cases::DOWN);
}

#[netnsctl_machine::test]
fn each_call_of_run_may_fail() {
    inject(&cases::RUN);
}

#[netnsctl_machine::test]
fn each_call_of_a_run_that_mends_may_fail() {
    inject(&cases::RUN_STALE);
}

#[netnsctl_machine::test]
fn each_call_of_doctor_may_fail() {
    inject(&cases::DOCTOR);
}

#[netnsctl_machine::test]
fn each_call_of_a_reload_may_fail() {
    reload::inject();
}

/// Takes every so many of the injections; all of them with 1.
const EVERY: &str = "NETNSCTL_ERRNO_EVERY";

/// Takes only this one: the number of the call, a colon, the number of the error.
const ONLY: &str = "NETNSCTL_ERRNO_ONLY";

/// The injections that are taken.
struct Chosen {
    /// The number of the call, and that of its error.
    taken: Vec<(usize, usize)>,
    /// How they were chosen, in words.
    how: String,
    chance: Chance,
}

/// Chooses one of so many injections, of calls that have these numbers of errors.
fn choose(errors: &[usize], share: usize) -> Chosen {
    let all = errors.iter().enumerate();
    let all = all.flat_map(|(at, errors)| (0..*errors).map(move |choice| (at, choice)));
    let all: Vec<_> = all.collect();
    if let Ok(only) = std::env::var(ONLY) {
        let numbers = only
            .split_once(':')
            .map(|(at, choice)| (at.parse(), choice.parse()));
        let Some((Ok(at), Ok(choice))) = numbers else {
            panic!("{ONLY} is not NUMBER:NUMBER");
        };
        return Chosen {
            taken: vec![(at, choice)],
            how: format!("only {only}"),
            chance: Chance::new(),
        };
    }
    let every = std::env::var(EVERY)
        .ok()
        .and_then(|every| every.parse().ok());
    let every = every.unwrap_or(share).max(1);
    let mut chance = Chance::new();
    let first = chance.below(every);
    let of = all.len();
    // Otherwise nobody saw where `main` begins.
    assert!(errors.len() > 50, "only {} calls were seen", errors.len());
    let taken: Vec<_> = all.into_iter().skip(first).step_by(every).collect();
    let how = format!(
        "{} of {of} injections at {} calls (every {every} from {first}, NETNSCTL_SEED={})",
        taken.len(),
        errors.len(),
        chance.seed
    );
    Chosen { taken, how, chance }
}

/// Tells how many injections there were, and fails if some went wrong or hardly any was made.
fn end(name: &str, chosen: &Chosen, hits: usize, bad: usize, start: Instant) {
    let (how, seconds) = (&chosen.how, start.elapsed().as_secs());
    count(&format!(
        "errno {name}: {how}, {hits} hit, {bad} bad, {seconds} s"
    ));
    assert_eq!(bad, 0, "injections went wrong");
    let tried = chosen.taken.len();
    assert!(hits * 10 >= tried, "only {hits} of {tried} hit");
}

fn inject(case: &Case) {
    let world = World::new();
    (case.set)(&world);
    // Twice, since the first one may find a colder machine.
    let mut errors = Vec::new();
    for _ in 0..2 {
        (case.prepare)(&world).expect("nothing is in the way");
        let watch = Watch::new(0, Deed::Nothing);
        let ran = watch
            .run(&mut (case.command)())
            .map(Ran::of)
            .expect("it ends");
        (case.goal)(&world, &ran).expect("nothing fails");
        errors = watch.errors();
        (case.recover)(&world, 0).expect("nothing fails");
    }
    let mut chosen = choose(&errors, case.every);
    let (mut bad, mut hits, start) = (0, 0, Instant::now());
    for (at, choice) in chosen.taken.clone() {
        let way = chosen.chance.below(2);
        let (hit, wrong) = once(case, &world, (at, choice), way);
        hits += usize::from(hit.is_some());
        if wrong.is_empty() {
            continue;
        }
        world.reset();
        (case.set)(&world);
        let hit = hit.map_or_else(|| "no hit".to_owned(), |hit| hit.to_string());
        let (name, wrong) = (case.name, wrong.join("; "));
        say(&format!("BAD {name} {at}:{choice} {hit}: {wrong}"));
        bad += 1;
    }
    end(case.name, &chosen, hits, bad, start);
}

/// One injection; where it was and what went wrong.
fn once(
    case: &Case,
    world: &World,
    (at, choice): (usize, usize),
    way: usize,
) -> (Option<Hit>, Vec<String>) {
    let mut wrong = Vec::new();
    if let Err(why) = (case.prepare)(world) {
        return (None, vec![format!("before: {why}")]);
    }
    let watch = Watch::new(at, Deed::Fail(choice));
    let ran = watch.run(&mut (case.command)()).map(Ran::of);
    let hit = watch.hit();
    match ran {
        None => wrong.push("hangs".to_owned()),
        Some(ran) => wrong.extend(judge(case, world, &ran, hit.as_ref())),
    }
    wrong.extend(crate::harm::world::recorded().err());
    wrong.extend((case.recover)(world, way).err());
    (hit, wrong)
}

/// What is wrong with the way a command ended.
fn judge(case: &Case, world: &World, ran: &Ran, hit: Option<&Hit>) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = ran.stderr.trim();
    if text.contains("panicked") {
        wrong.push(format!("panics: {text}"));
    }
    match ran.status {
        None => wrong.push(format!("ended by a signal: {text}")),
        Some(0) => wrong.extend(
            (case.goal)(world, ran)
                .err()
                .map(|why| format!("status 0, but {why}")),
        ),
        Some(status) => {
            if !is_told(case, ran, hit) {
                let (out, err) = (ran.stdout.trim(), ran.stderr.trim());
                wrong.push(format!("status {status}, and says: {out} {err}"));
            }
        }
    }
    wrong
}

/// The C library did not find its name server, and does not say why.
fn asked_in_vain(report: &str) -> bool {
    let lines = ["unknown", "problem"].map(|mark| format!("{mark} a DNS question: "));
    report
        .lines()
        .any(|line| lines.iter().any(|begin| line.starts_with(begin)))
}

/// Whether a command that failed says so, with the name of the error.
fn is_told(case: &Case, ran: &Ran, hit: Option<&Hit>) -> bool {
    let named = |text: &str| {
        // pthread_create(3) has one error for everything.
        let names = hit.map(|hit| {
            [
                hit.errno.1,
                if hit.is_of_a_thread() {
                    "EAGAIN"
                } else {
                    hit.errno.1
                },
            ]
        });
        names.is_none_or(|names| names.iter().any(|name| text.contains(name)))
    };
    let begins = |text: &str, words: &[&str]| {
        text.lines()
            .any(|line| words.iter().any(|word| line.starts_with(word)))
    };
    if begins(&ran.stderr, &["error: "]) {
        return named(&ran.stderr);
    }
    let report = &ran.stdout;
    case.tells_on_stdout
        && begins(report, &["unknown ", "problem ", "leak "])
        && (named(report) || asked_in_vain(report))
}
