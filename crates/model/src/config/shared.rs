//! Values that several sections have: names of links, references to namespaces, addresses.

use super::diagnostic::{At, Place, Report};
use super::text::quote;
use crate::address::InterfaceAddress;
use crate::name::InterfaceName;

/// The name of a link, given or following from the name of a namespace.
#[derive(Debug, Clone)]
pub(super) struct LinkName {
    pub(super) name: InterfaceName,
    /// Where it is given, or what it is the default of.
    pub(super) place: Place,
    /// The key that gives it, or would.
    pub(super) key: &'static str,
    pub(super) given: bool,
}

/// Names that mean something else to the kernel: the loopback link, and the two folders in
/// /proc/sys/net/ipv4/conf (`sysctl_dev_name_is_allowed()` in its net/ipv4/devinet.c).
const RESERVED: [&str; 3] = ["lo", "all", "default"];

/// Reads the name of a link that will be made, given as the value of `key`.
pub(super) fn link_name(
    text: At<&str>,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<LinkName> {
    let quoted = quote(text.value);
    let diagnostic = match InterfaceName::parse(text.value) {
        Ok(name) if !RESERVED.contains(&text.value) => {
            return Some(LinkName {
                name,
                place: text.place,
                key,
                given: true,
            });
        }
        Ok(_) => report.error(text.place, format!("no link can be named {quoted}")),
        Err(error) => report.error(text.place, format!("{quoted} {error}")),
    };
    diagnostic.hint("a link's name has 1 to 15 bytes, without \"/\", \":\", \"%\" or spaces, and is not \"lo\", \"all\" or \"default\"");
    None
}

/// The name of a link that is named after a namespace because `key` is not given.
pub(super) fn default_link_name(
    text: &str,
    place: Place,
    key: &'static str,
    report: &mut Report<'_>,
) -> Option<LinkName> {
    let why = match InterfaceName::parse(text) {
        Ok(name) if !RESERVED.contains(&text) => {
            return Some(LinkName {
                name,
                place,
                key,
                given: false,
            });
        }
        Ok(_) => "is a name the kernel keeps for itself".to_owned(),
        Err(error) => error.to_string(),
    };
    report
        .error(
            place,
            format!(
                "a link cannot be named after namespace {}: it {why}",
                quote(text)
            ),
        )
        .hint(format!("give {} a name of up to 15 bytes", quote(key)));
    None
}

/// Reads a list of interface addresses.
pub(super) fn addresses(
    texts: Option<Vec<At<&str>>>,
    report: &mut Report<'_>,
) -> Vec<At<InterfaceAddress>> {
    let mut addresses: Vec<At<InterfaceAddress>> = Vec::new();
    for text in texts.unwrap_or_default() {
        let place = text.place;
        match super::values::interface_address(text.value) {
            Ok(value) => {
                let same = (addresses.iter()).find(|a| a.value.ip() == value.ip());
                if let Some(same) = same {
                    report
                        .error(place, format!("address {} is given twice", value.ip()))
                        .hint("keep one of them")
                        .related(same.place, "first given here");
                }
                addresses.push(At { value, place });
            }
            Err(bad) => {
                report.error(place, bad.message).hint(bad.hint);
            }
        }
    }
    addresses
}
