//! Why a question that left the namespace was not answered: how far it came, and what would help.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netnsctl_base::error::{Context as _, Error, NetlinkContext as _, Object};
use netnsctl_base::presence::if_present;
use netnsctl_model::name::NetnsName;
use netnsctl_netlink::Socket;
use netnsctl_probe::question::{Seen, Sighting};
use netnsctl_sys::packet::Direction;

/// What was seen in another namespace.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// What people call it.
    pub(super) called: String,
    /// Its name; the host namespace has none.
    pub(super) name: Option<NetnsName>,
    /// What it would do with packets; or why that cannot be found out.
    pub(super) facts: Result<Facts, String>,
    pub(super) seen: Seen,
}

/// What a namespace would do with packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whether what comes in by a link is forwarded, by link and whether it is IPv6. A link that is
    /// gone is missing.
    forwards: BTreeMap<(String, bool), bool>,
    /// Which of the destinations are addresses of the namespace.
    own: BTreeSet<IpAddr>,
}

impl Facts {
    /// What matters for the packets of `seen` in the namespace `called`, in which the calling thread has
    /// to be.
    ///
    /// Errors: the addresses or the settings of the namespace cannot be read.
    pub(super) fn of(seen: &Seen, called: &str) -> Result<Self, Error> {
        let mut facts = Self::default();
        let mut socket = Socket::open().in_netns("open a socket in", called)?;
        let addresses = socket
            .addresses()
            .in_netns("read the addresses of", called)?;
        for it in &seen.sightings {
            let Some((_, to)) = it.addresses else {
                continue;
            };
            if addresses.iter().any(|own| own.ip == to) {
                facts.own.insert(to);
            }
            if let Some(forwards) = forwards(&it.interface, to.is_ipv6())? {
                let key = (it.interface.clone(), to.is_ipv6());
                facts.forwards.insert(key, forwards);
            }
        }
        Ok(facts)
    }
}

/// Whether packets that come in by `link` are forwarded; none if the link is gone. For IPv4 the link
/// decides (`IN_DEV_FORWARD()` in net/ipv4/route.c), for IPv6 the namespace (`ip6_forward()` in
/// net/ipv6/ip6_output.c).
fn forwards(link: &str, is_ipv6: bool) -> Result<Option<bool>, Error> {
    let path = match is_ipv6 {
        true => "/proc/sys/net/ipv6/conf/all/forwarding".to_owned(),
        false => format!("/proc/sys/net/ipv4/conf/{link}/forwarding"),
    };
    let value = if_present(std::fs::read_to_string(&path)).context("read", Object::other(&path))?;
    Ok(value.map(|value| value.trim() != "0"))
}

/// How far the question came on its way, and what would let it be answered; none if it was seen
/// nowhere else.
pub(super) fn why(elsewhere: &[Elsewhere], asked: &BTreeSet<u16>) -> Option<(String, String)> {
    elsewhere.iter().find_map(|place| at(place, asked))
}

fn at(place: &Elsewhere, asked: &BTreeSet<u16>) -> Option<(String, String)> {
    let all = |direction, is_answer: bool| {
        let all = place.seen.sightings.iter();
        all.filter(move |it| {
            asked.contains(&it.id) && it.direction == direction && it.answer.is_some() == is_answer
        })
    };
    let came = all(Direction::In, false).find(|it| it.interface != "lo")?;
    let called = &place.called;
    if all(Direction::Out, true).any(|it| it.interface == came.interface) {
        let message = format!("{called} sent an answer, which did not arrive");
        return Some((message, "look for a firewall in the namespace".to_owned()));
    }
    match all(Direction::Out, false).find(|it| it.interface != came.interface) {
        None => Some(stays(place, came)),
        Some(left) if all(Direction::In, true).any(|it| it.interface == left.interface) => {
            let message = format!("an answer came back to {called}, which did not pass it on");
            let hint = "look for a firewall there: \"nft list ruleset\" shows its rules";
            Some((message, hint.to_owned()))
        }
        Some(left) => Some(leaves(called, came, left)),
    }
}

/// The question came to a place and did not leave it.
fn stays(place: &Elsewhere, came: &Sighting) -> (String, String) {
    let (called, link) = (&place.called, &came.interface);
    let stays = format!("{called} received it on link {link:?}");
    let facts = match &place.facts {
        Ok(facts) => facts,
        Err(error) => {
            return (
                format!("{stays} and sent it nowhere; why cannot be found out: {error}"),
                "does it forward, and does it have a route?".to_owned(),
            );
        }
    };
    let to = came.addresses.map(|(_, to)| to);
    let is_ipv6 = to.is_some_and(|to| to.is_ipv6());
    if let Some(to) = to.filter(|to| facts.own.contains(to)) {
        return (
            format!("it reached {called}, which has the address {to}, and nothing there answered"),
            "is a name server listening there? \"ss -ulnp sport = :53\" shows it".to_owned(),
        );
    }
    let to = to.map_or_else(|| "ADDRESS".to_owned(), |to| to.to_string());
    let look = format!(
        "a firewall drops it (\"nft list ruleset\"), or no route leads on (\"ip route get {to}\")"
    );
    match facts.forwards.get(&(link.clone(), is_ipv6)) {
        Some(false) => {
            let hint = match (&place.name, is_ipv6) {
                (Some(name), true) => format!("declare ipv6_forwarding = true for {name}"),
                (Some(name), false) => format!("declare ipv4_forwarding = true for {name}"),
                (None, true) => sysctl("net.ipv6.conf.all.forwarding"),
                (None, false) => sysctl("net.ipv4.ip_forward"),
            };
            (format!("{stays}, and does not forward"), hint)
        }
        Some(true) => (format!("{stays}, forwards, and sent it nowhere"), look),
        None => (format!("{stays} and sent it nowhere"), look),
    }
}

fn sysctl(key: &str) -> String {
    format!("\"sysctl -w {key}=1\" lets it; a file in /etc/sysctl.d keeps that")
}

/// The question left a place, and no answer came back to it.
fn leaves(called: &str, came: &Sighting, left: &Sighting) -> (String, String) {
    let link = &left.interface;
    let source = |it: &Sighting| it.addresses.map(|(from, _)| from);
    match source(left).filter(|from| source(came) == Some(*from)) {
        Some(from) if is_private(from) => {
            // The name of a link may be anything, and this is to be typed into a shell.
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
            let by = match link.chars().all(is_plain) {
                true => format!(" oifname \"{link}\""),
                false => String::new(),
            };
            let (family, table) = match from {
                IpAddr::V4(_) => ("ip", "ip netnsctl-nat"),
                IpAddr::V6(_) => ("ip6", "ip6 netnsctl-nat"),
            };
            (
                format!(
                    "it left {called} by link {link:?} from the private address {from}, and no \
                     answer came back"
                ),
                format!(
                    "translate the address: nft 'add table {table}; add chain {table} post {{ type \
                     nat hook postrouting priority srcnat; }}; add rule {table} post {family} \
                     saddr {from}{by} masquerade'"
                ),
            )
        }
        Some(from) => (
            format!("it left {called} by link {link:?} from {from}, and no answer came back"),
            format!("is the name server up, and does its network have a route back to {from}?"),
        ),
        None => (
            format!("it left {called} by link {link:?}, and no answer came back"),
            "is the name server up?".to_owned(),
        ),
    }
}

/// Whether no router on the internet has a way back to the address (RFC 1918, 6598, 4193).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64,
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &str = "192.168.77.2";
    const SERVER: &str = "9.9.9.9";

    fn sighting(interface: &str, direction: Direction, from: &str, answer: Option<u8>) -> Sighting {
        let to = if answer.is_some() { INSIDE } else { SERVER };
        Sighting {
            interface: interface.to_owned(),
            direction,
            addresses: Some((from.parse().unwrap(), to.parse().unwrap())),
            id: 7,
            answer,
        }
    }

    /// What is said of a question that the host namespace saw like this.
    fn said(seen: &[Sighting], forwards: bool, own: &[&str]) -> Option<(String, String)> {
        let facts = Facts {
            forwards: [(("office".to_owned(), false), forwards)].into(),
            own: own.iter().map(|ip| ip.parse().unwrap()).collect(),
        };
        let place = Elsewhere {
            called: "the host namespace".to_owned(),
            name: None,
            facts: Ok(facts),
            seen: Seen {
                sightings: seen.iter().cloned().collect(),
                dropped: 0,
            },
        };
        why(&[place], &[7].into())
    }

    #[test]
    fn each_way_to_get_lost_has_its_cure() {
        let came = sighting("office", Direction::In, INSIDE, None);
        let left = |from| sighting("eth0", Direction::Out, from, None);
        let back = sighting("eth0", Direction::In, SERVER, Some(0));
        let answered = sighting("office", Direction::Out, SERVER, Some(0));
        let lost = |rest: &[Sighting], forwards, own: &[&str]| {
            let seen = [std::slice::from_ref(&came), rest].concat();
            let (message, hint) = said(&seen, forwards, own).unwrap();
            format!("{message}: {hint}")
        };
        let cases = [
            (lost(&[], false, &[]), "does not forward", "ip_forward=1"),
            (lost(&[], true, &[]), "nowhere", "ip route get 9.9.9.9"),
            (lost(&[], false, &[SERVER]), "nothing there", "ss -ulnp"),
            (
                lost(&[left(INSIDE)], true, &[]),
                "from the private address 192.168.77.2",
                "saddr 192.168.77.2 oifname \"eth0\" masquerade",
            ),
            (
                lost(&[left("203.0.113.5")], true, &[]),
                "no answer came back",
                "is the name server up?",
            ),
            (
                lost(&[left(INSIDE), back], true, &[]),
                "did not pass it on",
                "firewall",
            ),
            (lost(&[answered], true, &[]), "did not arrive", "firewall"),
        ];
        for (said, message, hint) in cases {
            assert!(said.contains(message) && said.contains(hint), "{said}");
        }
        assert_eq!(said(&[], true, &[]), None);
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let came = sighting("office", Direction::In, INSIDE, None);
        let place = |facts| Elsewhere {
            called: "the host namespace".to_owned(),
            name: None,
            facts,
            seen: Seen {
                sightings: [came.clone()].into(),
                dropped: 0,
            },
        };
        let said = |facts| why(&[place(facts)], &[7].into()).unwrap();
        // The link is gone meanwhile.
        let (message, _) = said(Ok(Facts::default()));
        assert!(
            message.ends_with("link \"office\" and sent it nowhere"),
            "{message}"
        );
        let (message, _) = said(Err("no right".to_owned()));
        assert!(
            message.ends_with("cannot be found out: no right"),
            "{message}"
        );
    }

    #[test]
    fn the_name_of_a_link_gets_into_no_shell() {
        let came = sighting("office", Direction::In, INSIDE, None);
        let left = sighting("x';id;'", Direction::Out, INSIDE, None);
        let (_, hint) = said(&[came, left], true, &[]).unwrap();
        assert!(hint.ends_with("saddr 192.168.77.2 masquerade'"), "{hint}");
    }
}
