//! Routes of a namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::declared::Route;
use super::diagnostic::{At, Report};
use super::fields::Fields;
use super::text::quote;
use super::values::{self, BadValue};
use crate::name::InterfaceName;

/// Reads one `route`.
pub(super) fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Route {
    fields.require("to", report);
    let via = value(fields, "via", report, values::gateway);
    let default_ip: IpAddr = match via.as_ref().map(|via| via.value) {
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    let to = value(fields, "to", report, |text| match text {
        "default" => Ok(IpNet::new_assert(default_ip, 0)),
        text => values::prefix(text),
    });
    let interface = value(fields, "interface", report, |text| {
        InterfaceName::parse(text).map_err(|error| BadValue {
            message: format!("{} {error}", quote(text)),
            hint: "write the name of a link in this namespace".to_owned(),
        })
    });
    let route = Route { to, via, interface };
    let whole = !report.is_broken(fields.place.file);
    if fields.entry("via").is_none() && fields.entry("interface").is_none() && whole {
        report
            .error(fields.place, "this route leads nowhere")
            .hint("give \"via\", the gateway, or \"interface\", or both");
    }
    gateway_fits(&route, fields, report);
    route
}

fn value<T>(
    fields: &Fields<'_>,
    key: &str,
    report: &mut Report<'_>,
    parse: impl Fn(&str) -> Result<T, BadValue>,
) -> Option<At<T>> {
    let text = fields.string(key, report)?;
    match parse(text.value) {
        Ok(value) => Some(At {
            value,
            place: text.place,
        }),
        Err(bad) => {
            report.error(text.place, bad.message).hint(bad.hint);
            None
        }
    }
}

fn gateway_fits(route: &Route, fields: &Fields<'_>, report: &mut Report<'_>) {
    let Some(via) = route.via else {
        return;
    };
    if let Some(to) = route.to
        && to.value.addr().is_ipv4() != via.value.is_ipv4()
    {
        let family = |v4| if v4 { "IPv4" } else { "IPv6" };
        let (to_family, via_family) = (
            family(to.value.addr().is_ipv4()),
            family(via.value.is_ipv4()),
        );
        report
            .error(
                via.place,
                format!("an {to_family} route cannot go through an {via_family} gateway"),
            )
            .hint(format!("give a gateway with an {to_family} address"))
            .related(to.place, format!("this is {to_family}"));
    }
    let link_local = matches!(via.value, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if link_local && fields.entry("interface").is_none() && !report.is_broken(via.place.file) {
        report
            .error(
                via.place,
                format!(
                    "\"{}\" is a link-local address, and no interface is given",
                    via.value
                ),
            )
            .hint("give \"interface\" too: every link has such addresses");
    }
}
