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

/// Each limit that can be read here.
fn limits(desired: &Desired) -> Vec<Limit> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let named = count(desired.netns.len());
    let daemons = count(desired.netns.values().filter(|it| it.nscd.enable).count());
    let of_named = desired.netns.values().map(|it| it.forwards.len());
    let of_host = desired.forwards(&NetnsRef::Home).len();
    let forwards = count(of_named.sum::<usize>() + of_host);
    let ends = 2 * count(desired.veths.len());
    let limit = |what, setting, most: Option<u64>, used, needed, then| {
        most.map(|most| Limit {
            what,
            setting,
            most,
            used,
            needed,
            then,
        })
    };
    let sysctl = |path| number(path);
    [
        limit(
            "open files of \"serve\"",
            "the hard limit of open files (LimitNOFILE= of systemd.exec(5), limits.conf(5))",
            getrlimit(Resource::Nofile).maximum,
            OWN_DESCRIPTORS,
            2 * named + daemons + 3 * forwards,
            "\"serve\" cannot start all forwards and daemons",
        ),
        limit(
            "mounts in a mount namespace",
            "fs.mount-max",
            sysctl("/proc/sys/fs/mount-max"),
            lines("/proc/self/mountinfo"),
            // The name, which is mounted at two places (mount_namespaces(7), propagation), and the view.
            3 * named,
            "\"up\" fails with ENOSPC",
        ),
        limit(
            "network namespaces of a user",
            "user.max_net_namespaces",
            sysctl("/proc/sys/user/max_net_namespaces"),
            0,
            named,
            "\"up\" fails with ENOSPC",
        ),
        limit(
            "IPv4 neighbours of all namespaces",
            "net.ipv4.neigh.default.gc_thresh3",
            sysctl("/proc/sys/net/ipv4/neigh/default/gc_thresh3"),
            0,
            ends,
            "packets are lost (\"neighbour: arp_cache: neighbor table overflow!\" in the kernel's log)",
        ),
        limit(
            "IPv6 neighbours of all namespaces",
            "net.ipv6.neigh.default.gc_thresh3",
            sysctl("/proc/sys/net/ipv6/neigh/default/gc_thresh3"),
            0,
            ends,
            "packets are lost (\"neighbour: ndisc_cache: neighbor table overflow!\" in the kernel's log)",
        ),
        limit(
            "processes and threads",
            "kernel.pid_max",
            sysctl("/proc/sys/kernel/pid_max"),
            tasks(),
            TASKS_OF_DAEMON * daemons + TASKS_OF_FORWARD * forwards,
            "no more processes can be started",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
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
