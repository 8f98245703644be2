//! What the kernel refuses: which refusals are none, and how the others are told.

use std::net::IpAddr;

use netnsctl_base::rights;
use netnsctl_model::address::InterfaceAddress;
use netnsctl_model::plan::text::{Change, route as route_text};
use netnsctl_model::plan::{Action, Step};
use rustix::io::Errno;

/// What the kernel may answer to a request because its aim is reached already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    Nothing,
    AlreadyThere,
    /// As that, and it is first taken away in case it is there.
    Replaced,
    AlreadyGone,
}

impl Tolerance {
    pub(super) fn covers(self, errno: i32) -> bool {
        let is = |candidates: &[Errno]| candidates.iter().any(|e| e.raw_os_error() == errno);
        match self {
            Self::Nothing => false,
            Self::AlreadyThere => is(&[Errno::EXIST]),
            Self::Replaced => is(&[Errno::EXIST, Errno::ADDRNOTAVAIL]),
            // ENXIO: IPv6, and all addresses of it, have left the link.
            Self::AlreadyGone => is(&[Errno::NODEV, Errno::SRCH, Errno::ADDRNOTAVAIL, Errno::NXIO]),
        }
    }
}

/// What the kernel may say to `action` without anything being wrong.
pub(super) fn tolerance(action: &Action) -> Tolerance {
    match action {
        Action::AddAddress { address, .. } if is_link_local(address) => Tolerance::Replaced,
        Action::AddAddress { .. } | Action::AddRoute { again: true, .. } => Tolerance::AlreadyThere,
        Action::DeleteLink { .. } | Action::RemoveAddress { .. } | Action::RemoveRoute { .. } => {
            Tolerance::AlreadyGone
        }
        _ => Tolerance::Nothing,
    }
}

/// Whether the kernel makes an address like this by itself.
pub(super) fn is_link_local(address: &InterfaceAddress) -> bool {
    matches!(address.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// What was tried, for the front of an error.
pub(super) fn attempt(step: &Step) -> String {
    let of = step.of.as_str();
    match &step.action {
        Action::CreateVeth { pair } => format!(
            "cannot create veth \"{}\" in netns \"{}\" with \"{}\" in netns \"{}\"",
            pair.near.interface, pair.near.netns, pair.far.interface, pair.far.netns
        ),
        Action::CreateHolder { interface, kind } => {
            format!(
                "cannot create {} link \"{interface}\" in netns \"{of}\"",
                kind.as_str()
            )
        }
        Action::AddAddress { link, address, .. } => {
            format!(
                "cannot add address {address} to \"{}\" in netns \"{}\"",
                link.interface, link.netns
            )
        }
        Action::AddRoute { route, .. } => {
            format!("cannot add route {} in netns \"{of}\"", route_text(route))
        }
        action => {
            let verb = match action.change() {
                Change::Add => "add",
                Change::Modify => "change",
                Change::Remove => "remove",
            };
            format!("cannot {verb} {} in netns \"{of}\"", action.describe(of))
        }
    }
}

/// A next step after a refusal, where one is known.
pub(super) fn hint(action: &Action, errno: i32) -> Option<String> {
    let is = |candidate: Errno| candidate.raw_os_error() == errno;
    match action {
        Action::CreateHolder { kind, .. } if is(Errno::OPNOTSUPP) => Some(format!(
            "this kernel has no {} links; interface_kind = \"auto\" takes one it has",
            kind.as_str()
        )),
        Action::AddRoute { .. } if is(Errno::NETUNREACH) || is(Errno::HOSTUNREACH) => {
            Some("the gateway is in no subnet of this namespace's addresses".to_owned())
        }
        Action::CreateVeth { .. } if is(Errno::EXIST) => {
            Some("a link of that name appeared meanwhile; run \"netnsctl up\" again".to_owned())
        }
        Action::CreateVeth { .. } if is(Errno::OPNOTSUPP) => Some(
            "this kernel has no veth links: \"modprobe veth\", or a kernel that has them"
                .to_owned(),
        ),
        _ if is(Errno::PERM) => Some(rights::hint()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netnsctl_model::address::MacAddress;
    use netnsctl_model::desired::{HolderKind, VethEnd, VethPair};
    use netnsctl_model::name::{InterfaceName, NetnsRef};

    #[test]
    fn kinds_of_links_that_the_kernel_lacks_are_told_with_a_way_out() {
        let holder = Action::CreateHolder {
            interface: InterfaceName::parse("web").unwrap(),
            kind: HolderKind::Dummy,
        };
        let said = hint(&holder, Errno::OPNOTSUPP.raw_os_error());
        assert!(said.is_some_and(|it| it.contains("interface_kind = \"auto\"")));
        assert_eq!(hint(&holder, Errno::NOMEM.raw_os_error()), None);
        let end = |name: &str| VethEnd {
            netns: NetnsRef::Home,
            interface: InterfaceName::parse(name).unwrap(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            address: Vec::new(),
        };
        let (near, far, mtu) = (end("a"), end("b"), 1500);
        let pair = VethPair { near, far, mtu };
        let said = hint(
            &Action::CreateVeth { pair },
            Errno::OPNOTSUPP.raw_os_error(),
        );
        assert!(said.is_some_and(|it| it.contains("modprobe veth")));
    }
}
