//! What the commands of a script have made so far.

use std::collections::BTreeMap;

use crate::draft::{Route, Said};

/// Home, or a namespace by its name.
pub(super) type Place = Option<String>;

/// A machine as a script leaves it.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) spaces: BTreeMap<String, Made>,
    pub(super) links: Vec<Link>,
}

/// A namespace.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) origin: String,
    pub(super) routes: Vec<Route>,
    pub(super) sysctl: BTreeMap<String, Said>,
    /// What was followed although not all of it can be declared.
    pub(super) lost: Vec<String>,
}

/// A link.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    pub(super) place: Place,
    pub(super) name: String,
    /// As ip-link(8) has it.
    pub(super) kind: String,
    /// For a veth, the index of its other end.
    pub(super) peer: Option<usize>,
    pub(super) mtu: Option<u32>,
    pub(super) mac: Option<String>,
    pub(super) up: bool,
    pub(super) address: Vec<Said>,
    pub(super) origin: String,
}

/// What came of a line; why it was not followed.
pub(super) type Followed = Result<(), String>;

pub(super) fn refused<T>(why: impl Into<String>) -> Result<T, String> {
    Err(why.into())
}

/// The next word, which has to be there.
pub(super) fn next<'w>(words: &mut impl Iterator<Item = &'w str>) -> Result<&'w str, String> {
    words.next().ok_or_else(|| "a word is missing".to_owned())
}

impl Network {
    /// Follows one command.
    pub(super) fn follow(&mut self, words: &[String], origin: &str) -> Followed {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words.first() == Some(&"sudo") {
            words.remove(0);
        }
        match words.split_first() {
            None => Ok(()),
            // They print, or say what happens after mistakes.
            Some((&"echo" | &":" | &"true", _)) => Ok(()),
            Some((&"set", options)) if options.iter().all(|one| is_option(one)) => Ok(()),
            Some((command, rest)) => self.inside(&None, command, rest, origin),
        }
    }

    /// Follows a command that runs in `place`.
    fn inside(&mut self, place: &Place, command: &str, rest: &[&str], origin: &str) -> Followed {
        match command.rsplit('/').next() {
            Some("ip") => self.ip(place, rest, origin),
            Some("sysctl") => self.sysctl(place, rest, origin),
            _ => refused("not a command that is known"),
        }
    }

    fn ip(&mut self, place: &Place, mut rest: &[&str], origin: &str) -> Followed {
        let mut place = place.clone();
        let mut ipv6 = false;
        loop {
            rest = match rest {
                ["-n" | "-netns", name, more @ ..] if place.is_none() => {
                    place = Some(self.known(name)?);
                    more
                }
                ["-4", more @ ..] => more,
                ["-6", more @ ..] => {
                    ipv6 = true;
                    more
                }
                _ => break,
            };
        }
        match rest {
            ["netns", "add", name] if place.is_none() => self.add_netns(name, origin),
            ["netns", "exec", name, command, more @ ..] if place.is_none() => {
                let place = Some(self.known(name)?);
                self.inside(&place, command, more, origin)
            }
            ["link" | "l", "add" | "a", more @ ..] => self.add_link(&place, more, origin),
            ["link" | "l", "set" | "s", more @ ..] => self.set_link(&place, more),
            ["address" | "addr" | "a", "add" | "a" | "replace", more @ ..] => {
                self.add_address(&place, more, origin)
            }
            ["route" | "ro" | "r", "add" | "a", more @ ..] => {
                let route = self.route(&place, ipv6, more, origin)?;
                self.made(&place)?.routes.push(route);
                Ok(())
            }
            ["route" | "ro" | "r", "replace", more @ ..] => {
                let route = self.route(&place, ipv6, more, origin)?;
                let routes = &mut self.made(&place)?.routes;
                routes.retain(|other| !other.leads_as(&route));
                routes.push(route);
                Ok(())
            }
            _ => refused("not a command of ip that is known"),
        }
    }

    /// A namespace that the script has made.
    pub(super) fn known(&self, name: &str) -> Result<String, String> {
        match self.spaces.contains_key(name) {
            true => Ok(name.to_owned()),
            false => refused(format!("it does not make netns {name} before")),
        }
    }

    fn add_netns(&mut self, name: &str, origin: &str) -> Followed {
        if self.spaces.contains_key(name) {
            return refused("it is there already");
        }
        let made = Made {
            origin: origin.to_owned(),
            ..Made::default()
        };
        self.spaces.insert(name.to_owned(), made);
        Ok(())
    }

    /// The namespace of `place`; home is not declared.
    pub(super) fn made(&mut self, place: &Place) -> Result<&mut Made, String> {
        let name = place.as_deref().unwrap_or_default();
        let made = self.spaces.get_mut(name);
        made.ok_or_else(|| "it is about home, which is not managed".to_owned())
    }

    /// Reads a route.
    fn route(
        &self,
        place: &Place,
        ipv6: bool,
        words: &[&str],
        origin: &str,
    ) -> Result<Route, String> {
        let mut words = words.iter().copied();
        let mut route = Route {
            origin: Some(origin.to_owned()),
            to: next(&mut words)?.to_owned(),
            ..Route::default()
        };
        while let Some(word) = words.next() {
            match word {
                "via" if route.via.is_none() => route.via = Some(next(&mut words)?.to_owned()),
                "dev" if route.interface.is_none() => {
                    let interface = next(&mut words)?;
                    if interface != "lo" {
                        self.find(place, interface)?;
                    }
                    route.interface = Some(interface.to_owned());
                }
                word => return refused(format!("{word:?} of a route cannot be declared")),
            }
        }
        if route.to == "default" && ipv6 && route.via.is_none() {
            "::/0".clone_into(&mut route.to);
        }
        Ok(route)
    }

    fn sysctl(&mut self, place: &Place, words: &[&str], origin: &str) -> Followed {
        let options = ["-w", "-q", "-qw", "-wq"];
        let pairs: Vec<_> = words
            .iter()
            .filter(|word| !options.contains(word))
            .collect();
        let made = self.made(place)?;
        let mut read = Vec::new();
        for pair in pairs {
            let Some((key, value)) = pair.split_once('=') else {
                return refused("it gives no value");
            };
            if key.contains('/') || key.starts_with('-') {
                return refused("a key that is written otherwise than with dots");
            }
            if key.ends_with(".conf.default.forwarding") {
                return refused("forwarding is declared for all links together");
            }
            let key = match key.trim() {
                "net.ipv4.ip_forward" => "net.ipv4.conf.all.forwarding",
                key => key,
            };
            if key.ends_with(".conf.all.forwarding") && !matches!(value, "0" | "1") {
                return refused("forwarding is neither 0 nor 1");
            }
            read.push((key, value.trim()));
        }
        for (key, value) in read {
            if key.contains(".conf.default.") || key.contains(".neigh.default.") {
                made.lost.push(format!(
                    "{origin}: up writes it when its links are there, which keep what they have"
                ));
            }
            let said = Said {
                text: value.to_owned(),
                origin: Some(origin.to_owned()),
            };
            made.sysctl.insert(key.to_owned(), said);
        }
        Ok(())
    }
}

fn is_option(word: &str) -> bool {
    word == "pipefail" || (word.len() > 1 && word.starts_with(['-', '+']) && word != "--")
}
