//! One file a command.

mod check;
mod complete;
mod doctor;
mod down;
mod forward;
mod generator;
mod graph;
mod import;
mod list;
mod man;
pub(crate) mod metrics;
mod nscd;
mod orders;
mod outcome;
mod part;
mod plan;
mod run;
pub(crate) mod serve;
mod service_config;
mod status;
mod top;
mod units;
mod units_in_force;
mod up;

pub(crate) use generator::generator;
pub(crate) use nscd::nscd;
pub(crate) use run::{Entry, enter_as_caller, run, run_bare};

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use netnsctl_model::desired::Desired;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_session::sandbox;
use netnsctl_sys::activation::take_listen_fds;
use rustix::fs::Mode;

use crate::cli::{Cli, Command, Sandbox};
use crate::output::{self, Exit, Failure};

/// Does what was typed.
pub(crate) fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let config = cli.config;
    match cli.command {
        Command::Up(arguments) => {
            set_umask();
            up::up(&config, arguments)
        }
        Command::Down(arguments) => down::down(&config, arguments),
        Command::Plan(arguments) => plan::plan(&config, arguments),
        Command::Serve(arguments) => {
            set_umask();
            serve::serve(config, arguments)
        }
        Command::Run(arguments) => run(arguments),
        Command::Status(arguments) => status::status(&config, &arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Top(arguments) => top::top(config, &arguments),
        Command::Metrics(arguments) => metrics::metrics(&config, &arguments),
        Command::Check(arguments) => check::check(config, arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&config, &arguments),
        Command::Forward(arguments) => forward::forward(&arguments),
        Command::Nscd(arguments) => nscd(&arguments),
        Command::Graph(arguments) => graph::graph(&config, &arguments),
        Command::Units(arguments) => units::units(&config, arguments),
        Command::ServiceConfig(arguments) => service_config::service_config(&config, &arguments),
        Command::Schema => {
            output::print(&netnsctl_model::config::schema::schema()).map(|()| Exit::Done)
        }
        Command::Completions(arguments) => complete::script(&arguments),
        Command::Man(arguments) => man::man(&arguments),
        Command::Complete(arguments) => complete::complete(&arguments),
    }
}

/// Gives the process the usual umask: other users read what this command makes, whatever the umask
/// of its caller is.
fn set_umask() {
    rustix::process::umask(Mode::from_raw_mode(0o022));
}

/// Moves into the running sandbox if that was asked for. Before any thread exists.
pub(crate) fn enter_sandbox(arguments: &Sandbox) -> Result<(), Failure> {
    if !arguments.sandbox {
        return Ok(());
    }
    let pid = match (arguments.sandbox_pid, sandbox::running().as_slice()) {
        (Some(pid), _) => pid,
        (None, [pid]) => *pid,
        (None, []) => {
            return Err(
                Failure::failed("you have no \"netnsctl serve --sandbox\" running")
                    .hint("start one in another terminal"),
            );
        }
        (None, several) => {
            let pids: Vec<_> = several.iter().map(u32::to_string).collect();
            return Err(
                Failure::usage("you have several sandboxes running").hint(format!(
                    "choose one with --sandbox-pid: {}",
                    pids.join(", ")
                )),
            );
        }
    };
    Ok(sandbox::join(pid)?)
}

/// The declared namespaces called `names`; none for all of them.
fn declared_names(
    names: &[String],
    desired: &Desired,
) -> Result<Option<BTreeSet<NetnsName>>, Failure> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut chosen = BTreeSet::new();
    for text in names {
        let name = netns_name(text)?;
        if !desired.netns.contains_key(&name) {
            let known: Vec<_> = desired.netns.keys().map(ToString::to_string).collect();
            let hint = match known.is_empty() {
                true => {
                    format!("no namespace is declared; add [netns.{name}] to the configuration")
                }
                false => format!("declared are: {}", known.join(", ")),
            };
            return Err(Failure::usage(format!("netns {text:?} is not declared")).hint(hint));
        }
        chosen.insert(name);
    }
    Ok(Some(chosen))
}

/// A namespace's name as typed; home is none.
pub(crate) fn netns_name(text: &str) -> Result<NetnsName, Failure> {
    match NetnsRef::parse(text) {
        Ok(NetnsRef::Named(name)) => Ok(name),
        Ok(NetnsRef::Home) => Err(Failure::usage(format!(
            "{text:?} is the namespace this machine booted in; it is not managed"
        ))),
        Err(error) => Err(Failure::usage(format!(
            "{text:?} is no namespace name: it {error}"
        ))),
    }
}

/// The sockets that a service manager passed, with their names.
fn passed_sockets() -> Result<Vec<(String, OwnedFd)>, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let (pid, fds, names) = (
        variable("LISTEN_PID"),
        variable("LISTEN_FDS"),
        variable("LISTEN_FDNAMES"),
    );
    let own = std::process::id();
    take_listen_fds(own, pid.as_deref(), fds.as_deref(), names.as_deref())
        .map_err(|error| Failure::failed(format!("cannot take the sockets passed: {error}")))
}
