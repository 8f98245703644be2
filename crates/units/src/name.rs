//! What units and their files are called.

use netnsctl_model::desired::Protocol;
use netnsctl_model::name::{NetnsName, NetnsRef};

use crate::escape;

/// Bytes the path of a unix socket may have (unix(7)), with room for the closing NUL.
pub(crate) const SOCKET_PATH_MAX: usize = 107;

/// Characters a unit's name may have (UNIT_NAME_MAX of systemd is 256 with the closing NUL).
const UNIT_NAME_MAX: usize = 255;

/// A namespace as units name it.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    stem: String,
}

impl Namespace {
    pub(crate) fn of(netns: &NetnsRef) -> Self {
        let stem = format!("netns-{}", escape::unit_name(netns.as_str()));
        Self { stem }
    }

    pub(crate) fn service(&self) -> String {
        format!("{}.service", self.stem)
    }

    pub(crate) fn view(&self) -> String {
        format!("{}-mntns.service", self.stem)
    }

    /// Every unit that a namespace has whatever else is declared, the longest name last.
    pub(crate) fn own(&self) -> [String; 4] {
        let nscd = self.nscd();
        let (service, socket) = (format!("{nscd}.service"), format!("{nscd}.socket"));
        [self.service(), service, socket, self.view()]
    }

    /// Without `.service` and `.socket`.
    pub(crate) fn nscd(&self) -> String {
        format!("{}-nscd", self.stem)
    }

    pub(crate) fn veth(&self, number: usize, other: &NetnsRef) -> String {
        let other = escape::unit_name(other.as_str());
        format!("{}-extra-veth-{number}-{other}.service", self.stem)
    }

    pub(crate) fn link(&self, number: usize) -> String {
        format!("{}-link-{number}.service", self.stem)
    }

    /// Without `.service` and `.socket`.
    pub(crate) fn forward(&self, number: usize, other: &NetnsRef, protocol: Protocol) -> String {
        let other = escape::unit_name(other.as_str());
        format!("{}-port-forward-{number}-{other}-{protocol}", self.stem)
    }
}

/// The units of a namespace, for whoever looks for them among those of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// That of the namespace itself.
    pub service: String,
    /// What the names of its parts match (glob(7)), and of no other namespace's unless that is
    /// called as if it were one.
    pub patterns: Vec<String>,
}

impl Parts {
    /// Those of `name`.
    pub fn of(name: &NetnsName) -> Self {
        let namespace = Namespace::of(&name.clone().into());
        // In a pattern a backslash takes the next character as it is.
        let stem = namespace.stem.replace('\\', "\\\\");
        let parts = [
            "-mntns.service",
            "-nscd.*",
            "-port-forward-[0-9]*",
            "-extra-veth-[0-9]*",
            "-link-[0-9]*",
        ];
        Self {
            service: namespace.service(),
            patterns: parts.map(|part| format!("{stem}{part}")).to_vec(),
        }
    }

    /// Whether a part of this name has a process for as long as it is there.
    pub fn is_long_running(unit: &str) -> bool {
        unit.ends_with(".service")
            && (unit.contains("-port-forward-") || unit.ends_with("-nscd.service"))
    }
}

/// Why a namespace of this name can have no units, if it cannot.
pub(crate) fn unfit(name: &NetnsName) -> Option<String> {
    // `NetworkNamespacePath=` takes the rest of its line as it stands.
    if !escape::is_line(&path(name)) {
        return Some("systemd cannot read a path that ends in a space or a backslash".to_owned());
    }
    let own = Namespace::of(&name.clone().into()).own();
    own.iter().find_map(|unit| too_long(unit))
}

/// Why a unit cannot have this name, if it is too long for one.
pub(crate) fn too_long(unit: &str) -> Option<String> {
    let length = unit.len();
    (length > UNIT_NAME_MAX).then(|| {
        format!(
            "the name of a unit would have {length} characters, more than the {UNIT_NAME_MAX} that systemd allows"
        )
    })
}

/// The namespace's file.
pub(crate) fn path(name: &NetnsName) -> String {
    format!("/run/netns/{name}")
}

/// The folder of its name-service daemon's socket.
pub(crate) fn nscd_folder(name: &NetnsName) -> String {
    format!("/run/netns-{name}/nscd")
}

/// The namespace's forward that a service of this name is; none if it is none.
///
/// That is its number in the namespace, and its protocol.
pub fn forward_of_service(netns: &NetnsName, service: &str) -> Option<(usize, Protocol)> {
    let stem = Namespace::of(&netns.clone().into()).stem;
    let rest = service.strip_suffix(".service")?.strip_prefix(&stem)?;
    let (number, rest) = rest.strip_prefix("-port-forward-")?.split_once('-')?;
    let protocol = match rest.rsplit_once('-')?.1 {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    Some((number.parse().ok()?, protocol))
}

/// Where a forward that systemd started takes other options; none as for [`control_path`].
pub fn orders_path(netns: &NetnsRef, number: usize, protocol: Protocol) -> Option<String> {
    let path = format!("/run/netns-{netns}/forward/{number}-{protocol}.orders");
    (path.len() <= SOCKET_PATH_MAX).then_some(path)
}

/// Where a forward that systemd started tells its counters; none if the namespace's name is too
/// long for the path of a socket.
pub fn control_path(netns: &NetnsRef, number: usize, protocol: Protocol) -> Option<String> {
    let path = format!("/run/netns-{netns}/forward/{number}-{protocol}.sock");
    (path.len() <= SOCKET_PATH_MAX).then_some(path)
}
