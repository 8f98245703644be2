//! Whether an answer came from files of /etc alone, as nsswitch.conf(5) has it.
//!
//! Such an answer holds for as long as the file is the same, which its [stamp](crate::stamp) tells:
//! nobody can tell it from one read anew. Two cases are certain. With no other module than `files`
//! everything comes from there, also that there is no entry. With `files` first, and nothing said
//! in brackets, what it finds is the answer; that it found this one is seen by its line in the file.

use std::sync::{Mutex, PoisonError};

use crate::lookup::Outcome;
use crate::reply::{group_line, user_line};
use crate::request::Kind;
use crate::stamp::Stamp;

/// Where a database's entries come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Modules {
    /// `files` and nothing else.
    FilesOnly,
    /// `files`, and others if it finds nothing.
    FilesFirst,
    /// Anything else, also what the C library does without a line.
    #[default]
    Others,
}

/// What nsswitch.conf says of the databases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Databases {
    passwd: Modules,
    group: Modules,
    /// None: as `group`.
    initgroups: Option<Modules>,
    hosts: Modules,
    services: Modules,
    netgroup: Modules,
}

impl Databases {
    fn parse(text: &str) -> Self {
        let modules = |database: &str| {
            let mut lines = text.lines().filter_map(|line| {
                let line = line.split('#').next().unwrap_or_default();
                // Any run of spaces and colons may follow a name.
                let is_between = |c: char| c == ':' || c.is_whitespace();
                let (name, rest) = line.trim_start().split_once(is_between)?;
                (name == database).then(|| Modules::parse(rest.trim_start_matches(is_between)))
            });
            let found = lines.next()?;
            // Of two lines one counts, and which one is the C library's secret.
            Some(lines.next().map_or(found, |_| Modules::Others))
        };
        let of = |database| modules(database).unwrap_or_default();
        Self {
            passwd: of("passwd"),
            group: of("group"),
            initgroups: modules("initgroups"),
            hosts: of("hosts"),
            services: of("services"),
            netgroup: of("netgroup"),
        }
    }

    fn of(self, kind: Kind) -> Modules {
        match kind {
            Kind::UserByName | Kind::UserById => self.passwd,
            Kind::GroupByName | Kind::GroupById => self.group,
            Kind::GroupsOfUser => self.initgroups.unwrap_or(self.group),
            Kind::HostByName
            | Kind::HostByName6
            | Kind::HostByAddress
            | Kind::HostByAddress6
            | Kind::Addresses => self.hosts,
            Kind::ServiceByName | Kind::ServiceByPort => self.services,
            Kind::Netgroup | Kind::IsInNetgroup => self.netgroup,
            _ => Modules::Others,
        }
    }
}

impl Modules {
    fn parse(text: &str) -> Self {
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (Some("files"), None) => Self::FilesOnly,
            (Some("files"), Some(next)) if !next.starts_with('[') => Self::FilesFirst,
            _ => Self::Others,
        }
    }
}

/// What nsswitch.conf says, read again when it has changed.
#[derive(Debug, Default)]
pub(crate) struct Sources(Mutex<Option<(Stamp, Databases)>>);

impl Sources {
    /// Whether a reply to a request of `kind` came from files alone, that had `stamp` before it was
    /// looked up. Opens files, so it is for replies that are not known yet.
    pub(crate) fn is_of_files(
        &self,
        kind: Kind,
        stamp: Stamp,
        outcome: Outcome,
        reply: &[u8],
    ) -> bool {
        match (self.databases(stamp.of_nsswitch()).of(kind), outcome) {
            (Modules::FilesOnly, Outcome::Found | Outcome::NotFound) => true,
            (Modules::FilesFirst, Outcome::Found) => stands_in_file(kind, reply),
            _ => false,
        }
    }

    fn databases(&self, stamp: Stamp) -> Databases {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((of, databases)) if of == stamp => databases,
            _ => {
                // What could not be read now may be read next time, with the same stamp.
                let Ok(text) = std::fs::read("/etc/nsswitch.conf") else {
                    return Databases::default();
                };
                let databases = Databases::parse(&String::from_utf8_lossy(&text));
                *known = Some((stamp, databases));
                databases
            }
        }
    }
}

/// Whether the entry in `reply` is, to the byte, a line of the file of its database.
fn stands_in_file(kind: Kind, reply: &[u8]) -> bool {
    let (line, path) = match kind {
        Kind::UserByName | Kind::UserById => (user_line(reply), "/etc/passwd"),
        Kind::GroupByName | Kind::GroupById => (group_line(reply), "/etc/group"),
        // Hosts of one name may stand on many lines, and the groups of a user on any.
        _ => return false,
    };
    let (Some(line), Ok(text)) = (line, std::fs::read(path)) else {
        return false;
    };
    text.split(|byte| *byte == b'\n').any(|it| it == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_to_be_of_files_is() {
        let cases = [
            (" files", Modules::FilesOnly),
            ("\tfiles # dns", Modules::FilesOnly),
            ("files systemd", Modules::FilesFirst),
            ("files dns [!UNAVAIL=return] x", Modules::FilesFirst),
            ("files [SUCCESS=merge] systemd", Modules::Others),
            ("files [NOTFOUND=return]", Modules::Others),
            ("files[NOTFOUND=return] dns", Modules::Others),
            ("compat", Modules::Others),
            ("db files", Modules::Others),
            ("filesx", Modules::Others),
            ("", Modules::Others),
        ];
        for (line, modules) in cases {
            let databases = Databases::parse(&format!("# a: b\n\npasswd:{line}\n"));
            assert_eq!(databases.passwd, modules, "{line}");
            assert_eq!(databases.group, Modules::Others, "{line}");
        }
    }

    #[test]
    fn a_line_that_stands_twice_is_not_certain() {
        let databases = Databases::parse("hosts: files\n hosts : files\ngroup: files");
        assert_eq!(databases.hosts, Modules::Others);
        assert_eq!(databases.of(Kind::GroupsOfUser), Modules::FilesOnly);
        for line in ["hosts dns", "hosts :: dns", "\thosts\u{b}dns"] {
            let databases = Databases::parse(&format!("hosts: files\n{line}\n"));
            assert_eq!(databases.hosts, Modules::Others, "{line:?}");
        }
        let databases = Databases::parse("group: files\ninitgroups: files systemd");
        assert_eq!(databases.of(Kind::GroupsOfUser), Modules::FilesFirst);
    }
}
