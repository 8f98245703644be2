//! The commands, what each needs before, and what is right after it.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::OnceLock;

use crate::harm::world::{
    ONE, OTHER, World, Wrong, alice_stays_out, difference, fine, is, settled, state,
};
use crate::support::{Ran, configure, netnsctl};
use crate::traffic::within;

/// A command that is harmed.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// CI takes every so many of its injections.
    pub(super) every: usize,
    /// What stays between two injections.
    pub(super) set: fn(&World),
    /// What is to be there before each.
    pub(super) prepare: fn(&World) -> Wrong,
    pub(super) command: fn() -> Command,
    /// What a command that succeeds has done.
    pub(super) goal: fn(&World, &Ran) -> Wrong,
    /// One command without a fault gets everywhere from here; there are two ways.
    pub(super) recover: fn(&World, usize) -> Wrong,
    /// Whether it tells on stdout what is wrong.
    pub(super) tells_on_stdout: bool,
}

fn nothing_to_set(_: &World) {}

/// `up` or `down` reaches its end.
fn up_or_down(world: &World, way: usize) -> Wrong {
    if way == 0 { up(world) } else { down(world) }
}

fn up(world: &World) -> Wrong {
    fine(&["up", "--quiet"])?;
    is(&world.one, "after \"up\"")?;
    settled(&[])
}

fn down(world: &World) -> Wrong {
    fine(&["down", "--quiet"])?;
    is(&world.nothing, "after \"down\"")
}

/// Everything of the first declaration is there.
fn have_one(world: &World) -> Wrong {
    configure(ONE);
    if state() == world.one {
        return Ok(());
    }
    fine(&["up", "--quiet", "--prune"])?;
    is(&world.one, "before")
}

fn have_nothing(world: &World) -> Wrong {
    configure(ONE);
    if state() == world.nothing {
        return Ok(());
    }
    down(world)
}

pub(super) const UP: Case = Case {
    name: "up",
    every: 6,
    set: nothing_to_set,
    prepare: have_nothing,
    command: || netnsctl(&["up"]),
    goal: |world, _| {
        is(&world.one, "it is not complete")?;
        settled(&[])
    },
    recover: up_or_down,
    tells_on_stdout: false,
};

pub(super) const AGAIN: Case = Case {
    name: "up again",
    every: 6,
    set: nothing_to_set,
    prepare: have_one,
    command: || netnsctl(&["up"]),
    goal: |world, ran| {
        is(&world.one, "it is not complete")?;
        if ran.stdout == "nothing to do\n" {
            return Ok(());
        }
        Err(format!("it did {}", ran.stdout))
    },
    recover: up_or_down,
    tells_on_stdout: false,
};

pub(super) const CHANGE: Case = Case {
    name: "change",
    every: 6,
    set: nothing_to_set,
    prepare: |world| {
        have_one(world)?;
        configure(OTHER);
        Ok(())
    },
    command: || netnsctl(&["up", "--prune"]),
    goal: |world, _| {
        alice_stays_out()?;
        is(&world.other, "it is not complete")?;
        settled(&["--prune"])
    },
    recover: |world, way| {
        if way != 0 {
            return down(world);
        }
        fine(&["up", "--quiet", "--prune"])?;
        is(&world.other, "after \"up --prune\"")?;
        settled(&["--prune"])
    },
    tells_on_stdout: false,
};

pub(super) const DOWN: Case = Case {
    name: "down",
    every: 6,
    set: nothing_to_set,
    prepare: have_one,
    command: || netnsctl(&["down"]),
    goal: |world, _| is(&world.nothing, "it is not gone"),
    recover: up_or_down,
    tells_on_stdout: false,
};

/// What a command inside sees of name services: nothing of the host's.
const LOOK: &str =
    "cat /etc/resolv.conf; cd /run; ls nscd systemd/resolve; head -c 0 /etc/nsswitch.conf";

fn look() -> Command {
    netnsctl(&["run", "office", "--", "/bin/sh", "-c", LOOK])
}

/// What it sees where all is well, and the state after it.
static SEEN: OnceLock<(String, Vec<String>)> = OnceLock::new();

fn see_once(world: &World) {
    let _ = have_one(world);
    let shown = fine(&["run", "office", "--", "/bin/sh", "-c", LOOK]).expect("nothing fails");
    let text = shown.stdout;
    let hidden =
        text.contains("192.168.78.2") && !text.contains("socket") && !text.contains("io.systemd");
    assert!(hidden, "{text}");
    SEEN.get_or_init(|| (text, state()));
}

fn sees_its_own(ran: &Ran) -> Wrong {
    let (wanted, _) = SEEN.get().expect("it was seen");
    if ran.stdout == *wanted {
        return Ok(());
    }
    Err(format!("the command saw {:?}", ran.stdout))
}

fn run_is_right(_: &World, _: usize) -> Wrong {
    let ran = fine(&["run", "office", "--", "/bin/sh", "-c", LOOK])?;
    sees_its_own(&ran)?;
    let (_, wanted) = SEEN.get().expect("it was seen");
    is(wanted, "after \"run\"")?;
    settled(&[])
}

pub(super) const RUN: Case = Case {
    name: "run",
    every: 3,
    set: see_once,
    prepare: |world| {
        if state() != SEEN.get().expect("it was seen").1 {
            have_one(world)?;
        }
        fine(&["down", "office", "--part", "view"])?;
        is(&world.one, "without a view")
    },
    command: look,
    goal: |_, ran| sees_its_own(ran),
    recover: run_is_right,
    tells_on_stdout: false,
};

pub(super) const RUN_STALE: Case = Case {
    name: "run that mends",
    every: 3,
    set: see_once,
    prepare: |world| {
        world.restart_services();
        Ok(())
    },
    command: look,
    goal: |_, ran| sees_its_own(ran),
    recover: run_is_right,
    tells_on_stdout: false,
};

/// What `doctor` says where all is well.
static HEALTHY: OnceLock<String> = OnceLock::new();

fn answer_questions(world: &World) {
    see_once(world);
    let socket = within("lab", || UdpSocket::bind("0.0.0.0:53")).expect("the port is free");
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            // No such name (RFC 1035).
            buffer[2..4].copy_from_slice(&[0x81, 0x83]);
            let _ = socket.send_to(&buffer[..length], client);
        }
    });
    let healthy = fine(&["doctor", "office"]).expect("all is well");
    HEALTHY.get_or_init(|| healthy.stdout);
}

/// It says what it said of the healthy view. Only the name of a link may be its number instead.
fn is_healthy(ran: &Ran) -> Wrong {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let wanted = lines(HEALTHY.get().expect("it was seen"));
    let mut found = lines(&ran.stdout);
    for line in &mut found {
        if line.contains("\"lab\" and \"link ") {
            line.replace_range(
                line.find(" and").unwrap_or(0)..line.find(", and").unwrap_or(0),
                "",
            );
        }
    }
    if found == wanted {
        return Ok(());
    }
    Err(difference(&found, &wanted))
}

/// It says that all is well, or what is not.
fn healthy_or_not(_: &World, ran: &Ran) -> Wrong {
    let is_well = ran.stdout.contains("all is well");
    if is_well { is_healthy(ran) } else { Ok(()) }
}

pub(super) const DOCTOR: Case = Case {
    name: "doctor",
    every: 6,
    set: answer_questions,
    prepare: |_| Ok(()),
    command: || netnsctl(&["doctor", "office"]),
    goal: healthy_or_not,
    recover: |_, _| {
        is(&SEEN.get().expect("it was seen").1, "after \"doctor\"")?;
        is_healthy(&fine(&["doctor", "office"])?)
    },
    tells_on_stdout: true,
};
