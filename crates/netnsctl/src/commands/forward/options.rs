//! The options of a forwarder, as its command line has them.

use std::num::NonZeroUsize;
use std::time::Duration;

use netnsctl_daemon::Log;
use netnsctl_forward::{ConnectTarget, Keepalive, Options, available_workers};
use netnsctl_model::config::values::{self, BadValue};
use netnsctl_model::desired::Workers;
use netnsctl_model::forward_address::ForwardAddress;

use crate::cli::Forward;
use crate::output::{self, Failure};

/// What the command line says, which is called `label`.
pub(crate) fn options(arguments: &Forward, label: String) -> Result<Options, Failure> {
    let target = address_of(&arguments.connect)?;
    let target: ConnectTarget = target
        .to_string()
        .parse()
        .map_err(|error| Failure::usage(format!("{error}")))?;
    let mut options = Options::new(target);
    options.connect_timeout = duration("--connect-timeout", &arguments.connect_timeout)?;
    options.half_close_timeout = duration("--half-close-timeout", &arguments.half_close_timeout)?;
    options.keepalive = keepalive(arguments)?;
    options.udp_timeout = duration("--udp-timeout", &arguments.udp_timeout)?;
    options.drain = duration("--drain", &arguments.drain)?;
    options.proxy_protocol = arguments.proxy_protocol;
    options.max_connections = arguments.max_connections.map(|most| most as usize);
    options.max_sessions = arguments.max_sessions as usize;
    options.seal = true;
    options.workers = workers(&arguments.workers)?;
    options.label = label;
    options.log = Log::new(output::note);
    options.trace = arguments.verbose.then(|| options.log.clone());
    Ok(options)
}

fn keepalive(arguments: &Forward) -> Result<Option<Keepalive>, Failure> {
    let pause = duration("--keepalive", &arguments.keepalive)?;
    values::check_keepalive(pause).map_err(|bad| bad_value("--keepalive", bad))?;
    Ok((!pause.is_zero()).then_some(Keepalive {
        idle: pause,
        interval: pause,
        probes: arguments.keepalive_probes,
    }))
}

fn workers(text: &str) -> Result<NonZeroUsize, Failure> {
    match values::workers(text).map_err(|bad| bad_value("--workers", bad))? {
        Workers::Auto => Ok(available_workers()),
        Workers::Exactly(count) => {
            Ok(NonZeroUsize::new(count as usize).unwrap_or(NonZeroUsize::MIN))
        }
    }
}

pub(super) fn address_of(text: &str) -> Result<ForwardAddress, Failure> {
    ForwardAddress::parse(text).map_err(|error| {
        Failure::usage(format!("{text:?} {error}"))
            .hint("an address is 127.0.0.1:80, [fd20::1]:80, [fe80::1%INTERFACE]:80 or unix:/run/app.sock")
    })
}

fn bad_value(option: &str, bad: BadValue) -> Failure {
    Failure::usage(format!("{option}: {}", bad.message)).hint(bad.hint)
}

fn duration(option: &str, text: &str) -> Result<Duration, Failure> {
    values::duration(text).map_err(|bad| bad_value(option, bad))
}
