//! What a script has made, as a declaration.

use super::network::{Link, Made, Network, Place};
use crate::draft::{Draft, Space, Veth};

/// MTU of a link that is given none, in bytes.
const PLAIN_MTU: u32 = 1500;

impl Network {
    /// The declaration, with `lost`, the lines that were not followed, at its top.
    pub(super) fn declare(&self, lost: Vec<String>) -> Draft {
        let mut draft = Draft::default();
        let title = match lost.is_empty() {
            true => "What the script makes, as \"netnsctl import\" read it.",
            false => {
                "What the script makes, as \"netnsctl import\" read it, but for these lines, which \
                 it does not understand and leaves to you:"
            }
        };
        draft.head.push(title.to_owned());
        draft.head.extend(lost);
        draft.head.push(
            "Name servers are the default ones unless [netns.NAME.dns] says otherwise.".to_owned(),
        );
        for (name, made) in &self.spaces {
            if name == "default" {
                let words = format!("{}: that is what configuration calls home", made.origin);
                draft.not_expressed(None, words);
                continue;
            }
            draft.netns.insert(name.clone(), space(made));
            for words in &made.lost {
                draft.not_expressed(Some(name), words);
            }
        }
        for name in self.spaces.keys() {
            self.holder(&mut draft, name);
        }
        for (at, link) in self.links.iter().enumerate() {
            match link.peer {
                // Each pair once, from the end that comes first.
                Some(far) if at < far => self.veth(&mut draft, link, &self.links[far]),
                _ => {}
            }
        }
        for link in self.links.iter().filter(|link| link.place.is_none()) {
            if link.kind != "veth" {
                let words = format!("{}: a link of home", link.origin);
                draft.not_expressed(None, words);
            }
        }
        draft
    }

    fn holder(&self, draft: &mut Draft, name: &str) {
        let here = |link: &&Link| link.place.as_deref() == Some(name);
        let plain = self
            .links
            .iter()
            .filter(here)
            .filter(|link| link.kind != "veth");
        let chosen = plain
            .clone()
            .min_by_key(|link| (link.name != name, link.address.is_empty()));
        let taken = |text: &str| self.links.iter().filter(here).any(|link| link.name == text);
        let Some(space) = draft.netns.get_mut(name) else {
            return;
        };
        let Some(chosen) = chosen else {
            let numbered = (0..).map(|number| format!("own{number}"));
            let free = std::iter::once(name.to_owned()).chain(numbered);
            let fits = |text: &String| !taken(text) && text.len() <= 15;
            space.interface = free.into_iter().find(fits);
            return;
        };
        space.interface = Some(chosen.name.clone());
        space.kind = (chosen.kind == "bridge").then(|| chosen.kind.clone());
        space.address.clone_from(&chosen.address);
        let mut lost: Vec<String> = plain
            .filter(|link| link.name != chosen.name)
            .flat_map(|link| {
                let words = format!("{}: a second link for addresses", link.origin);
                let addresses = link.address.iter().filter_map(|said| said.origin.clone());
                std::iter::once(words).chain(addresses)
            })
            .collect();
        if let Some(mtu) = chosen.mtu {
            lost.push(format!("mtu {mtu} of {}", chosen.name));
        }
        if let Some(mac) = &chosen.mac {
            lost.push(format!("address {mac} of {}", chosen.name));
        }
        for words in lost.into_iter().chain(never_up(chosen)) {
            draft.not_expressed(Some(name), words);
        }
    }

    fn veth(&self, draft: &mut Draft, one: &Link, other: &Link) {
        // At the end in a namespace, and at the first if both are.
        let (near, far) = match (&one.place, &other.place) {
            (None, _) => (other, one),
            _ => (one, other),
        };
        let why = match (&near.place, &far.place) {
            (None, _) => Some("both ends are at home"),
            (near, far) if near == far => Some("both ends are in one namespace"),
            _ => None,
        };
        let owner = near.place.clone().unwrap_or_default();
        let Some(space) = draft.netns.get_mut(&owner).filter(|_| why.is_none()) else {
            let words = format!(
                "{}: {}",
                near.origin,
                why.unwrap_or("its netns is not declared")
            );
            let addresses = [&near.address, &far.address].into_iter().flatten();
            let addresses: Vec<_> = addresses.filter_map(|said| said.origin.clone()).collect();
            for words in std::iter::once(words).chain(addresses) {
                draft.not_expressed(None, words);
            }
            return;
        };
        let mtu = near.mtu.unwrap_or(PLAIN_MTU);
        space.veths.push(Veth {
            origin: Some(near.origin.clone()),
            netns: place_words(&far.place),
            interface: near.name.clone(),
            peer_interface: far.name.clone(),
            mtu: Some(mtu),
            mac: near.mac.clone(),
            peer_mac: far.mac.clone(),
            address: near.address.clone(),
            peer_address: far.address.clone(),
        });
        let mut lost = Vec::new();
        let far_mtu = far.mtu.unwrap_or(PLAIN_MTU);
        if far_mtu != mtu {
            let place = place_words(&far.place);
            lost.push(format!("mtu {far_mtu} of {} in netns {place}", far.name));
        }
        lost.extend([near, far].into_iter().filter_map(never_up));
        for words in lost {
            draft.not_expressed(Some(&owner), words);
        }
    }
}

/// What was said of a namespace itself.
fn space(made: &Made) -> Space {
    let mut space = Space {
        origin: Some(made.origin.clone()),
        routes: made.routes.clone(),
        ..Space::default()
    };
    for (key, value) in &made.sysctl {
        let flag = match key.as_str() {
            "net.ipv4.conf.all.forwarding" => &mut space.ipv4_forwarding,
            "net.ipv6.conf.all.forwarding" => &mut space.ipv6_forwarding,
            _ => {
                space.sysctl.insert(key.clone(), value.clone());
                continue;
            }
        };
        *flag = value.text != "0";
    }
    space
}

fn place_words(place: &Place) -> String {
    place.clone().unwrap_or_else(|| "default".to_owned())
}

fn never_up(link: &Link) -> Option<String> {
    let words = format!("the script leaves {} down; up sets it up", link.name);
    (!link.up).then_some(words)
}
