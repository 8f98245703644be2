//! Where the one DNS question was seen, and what that says.

use std::collections::BTreeSet;

use netnsctl_probe::question::{Seen, Sighting};
use netnsctl_sys::packet::Direction;

use super::unanswered::{self, Elsewhere};
use super::{Check, Mark};

/// The labels that follow the unique one. `example` because names below it are not special to any
/// resolver (RFC 6761, 6.5), while `invalid` or `test` are for some not worth a question.
pub(super) const BELOW: [&str; 2] = ["netnsctl-doctor", "example"];

/// getaddrinfo(3): there is no such name.
const EAI_NONAME: i32 = -2;

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The C library's answer: 0 or a number of getaddrinfo(3).
    Answered(i32),
    /// None in time.
    Late,
}

/// Where it was watched.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) outcome: Outcome,
    /// In the namespace itself; or why it could not be watched.
    pub(super) here: Result<Seen, String>,
    /// In others.
    pub(super) elsewhere: Vec<Elsewhere>,
    /// Others that could not be watched, and why.
    pub(super) unwatched: Vec<(String, String)>,
}

const SUBJECT: &str = "a DNS question";

pub(super) fn judge(evidence: &Evidence) -> Vec<Check> {
    let here = match &evidence.here {
        Ok(here) => here,
        Err(why) => {
            let message = format!("its way could not be watched: {why}");
            let check = Check::new("question", SUBJECT, Mark::Unknown, message);
            return vec![check.hint("this needs root, or CAP_NET_RAW in the namespace")];
        }
    };
    let asked: BTreeSet<u16> = leaving(here).map(|seen| seen.id).collect();
    let origins: Vec<String> = evidence
        .elsewhere
        .iter()
        .flat_map(|place| origins(&place.called, &place.seen, &asked))
        .collect();
    let mut checks = Vec::new();
    if asked.is_empty() {
        checks.push(not_from_here(here, &origins, evidence));
    } else {
        checks.push(from_here(here, &asked, &evidence.elsewhere));
        if !origins.is_empty() {
            let message = format!("asked once more, by another: {}", origins.join(", "));
            let check = Check::new("question_elsewhere", SUBJECT, Mark::Warning, message);
            checks.push(check.hint(
                "a name server or proxy there passes questions on; if you did not mean it to, \
                 change the nameservers",
            ));
        }
    }
    checks.extend(unwatched(evidence));
    checks
}

/// Where it could have left without being seen.
fn unwatched(evidence: &Evidence) -> Option<Check> {
    let mut places = evidence.unwatched.clone();
    for place in &evidence.elsewhere {
        let dropped = place.seen.dropped;
        if dropped > 0 {
            let why = format!("{dropped} packets came too fast to be looked at");
            places.push((place.called.clone(), why));
        }
    }
    let (first, why) = places.first()?;
    let names: Vec<_> = places.iter().map(|it| it.0.as_str()).collect();
    let message = format!("not watched in {} ({first}: {why})", names.join(", "));
    Some(Check::new(
        "question_unwatched",
        SUBJECT,
        Mark::Warning,
        message,
    ))
}

/// Questions that go out by a link.
fn leaving(seen: &Seen) -> impl Iterator<Item = &Sighting> {
    let is_question = |it: &&Sighting| it.direction == Direction::Out && it.answer.is_none();
    seen.sightings.iter().filter(is_question)
}

/// By which links the question left a place that is not the namespace, unless it had come there by
/// a link from it: then it is only passed on.
fn origins(place: &str, seen: &Seen, asked: &BTreeSet<u16>) -> BTreeSet<String> {
    let came = |id: u16| {
        let is_it = |it: &Sighting| {
            it.id == id
                && it.direction == Direction::In
                && it.answer.is_none()
                && it.interface != "lo"
        };
        asked.contains(&id) && seen.sightings.iter().any(is_it)
    };
    let own = leaving(seen).filter(|it| !came(it.id));
    own.map(|it| format!("{place}, link {:?}", it.interface))
        .collect()
}

/// The question never left the namespace by a link of it.
fn not_from_here(here: &Seen, origins: &[String], evidence: &Evidence) -> Check {
    let check = |mark, message: String| Check::new("question", SUBJECT, mark, message);
    if !origins.is_empty() {
        let message = format!("it left from {}, and not from here", origins.join(", "));
        return check(Mark::Leak, message)
            .hint("something reachable from here asks for this namespace; see the other leaks");
    }
    if here.dropped > 0 {
        let dropped = here.dropped;
        return check(
            Mark::Unknown,
            format!("{dropped} packets came too fast to be looked at"),
        )
        .hint("try again when there is less traffic");
    }
    let message = match evidence.outcome {
        Outcome::Late => "no packet of it was seen within the time it was given",
        Outcome::Answered(0 | EAI_NONAME) => {
            "it was answered, but no packet of it was seen in any namespace"
        }
        Outcome::Answered(_) => "no packet of it was seen, so no name server was asked",
    };
    let hint = match evidence.outcome {
        Outcome::Late => "a daemon that does not answer may hold it up",
        Outcome::Answered(0 | EAI_NONAME) => {
            "a daemon answered from a cache, over an encrypted connection, or from a namespace \
             without a name; or the hosts line has no \"dns\""
        }
        Outcome::Answered(_) => "see the name servers above; the hosts line must have \"dns\"",
    };
    check(Mark::Unknown, message.to_owned()).hint(hint)
}

/// The question left by links of the namespace.
fn from_here(here: &Seen, asked: &BTreeSet<u16>, elsewhere: &[Elsewhere]) -> Check {
    let links: BTreeSet<&str> = leaving(here).map(|it| it.interface.as_str()).collect();
    let way = match links.iter().copied().collect::<Vec<_>>().as_slice() {
        ["lo"] => "it stayed inside, on \"lo\"".to_owned(),
        links => {
            let links: Vec<_> = links.iter().map(|link| format!("{link:?}")).collect();
            format!("it left through link {}", links.join(" and "))
        }
    };
    let is_answer = |it: &&Sighting| {
        it.direction == Direction::In && asked.contains(&it.id) && it.answer.is_some()
    };
    let codes: BTreeSet<u8> = here
        .sightings
        .iter()
        .filter(is_answer)
        .filter_map(|it| it.answer)
        .collect();
    let check = |mark, message: String| Check::new("question", SUBJECT, mark, message);
    // NOERROR and NXDOMAIN (RFC 1035, 4.1.1).
    if codes.contains(&0) || codes.contains(&3) {
        return check(Mark::Ok, format!("{way}, and was answered"));
    }
    match codes.first() {
        None => {
            let (on_the_way, hint) = unanswered::why(elsewhere, asked).unwrap_or_else(|| {
                let hint = "is the name server up, and does it have a route back?";
                ("no answer came".to_owned(), hint.to_owned())
            });
            check(Mark::Problem, format!("{way}; {on_the_way}")).hint(hint)
        }
        Some(code) => {
            let word = match code {
                2 => "SERVFAIL".to_owned(),
                5 => "REFUSED".to_owned(),
                code => format!("code {code}"),
            };
            check(
                Mark::Warning,
                format!("{way}; the name server answered {word}"),
            )
            .hint("names may be found all the same; ask for one you know")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(text: &str) -> Sighting {
        let words: Vec<_> = text.split(' ').collect();
        Sighting {
            interface: words[0].to_owned(),
            direction: if words[1] == "out" {
                Direction::Out
            } else {
                Direction::In
            },
            addresses: None,
            id: words[2].parse().unwrap(),
            answer: words.get(3).map(|code| code.parse().unwrap()),
        }
    }

    fn seen(sightings: &[&str]) -> Seen {
        Seen {
            sightings: sightings.iter().map(|it| sighting(it)).collect(),
            dropped: 0,
        }
    }

    fn at_host(seen: Seen) -> Elsewhere {
        Elsewhere {
            called: "the host namespace".to_owned(),
            name: None,
            facts: Ok(unanswered::Facts::default()),
            seen,
        }
    }

    /// Marks and messages for what was seen here and in the host namespace.
    fn marks(here: &[&str], home: &[&str]) -> Vec<(Mark, String)> {
        let evidence = Evidence {
            outcome: Outcome::Answered(EAI_NONAME),
            here: Ok(seen(here)),
            elsewhere: vec![at_host(seen(home))],
            unwatched: Vec::new(),
        };
        let checks = judge(&evidence);
        checks.into_iter().map(|it| (it.mark, it.message)).collect()
    }

    #[test]
    fn a_question_that_leaves_here_and_is_forwarded_is_fine() {
        let here = ["host out 7", "host in 7 3"];
        let fine = vec![(
            Mark::Ok,
            "it left through link \"host\", and was answered".to_owned(),
        )];
        assert_eq!(marks(&here, &[]), fine);
        assert_eq!(
            marks(&here, &["office in 7", "eth0 out 7", "eth0 in 7 3"]),
            fine
        );
        // And for a server at home.
        assert_eq!(marks(&here, &["office in 7", "office out 7 3"]), fine);
    }

    #[test]
    fn a_question_that_only_others_send_is_a_leak() {
        let leak = |here: &[&str], home: &[&str]| {
            let marks = marks(here, home);
            assert_eq!(marks[0].0, Mark::Leak, "{marks:?}");
            assert_eq!(
                marks[0].1,
                "it left from the host namespace, link \"eth0\", and not from here"
            );
        };
        leak(&[], &["eth0 out 7", "eth0 in 7 3"]);
        // An id it happens to share with what came in there from elsewhere.
        leak(&[], &["eth1 in 7", "eth0 out 7"]);
    }

    #[test]
    fn who_asks_anew_elsewhere_is_named() {
        let here = ["host out 7", "host in 7 0"];
        for home in [
            // A proxy.
            &["office in 7", "eth0 out 8"][..],
            // A relay of datagrams, which no link leads to.
            &["eth0 out 7"],
            &["lo out 7", "lo in 7", "eth0 out 7"],
        ] {
            let marks = marks(&here, home);
            assert_eq!(marks[0].0, Mark::Ok);
            assert_eq!(marks[1].0, Mark::Warning);
            assert!(
                marks[1].1.contains("the host namespace, link \"eth0\""),
                "{marks:?}"
            );
        }
    }

    #[test]
    fn answers_count_if_they_are_to_the_question() {
        let mark = |here: &[&str]| marks(here, &[])[0].0;
        assert_eq!(mark(&["host out 7"]), Mark::Problem);
        assert_eq!(mark(&["host out 7", "host in 8 3"]), Mark::Problem);
        assert_eq!(mark(&["host out 7", "host in 7 2"]), Mark::Warning);
        assert_eq!(
            mark(&["host out 7", "host out 9", "host in 7 2", "host in 9 0"]),
            Mark::Ok
        );
        assert_eq!(
            mark(&["lo out 7", "lo in 7", "lo out 7 3", "lo in 7 3"]),
            Mark::Ok
        );
        // The answer's way out of a server inside is no answer that came in.
        assert_eq!(mark(&["lo out 7", "lo in 7"]), Mark::Problem);
    }

    #[test]
    fn what_nobody_saw_proves_nothing() {
        assert_eq!(marks(&[], &[])[0].0, Mark::Unknown);
        let evidence = |here, outcome| Evidence {
            outcome,
            here,
            elsewhere: Vec::new(),
            unwatched: vec![("netns \"x\"".to_owned(), "no right".to_owned())],
        };
        let not = judge(&evidence(Err("no right".to_owned()), Outcome::Late));
        assert_eq!(not[0].mark, Mark::Unknown);
        let late = judge(&evidence(Ok(seen(&[])), Outcome::Late));
        assert_eq!(late[0].mark, Mark::Unknown);
        assert_eq!(late[1].check, "question_unwatched");
        assert!(late[1].message.contains("netns \"x\": no right"));
        let mut busy = seen(&[]);
        busy.dropped = 5;
        let mut evidence = evidence(Ok(seen(&["a out 7", "a in 7 0"])), Outcome::Answered(0));
        evidence.unwatched.clear();
        evidence.elsewhere.push(at_host(busy));
        let checks = judge(&evidence);
        assert_eq!(checks[1].check, "question_unwatched");
        assert!(checks[1].message.contains("the host namespace: 5 packets"));
    }
}
