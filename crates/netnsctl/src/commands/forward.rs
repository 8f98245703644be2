//! `forward`: the long-running part that carries one port.

mod options;
pub(super) mod order;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};

use netnsctl_base::error::task_limit_hint;
use netnsctl_base::netns;
use netnsctl_daemon::{Start, bind_unix_listener, raise_file_limit};
use netnsctl_forward::{Control, Listener, Orders, RunError, bind_listener};
use netnsctl_kernel::place;
use netnsctl_model::desired::Protocol;
use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::name::NetnsRef;
use netnsctl_session::run::enter_network;
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use sd_notify::NotifyState;

use self::options::{address_of, options};
use super::serve::forwarder::{path_taken, port_taken, protocol, socket_address, warn_if_exposed};
use super::serve::notify::Manager;
use crate::cli::Forward;
use crate::output::{Exit, Failure};

/// The name under which a service manager passes the socket that tells the counters, and the one
/// that takes orders.
const CONTROL: &str = "control";

pub(super) fn forward(arguments: &Forward) -> Result<Exit, Failure> {
    let start = Start::begin();
    let options = options(arguments, own_label())?;
    let sockets = Sockets::of(arguments)?;
    let has_streams = |listeners: &[Listener]| {
        let stream = protocol(Protocol::Tcp);
        listeners.iter().any(|it| it.protocol() == stream)
    };
    if options.proxy_protocol && !has_streams(&sockets.listeners) {
        return Err(
            Failure::usage("--proxy-protocol: datagrams have no PROXY header")
                .hint("leave it out, or listen on tcp or a unix socket"),
        );
    }
    if let Some(netns) = &arguments.connect_netns {
        enter_network(&netns_ref(netns)?)?;
    }
    raise_file_limit().map_err(|error| Failure::failed(error.to_string()))?;
    // Connect now: user "nobody" may not be allowed to after privileges are dropped.
    let manager = Manager::of_environment();
    let signals = start
        .confine()
        .map_err(|error| Failure::failed(error.to_string()))?;
    let ready = || manager.tell(&[NotifyState::Ready]);
    netnsctl_forward::run(
        sockets.listeners,
        Control {
            counters: sockets.counters,
            orders: sockets
                .orders
                .map(|socket| Orders::new(socket, order::read)),
        },
        signals.as_fd(),
        &options,
        ready,
    )
    .map_err(|error| match error {
        RunError::Datagrams { .. } => Failure::usage(error.to_string())
            .hint("connect to an address and a port, or listen on tcp or a unix socket"),
        RunError::Thread { error: ref cause } => {
            let hint = task_limit_hint(cause);
            Failure::failed(error.to_string()).with_hint(hint)
        }
        error => Failure::failed(error.to_string()),
    })?;
    Ok(Exit::Done)
}

struct Sockets {
    listeners: Vec<Listener>,
    counters: Option<UnixListener>,
    orders: Option<UnixDatagram>,
}

/// What this process's options are called.
fn own_label() -> String {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    order::label(words.iter().map(AsRef::as_ref))
}

impl Sockets {
    /// Those that were passed, and those that the command line asks for.
    fn of(arguments: &Forward) -> Result<Self, Failure> {
        let mut sockets = Self::passed()?;
        for listen in &arguments.listen {
            let listener = listen_at(listen, &arguments.listen_netns)?;
            sockets.listeners.push(listener);
        }
        match (sockets.listeners.is_empty(), &arguments.passed) {
            (false, _) => Ok(sockets),
            (true, Some(passed)) => Err(Failure::failed(format!(
                "no socket that listens at {passed} was passed"
            ))
            .hint("restart the .socket unit of this forward")),
            (true, None) => Err(Failure::usage("there is nothing to listen on")
                .hint("give --listen, or start it from a service manager that passes sockets")),
        }
    }

    /// Those a service manager passed.
    fn passed() -> Result<Self, Failure> {
        let taken = super::passed_sockets()?;
        let mut sockets = Self {
            listeners: Vec::new(),
            counters: None,
            orders: None,
        };
        for (name, fd) in taken {
            if name == CONTROL {
                match socket_type(&fd) {
                    Ok(SocketType::DGRAM) => sockets.orders = Some(UnixDatagram::from(fd)),
                    _ => sockets.counters = Some(UnixListener::from(fd)),
                }
            } else {
                sockets.listeners.push(listener(fd)?);
            }
        }
        Ok(sockets)
    }
}

fn listener(fd: OwnedFd) -> Result<Listener, Failure> {
    Listener::from_fd(fd).map_err(|error| Failure::failed(error.to_string()))
}

/// Listens on `PROTOCOL:ADDRESS:PORT` in a namespace, or at `unix:PATH`.
fn listen_at(text: &str, netns: &str) -> Result<Listener, Failure> {
    let bad = || {
        Failure::usage(format!(
            "{text:?} is not PROTOCOL:ADDRESS:PORT or unix:PATH"
        ))
        .hint("for example tcp:127.0.0.1:8080, udp:[::]:53 or unix:/run/app.sock")
    };
    let (kind, rest) = text.split_once(':').ok_or_else(bad)?;
    let (kind, address) = match kind {
        "tcp" => (Protocol::Tcp, rest),
        "udp" => (Protocol::Udp, rest),
        "unix" => (Protocol::Tcp, text),
        _ => return Err(bad()),
    };
    let endpoint = match address_of(address)? {
        ForwardAddress::Unix(_) if kind == Protocol::Udp => {
            return Err(
                Failure::usage(format!("{text:?} is a unix socket, which carries no udp"))
                    .hint(format!("listen on {address}, or on udp:ADDRESS:PORT")),
            );
        }
        ForwardAddress::Unix(path) => {
            // Its file stays behind: who it is made by may not remove it any more at the end.
            let bound = bind_unix_listener(path.as_path());
            let (fd, file) = bound.map_err(|error| path_taken(&error, path.as_path()))?;
            warn_if_exposed(path.as_path(), &file);
            return listener(fd);
        }
        ForwardAddress::Inet(endpoint) => endpoint,
    };
    let handle = place::resolve(&netns_ref(netns)?)?;
    let bound = netns::within(&handle, netns, || {
        let address = socket_address(&endpoint).map_err(Failure::failed)?;
        let protocol = protocol(kind);
        bind_listener(protocol, address).map_err(|error| port_taken(&error, protocol, address))
    })?;
    listener(bound.map_err(|failure| failure.within(netns))?)
}

fn netns_ref(text: &str) -> Result<NetnsRef, Failure> {
    NetnsRef::parse(text).map_err(|error| {
        Failure::usage(format!("{text:?} is no namespace name: it {error}"))
            .hint("\"netnsctl list\" shows those there are; home is \"default\"")
    })
}
