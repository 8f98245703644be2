//! Families of databases, and how many look-ups of each may go on at once.
//!
//! One family's modules hang together: a name server that is gone stops hosts, a directory server
//! users and groups. What hangs fills its own family's room and no other.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::request::Kind;

/// Databases whose look-ups share a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Hosts.
    Hosts,
    /// Netgroups, of which the C library walks through one at a time.
    Netgroups,
    /// Services.
    Services,
    /// Users and groups.
    Users,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 4] = [Self::Hosts, Self::Netgroups, Self::Services, Self::Users];

    /// The family in which a kind of request looks something up; none if it does not.
    pub fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::UserByName
            | Kind::UserById
            | Kind::GroupByName
            | Kind::GroupById
            | Kind::GroupsOfUser => Some(Self::Users),
            Kind::HostByName
            | Kind::HostByName6
            | Kind::HostByAddress
            | Kind::HostByAddress6
            | Kind::Addresses => Some(Self::Hosts),
            Kind::ServiceByName | Kind::ServiceByPort => Some(Self::Services),
            Kind::Netgroup | Kind::IsInNetgroup => Some(Self::Netgroups),
            Kind::Shutdown
            | Kind::Statistics
            | Kind::Invalidate
            | Kind::MapUsers
            | Kind::MapGroups
            | Kind::MapHosts
            | Kind::MapServices
            | Kind::MapNetgroups
            | Kind::Identity => None,
        }
    }
}

/// Most look-ups of each family at once. Each holds a thread, and a client waits 5 seconds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the families")]
pub struct Bounds {
    pub hosts: usize,
    pub netgroups: usize,
    pub services: usize,
    pub users: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            // A name server that is gone holds one for each client that waits for it.
            hosts: 512,
            // They wait for each other.
            netgroups: 8,
            services: 16,
            users: 64,
        }
    }
}

impl Bounds {
    fn of(&self, family: Family) -> usize {
        match family {
            Family::Hosts => self.hosts,
            Family::Netgroups => self.netgroups,
            Family::Services => self.services,
            Family::Users => self.users,
        }
    }

    /// Most look-ups of all families.
    pub(crate) fn sum(&self) -> usize {
        Family::ALL.iter().map(|family| self.of(*family)).sum()
    }
}

/// Counts the look-ups that go on.
#[derive(Debug)]
pub(crate) struct Rooms {
    bounds: Bounds,
    taken: [AtomicUsize; Family::ALL.len()],
}

impl Rooms {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            taken: Default::default(),
        }
    }

    /// A place for one look-up, given back when it is dropped; none if all are taken.
    pub(crate) fn enter(&self, family: Family) -> Option<Place<'_>> {
        let (taken, bound) = (self.room(family), self.bounds.of(family));
        let more = |count| (count < bound).then_some(count + 1);
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Place { taken })
    }

    /// How many look-ups of a family go on.
    pub(crate) fn taken(&self, family: Family) -> usize {
        self.room(family).load(Ordering::Relaxed)
    }

    fn room(&self, family: Family) -> &AtomicUsize {
        let [hosts, netgroups, services, users] = &self.taken;
        match family {
            Family::Hosts => hosts,
            Family::Netgroups => netgroups,
            Family::Services => services,
            Family::Users => users,
        }
    }
}

/// A place that a look-up holds.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    taken: &'a AtomicUsize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_family_leaves_room_in_the_others() {
        let rooms = Rooms::new(Bounds {
            hosts: 2,
            ..Bounds::default()
        });
        let places = [rooms.enter(Family::Hosts), rooms.enter(Family::Hosts)];
        assert!(places.iter().all(Option::is_some));
        assert!(rooms.enter(Family::Hosts).is_none());
        assert!(rooms.enter(Family::Users).is_some());
        assert_eq!(rooms.taken(Family::Hosts), 2);
        drop(places);
        assert_eq!(rooms.taken(Family::Hosts), 0);
        assert!(rooms.enter(Family::Hosts).is_some());
    }

    #[test]
    fn each_look_up_has_a_family() {
        let without = Kind::ALL.iter().filter(|kind| Family::of(**kind).is_none());
        assert_eq!(without.count(), 9);
    }
}
