//! `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use netnsctl_base::error::{Context, Error};

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Whether `path` is a mount point whose mount is shared (mount_namespaces(7)).
///
/// Errors: the file cannot be read.
pub(crate) fn is_shared(path: &str) -> Result<bool, Error> {
    let text = std::fs::read(MOUNTINFO).context("read", MOUNTINFO)?;
    Ok(is_shared_in(&String::from_utf8_lossy(&text), path))
}

fn is_shared_in(mountinfo: &str, path: &str) -> bool {
    // Of several mounts on one path the last is on top.
    let mounts = mountinfo.lines().map(|line| line.split(' '));
    let on_top = mounts
        .rev()
        .find(|fields| fields.clone().nth(4) == Some(path));
    on_top.is_some_and(|fields| {
        let mut optional = fields.skip(6).take_while(|field| *field != "-");
        optional.any(|field| field.starts_with("shared:"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
30 22 0:25 / /run rw,nosuid shared:5 - tmpfs tmpfs rw\n\
31 30 0:25 /netns /run/netns rw,nosuid shared:6 master:2 - tmpfs tmpfs rw\n\
32 31 0:4 net:[4026532300] /run/netns/a rw shared:7 - nsfs nsfs rw\n";

    #[test]
    fn the_mount_on_top_counts() {
        assert!(is_shared_in(TEXT, "/run/netns"));
        assert!(!is_shared_in(TEXT, "/run/net"));
        let covered =
            format!("{TEXT}33 31 0:25 /netns /run/netns rw master:2 - tmpfs shared:9 rw\n");
        assert!(!is_shared_in(&covered, "/run/netns"));
        assert!(!is_shared_in("", "/run/netns"));
    }
}
