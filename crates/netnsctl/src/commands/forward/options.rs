//! The options of a forwarder, as its command line has them.

use std::num::NonZeroUsize;

use netnsctl_daemon::Log;
use netnsctl_forward::{ConnectTarget, Keepalive, Options, available_workers};
use netnsctl_model::config::section::forward::parse_option;
use netnsctl_model::desired::{ForwardOptions, Workers};
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
    let given = forward_options(arguments)?;
    let mut options = Options::new(target);
    options.connect_timeout = given.connect_timeout;
    options.half_close_timeout = given.half_close_timeout;
    options.keepalive = (!given.keepalive.is_zero()).then_some(Keepalive {
        idle: given.keepalive,
        interval: given.keepalive,
        probes: given.keepalive_probes,
    });
    options.udp_timeout = given.udp_timeout;
    options.drain = given.drain;
    options.proxy_protocol = given.proxy_protocol;
    options.max_connections = given.max_connections.map(|most| most as usize);
    options.max_sessions = given.max_sessions as usize;
    options.seal = true;
    options.workers = match given.workers {
        Workers::Auto => available_workers(),
        Workers::Exactly(count) => NonZeroUsize::new(count as usize).unwrap_or(NonZeroUsize::MIN),
    };
    options.label = label;
    options.log = Log::new(output::note);
    options.trace = arguments.verbose.then(|| options.log.clone());
    Ok(options)
}

/// The options that are keys of the configuration too.
fn forward_options(arguments: &Forward) -> Result<ForwardOptions, Failure> {
    let mut options = ForwardOptions::DEFAULT;
    for (key, text) in arguments.options.given() {
        parse_option(&mut options, key, text).map_err(|bad| {
            let message = format!("--{}: {}", key.argument(), bad.message);
            Failure::usage(message).hint(bad.hint)
        })?;
    }
    Ok(options)
}

pub(super) fn address_of(text: &str) -> Result<ForwardAddress, Failure> {
    ForwardAddress::parse(text).map_err(|error| {
        Failure::usage(format!("{text:?} {error}"))
            .hint("an address is 127.0.0.1:80, [fd20::1]:80, [fe80::1%INTERFACE]:80 or unix:/run/app.sock")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn what_is_not_given_is_as_the_forwarder_has_it_by_itself() {
        let line = ["netnsctl", "forward", "--connect=127.0.0.1:80"];
        let Command::Forward(arguments) = Cli::parse_from(line).command else {
            panic!("it is a forward");
        };
        let read = options(&arguments, String::new()).unwrap();
        let own = Options {
            seal: true,
            log: read.log.clone(),
            ..Options::new(read.connect.clone())
        };
        assert_eq!(format!("{read:?}"), format!("{own:?}"));
    }
}
