//! What stands in the way of what is declared.

use std::collections::BTreeMap;
use std::path::PathBuf;

use netnsctl_kernel::observe;
use netnsctl_kernel::place;
use netnsctl_model::desired::{Desired, Protocol};
use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::name::NetnsRef;
use netnsctl_model::plan::{self, Request};
use netnsctl_probe::listeners::{self, Transport};

use super::{Check, Mark};
use crate::config_files;
use crate::output;
use crate::status::{self, ForwardState};

/// The first process, which has the sockets that systemd listens on for others.
const SERVICE_MANAGER: u32 = 1;

pub(super) fn examine(config: &[PathBuf]) -> Vec<Check> {
    let check = |mark, message: &str| Check::new("configuration", "configuration", mark, message);
    let configuration = match config_files::load(config) {
        Ok(configuration) => configuration,
        Err(failure) => {
            let (message, hint) = failure.into_words();
            let check = check(Mark::Problem, &message);
            return vec![hint.into_iter().fold(check, Check::hint)];
        }
    };
    if configuration.sources.is_empty() {
        let (_, hint) = config_files::none_found().into_words();
        let check = check(Mark::Ok, "none yet");
        return vec![hint.into_iter().fold(check, Check::hint)];
    }
    let Some(desired) = configuration.loaded.desired else {
        let wrong = check(
            Mark::Problem,
            "has mistakes, so that nothing can be brought up",
        );
        return vec![wrong.hint("\"netnsctl check\" shows them")];
    };
    let files = configuration.sources.len();
    let s = if files == 1 { "" } else { "s" };
    let mut checks = vec![check(
        Mark::Ok,
        &format!("{files} file{s} without a mistake"),
    )];
    checks.extend(super::limits::examine(&desired));
    checks.extend(obstacles(&desired));
    match status::forwarders(&desired) {
        Ok(forwarders) => checks.extend(ports(&desired, &forwarders)),
        Err(error) => checks.push(super::host::untried("port", "forwards", &error)),
    }
    checks
}

/// Names, links and settings that `up` would stop at.
fn obstacles(desired: &Desired) -> Vec<Check> {
    let request = Request::default();
    let observed =
        place::home().and_then(|home| observe::observe_undisturbed(desired, &home, &request));
    let observed = match observed {
        Ok((observed, disturbed)) => {
            output::note_disturbed(disturbed.as_deref());
            observed
        }
        Err(error) => return vec![super::host::untried("declared", "what is declared", &error)],
    };
    let plan = plan::plan(desired, &observed, &request);
    let check = |problem: &plan::Problem| {
        let subject = format!("netns {:?}", problem.netns());
        let check = Check::new("declared", subject, Mark::Problem, problem.to_string());
        problem.hint().into_iter().fold(check, Check::hint)
    };
    let note = |note: &String| Check::new("declared", "declared", Mark::Warning, note.clone());
    let problems = plan.problems.iter().map(check);
    problems.chain(plan.notes.iter().map(note)).collect()
}

/// Ports of home that somebody else has: those of forwards without a forwarder.
fn ports(desired: &Desired, forwarders: &BTreeMap<(NetnsRef, usize), ForwardState>) -> Vec<Check> {
    let forwards = desired.forwards(&NetnsRef::Home);
    if forwards.is_empty() {
        return Vec::new();
    }
    let is_foreign = |number| {
        let found = forwarders.get(&(NetnsRef::Home, number));
        matches!(found, Some(ForwardState::DoesNotRun))
    };
    let foreign = forwards
        .iter()
        .zip(1..)
        .filter(|(_, number)| is_foreign(*number));
    let check = |(forward, _): (&netnsctl_model::desired::Forward, usize)| {
        let ForwardAddress::Inet(endpoint) = &forward.listen else {
            return None;
        };
        let transport = match forward.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
        };
        let taken = listeners::taken(transport, endpoint.socket_address())?;
        if taken.pids == [SERVICE_MANAGER] {
            return None;
        }
        let subject = format!("{} {}", forward.protocol.as_str(), forward.listen);
        let message = format!("taken in the host namespace: {}", taken.words);
        let check = Check::new("port", subject, Mark::Problem, message);
        Some(check.hint("end it, or declare another port"))
    };
    foreign.filter_map(check).collect()
}
