//! What this kernel and this host lack.

use std::path::Path;

use netnsctl_base::error::{Error, OLDEST_LINUX as OLDEST};
use netnsctl_kernel::names::{self, RUN_NETNS};
use netnsctl_model::etc_files::hosts_line;
use netnsctl_probe::host::{Mounts, Tried, link_kinds, mounts, user_namespaces_setting};
use netnsctl_sys::errno::Errno;
use netnsctl_sys::landlock::landlock_version;
use rustix::fs::{AtFlags, CWD, StatVfsMountFlags, StatxFlags, statvfs, statx};
use rustix::process::{Resource, getrlimit};

use super::{Check, Mark};

/// Links that hold addresses, in the order of preference.
const HOLDERS: [&str; 3] = ["dummy", "ifb", "bridge"];

/// Descriptors below which many namespaces or connections do not fit.
const FEW_DESCRIPTORS: u64 = 4096;

/// Folders of polkit's actions (polkit(8)).
const ACTIONS: [&str; 4] = [
    "/etc/polkit-1/actions",
    "/run/polkit-1/actions",
    "/usr/local/share/polkit-1/actions",
    "/usr/share/polkit-1/actions",
];

pub(super) fn examine() -> Vec<Check> {
    let mut checks = vec![kernel(), namespaces(), users()];
    checks.extend(links());
    checks.extend(view());
    checks.extend([landlock(), seccomp(), sysctls(), folder()]);
    checks.extend(stale());
    checks.extend([pkexec(), action(), systemd(), resolve(), descriptors()]);
    checks
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn kernel() -> Check {
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim_end();
    let check = |mark, message| Check::new("kernel", "kernel", mark, message);
    match version(release) {
        None => check(Mark::Unknown, "its version cannot be read".to_owned()),
        Some(version) if version < OLDEST => {
            let (major, minor) = OLDEST;
            check(
                Mark::Problem,
                format!("Linux {release} is older than {major}.{minor}"),
            )
            .hint("boot a newer one: what this one lacks cannot be replaced")
        }
        Some(_) => check(Mark::Ok, format!("Linux {release}")),
    }
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn namespaces() -> Check {
    let kinds = [("net", "network"), ("mnt", "mount"), ("user", "user")];
    let is_missing = |kind: &&(&str, &str)| !Path::new("/proc/self/ns").join(kind.0).exists();
    let missing: Vec<_> = kinds.iter().filter(is_missing).map(|it| it.1).collect();
    let check = |mark, message| Check::new("namespaces", "namespaces", mark, message);
    match missing.as_slice() {
        [] => check(Mark::Ok, "network, mount and user namespaces".to_owned()),
        ["user"] => check(
            Mark::Warning,
            "no user namespaces: no sandbox without root".to_owned(),
        ),
        missing => {
            let missing = missing.join(", ");
            check(Mark::Problem, format!("this kernel lacks: {missing}; nothing works"))
                .hint("is /proc mounted? Else the kernel must be built with CONFIG_NAMESPACES and CONFIG_NET_NS")
        }
    }
}

/// Whether a normal user may make user namespaces.
fn users() -> Check {
    let check = |mark, message: &str| {
        Check::new(
            "user_namespaces",
            "user namespaces of normal users",
            mark,
            message,
        )
    };
    if let Some(setting) = user_namespaces_setting() {
        let none = "forbidden: \"serve --sandbox\" works for root only";
        return check(Mark::Warning, none).hint(format!("sysctl {setting}"));
    }
    check(Mark::Ok, "allowed, for \"serve --sandbox\"")
}

/// A check of something that was tried.
fn tried(check: &'static str, subject: &str, tried: &Tried, bad: Mark, without: &str) -> Check {
    match tried {
        Ok(()) => Check::new(check, subject, Mark::Ok, "works"),
        Err(words) => Check::new(check, subject, bad, format!("{words}; {without}")),
    }
}

/// What could not be tried.
pub(super) fn untried(check: &'static str, subject: &str, error: &Error) -> Check {
    let check = Check::new(check, subject, Mark::Unknown, format!("not tried: {error}"));
    check.hint("this needs CAP_SYS_ADMIN: ask again as root")
}

fn links() -> Vec<Check> {
    let kinds = [HOLDERS[0], HOLDERS[1], HOLDERS[2], "veth"];
    let results = match link_kinds(&kinds) {
        Ok(results) => results,
        Err(error) => return vec![untried("links", "links", &error)],
    };
    let holder = results
        .iter()
        .find(|(kind, tried)| HOLDERS.contains(kind) && tried.is_ok());
    let check = |(kind, result): &(&str, Tried)| {
        let subject = format!("{kind} links");
        let module = format!("modprobe {kind}, or a kernel that has it");
        let (bad, without) = match (*kind, holder) {
            ("veth", _) => (Mark::Problem, "no veth pairs between namespaces".to_owned()),
            (_, None) => (
                Mark::Problem,
                "no kind of link can hold a namespace's addresses".to_owned(),
            ),
            ("dummy", Some((other, _))) => (
                Mark::Warning,
                format!("{other} links hold addresses in its place"),
            ),
            (_, Some(_)) => (
                Mark::Warning,
                format!("interface_kind = \"{kind}\" cannot be had"),
            ),
        };
        let check = tried(link_check(kind), &subject, result, bad, &without);
        if result.is_err() {
            check.hint(module)
        } else {
            check
        }
    };
    results.iter().map(check).collect()
}

fn link_check(kind: &str) -> &'static str {
    match kind {
        "dummy" => "link_dummy",
        "ifb" => "link_ifb",
        "bridge" => "link_bridge",
        _ => "link_veth",
    }
}

fn view() -> Vec<Check> {
    let Mounts {
        overlay,
        beneath,
        pin,
    } = match mounts() {
        Ok(mounts) => mounts,
        Err(error) => return vec![untried("views", "views", &error)],
    };
    vec![
        tried(
            "overlay",
            "overlayfs",
            &overlay,
            Mark::Warning,
            "a file of /etc/netns that the host's /etc lacks does not show in a namespace",
        ),
        tried(
            "mount_beneath",
            "mounts beneath others",
            &beneath,
            Mark::Warning,
            "while a replaced file is mended in a view the host's shows for an instant (Linux 6.5 has them)",
        ),
        tried(
            "view_pin",
            "pinned mount namespaces",
            &pin,
            Mark::Warning,
            "each command of \"run\" has a mount namespace of its own, and services have none to join",
        ),
    ]
}

fn landlock() -> Check {
    let check = |mark, message| Check::new("landlock", "Landlock", mark, message);
    match landlock_version() {
        Ok(version) => check(Mark::Ok, format!("version {version}")),
        Err(error) => {
            let words = Errno::of(&error);
            let message =
                format!("{words}; forwarders are kept from files by the system call filter alone");
            check(Mark::Warning, message).hint("add landlock to the kernel's lsm= list")
        }
    }
}

fn seccomp() -> Check {
    let actions = read("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    if actions
        .split_ascii_whitespace()
        .any(|action| action == "errno")
    {
        return Check::new("seccomp", "system call filters", Mark::Ok, "work");
    }
    let message = "this kernel has none; forwarders are confined by Landlock alone";
    Check::new("seccomp", "system call filters", Mark::Warning, message)
}

fn sysctls() -> Check {
    let check = |mark, message: &str| Check::new("proc_sys", "/proc/sys", mark, message);
    match statvfs("/proc/sys/net") {
        Ok(stat) if stat.f_flag.contains(StatVfsMountFlags::RDONLY) => {
            let message = "cannot be written: neither forwarding nor any sysctl can be set";
            check(Mark::Problem, message)
                .hint("is this a container? It must let /proc/sys be written")
        }
        Ok(_) => check(Mark::Ok, "can be written"),
        Err(_) => check(Mark::Problem, "is not there; is /proc mounted?"),
    }
}

/// The folder of names.
fn folder() -> Check {
    let check = |mark, message: &str| Check::new("run_netns", RUN_NETNS, mark, message);
    if !Path::new(RUN_NETNS).exists() {
        return check(Mark::Ok, "not there yet; the first namespace makes it");
    }
    let table = read("/proc/self/mountinfo").unwrap_or_default();
    let id = mount_of(RUN_NETNS).unwrap_or_default();
    match is_shared(&table, id, RUN_NETNS) {
        Some(true) => check(Mark::Ok, "a shared mount, as ip-netns(8) has it"),
        Some(false) => check(
            Mark::Warning,
            "a mount that is not shared: a name removed here stays in other mount namespaces",
        )
        .hint("the next \"netnsctl up\" or \"ip netns add\" shares it"),
        None => check(
            Mark::Warning,
            "no mount of its own: a name removed here may stay in other mount namespaces",
        )
        .hint("the next \"netnsctl up\" or \"ip netns add\" makes it one"),
    }
}

/// The number of the mount that `path` is on (statx(2), Linux 5.8).
fn mount_of(path: &str) -> Option<u64> {
    let stat = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    Some(stat.stx_mnt_id)
}

/// Whether mount `id`, of a table as /proc/self/mountinfo (proc(5)), is shared; none if it is not at
/// `point`. Others may be there too, below it or out of sight.
fn is_shared(table: &str, id: u64, point: &str) -> Option<bool> {
    let is_it = |line: &&str| {
        let mut fields = line.split(' ');
        fields.next() == Some(&id.to_string()) && fields.nth(3) == Some(point)
    };
    let line = table.lines().find(is_it)?;
    let (before, _) = line.split_once(" - ")?;
    Some(
        before
            .split(' ')
            .skip(6)
            .any(|field| field.starts_with("shared:")),
    )
}

/// Names without a namespace.
fn stale() -> Vec<Check> {
    let names = names::entries().unwrap_or_default();
    let is_stale = |error: Error| matches!(error, Error::Stale(_)).then_some(());
    let stale = names.into_iter().filter(|name| {
        let opened = names::open(name);
        opened.err().and_then(is_stale).is_some()
    });
    let check = |name| {
        let message = "a file that no namespace is mounted on, as a kill or a crash leaves it";
        Check::new("stale_name", names::path(&name), Mark::Warning, message).hint(format!(
            "\"netnsctl up {name}\" repairs it if {name} is declared; else remove the file"
        ))
    };
    stale.map(check).collect()
}

fn pkexec() -> Check {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/bin", "/run/wrappers/bin"].map(Into::into);
    let mut folders = std::env::split_paths(&folders).chain(usual);
    let check = |mark, message| Check::new("pkexec", "pkexec", mark, message);
    match folders.find(|folder| folder.join("pkexec").is_file()) {
        Some(folder) => check(Mark::Ok, format!("found in {}", folder.display())),
        None => {
            let message = "not found: normal users cannot enter namespaces by polkit's rules";
            check(Mark::Warning, message.to_owned())
                .hint("install polkit's pkexec, or use sudo or doas")
        }
    }
}

fn action() -> Check {
    let check = |mark, message| Check::new("polkit_action", "polkit actions", mark, message);
    let files = ACTIONS
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    let mut paths = files.flatten().flatten().map(|entry| entry.path());
    let is_ours = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains("netnsctl") && name.ends_with(".policy")
    };
    match paths.find(is_ours) {
        Some(path) => check(Mark::Ok, format!("{}", path.display())),
        None => {
            let message = "none of netnsctl is there: pkexec asks for an administrator's password";
            check(Mark::Ok, message.to_owned())
                .hint("[netns.NAME.run] and \"netnsctl up\" let users and groups in without")
        }
    }
}

fn systemd() -> Check {
    // sd_booted(3)
    let is_booted = Path::new("/run/systemd/system").is_dir();
    let message = if is_booted {
        "runs here"
    } else {
        "does not run here; \"netnsctl serve\" keeps forwards running without"
    };
    Check::new("systemd", "systemd", Mark::Ok, message)
}

fn resolve() -> Check {
    let check = |mark, message: &str| Check::new("nsswitch", "/etc/nsswitch.conf", mark, message);
    let Some(text) = read("/etc/nsswitch.conf") else {
        return check(Mark::Ok, "not there; the C library looks in files and DNS");
    };
    let line = hosts_line(&text).unwrap_or_default();
    if line.split_whitespace().any(|word| word == "resolve") {
        return check(
            Mark::Ok,
            "hosts asks systemd-resolved (\"resolve\"); namespaces that netnsctl made have it without",
        );
    }
    check(Mark::Ok, "hosts asks no systemd-resolved")
}

fn descriptors() -> Check {
    let limit = getrlimit(Resource::Nofile).maximum;
    let check = |mark, message| Check::new("descriptors", "open files", mark, message);
    match limit {
        Some(most) if most < FEW_DESCRIPTORS => check(
            Mark::Warning,
            format!("at most {most}: few connections fit a forward"),
        )
        .hint("raise the hard limit (LimitNOFILE= of systemd.exec(5), limits.conf(5))"),
        Some(most) => check(Mark::Ok, format!("at most {most}")),
        None => check(Mark::Ok, "no limit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_distributions_write_them() {
        assert_eq!(version("6.18.5-amd64"), Some((6, 18)));
        assert_eq!(version("5.4.0"), Some((5, 4)));
        assert_eq!(version("6.1-rc1"), Some((6, 1)));
        assert_eq!(version(""), None);
        assert!(version("5.10.9").unwrap() < OLDEST);
    }

    #[test]
    fn the_mount_that_shows_counts() {
        let table = "1 0 0:1 / /run rw shared:5 - tmpfs tmpfs rw\n\
                     2 1 0:1 /netns /run/netns rw - tmpfs tmpfs rw\n\
                     3 2 0:1 /netns /run/netns rw shared:7 master:1 - tmpfs tmpfs rw\n";
        assert_eq!(is_shared(table, 3, "/run/netns"), Some(true));
        assert_eq!(is_shared(table, 2, "/run/netns"), Some(false));
        assert_eq!(is_shared(table, 1, "/run/netns"), None);
        assert_eq!(is_shared(table, 0, "/run/netns"), None);
    }
}
