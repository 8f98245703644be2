//! `route` of a namespace.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::part::{Everywhere, Part, Target};
use super::{Condition, Form, Key, Kind, Section, Shape};
use crate::address::is_link_local;
use crate::config::contradictions::{Contradictions, RuledOut, Subject};
use crate::config::diagnostic::{At, Place, Report};
use crate::config::fields::Fields;
use crate::config::links::Links;
use crate::config::text::quote;
use crate::config::values::{self, BadValue};
use crate::desired::Route;
use crate::name::{InterfaceName, NetnsRef};

/// One `route` of a namespace.
pub static SECTION: Section = Section {
    word: "route",
    shape: Shape::List,
    title: "a route",
    heading: "ROUTES",
    summary: "routes, besides those to its addresses",
    about: "A route of the namespace. `via` or `interface` has to be given. Refused: two routes to \
            one destination, and an IPv6 gateway that is the namespace itself. A gateway that no address of the namespace reaches and a link that is \
            not declared get a warning.",
    keys: &[KEYS],
    conditions: &[
        Condition::AnyOf(&["via", "interface"]),
        Condition::Needs("via", "^[Ff][Ee][89ABab]", "interface"),
        Condition::Matches("to", "^[0-9.]+(/|$)", &[("via", "^[^:]*$")]),
        Condition::Matches("to", ":", &[("via", ":")]),
    ],
    also: &["gateway", "routes", "gw"],
    ..Section::EMPTY
};

static KEYS: &[Key] = &[
    Key::new(
        "to",
        Kind::String(Form::Destination),
        "\"default\"",
        "where it leads",
    )
    .required(),
    Key::new(
        "via",
        Kind::String(Form::Gateway),
        "\"192.168.77.1\"",
        "the gateway; its address is on a link of the namespace",
    )
    .also(&["gateway", "gw", "nexthop"]),
    Key::new(
        "interface",
        Kind::String(Form::Interface),
        "\"host\"",
        "the link it leaves by",
    ),
];

/// One route.
#[derive(Debug)]
pub(super) struct Declared {
    to: Option<At<IpNet>>,
    via: Option<At<IpAddr>>,
    interface: Option<At<InterfaceName>>,
}

impl Part for Vec<Declared> {
    fn read(given: &[Fields<'_>], _here: &NetnsRef, report: &mut Report<'_>) -> Self {
        given.iter().map(|fields| read(fields, report)).collect()
    }

    /// The kernel takes no IPv6 route by an address of its own (`ip6_route_check_nh()` in its
    /// net/ipv6/route.c); an IPv4 route by one is as if no gateway was given.
    fn rule_out<'d>(
        &'d self,
        here: &'d NetnsRef,
        _links: &Links<'d>,
        found: &mut Contradictions<'d>,
    ) {
        for At { value: via, place } in self.iter().filter_map(|route| route.via) {
            let IpAddr::V6(ip) = via else { continue };
            // Every link may have the same link-local address.
            if !ip.is_unicast_link_local() {
                found.rule_out(
                    Subject::OwnAddress(here, ip),
                    RuledOut {
                        place,
                        message: format!(
                            "gateway {ip} is an address of namespace {} itself",
                            quote(here.as_str())
                        ),
                        hint: "give an address at the other end of a link".to_owned(),
                        needed: "the address is given here",
                    },
                );
            }
        }
    }

    fn need<'d>(&'d self, here: &'d NetnsRef, found: &mut Contradictions<'d>) {
        for route in self {
            if let (Some(to), Some(link)) = (route.to, &route.interface)
                && to.value.addr().is_ipv6()
            {
                found.need(Subject::Ipv6(here, link.value.clone()), to.place);
            }
        }
    }

    fn check(all: &Everywhere<'_, Self>, links: &Links<'_>, report: &mut Report<'_>) {
        for (here, routes) in all {
            once(routes, report);
            if report.any_broken() {
                continue;
            }
            for route in *routes {
                if let Some(interface) = &route.interface {
                    links.expect(interface.place, &interface.value, here, report);
                }
                gateway_reached(route, routes, here, links, report);
            }
        }
    }

    fn build(self, target: &mut Target<'_>) -> Option<()> {
        let route = |route: Declared| {
            Some(Route {
                to: route.to?.value,
                via: route.via.map(|via| via.value),
                interface: route.interface.map(|it| it.value),
            })
        };
        let routes = self.into_iter().map(route).collect::<Option<_>>()?;
        if let Some(netns) = &mut target.netns {
            netns.routes = routes;
        }
        Some(())
    }
}

/// Reads one `route`.
fn read(fields: &Fields<'_>, report: &mut Report<'_>) -> Declared {
    let via = fields.value("via", report, values::gateway);
    let default_ip: IpAddr = match via.as_ref().map(|via| via.value) {
        Some(IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    let to = fields.value("to", report, |text| match text {
        "default" => Ok(IpNet::new_assert(default_ip, 0)),
        text => values::prefix(text),
    });
    let interface = fields.value("interface", report, |text| {
        InterfaceName::parse(text).map_err(|error| BadValue {
            message: format!("{} {error}", quote(text)),
            hint: "write the name of a link in this namespace".to_owned(),
        })
    });
    let route = Declared { to, via, interface };
    let whole = !report.is_broken(fields.place.file);
    if fields.entry("via").is_none() && fields.entry("interface").is_none() && whole {
        report
            .error(fields.place, "this route leads nowhere")
            .hint("give \"via\", the gateway, or \"interface\", or both");
    }
    gateway_fits(&route, fields, report);
    route
}

fn gateway_fits(route: &Declared, fields: &Fields<'_>, report: &mut Report<'_>) {
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
    if is_link_local(via.value)
        && fields.entry("interface").is_none()
        && !report.is_broken(via.place.file)
    {
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

/// Refuses two routes to one destination: the kernel takes one per metric.
fn once(routes: &[Declared], report: &mut Report<'_>) {
    let mut seen: BTreeMap<_, Place> = BTreeMap::new();
    for to in routes.iter().filter_map(|route| route.to) {
        match seen.get(&to.value) {
            Some(first) => {
                let what = match to.value.prefix_len() {
                    0 if to.value.addr().is_ipv4() => "IPv4 default routes".to_owned(),
                    0 => "IPv6 default routes".to_owned(),
                    _ => format!("routes to {}", to.value),
                };
                report
                    .error(to.place, format!("two {what}"))
                    .hint("keep one of them")
                    .related(*first, "the first is here");
            }
            None => {
                seen.insert(to.value, to.place);
            }
        }
    }
}

/// Warns of a gateway that is on none of the networks at hand; the kernel would refuse the route
/// ("Nexthop has invalid gateway") unless something else puts it there.
fn gateway_reached(
    route: &Declared,
    routes: &[Declared],
    here: &NetnsRef,
    links: &Links<'_>,
    report: &mut Report<'_>,
) {
    let Some(At { value: via, place }) = route.via else {
        return;
    };
    let family = |to: At<IpNet>| to.value.addr().is_ipv4() == via.is_ipv4();
    if !route.to.is_some_and(family) {
        return;
    }
    let mut links = links.of(here).iter().filter(|link| {
        let through = route.interface.as_ref();
        through.is_none_or(|through| through.value == link.name.name)
    });
    if is_link_local(via) {
        return;
    }
    // A link from elsewhere has addresses of its own.
    if route.interface.is_some() && links.clone().next().is_none() {
        return;
    }
    let on_link = links.any(|l| l.address.iter().any(|a| a.value.0.contains(&via)));
    let by_route = routes
        .iter()
        .any(|other| other.via.is_none() && other.to.is_some_and(|to| to.value.contains(&via)));
    if !on_link && !by_route {
        report
            .warning(place, format!("gateway {via} is on no network of namespace {}", quote(here.as_str())))
            .hint("the kernel takes a gateway only if an address with its prefix, or a route without gateway, leads to it");
    }
}
