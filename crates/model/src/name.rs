//! Names of namespaces, links and sysctls, checked once and then carried as types.
//!
//! Text from outside becomes one of these through its `parse`; whoever holds one needs no second
//! look. The rules follow ip-netns(8) (a namespace is a file name), `dev_valid_name()` in the
//! kernel's net/core/dev.c (links) and sysctl(8) (keys).

use std::fmt;
use std::sync::Arc;

/// Bytes an interface name may have: the kernel's IFNAMSIZ is 16 with the closing NUL.
pub const INTERFACE_NAME_MAX: usize = 15;

/// Bytes a namespace name may have: it is one path component (NAME_MAX), and unit names and
/// `/run/netns-NAME` are made from it, so a little of that is kept free.
pub const NETNS_NAME_MAX: usize = 200;

/// Why a name was refused. The text is meant to stand behind the quoted name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More bytes than will be borne.
    #[error("has {length} bytes, more than the {limit} allowed")]
    TooLong {
        /// Bytes of the name.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// `.` or `..`.
    #[error("is a directory reference")]
    Dots,
    /// A character that cannot be part of it.
    #[error("contains {0:?}, which is not allowed in it")]
    Character(char),
    /// A dash in front would read as an option on every command line.
    #[error("starts with \"-\"")]
    LeadingDash,
    /// A sysctl key outside `net.`
    #[error("is not a key under \"net.\"")]
    NotNet,
}

fn file_name(text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > limit {
        return Err(NameError::TooLong {
            length: text.len(),
            limit,
        });
    }
    if text == "." || text == ".." {
        return Err(NameError::Dots);
    }
    if let Some(bad) = text.chars().find(|c| *c == '/' || is_control(*c)) {
        return Err(NameError::Character(bad));
    }
    if text.starts_with('-') {
        return Err(NameError::LeadingDash);
    }
    Ok(())
}

/// Whether `character` could change how a terminal shows a line: control characters, and the
/// Unicode ones that turn the direction of text around.
pub fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The name of a network namespace: a file name in `/run/netns`. Never `default`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsName(Arc<str>);

impl NetnsName {
    /// Checks `text`. The word `default` is not a name but the home namespace, see [`NetnsRef`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        file_name(text, NETNS_NAME_MAX)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NetnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One end of something that joins two namespaces: home (`default` in configuration) or a named one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetnsRef {
    /// The namespace the machine booted in.
    Home,
    /// A namespace in `/run/netns`.
    Named(NetnsName),
}

impl NetnsRef {
    /// The word for the home namespace in configuration and on the command line.
    pub const HOME: &'static str = "default";

    /// `default` or a namespace's name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text == Self::HOME {
            return Ok(Self::Home);
        }
        NetnsName::parse(text).map(Self::Named)
    }

    /// The word it is written with.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Home => Self::HOME,
            Self::Named(name) => name.as_str(),
        }
    }

    /// The name, unless it is home.
    pub fn name(&self) -> Option<&NetnsName> {
        match self {
            Self::Home => None,
            Self::Named(name) => Some(name),
        }
    }
}

impl fmt::Display for NetnsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<NetnsName> for NetnsRef {
    fn from(name: NetnsName) -> Self {
        Self::Named(name)
    }
}

/// The name of a network interface, as `dev_valid_name()` in the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(Arc<str>);

impl InterfaceName {
    /// Checks `text`: at most [`INTERFACE_NAME_MAX`] bytes, no `/`, `:` or white space.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        file_name(text, INTERFACE_NAME_MAX)?;
        match text
            .chars()
            .find(|c| *c == ':' || *c == '%' || c.is_whitespace())
        {
            Some(bad) => Err(NameError::Character(bad)),
            None => Ok(Self(text.into())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key under `net.` as sysctl(8) writes it: dots between the parts, and a slash for a dot that
/// belongs to a part (`net.ipv4.conf.eth0/1.forwarding` is interface `eth0.1`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SysctlKey(Arc<str>);

impl SysctlKey {
    /// Checks `text`: it starts with `net.`, and no part is empty or climbs out of `/proc/sys/net`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(bad) = text.chars().find(|c| is_control(*c) || c.is_whitespace()) {
            return Err(NameError::Character(bad));
        }
        if text.len() > 255 {
            return Err(NameError::TooLong {
                length: text.len(),
                limit: 255,
            });
        }
        if !text.starts_with("net.") {
            return Err(NameError::NotNet);
        }
        for part in text.split('.') {
            match part {
                "" => return Err(NameError::Empty),
                "/" | "//" => return Err(NameError::Dots),
                _ => {}
            }
        }
        Ok(Self(text.into()))
    }

    /// The key as sysctl(8) writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts, dots in their right places: `["net", "ipv4", "conf", "eth0.1", "forwarding"]`.
    pub fn parts(&self) -> impl Iterator<Item = String> + '_ {
        self.0.split('.').map(|part| part.replace('/', "."))
    }

    /// The interface a key under `net.ipv4.conf`, `net.ipv6.conf` or a `neigh` folder is about;
    /// none for `all` and `default`, which are no interfaces.
    pub fn interface(&self) -> Option<InterfaceName> {
        let mut parts = self.parts().skip(1);
        let family = parts.next()?;
        let folder = parts.next()?;
        let interface = parts.next()?;
        parts.next()?;
        let of_interface = matches!(family.as_str(), "ipv4" | "ipv6" | "mpls")
            && matches!(folder.as_str(), "conf" | "neigh");
        if !of_interface || interface == "all" || interface == "default" {
            return None;
        }
        InterfaceName::parse(&interface).ok()
    }
}

impl fmt::Display for SysctlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        for bad in ["", ".", "..", "a/b", "a\nb", "-x", "a\u{202e}b"] {
            assert!(NetnsName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(NetnsName::parse("büro").unwrap().as_str(), "büro");
    }

    #[test]
    fn interface_names_follow_the_kernel() {
        assert!(InterfaceName::parse("fifteen-bytes-x").is_ok());
        for bad in ["sixteen-bytes-xy", "a b", "a:1", "a%1", "."] {
            assert!(InterfaceName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sysctl_keys_stay_below_net() {
        let key = SysctlKey::parse("net.ipv4.conf.eth0/1.rp_filter").unwrap();
        assert_eq!(
            key.parts().collect::<Vec<_>>(),
            ["net", "ipv4", "conf", "eth0.1", "rp_filter"]
        );
        assert_eq!(key.interface().unwrap().as_str(), "eth0.1");
        assert_eq!(
            SysctlKey::parse("net.ipv4.conf.all.forwarding")
                .unwrap()
                .interface(),
            None
        );
        assert_eq!(
            SysctlKey::parse("net.core.somaxconn").unwrap().interface(),
            None
        );
        for bad in [
            "kernel.panic",
            "net",
            "net.",
            "net..x",
            "net.//.kernel",
            "net.a b",
        ] {
            assert!(SysctlKey::parse(bad).is_err(), "{bad:?}");
        }
    }
}
