//! A forwarded port and the child that serves it.
//!
//! The sockets belong to `serve` and outlive the child: a client that connects while a forwarder
//! is being restarted waits in the socket's queue. The child runs in the namespace it connects in,
//! has got its sockets by the socket-activation protocol, and gives up every right at its start.

use std::ffi::{CString, OsStr};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use netnsctl_forward::{
    BindError, Protocol as ForwardProtocol, SocketFile, bind_listener, bind_unix_listener,
};
use netnsctl_kernel::netns::{self, Netns};
use netnsctl_model::config::values::write_duration;
use netnsctl_model::desired::{Forward, Protocol};
use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::name::NetnsRef;
use netnsctl_sys::spawn::{self, Activated};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::published::forward_name;
use crate::output::{self, Failure};

/// The pause before the first restart of a forwarder that died; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between restarts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A forwarder that lived this long is restarted after [`FIRST_PAUSE`] again.
const LIVED_WELL: Duration = Duration::from_secs(10);

/// A forwarded port.
#[derive(Debug)]
pub(super) struct Forwarder {
    pub(super) netns: NetnsRef,
    pub(super) number: usize,
    pub(super) forward: Forward,
    pub(super) control_path: PathBuf,
    listen_netns: Netns,
    /// None while the namespace is being taken away.
    connect_netns: Option<Netns>,
    listener: OwnedFd,
    /// The file of a unix socket, removed with this.
    file: Option<SocketFile>,
    control: UnixListener,
    child: Child,
    pause: Duration,
}

#[derive(Debug)]
enum Child {
    Waiting {
        until: Instant,
    },
    Running {
        pid: u32,
        since: Instant,
        ready: bool,
    },
}

impl Forwarder {
    /// Makes the sockets: the listener inside its namespace, and one for questions at
    /// `control_path`. For as long as `patience` the address may still be in use.
    pub(super) fn new(
        netns: NetnsRef,
        number: usize,
        forward: Forward,
        control_path: PathBuf,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let listen_netns = netns::resolve(&netns)?;
        let connect_netns = Some(netns::resolve(&forward.netns)?);
        let (listener, file) = listen(&listen_netns, &netns, &forward, patience)?;
        let control = UnixListener::bind(&control_path).map_err(|error| {
            let path = control_path.display();
            Failure::failed(format!("cannot listen on {path}: {error}"))
        })?;
        Ok(Self {
            netns,
            number,
            forward,
            control_path,
            listen_netns,
            connect_netns,
            listener,
            file,
            control,
            child: Child::Waiting {
                until: Instant::now(),
            },
            pause: FIRST_PAUSE,
        })
    }

    /// Whether this serves `forward` of `netns`, options aside.
    pub(super) fn listens_for(&self, netns: &NetnsRef, forward: &Forward) -> bool {
        self.netns == *netns
            && self.forward.protocol == forward.protocol
            && self.forward.listen == forward.listen
            && netns::resolve(netns).is_ok_and(|current| current == self.listen_netns)
    }

    /// Takes on a changed declaration; the listener stays. Gives the process that was serving the
    /// old one and was told to end.
    pub(super) fn change(
        &mut self,
        number: usize,
        forward: &Forward,
    ) -> Result<Option<(u32, NetnsRef)>, Failure> {
        self.number = number;
        let connect_netns = Some(netns::resolve(&forward.netns)?);
        if self.forward == *forward && self.connect_netns == connect_netns {
            return Ok(None);
        }
        let old = self.end();
        self.forward = forward.clone();
        self.connect_netns = connect_netns;
        self.pause = FIRST_PAUSE;
        Ok(old)
    }

    /// Lets go of the namespace it connects in, which is about to be taken away.
    pub(super) fn leave(&mut self) -> Option<(u32, NetnsRef)> {
        self.connect_netns = None;
        self.end()
    }

    /// The child, if it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        match self.child {
            Child::Running { pid, .. } => Some(pid),
            Child::Waiting { .. } => None,
        }
    }

    /// Tells the child to end. Gives its process id, which this forwarder forgets, and where its
    /// connections lead.
    pub(super) fn end(&mut self) -> Option<(u32, NetnsRef)> {
        let pid = self.pid()?;
        signal(pid, Signal::TERM);
        self.child = Child::Waiting {
            until: Instant::now(),
        };
        Some((pid, self.forward.netns.clone()))
    }

    /// When the child is to be started; none while it runs.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.child {
            Child::Waiting { until } => Some(until),
            Child::Running { .. } => None,
        }
    }

    /// Whether the child serves its listener.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.child, Child::Running { ready: true, .. })
    }

    /// Starts the child, which tells of each connection if it is to be `verbose`. One that cannot
    /// be started is tried again after a pause.
    pub(super) fn start(&mut self, notify: &Path, verbose: bool) {
        match self.spawn(notify, verbose) {
            Ok(pid) => {
                self.child = Child::Running {
                    pid,
                    since: Instant::now(),
                    ready: false,
                };
            }
            Err(error) => {
                let name = forward_name(&self.netns, &self.forward);
                output::error(
                    &format!("cannot start the forwarder of {name}: {error}"),
                    None,
                );
                self.retry();
            }
        }
    }

    fn spawn(&self, notify: &Path, verbose: bool) -> std::io::Result<u32> {
        let connect_netns = self.connect_netns.as_ref().ok_or(Errno::NOENT)?;
        let mut arguments = arguments(&self.forward)?;
        arguments.extend(verbose.then(|| c"--verbose".to_owned()));
        let variable = spawn::variable(OsStr::new("NOTIFY_SOCKET"), notify.as_os_str());
        spawn::spawn(&Activated {
            program: c"/proc/self/exe",
            arguments: &arguments,
            environment: &variable.into_iter().collect::<Vec<_>>(),
            sockets: &[
                ("listen", self.listener.as_fd()),
                ("control", self.control.as_fd()),
            ],
            netns: connect_netns.as_fd(),
            parent_death_signal: Signal::KILL.as_raw(),
        })
    }

    /// The child `pid` says that it accepts. False if it is not ours.
    pub(super) fn ready(&mut self, from: u32) -> bool {
        match &mut self.child {
            Child::Running { pid, ready, .. } if *pid == from => {
                *ready = true;
                true
            }
            _ => false,
        }
    }

    /// The child `ended` has ended. False if it is not ours.
    pub(super) fn ended(&mut self, ended: u32, how: &str) -> bool {
        let Child::Running { pid, since, .. } = self.child else {
            return false;
        };
        if pid != ended {
            return false;
        }
        if since.elapsed() > LIVED_WELL {
            self.pause = FIRST_PAUSE;
        }
        let name = forward_name(&self.netns, &self.forward);
        let pause = write_duration(self.pause);
        output::error(
            &format!("the forwarder of {name} {how}; starting it again in {pause}"),
            None,
        );
        self.retry();
        true
    }

    fn retry(&mut self) {
        self.child = Child::Waiting {
            until: Instant::now() + self.pause,
        };
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.control_path);
        if let Some(file) = &self.file {
            file.remove();
        }
    }
}

/// Sends `signal` to a child that was not waited for yet, so that its id is still its own.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

fn listen(
    netns: &Netns,
    name: &NetnsRef,
    forward: &Forward,
    patience: Duration,
) -> Result<(OwnedFd, Option<SocketFile>), Failure> {
    let protocol = protocol(forward.protocol);
    let deadline = Instant::now() + patience;
    match &forward.listen {
        ForwardAddress::Unix(path) => retry(deadline, || bind_unix_listener(path.as_path()))
            .map(|(listener, file)| (listener, Some(file)))
            .map_err(|error| Failure::failed(cannot_bind(&error))),
        ForwardAddress::Inet(endpoint) => {
            let listened = netns::within(netns, name.as_str(), || {
                let address = socket_address(endpoint)?;
                retry(deadline, || bind_listener(protocol, address))
                    .map_err(|error| cannot_bind(&error))
            })?;
            let listener =
                listened.map_err(|error| Failure::failed(format!("netns \"{name}\": {error}")))?;
            Ok((listener, None))
        }
    }
}

/// Binds again while a forwarder that was told to end has not closed its listener yet.
fn retry<T>(
    deadline: Instant,
    mut bind: impl FnMut() -> Result<T, BindError>,
) -> Result<T, BindError> {
    loop {
        match bind() {
            Err(error) if error.errno == Errno::ADDRINUSE && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            result => return result,
        }
    }
}

/// Why a listener cannot be had, the kernel's words as in every other message.
pub(crate) fn cannot_bind(error: &BindError) -> String {
    let cause = std::io::Error::from(error.errno);
    let words = netnsctl_sys::errno::Errno::of(&cause);
    format!("cannot {} for {}: {words}", error.step, error.what)
}

/// The forwarder's word for a protocol.
pub(crate) fn protocol(protocol: Protocol) -> ForwardProtocol {
    match protocol {
        Protocol::Tcp => ForwardProtocol::Tcp,
        Protocol::Udp => ForwardProtocol::Udp,
    }
}

/// The address to listen on, its interface looked up in the namespace of the calling thread.
pub(crate) fn socket_address(
    endpoint: &netnsctl_model::address::Endpoint,
) -> Result<SocketAddr, String> {
    let mut address = endpoint.socket_address();
    if let (Some(scope), SocketAddr::V6(v6)) = (&endpoint.scope, &mut address) {
        let socket = std::net::UdpSocket::bind("[::]:0").map_err(|error| error.to_string())?;
        let index = rustix::net::netdevice::name_to_index(&socket, scope.as_str());
        v6.set_scope_id(index.map_err(|error| {
            format!("cannot listen on {endpoint}: there is no interface \"{scope}\": {error}")
        })?);
    }
    Ok(address)
}

/// The command line of the child.
fn arguments(forward: &Forward) -> std::io::Result<Vec<CString>> {
    let options = &forward.options;
    let time = |name: &str, time| format!("--{name}={}", write_duration(time));
    let mut words = vec![
        "netnsctl".to_owned(),
        "forward".to_owned(),
        format!("--connect={}", forward.connect),
        time("connect-timeout", options.connect_timeout),
        time("half-close-timeout", options.half_close_timeout),
        time("keepalive", options.keepalive),
        format!("--keepalive-probes={}", options.keepalive_probes),
        time("udp-timeout", options.udp_timeout),
        time("drain", options.drain),
        format!("--max-sessions={}", options.max_sessions),
        format!("--workers={}", options.workers),
    ];
    if options.proxy_protocol {
        words.push("--proxy-protocol".to_owned());
    }
    let most = options.max_connections;
    words.extend(most.map(|most| format!("--max-connections={most}")));
    Ok(words
        .into_iter()
        .map(CString::new)
        .collect::<Result<_, _>>()?)
}
