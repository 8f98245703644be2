//! Routes.

use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::name::{InterfaceName, NetnsRef};

use super::{Change, Kind, Value, Verb};

/// A route in the main table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The destination; `0.0.0.0/0` or `::/0` is the default route.
    pub to: IpNet,
    /// The gateway.
    pub via: Option<IpAddr>,
    /// The interface, where the gateway alone does not tell.
    pub interface: Option<InterfaceName>,
}

impl Kind for Route {
    const WORD: &'static str = "route";

    fn describe(&self, verb: Verb, _: &[Change], _: &NetnsRef) -> String {
        let again = match verb {
            Verb::Restore => ", which the kernel drops with an address",
            Verb::Add | Verb::Change | Verb::Remove => "",
        };
        format!("route {}{again}", route_text(self))
    }

    fn attempt(&self, verb: Verb, _: &[Change], of: &NetnsRef) -> String {
        let verb = match verb {
            Verb::Restore => Verb::Add,
            verb => verb,
        };
        format!(
            "cannot {} route {} in netns \"{of}\"",
            verb.as_str(),
            route_text(self)
        )
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let mut values = vec![("to", Value::Text(self.to.to_string()))];
        values.extend(self.via.map(|via| ("via", Value::Text(via.to_string()))));
        let interface = self.interface.as_ref();
        values.extend(interface.map(|interface| ("interface", interface.as_str().into())));
        values
    }
}

impl Route {
    /// Whether `observed` is this route. A declared one need not name the interface.
    pub fn is(&self, observed: &Self) -> bool {
        self.to.trunc() == observed.to.trunc()
            && self.via == observed.via
            && (self.interface.is_none() || self.interface == observed.interface)
    }
}

/// A route as ip-route(8) writes it.
pub fn route_text(route: &Route) -> String {
    let mut text = match (route.to.prefix_len(), route.to.addr().is_ipv6()) {
        (0, false) => "default".to_owned(),
        (0, true) => "default (IPv6)".to_owned(),
        _ => route.to.to_string(),
    };
    if let Some(via) = route.via {
        let _ = write!(text, " via {via}");
    }
    if let Some(interface) = &route.interface {
        let _ = write!(text, " dev {interface}");
    }
    text
}
