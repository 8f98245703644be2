//! Why this process was refused, as far as it can see: for the hint of an error.
//!
//! Sources: capabilities(7), proc_pid_attr(5), proc_pid_status(5).

use rustix::thread::{CapabilitySet, capabilities};

/// What refuses things to whoever has every capability.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Guard {
    /// A system call filter, as containers have.
    Filter,
    /// A security module, by the label this process has from it.
    Module(String),
    Unknown,
}

/// A next step after EPERM or EACCES.
pub fn hint() -> String {
    let is_root = rustix::process::geteuid().is_root();
    advice(is_root, &lacking(), &guard())
}

/// The capabilities that managing namespaces needs and the calling thread does not have.
pub fn lacking() -> Vec<&'static str> {
    let has = |set| capabilities(None).is_ok_and(|sets| sets.effective.contains(set));
    let needed = [
        ("CAP_SYS_ADMIN", CapabilitySet::SYS_ADMIN),
        ("CAP_NET_ADMIN", CapabilitySet::NET_ADMIN),
    ];
    let lacking = needed.iter().filter(|(_, set)| !has(*set));
    lacking.map(|(name, _)| *name).collect()
}

/// What holds the calling thread back whatever its capabilities, for people; none if nothing is
/// known to.
pub fn held_back() -> Option<String> {
    match guard() {
        Guard::Module(label) => Some(format!("confined by a security module as {label:?}")),
        Guard::Filter => Some("under a system call filter, as containers have".to_owned()),
        Guard::Unknown => None,
    }
}

fn advice(is_root: bool, lacking: &[&str], guard: &Guard) -> String {
    match (is_root, lacking, guard) {
        (false, [_, ..], _) => {
            "this needs root; \"netnsctl serve --sandbox\" works without".to_owned()
        }
        (true, [_, ..], _) => format!(
            "root lacks {} here; is this a container? Whoever starts it must grant that, as \
             \"podman run --cap-add\" does",
            lacking.join(" and ")
        ),
        (_, [], Guard::Module(label)) => format!(
            "the capabilities are there, so a security module may refuse: this process is \
             confined as {label:?}; the kernel's log says what was denied"
        ),
        (_, [], Guard::Filter) => "the capabilities are there, so a system call filter may \
             refuse; is this a container? Its seccomp profile must let it mount and unshare"
            .to_owned(),
        (_, [], Guard::Unknown) => "the capabilities are there, but may not count for what \
             another user namespace owns; \"netnsctl doctor\" tries what this host allows"
            .to_owned(),
    }
}

fn guard() -> Guard {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let label = read("/proc/thread-self/attr/current");
    if let Some(label) = confining(&label) {
        return Guard::Module(label);
    }
    let is_filtered = |line: &str| {
        let mode = line.strip_prefix("Seccomp:");
        mode.is_some_and(|mode| mode.trim() == "2")
    };
    if read("/proc/thread-self/status").lines().any(is_filtered) {
        return Guard::Filter;
    }
    Guard::Unknown
}

/// A label by which a security module holds a process back: of AppArmor in force, or of SELinux.
fn confining(label: &str) -> Option<String> {
    let label = label.trim_end_matches(['\0', '\n']);
    let is_free = label.is_empty()
        || label.starts_with("unconfined")
        || label.ends_with("(complain)")
        || label.contains(":unconfined_t:")
        || label == "kernel";
    let is_sound = !label.chars().any(char::is_control);
    (!is_free && is_sound).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_next_step() {
        let none: &[&str] = &[];
        let module = Guard::Module("docker-default (enforce)".to_owned());
        for (is_root, lacking, guard, part) in [
            (false, &["CAP_SYS_ADMIN"][..], &module, "this needs root"),
            (
                true,
                &["CAP_NET_ADMIN"],
                &module,
                "root lacks CAP_NET_ADMIN here",
            ),
            (true, none, &module, "docker-default (enforce)"),
            (true, none, &Guard::Filter, "seccomp"),
            (false, none, &Guard::Unknown, "another user namespace"),
        ] {
            let text = advice(is_root, lacking, guard);
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn only_labels_that_confine_count() {
        for free in [
            "",
            "unconfined\n",
            "kernel\0",
            "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\0",
            "netnsctl (complain)\n",
        ] {
            assert_eq!(confining(free), None, "{free:?}");
        }
        let selinux = "system_u:system_r:container_t:s0:c1,c2";
        assert_eq!(confining(&format!("{selinux}\0")).as_deref(), Some(selinux));
        let armour = "docker-default (enforce)";
        assert_eq!(confining(&format!("{armour}\n")).as_deref(), Some(armour));
    }
}
