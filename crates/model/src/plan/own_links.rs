//! Links that stand alone, of every kind; none is named here.

use crate::desired;
use crate::item::link::kinds::kind;
use crate::item::{self, Change, Key, LinkKey, Value};
use crate::name::{NetnsName, NetnsRef};
use crate::observed::{Applied, Link};

use super::links::in_the_way;
use super::planner::{Planner, Standing};
use super::{LinkPlace, Verb};

impl<'a> Planner<'a> {
    /// Removes the links that we once made for `name`, are not declared any more, and are of a kind
    /// that is no base link's, before any link is made that might need a name of theirs.
    pub(super) fn remove_old_links(&mut self, name: &'a NetnsName, target: &Applied) {
        let Some(record) = self.record(name) else {
            return;
        };
        let old = record.applied.links().filter(|key| key.peer.is_none());
        for key in old.filter(|key| !target.contains(&Key::Link((*key).clone()))) {
            let observed = self.link(&key.place);
            let is_ours = observed.is_some_and(|link| {
                let kind = link.kind.as_deref().and_then(kind);
                kind.is_some_and(|kind| !kind.keys.is_empty())
            });
            if is_ours {
                self.delete_link(name, key.place.clone());
            }
        }
    }

    /// Removes a link if it was made for `name`.
    pub(super) fn remove_own_link(&mut self, name: &NetnsName, link: &desired::Link) {
        let Some((name, _)) = self.desired.netns.get_key_value(name) else {
            return;
        };
        let place = LinkPlace::new(&name.clone().into(), &link.interface);
        let is_ours = self.is_recorded(name, &place);
        let is_kind = |link: &Link, kind| link.kind.as_deref() == Some(kind);
        if is_ours
            && self
                .link(&place)
                .is_some_and(|it| is_kind(it, link.kind.word))
        {
            self.delete_link(name, place);
        }
    }

    /// Whether the record of `name` speaks of a link that stands alone at `place`.
    fn is_recorded(&self, name: &NetnsName, place: &LinkPlace) -> bool {
        let key = Key::Link(LinkKey {
            place: place.clone(),
            peer: None,
        });
        self.record(name)
            .is_some_and(|it| it.applied.contains(&key))
    }

    /// Brings one link to what is declared.
    pub(super) fn own_link(
        &mut self,
        name: &'a NetnsName,
        link: &'a desired::Link,
        target: &Applied,
    ) {
        let here = NetnsRef::Named(name.clone());
        let place = LinkPlace::new(&here, &link.interface);
        let parent = link.parent();
        if !self.ensure_link(name, link, &place) {
            return;
        }
        if let Some(created) = self.done.created.get(&place).copied() {
            let needed = parent.and_then(|parent| self.done.created.get(&parent).copied());
            self.needs(created, needed);
        }
        self.sysctls_of_link(&place);
        self.addresses(name, &place, &link.address, target);
        match link.up {
            true => self.set_up(name, &place),
            false => self.set_down(name, &place),
        }
    }

    /// Makes the link, changes the one there is, or makes it anew. False if it cannot be had.
    fn ensure_link(
        &mut self,
        name: &'a NetnsName,
        link: &'a desired::Link,
        place: &LinkPlace,
    ) -> bool {
        let Some(observed) = self.link(place) else {
            let item = self.item_of(name, link);
            self.create(name, item);
            return true;
        };
        let is_kind = observed.kind.as_deref() == Some(link.kind.word);
        let stays = |change: &Change| link.kind.in_place.contains(&change.what);
        let changes = differing(link, observed).filter(|it| is_kind && it.iter().all(stays));
        if let Some(changes) = changes {
            self.change_in_place(name, link, place, observed, changes);
            return true;
        }
        if !self.is_recorded(name, place) {
            let problem = in_the_way(link.kind.word, place, observed);
            self.plan.problems.push(problem);
            return false;
        }
        self.delete_link(name, place.clone());
        let item = self.item_of(name, link);
        self.create(name, item);
        true
    }

    fn change_in_place(
        &mut self,
        name: &'a NetnsName,
        link: &desired::Link,
        place: &LinkPlace,
        observed: &Link,
        mut changes: Vec<Change>,
    ) {
        if let Some(mtu) = link.mtu.filter(|mtu| *mtu != observed.mtu) {
            changes.push(Change {
                what: "mtu",
                from: Some(Value::Number(observed.mtu)),
                to: Value::Number(mtu),
            });
        }
        if let Some(mac) = link.mac.filter(|mac| Some(*mac) != observed.mac) {
            changes.push(Change {
                what: "mac",
                from: observed.mac.map(Value::Mac),
                to: Value::Mac(mac),
            });
        }
        for change in changes {
            let item = item::Link {
                kind: link.kind.word,
                ..item::Link::at(place.clone())
            };
            self.change(name, item, change);
        }
    }

    /// Sets a link down if it is up.
    fn set_down(&mut self, of: &NetnsName, link: &LinkPlace) {
        if self.link(link).is_some_and(|observed| observed.up) {
            let change = Change {
                what: "up",
                from: Some(Value::Flag(true)),
                to: Value::Flag(false),
            };
            self.change(of, item::Link::at(link.clone()), change);
        }
    }

    /// Adds and removes entries of the kernel's tables.
    pub(super) fn entries(&mut self, name: &'a NetnsName, target: &Applied) {
        let here = NetnsRef::Named(name.clone());
        let interior = match self.standing(name) {
            Standing::Ours | Standing::Adoptable => self.interior(&here),
            Standing::Fresh | Standing::Foreign => None,
        };
        let is_there = |entry: &item::Entry| interior.is_some_and(|it| it.entries.contains(entry));
        let recorded = self.record(name);
        let recorded = recorded.into_iter().flat_map(|it| it.applied.entries());
        let old = recorded.filter(|entry| !target.contains(&Key::Entry((*entry).clone())));
        for entry in old.filter(|entry| is_there(entry)) {
            self.remove(name, entry.clone());
        }
        for entry in self.netns(name).entries.iter().filter(|it| !is_there(it)) {
            self.step(name, Verb::Add, entry.clone());
        }
    }
}

/// The values of its kind in which a link differs from what is declared; none if one that is there
/// is not declared, so that no change makes them the same.
fn differing(link: &desired::Link, observed: &Link) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    for key in link.kind.keys {
        let (declared, there) = (link.values.get(key.name), observed.values.get(key.name));
        match declared {
            Some(to) if there != Some(to) => changes.push(Change {
                what: key.name,
                from: there.cloned(),
                to: to.clone(),
            }),
            // What is left to the kernel is as it is.
            None if there.is_some() && key.default.is_none() => return None,
            _ => {}
        }
    }
    Some(changes)
}
