//! Commands about links: ip-link(8) and ip-address(8).

use super::network::{Followed, Link, Network, Place, next, refused};
use crate::draft::Said;

/// What `ip link set` or `add` says of one link.
#[derive(Default)]
struct Wishes {
    netns: Option<String>,
    name: Option<String>,
    mtu: Option<u32>,
    mac: Option<String>,
    up: bool,
}

impl Network {
    /// The index of a link that the script has made.
    pub(super) fn find(&self, place: &Place, name: &str) -> Result<usize, String> {
        let is_it = |link: &Link| link.place == *place && link.name == name;
        let found = self.links.iter().position(is_it);
        found.ok_or_else(|| format!("it does not make link {name} there before"))
    }

    fn check_free(&self, place: &Place, name: &str) -> Followed {
        match self.find(place, name).is_ok() || name == "lo" {
            true => refused(format!("there is a link {name} already")),
            false => Ok(()),
        }
    }

    pub(super) fn add_link(&mut self, place: &Place, words: &[&str], origin: &str) -> Followed {
        let mut words = words.iter().copied().peekable();
        words.next_if(|word| matches!(*word, "name" | "dev"));
        let name = next(&mut words)?;
        let mut wishes = Wishes::default();
        while words.peek().is_some_and(|word| *word != "type") {
            self.wish(&mut wishes, &mut words)?;
        }
        words.next();
        let kind = next(&mut words)?;
        if !["bridge", "dummy", "ifb", "veth"].contains(&kind) {
            return refused(format!("a link of kind {kind} cannot be declared"));
        }
        let own = |name: &str, wishes: &Wishes| Link {
            place: wishes.netns.clone().or_else(|| place.clone()),
            name: name.to_owned(),
            kind: kind.to_owned(),
            mtu: wishes.mtu,
            mac: wishes.mac.clone(),
            up: wishes.up,
            origin: origin.to_owned(),
            ..Link::default()
        };
        let mut link = own(name, &wishes);
        self.check_free(&link.place, name)?;
        if kind != "veth" {
            return match words.next() {
                Some(word) => refused(format!("{word:?} of a {kind} cannot be declared")),
                None => {
                    self.links.push(link);
                    Ok(())
                }
            };
        }
        if words.next() != Some("peer") {
            return refused("the other end has no name");
        }
        words.next_if_eq(&"name");
        let far_name = next(&mut words)?;
        let mut far_wishes = Wishes::default();
        while words.peek().is_some() {
            self.wish(&mut far_wishes, &mut words)?;
        }
        if wishes.netns.is_some() && far_wishes.netns.is_none() {
            return refused("where the other end goes depends on the kernel; it needs a netns too");
        }
        let mut far = own(far_name, &far_wishes);
        self.check_free(&far.place, far_name)?;
        if (&far.place, far_name) == (&link.place, name) {
            return refused("both ends have one name");
        }
        link.peer = Some(self.links.len() + 1);
        far.peer = Some(self.links.len());
        self.links.extend([link, far]);
        Ok(())
    }

    /// Reads one thing that is said of a link.
    fn wish<'w>(&self, wishes: &mut Wishes, words: &mut impl Iterator<Item = &'w str>) -> Followed {
        match next(words)? {
            "up" => wishes.up = true,
            "mtu" => {
                let mtu = next(words)?.parse();
                wishes.mtu = Some(mtu.map_err(|_| "its mtu is no number".to_owned())?);
            }
            "address" => wishes.mac = Some(next(words)?.to_lowercase()),
            "netns" => wishes.netns = Some(self.known(next(words)?)?),
            "name" => wishes.name = Some(next(words)?.to_owned()),
            word => return refused(format!("{word:?} of a link cannot be declared")),
        }
        Ok(())
    }

    pub(super) fn set_link(&mut self, place: &Place, words: &[&str]) -> Followed {
        let mut words = words.iter().copied().peekable();
        words.next_if_eq(&"dev");
        let name = next(&mut words)?;
        if name == "lo" {
            // That of every namespace is up.
            return match words.collect::<Vec<_>>().as_slice() {
                ["up"] if place.is_some() => Ok(()),
                _ => refused("lo cannot be declared"),
            };
        }
        let at = self.find(place, name)?;
        let mut wishes = Wishes::default();
        while words.peek().is_some() {
            self.wish(&mut wishes, &mut words)?;
        }
        let mut link = self.links[at].clone();
        if let Some(netns) = wishes.netns {
            // A link loses its addresses on the way, and is down then.
            if link.place.as_ref() != Some(&netns) {
                link.address.clear();
                link.up = false;
            }
            link.place = Some(netns);
        }
        link.name = wishes.name.unwrap_or(link.name);
        let (old, new) = (&self.links[at], &link);
        if (&old.place, &old.name) != (&new.place, &new.name) {
            self.check_free(&link.place, &link.name)?;
            let used = |route: &crate::draft::Route| route.interface.as_deref() == Some(name);
            let made = old.place.as_ref().and_then(|place| self.spaces.get(place));
            if made.is_some_and(|made| made.routes.iter().any(used)) {
                return refused("a route goes by that link");
            }
        }
        link.mtu = wishes.mtu.or(link.mtu);
        link.mac = wishes.mac.or(link.mac);
        link.up |= wishes.up;
        self.links[at] = link;
        Ok(())
    }

    pub(super) fn add_address(&mut self, place: &Place, words: &[&str], origin: &str) -> Followed {
        let mut words = words.iter().copied().peekable();
        let (mut address, mut interface) = (None, None);
        while let Some(word) = words.next() {
            match word {
                "dev" if interface.is_none() => interface = Some(next(&mut words)?),
                // What a kernel would do without being asked, or what is done in any case.
                "brd" | "broadcast" if words.next_if_eq(&"+").is_some() => {}
                "scope" if words.next_if_eq(&"global").is_some() => {}
                "nodad" => {}
                word if address.is_none() && word.contains(['.', ':']) => address = Some(word),
                word => return refused(format!("{word:?} of an address cannot be declared")),
            }
        }
        let (Some(address), Some(interface)) = (address, interface) else {
            return refused("it has no address, or no link");
        };
        let at = self.find(place, interface)?;
        self.links[at].address.push(Said {
            text: address.to_owned(),
            origin: Some(origin.to_owned()),
        });
        Ok(())
    }
}
