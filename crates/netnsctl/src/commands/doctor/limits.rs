//! What is declared against the limits of this kernel and this process: which will be reached first.

use netnsctl_model::desired::Desired;
use netnsctl_model::name::NetnsRef;
use rustix::process::{Resource, getrlimit};

use super::{Check, Mark};

/// Descriptors that `serve` has open whatever is declared.
const OWN_DESCRIPTORS: u64 = 32;

/// Threads of a name-service daemon, and processes of a forward, with room for one that replaces
/// another.
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

/// Counts what is declared.
pub(super) fn examine(desired: &Desired) -> Vec<Check> {
    judge(&limits(desired))
}

fn number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn lines(path: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().count().try_into().unwrap_or(u64::MAX)
}

/// Processes and threads that there are: the second number of the fourth field (proc_loadavg(5)).
fn tasks() -> u64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let field = text.split(' ').nth(3).and_then(|it| it.split('/').nth(1));
    field.and_then(|it| it.parse().ok()).unwrap_or(0)
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

/// Each limit that can be read here.
fn limits(desired: &Desired) -> Vec<Limit> {
    let declared = Declared::of(desired);
    let mut limits = neighbours(&declared);
    limits.extend(mounts_and_namespaces(&declared));
    limits.extend(getrlimit(Resource::Nofile).maximum.map(|most| Limit {
        what: "open files of \"serve\"",
        setting: "the hard limit of open files (LimitNOFILE= of systemd.exec(5), limits.conf(5))",
        most,
        used: OWN_DESCRIPTORS,
        needed: 2 * declared.namespaces + declared.daemons + 3 * declared.forwards,
        then: "\"serve\" cannot start all forwards and daemons",
    }));
    limits.extend(number("/proc/sys/kernel/pid_max").map(|most| Limit {
        what: "processes and threads",
        setting: "kernel.pid_max",
        most,
        used: tasks(),
        needed: TASKS_OF_DAEMON * declared.daemons + TASKS_OF_FORWARD * declared.forwards,
        then: "no more processes can be started",
    }));
    limits
}

/// Entries of the tables of neighbours, which all namespaces share. Only the first namespace of the
/// machine has the settings (net/core/neighbour.c, `neigh_sysctl_register()`).
fn neighbours(declared: &Declared) -> Vec<Limit> {
    let table = |family, what, setting, then| {
        let path = format!("/proc/sys/net/{family}/neigh/default/gc_thresh3");
        number(&path).map(|most| Limit {
            what,
            setting,
            most,
            used: 0,
            needed: declared.ends,
            then,
        })
    };
    let ipv4 = table(
        "ipv4",
        "IPv4 neighbours of all namespaces",
        "net.ipv4.neigh.default.gc_thresh3",
        "packets are lost (\"arp_cache: neighbor table overflow!\" in the kernel's log)",
    );
    let ipv6 = table(
        "ipv6",
        "IPv6 neighbours of all namespaces",
        "net.ipv6.neigh.default.gc_thresh3",
        "packets are lost (\"ndisc_cache: neighbor table overflow!\" in the kernel's log)",
    );
    ipv4.into_iter().chain(ipv6).collect()
}

fn mounts_and_namespaces(declared: &Declared) -> Vec<Limit> {
    let mounts = number("/proc/sys/fs/mount-max").map(|most| Limit {
        what: "mounts in a mount namespace",
        setting: "fs.mount-max",
        most,
        used: lines("/proc/self/mountinfo"),
        // The name, which the shared /run/netns shows twice, and the view.
        needed: 3 * declared.namespaces,
        then: "\"up\" fails with ENOSPC",
    });
    let namespaces = number("/proc/sys/user/max_net_namespaces").map(|most| Limit {
        what: "network namespaces of a user",
        setting: "user.max_net_namespaces",
        most,
        used: 0,
        needed: declared.namespaces,
        then: "\"up\" fails with ENOSPC",
    });
    mounts.into_iter().chain(namespaces).collect()
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
                    format!("what is declared takes {counts}: {}", limit.then),
                ),
                false => check(
                    limit,
                    Mark::Warning,
                    format!(
                        "what is declared takes {counts}; beyond that {}",
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
        assert!(tight[0].1.contains("takes 2010 of 1000: nothing works"));
        assert_eq!(tight[1].0, Mark::Warning);
        assert_eq!(tight.len(), 2);
    }
}
