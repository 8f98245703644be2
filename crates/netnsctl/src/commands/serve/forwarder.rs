//! A forwarded port and the child that serves it.
//!
//! A client that connects while a forwarder is being restarted waits in the socket's queue. The child runs in the namespace it connects in,
//! has got its sockets by the socket-activation protocol, and gives up every right at its start.

use std::ffi::CString;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use netnsctl_base::netns::{self, Netns};
use netnsctl_daemon::{BindError, SocketFile, bind_unix_listener};
use netnsctl_forward::{Protocol as ForwardProtocol, bind_listener};
use netnsctl_kernel::place;
use netnsctl_model::desired::{Forward, Protocol};
use netnsctl_model::forward_address::ForwardAddress;
use netnsctl_model::name::NetnsRef;
use netnsctl_probe::listeners::{self, Transport};
use netnsctl_sys::errno;
use netnsctl_sys::spawn::Activated;
use rustix::io::Errno;
use rustix::process::Signal;

use super::child::{Child, Part, environment, start_process, words};
use crate::output::{self, Failure};
use crate::published::forward_name;

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
        let listen_netns = place::resolve(&netns)?;
        let connect_netns = Some(place::resolve(&forward.netns)?);
        let (listener, file) = listen(&listen_netns, &netns, &forward, patience)?;
        let control = UnixListener::bind(&control_path).map_err(|error| {
            let path = control_path.display();
            let words = errno::words(&error);
            Failure::failed(format!("cannot listen on {path}: {words}"))
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
            child: Child::new(),
        })
    }

    /// Whether this serves `forward` of `netns`, options aside.
    pub(super) fn listens_for(&self, netns: &NetnsRef, forward: &Forward) -> bool {
        self.netns == *netns
            && self.forward.protocol == forward.protocol
            && self.forward.listen == forward.listen
            && place::is_still(netns, &self.listen_netns)
    }

    /// Takes on a changed declaration; the listener stays. Gives the process that was serving the
    /// old one and was told to end.
    pub(super) fn change(
        &mut self,
        number: usize,
        forward: &Forward,
    ) -> Result<Option<(u32, NetnsRef)>, Failure> {
        self.number = number;
        let connect_netns = Some(place::resolve(&forward.netns)?);
        if self.forward == *forward && self.connect_netns == connect_netns {
            return Ok(None);
        }
        let old = self.end();
        self.forward = forward.clone();
        self.connect_netns = connect_netns;
        self.child.begin_anew();
        Ok(old)
    }

    /// Lets go of the namespace it connects in, which is about to be taken away.
    pub(super) fn leave(&mut self) -> Option<(u32, NetnsRef)> {
        self.connect_netns = None;
        self.end()
    }
}

impl Part for Forwarder {
    fn child(&self) -> &Child {
        &self.child
    }

    fn child_mut(&mut self) -> &mut Child {
        &mut self.child
    }

    fn what(&self) -> String {
        let name = forward_name(&self.netns, &self.forward);
        format!("the forwarder of {name}")
    }

    fn announcement(&self) -> String {
        format!("forward {}", forward_name(&self.netns, &self.forward))
    }

    fn keeps(&self) -> NetnsRef {
        self.forward.netns.clone()
    }

    fn spawn(&self, notify: &Path, verbose: bool) -> Result<u32, Failure> {
        let gone = || Failure::failed(errno::words(&Errno::NOENT));
        let connect_netns = self.connect_netns.as_ref().ok_or_else(gone)?;
        let mut arguments = arguments(&self.forward)?;
        arguments.extend(verbose.then(|| c"--verbose".to_owned()));
        start_process(&Activated {
            program: c"/proc/self/exe",
            arguments: &arguments,
            environment: &environment(notify),
            sockets: &[
                ("listen", self.listener.as_fd()),
                ("control", self.control.as_fd()),
            ],
            netns: connect_netns.as_fd(),
            mounts: None,
            parent_death_signal: Signal::KILL.as_raw(),
        })
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
            .map(|(listener, file)| {
                warn_if_exposed(path.as_path(), &file);
                (listener, Some(file))
            })
            .map_err(|error| path_taken(&error, path.as_path())),
        ForwardAddress::Inet(endpoint) => {
            let listened = netns::within(netns, name.as_str(), || {
                let address = socket_address(endpoint).map_err(Failure::failed)?;
                retry(deadline, || bind_listener(protocol, address))
                    .map_err(|error| port_taken(&error, protocol, address))
            })?;
            let listener = listened.map_err(|failure| failure.within(name.as_str()))?;
            Ok((listener, None))
        }
    }
}

/// Binds again while a child that was told to end has not closed its listener yet.
pub(super) fn retry<T>(
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
    error.to_string()
}

/// As [`cannot_bind`], and who has the address. In the namespace where it was to be bound.
pub(crate) fn port_taken(
    error: &BindError,
    protocol: ForwardProtocol,
    address: SocketAddr,
) -> Failure {
    let failure = Failure::failed(cannot_bind(error));
    let transport = match protocol {
        ForwardProtocol::Udp => Transport::Udp,
        _ => Transport::Tcp,
    };
    match error.errno {
        Errno::ADDRINUSE => failure.hint(listeners::hint_about_port(transport, address)),
        Errno::ACCESS => failure.hint(
            "ports below net.ipv4.ip_unprivileged_port_start are root's; set that in the \
             namespace, or listen on a higher one",
        ),
        _ => failure,
    }
}

/// As [`cannot_bind`], and who listens at the path.
pub(crate) fn path_taken(error: &BindError, path: &Path) -> Failure {
    let failure = Failure::failed(cannot_bind(error));
    match error.errno {
        Errno::ADDRINUSE => failure.hint(listeners::hint_about_path(path)),
        Errno::NOENT => failure.hint("make its folder first"),
        Errno::ACCESS => failure.hint("its folder must be one this user may write to"),
        Errno::LOOP => failure.hint(
            "links of other users are not followed; give the path of the folder itself, or make \
             root the owner of the link",
        ),
        _ => failure,
    }
}

/// Prints a warning if another user can put a socket of theirs in the place of this one.
pub(crate) fn warn_if_exposed(path: &Path, file: &SocketFile) {
    if let Some(exposed) = file.exposed() {
        let path = path.display();
        output::note(&format!(
            "warning: the socket unix:{path} can be replaced: {exposed}"
        ));
    }
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
        let socket = std::net::UdpSocket::bind("[::]:0").map_err(|error| errno::words(&error))?;
        let index = rustix::net::netdevice::name_to_index(&socket, scope.as_str());
        v6.set_scope_id(index.map_err(|error| {
            let words = errno::words(&error);
            format!("cannot listen on {endpoint}: there is no interface \"{scope}\": {words}")
        })?);
    }
    Ok(address)
}

/// The command line of the child.
fn arguments(forward: &Forward) -> Result<Vec<CString>, Failure> {
    let mut line = vec!["netnsctl".to_owned()];
    line.extend(netnsctl_units::forward_arguments(forward));
    words(line)
}
