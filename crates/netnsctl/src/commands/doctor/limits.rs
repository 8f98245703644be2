//! What is declared against the limits of this kernel and this process: which will be reached first.

use std::io::{self, ErrorKind};

use netnsctl_base::error::{Context as _, Error, Object};
use netnsctl_base::presence::if_present;
use netnsctl_model::desired::Desired;
use netnsctl_model::name::NetnsRef;
use rustix::process::{Resource, getrlimit};

use super::{Check, Mark};

/// Descriptors that `serve` has open whatever is declared: 10 of its own, and some for a moment.
const OWN_DESCRIPTORS: u64 = 32;

/// Descriptors that `serve` has open for each forward and each name-service daemon.
const DESCRIPTORS_OF_CHILD: u64 = 4;

/// Threads of a name-service daemon (3 without clients) and processes of a forward, of which a
/// second one may finish its connections.
const TASKS_OF_DAEMON: u64 = 8;
const TASKS_OF_FORWARD: u64 = 2;

/// Something that there is only so much of.
#[derive(Debug, Clone)]
struct Limit {
    /// Which, in words.
    what: &'static str,
    /// Where it is set.
    setting: &'static str,
    /// How much there is.
    most: u64,
    /// How much is used without what is declared.
    used: u64,
    /// How much all that is declared takes.
    needed: u64,
    /// What happens when it is reached.
    then: &'static str,
}

impl Limit {
    /// The share of it that will be in use, in thousandths.
    fn share(&self) -> u64 {
        let total = self.used.saturating_add(self.needed);
        total.saturating_mul(1000) / self.most.max(1)
    }
}

/// Counts what is declared. A limit that cannot be read is reported as unknown.
pub(super) fn examine(desired: &Desired) -> Vec<Check> {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for limit in limits(desired) {
        match limit {
            Ok(limit) => known.extend(limit),
            Err(error) => unknown.push(Check::new(
                "limits",
                "limits",
                Mark::Unknown,
                format!("a limit cannot be found out: {error}"),
            )),
        }
    }
    [judge(&known), unknown].concat()
}

/// What `parse` finds in a file of /proc.
fn read(path: &str, parse: fn(&str) -> Option<u64>) -> io::Result<u64> {
    let text = std::fs::read_to_string(path)?;
    parse(&text).ok_or_else(|| ErrorKind::InvalidData.into())
}

/// The number in a file of /proc/sys; none if this kernel, or this namespace, does not have it.
fn number(path: &str) -> Result<Option<u64>, Error> {
    let number = read(path, |text| text.trim().parse().ok());
    if_present(number).context("read", Object::other(path))
}

/// Mounts in this mount namespace (proc_pid_mountinfo(5)).
fn mounts() -> Result<u64, Error> {
    const PATH: &str = "/proc/self/mountinfo";
    let count = read(PATH, |text| text.lines().count().try_into().ok());
    count.context("read", Object::other(PATH))
}

/// Processes and threads that there are: the second number of the fourth field (proc_loadavg(5)).
fn tasks() -> Result<u64, Error> {
    const PATH: &str = "/proc/loadavg";
    let count = read(PATH, |text| {
        text.split(' ').nth(3)?.split('/').nth(1)?.parse().ok()
    });
    count.context("read", Object::other(PATH))
}

/// How much there is of everything that is declared.
struct Declared {
    namespaces: u64,
    daemons: u64,
    forwards: u64,
    /// Ends of veth pairs.
    ends: u64,
}

impl Declared {
    fn of(desired: &Desired) -> Self {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let netns = desired.netns.values();
        let forwards: usize = netns.clone().map(|it| it.forwards.len()).sum();
        Self {
            namespaces: count(desired.netns.len()),
            daemons: count(netns.filter(|it| it.nscd.enable).count()),
            forwards: count(forwards + desired.forwards(&NetnsRef::Home).len()),
            ends: 2 * count(desired.veths.len()),
        }
    }
}

/// Each limit; none where this kernel or this process does not have it.
fn limits(desired: &Desired) -> Vec<Result<Option<Limit>, Error>> {
    let declared = Declared::of(desired);
    vec![
        Ok(descriptors(&declared)),
        mount_limit(&declared),
        namespaces(&declared),
        neighbours(
            &declared,
            "IPv4 neighbours of all namespaces",
            "net.ipv4.neigh.default.gc_thresh3",
            "packets are lost (\"arp_cache: neighbor table overflow!\" in the kernel's log)",
        ),
        neighbours(
            &declared,
            "IPv6 neighbours of all namespaces",
            "net.ipv6.neigh.default.gc_thresh3",
            "packets are lost (\"ndisc_cache: neighbor table overflow!\" in the kernel's log)",
        ),
        processes(&declared),
    ]
}

fn descriptors(declared: &Declared) -> Option<Limit> {
    let children = declared.daemons + declared.forwards;
    getrlimit(Resource::Nofile).maximum.map(|most| Limit {
        what: "open files of \"serve\"",
        setting: "the hard limit of open files (LimitNOFILE= of systemd.exec(5), limits.conf(5))",
        most,
        used: OWN_DESCRIPTORS,
        needed: DESCRIPTORS_OF_CHILD * children,
        then: "\"serve\" cannot start all forwards and daemons",
    })
}

fn mount_limit(declared: &Declared) -> Result<Option<Limit>, Error> {
    let Some(most) = number("/proc/sys/fs/mount-max")? else {
        return Ok(None);
    };
    Ok(Some(Limit {
        what: "mounts in a mount namespace",
        setting: "fs.mount-max",
        most,
        used: mounts()?,
        // A name, which a shared /run shows a second time, and a view.
        needed: 2 * declared.namespaces + declared.daemons,
        then: "\"up\" fails with ENOSPC",
    }))
}

fn namespaces(declared: &Declared) -> Result<Option<Limit>, Error> {
    let most = number("/proc/sys/user/max_net_namespaces")?;
    Ok(most.map(|most| Limit {
        what: "network namespaces of a user",
        setting: "user.max_net_namespaces",
        most,
        used: 0,
        needed: declared.namespaces,
        then: "\"up\" fails with ENOSPC",
    }))
}

/// Entries of a table of neighbours, which all namespaces share. Only the first namespace of the
/// machine has the setting (`neigh_sysctl_register()` in net/core/neighbour.c).
fn neighbours(
    declared: &Declared,
    what: &'static str,
    setting: &'static str,
    then: &'static str,
) -> Result<Option<Limit>, Error> {
    let most = number(&format!("/proc/sys/{}", setting.replace('.', "/")))?;
    Ok(most.map(|most| Limit {
        what,
        setting,
        most,
        used: 0,
        needed: declared.ends,
        then,
    }))
}

fn processes(declared: &Declared) -> Result<Option<Limit>, Error> {
    let Some(most) = number("/proc/sys/kernel/pid_max")? else {
        return Ok(None);
    };
    Ok(Some(Limit {
        what: "processes and threads",
        setting: "kernel.pid_max",
        most,
        used: tasks()?,
        needed: TASKS_OF_DAEMON * declared.daemons + TASKS_OF_FORWARD * declared.forwards,
        then: "no more processes can be started",
    }))
}

/// A check for each limit that will be reached, or nearly; if none, one that names the first.
fn judge(limits: &[Limit]) -> Vec<Check> {
    let check = |limit: &Limit, mark, message: String| {
        Check::new("limits", limit.what, mark, message).hint(format!("raise {}", limit.setting))
    };
    let counts = |limit: &Limit| {
        let total = limit.used.saturating_add(limit.needed);
        format!("{total} of {}", limit.most)
    };
    let tight = limits.iter().filter(|it| it.needed > 0 && it.share() > 800);
    let tight: Vec<_> = tight
        .map(|limit| {
            let counts = counts(limit);
            match limit.share() > 1000 {
                true => check(
                    limit,
                    Mark::Problem,
                    format!(
                        "with all that is declared {counts} are in use: {}",
                        limit.then
                    ),
                ),
                false => check(
                    limit,
                    Mark::Warning,
                    format!(
                        "with all that is declared {counts} are in use; beyond that {}",
                        limit.then
                    ),
                ),
            }
        })
        .collect();
    if !tight.is_empty() {
        return tight;
    }
    let first = limits.iter().max_by_key(|limit| limit.share());
    let fine = first.map(|limit| {
        let message = format!(
            "the first to be reached is that of {}: {} ({})",
            limit.what,
            counts(limit),
            limit.setting
        );
        Check::new("limits", "limits", Mark::Ok, message)
    });
    fine.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(setting: &'static str, most: u64, needed: u64) -> Limit {
        Limit {
            what: "things",
            setting,
            most,
            used: 10,
            needed,
            then: "nothing works",
        }
    }

    #[test]
    fn a_limit_that_is_not_there_is_none_and_one_that_cannot_be_read_an_error() {
        assert_eq!(number("/proc/sys/kernel/no-such-limit").unwrap(), None);
        assert!(number("/proc/sys/kernel/pid_max").unwrap() > Some(0));
        number("/proc/sys/kernel/ostype").unwrap_err();
        number("/proc/sys/kernel").unwrap_err();
        assert!(mounts().unwrap() > 0 && tasks().unwrap() > 0);
    }

    #[test]
    fn the_first_limit_is_named_and_those_that_do_not_suffice() {
        let marks = |limits: &[Limit]| -> Vec<_> {
            let checks = judge(limits).into_iter();
            checks.map(|it| (it.mark, it.message)).collect()
        };
        let fine = marks(&[limit("a", 1000, 10), limit("b", 100, 10)]);
        assert_eq!(fine.len(), 1);
        assert_eq!(fine[0].0, Mark::Ok);
        assert!(fine[0].1.ends_with("20 of 100 (b)"), "{}", fine[0].1);
        let tight = marks(&[
            limit("a", 1000, 2000),
            limit("b", 100, 80),
            limit("c", 100, 0),
        ]);
        assert_eq!(tight[0].0, Mark::Problem);
        assert!(
            tight[0]
                .1
                .contains("2010 of 1000 are in use: nothing works")
        );
        assert_eq!(tight[1].0, Mark::Warning);
        assert_eq!(tight.len(), 2);
    }
}
