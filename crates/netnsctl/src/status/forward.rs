//! Whether a forwarder answers, and what it has carried.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netnsctl_base::error::Error;
use netnsctl_forward::Counters;
use netnsctl_model::desired::{self, Desired};
use netnsctl_model::name::NetnsRef;

use super::text::traffic;
use super::wire::Forward;
use crate::published::{self, ForwardKey, forward_key};

/// How long a forwarder may take to tell its counters; it does so between two packets.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is known of a forwarder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ForwardState {
    /// It answers with its counters since its last start.
    Runs(Counters),
    /// Nothing listens where a forwarder would answer.
    DoesNotRun,
    /// Neither of these can be found out, for this reason.
    Unknown(String),
}

impl ForwardState {
    /// Asks the forwarder that listens at the path `control`.
    pub(crate) fn ask(control: &Path) -> Self {
        match netnsctl_forward::ask(control, PATIENCE) {
            Ok(Some(counters)) => Self::Runs(counters),
            Ok(None) => Self::DoesNotRun,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Self::Unknown(format!("no answer within {} ms", PATIENCE.as_millis()))
            }
            Err(error) => Self::Unknown(netnsctl_sys::errno::words(&error)),
        }
    }

    /// Asks the forwarder that systemd started for `forward`.
    fn ask_unit(netns: &NetnsRef, number: usize, forward: &desired::Forward) -> Self {
        match netnsctl_units::control_path(netns, number, forward.protocol) {
            Some(path) => Self::ask(Path::new(&path)),
            None => Self::DoesNotRun,
        }
    }

    /// Its counters, if it answers.
    pub(crate) fn counters(&self) -> Option<&Counters> {
        match self {
            Self::Runs(counters) => Some(counters),
            Self::DoesNotRun | Self::Unknown(_) => None,
        }
    }
}

/// Where the forwarders of a running `serve` answer; without one, only those of systemd are asked.
pub(super) struct Controls(BTreeMap<ForwardKey, PathBuf>);

impl Controls {
    /// Those that `serve` publishes.
    pub(super) fn of(serve: Option<&published::State>) -> Self {
        let forwards = serve.into_iter().flat_map(|state| &state.forwards);
        Self(
            forwards
                .map(|it| (it.key.clone(), it.control.clone()))
                .collect(),
        )
    }

    /// Asks the forwarder of forward `number` of `netns`, which is that of `serve` or that of systemd.
    fn ask(&self, netns: &NetnsRef, number: usize, forward: &desired::Forward) -> ForwardState {
        let of_serve = self.0.get(&forward_key(netns, forward));
        match of_serve.map(|path| ForwardState::ask(path)) {
            None | Some(ForwardState::DoesNotRun) => ForwardState::ask_unit(netns, number, forward),
            Some(answer) => answer,
        }
    }

    /// What is shown of forward `number` of `netns`.
    pub(super) fn state(
        &self,
        netns: &NetnsRef,
        number: usize,
        forward: &desired::Forward,
    ) -> Forward {
        let forwarder = self.ask(netns, number, forward);
        let (running, error) = match &forwarder {
            ForwardState::Runs(_) => (Some(true), None),
            ForwardState::DoesNotRun => (Some(false), None),
            ForwardState::Unknown(why) => (None, Some(why.clone())),
        };
        Forward {
            number,
            protocol: forward.protocol,
            listen: forward.listen.to_string(),
            netns: forward.netns.to_string(),
            connect: forward.connect.clone(),
            running,
            error,
            counters: forwarder.counters().cloned(),
        }
    }
}

/// All forwarders, by the namespace that their forward listens in and its number.
///
/// Errors: it is not known what a running `serve` publishes.
pub(crate) fn forwarders(
    desired: &Desired,
) -> Result<BTreeMap<(NetnsRef, usize), ForwardState>, Error> {
    let controls = Controls::of(published::running()?.as_ref());
    let forwards = desired.all_forwards();
    Ok(forwards
        .map(|(netns, number, forward)| {
            let forwarder = controls.ask(&netns, number, forward);
            ((netns, number), forwarder)
        })
        .collect())
}

/// What each forward that runs has carried, in words, by the namespace it listens in and its number.
///
/// Errors: it is not known what a running `serve` publishes.
pub(crate) fn all_traffic(desired: &Desired) -> Result<BTreeMap<(NetnsRef, usize), String>, Error> {
    let forwarders = forwarders(desired)?;
    let forwards = desired.all_forwards();
    let running = forwards.filter_map(|(netns, number, forward)| {
        let key = (netns, number);
        let counters = forwarders.get(&key)?.counters()?;
        Some((key, traffic(forward.protocol, counters)))
    });
    Ok(running.collect())
}
