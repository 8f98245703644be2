//! `up --units`: the running units of a namespace become those that systemd has loaded.
//!
//! What `systemctl reload netns-NAME` does after namespaces are as declared. Units that are new are
//! started, those whose command changed are told so or else restarted, and those whose declaration is
//! gone are stopped; the others are left alone. What is declared does not matter here but for what
//! `systemctl daemon-reload` has made of it. Jobs are queued and not waited for, since they wait
//! for the reload; only what gives up an address is waited for, so that another can have it.

use std::time::{Duration, Instant};

use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_systemd::{Systemd, Unit};
use netnsctl_units::{Parts, forward_of_service};

use super::forward::order;
use super::orders::OfUnit;
use crate::output::{self, Failure};

/// How long what listens elsewhere from now on may take to stop: a forward drains first.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// How often to look whether it has.
const POLL: Duration = Duration::from_millis(20);

/// What a unit needs to be as it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    /// It goes on as its unit says now.
    Told,
    /// It, or its socket, listens elsewhere now, or not at all.
    Anew,
    Restart,
    Start,
}

/// Brings the units of `name` into force.
///
/// Errors: if systemd cannot be asked, or refuses.
pub(super) fn bring(name: &NetnsName) -> Result<(), Failure> {
    let parts = Parts::of(name);
    let mut systemd = Systemd::connect()?;
    let patterns: Vec<&str> = parts.patterns.iter().map(String::as_str).collect();
    let gone = systemd.matching(&patterns)?;
    let gone = gone
        .into_iter()
        .filter(|unit| unit.load == "not-found" && unit.active != "inactive");
    let mut stopping: Vec<String> = gone.map(|unit| unit.name).collect();
    let mut starting = Vec::new();
    for unit in wanted(&mut systemd, &parts)? {
        match need(&mut systemd, name, &unit)? {
            Need::Nothing => {}
            Need::Told => say("changed", &unit.name),
            Need::Start => starting.push(unit.name),
            Need::Restart => {
                say("restarting", &unit.name);
                systemd.restart(&unit.name)?;
            }
            Need::Anew => {
                let socket = unit.name.replace(".service", ".socket");
                stopping.extend([unit.name.clone(), socket.clone()]);
                starting.extend([socket, unit.name]);
            }
        }
    }
    for unit in &stopping {
        say("stopping", unit);
        systemd.stop(unit)?;
    }
    wait_until_stopped(&mut systemd, &stopping)?;
    for unit in &starting {
        say("starting", unit);
        systemd.start(unit)?;
    }
    Ok(())
}

/// Stops whatever is left of the units of `name`, but for the namespace's own, and waits for it.
///
/// Errors: if systemd cannot be asked, or refuses.
pub(super) fn stop_parts(name: &NetnsName) -> Result<(), Failure> {
    let parts = Parts::of(name);
    let mut systemd = Systemd::connect()?;
    let patterns: Vec<&str> = parts.patterns.iter().map(String::as_str).collect();
    let units = systemd.matching(&patterns)?;
    let stopping: Vec<String> = units
        .into_iter()
        .filter(|unit| unit.active != "inactive")
        .map(|unit| unit.name)
        .collect();
    for unit in &stopping {
        say("stopping", unit);
        systemd.stop(unit)?;
    }
    wait_until_stopped(&mut systemd, &stopping)
}

fn say(what: &str, unit: &str) {
    output::note(&format!("{what} {unit}"));
}

/// The parts that the namespace's unit wants, as loaded.
fn wanted(systemd: &mut Systemd, parts: &Parts) -> Result<Vec<Unit>, Failure> {
    let service = systemd.named(&[&parts.service])?;
    let Some(service) = service.first() else {
        return Ok(Vec::new());
    };
    let wanted = systemd.wants(service)?;
    let ours: Vec<&str> = wanted
        .iter()
        .map(String::as_str)
        .filter(|name| name.starts_with("netns-"))
        .collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let mut units = systemd.named(&ours)?;
    units.retain(|unit| unit.load == "loaded");
    Ok(units)
}

fn need(systemd: &mut Systemd, name: &NetnsName, unit: &Unit) -> Result<Need, Failure> {
    if matches!(unit.active.as_str(), "inactive" | "failed") {
        return Ok(Need::Start);
    }
    if !Parts::is_long_running(&unit.name) {
        return Ok(Need::Nothing);
    }
    let process = systemd.main_process(unit)?;
    let Some(now) = running_command(process) else {
        // It waits to be started again, in vain if its socket is gone. That of a daemon is always
        // the same, and services in the namespace need it.
        let is_daemon = unit.name.ends_with("-nscd.service");
        return Ok(if is_daemon { Need::Restart } else { Need::Anew });
    };
    let loaded = systemd.command(unit)?;
    let words = loaded.get(1..).unwrap_or_default();
    let netns = NetnsRef::Named(name.clone());
    let forward = forward_of_service(name, &unit.name).map(|(number, protocol)| OfUnit {
        netns: &netns,
        number,
        protocol,
    });
    let listens = |words: &[String]| {
        let mut words = words.iter();
        words.find(|word| word.starts_with("--passed=")).cloned()
    };
    if listens(&now) != listens(&loaded) {
        return Ok(Need::Anew);
    }
    // It may have been told otherwise since it was started.
    let in_force = forward.as_ref().and_then(OfUnit::label);
    let is_same = match &in_force {
        Some(label) => *label == order::label(words.iter().map(String::as_str)),
        None => now.get(1..) == Some(words),
    };
    Ok(match forward {
        _ if is_same => Need::Nothing,
        Some(forward) if forward.change(words) => Need::Told,
        _ => Need::Restart,
    })
}

/// The words of the command that a process was started with; none if there is no such process.
fn running_command(process: usize) -> Option<Vec<String>> {
    if process == 0 {
        return None;
    }
    let text = std::fs::read(format!("/proc/{process}/cmdline")).ok()?;
    let text = text.strip_suffix(&[0])?;
    let words = text.split(|byte| *byte == 0);
    Some(
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}

fn wait_until_stopped(systemd: &mut Systemd, names: &[String]) -> Result<(), Failure> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let deadline = Instant::now() + STOP_PATIENCE;
    while !names.is_empty() && Instant::now() < deadline {
        let units = systemd.named(&names)?;
        let is_stopped = |unit: &Unit| matches!(unit.active.as_str(), "inactive" | "failed");
        if units.iter().all(is_stopped) {
            break;
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
