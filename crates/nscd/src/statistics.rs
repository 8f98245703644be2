//! What is counted, and the answer to GETSTAT: one line of JSON.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use crate::family::{Family, Rooms};
use crate::lookup::Outcome;
use crate::request::Kind;

/// Outcomes of one kind of request.
#[derive(Debug, Default)]
struct Tally {
    found: AtomicU64,
    not_found: AtomicU64,
    passing: AtomicU64,
    refused: AtomicU64,
}

/// Counts since the daemon's start.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    /// By the place of the kind.
    tallies: [Tally; Kind::ALL.len()],
    malformed: AtomicU64,
    from_cache: AtomicU64,
}

impl Statistics {
    pub(crate) fn count(&self, kind: Kind, outcome: Outcome) {
        if let Some(tally) = self.tallies.get(kind.index()) {
            let counter = match outcome {
                Outcome::Found => &tally.found,
                Outcome::NotFound => &tally.not_found,
                Outcome::Passing => &tally.passing,
                Outcome::Refused => &tally.refused,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn count_from_cache(&self) {
        self.from_cache.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_malformed(&self) {
        self.malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// All counts, and the look-ups that go on. Kinds that were never asked for are left out.
    pub(crate) fn to_json(&self, rooms: &Rooms) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut requests = Map::new();
        for (kind, tally) in Kind::ALL.iter().zip(&self.tallies) {
            let counts = [
                &tally.found,
                &tally.not_found,
                &tally.passing,
                &tally.refused,
            ]
            .map(of);
            let [found, not_found, try_again, left_to_client] = counts;
            if counts.iter().any(|count| *count > 0) {
                let counts = json!({
                    "found": found,
                    "not_found": not_found,
                    "try_again": try_again,
                    "left_to_client": left_to_client,
                });
                requests.insert(kind.name().to_owned(), counts);
            }
        }
        let waiting: Value = json!({
            "hosts": rooms.taken(Family::Hosts),
            "netgroups": rooms.taken(Family::Netgroups),
            "services": rooms.taken(Family::Services),
            "users": rooms.taken(Family::Users),
        });
        let (malformed, from_cache) = (of(&self.malformed), of(&self.from_cache));
        let all = json!({
            "requests": requests,
            "from_cache": from_cache,
            "going_on": waiting,
            "malformed": malformed,
        });
        format!("{all}\n")
    }
}
