//! What this process may do here, where it can write, and whether systemd knows of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use netnsctl_base::rights;
use netnsctl_sys::errno::words;
use rustix::fs::{Access, AtFlags, CWD, StatVfs, StatVfsMountFlags, accessat, statvfs};
use rustix::io::Errno;

use super::{Check, Mark};

/// Bytes below which records, resolv.conf files and sockets may not fit.
const FEW_BYTES: u64 = 1 << 20;

/// What the generator is called in [`GENERATORS`].
const GENERATOR: &str = "netnsctl-generator";

/// Folders of generators, the first first (systemd.generator(7)).
const GENERATORS: [&str; 4] = [
    "/run/systemd/system-generators",
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
];

pub(super) fn examine() -> Vec<Check> {
    let mut checks = vec![capabilities(), new_privileges()];
    checks.extend([writable("/etc/netns"), writable("/run/netnsctl")]);
    checks.extend(generator());
    checks
}

fn capabilities() -> Check {
    let check = |mark, message: String| Check::new("rights", "rights", mark, message);
    let is_root = rustix::process::geteuid().is_root();
    let lacking = rights::lacking().join(" and ");
    match (is_root, lacking.is_empty(), rights::held_back()) {
        (false, false, _) => check(
            Mark::Ok,
            "a normal user's: namespaces of the machine are root's to manage".to_owned(),
        )
        .hint("\"netnsctl serve --sandbox\" works without root"),
        (true, false, _) => check(Mark::Problem, format!("root lacks {lacking} here"))
            .hint("is this a container? Whoever starts it must grant that, as \"podman run --cap-add\" does"),
        (_, true, Some(guard)) => {
            check(Mark::Warning, format!("every capability that is needed, but {guard}"))
                .hint("if something is refused, the kernel's log says by what")
        }
        (_, true, None) => check(Mark::Ok, "every capability that is needed".to_owned()),
    }
}

fn new_privileges() -> Check {
    let check = |mark, message: &str| Check::new("no_new_privs", "no_new_privs", mark, message);
    if rustix::thread::no_new_privs().unwrap_or(false) {
        let message = "set: from here no normal user can enter a namespace by pkexec, sudo or doas";
        return check(Mark::Warning, message).hint(
            "start the shell outside of what sets it, such as NoNewPrivileges= or a container",
        );
    }
    check(Mark::Ok, "not set")
}

/// Whether files can be made in a folder that may not be there yet.
fn writable(folder: &'static str) -> Check {
    let word = if folder.starts_with("/etc") {
        "etc_netns"
    } else {
        "run_netnsctl"
    };
    let check = |mark, message: String| Check::new(word, folder, mark, message);
    let there = Path::new(folder).ancestors().find(|folder| folder.exists());
    let there = there.unwrap_or(Path::new("/"));
    let on = there.display();
    match statvfs(there) {
        Err(error) => check(
            Mark::Unknown,
            format!("cannot look at {on}: {}", words(&error)),
        ),
        Ok(stat) if stat.f_flag.contains(StatVfsMountFlags::RDONLY) => {
            check(Mark::Problem, format!("{on} is read-only")).hint(format!(
                "mount something there that can be written, such as a tmpfs at {folder}"
            ))
        }
        Ok(stat) if is_full(&stat) => {
            check(Mark::Problem, format!("the file system of {on} is full")).hint(format!(
                "make room: \"df {on}\" and \"df -i {on}\" show how much there is"
            ))
        }
        Ok(_) => match accessat(CWD, there, Access::WRITE_OK, AtFlags::EACCESS) {
            Ok(()) => check(Mark::Ok, "can be written, and has room".to_owned()),
            Err(Errno::ACCESS | Errno::PERM) => check(
                Mark::Unknown,
                format!("not tried: this user cannot write to {on}"),
            )
            .hint("ask again as root"),
            Err(error) => {
                let words = words(&std::io::Error::from(error));
                let message = format!("cannot find out whether {on} can be written: {words}");
                check(Mark::Unknown, message)
            }
        },
    }
}

/// Whether neither bytes nor files fit; a file system that counts no files says 0 of all.
fn is_full(stat: &StatVfs) -> bool {
    let bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    bytes < FEW_BYTES || stat.f_files > 0 && stat.f_favail == 0
}

/// Whether systemd, where it runs, finds the generator. A mask is a link to /dev/null.
fn generator() -> Option<Check> {
    // sd_booted(3)
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    Some(generator_in(&GENERATORS.map(PathBuf::from)))
}

fn generator_in(folders: &[PathBuf]) -> Check {
    let check = |mark, message: String| Check::new("generator", "systemd's units", mark, message);
    let link = "ln -s /usr/bin/netnsctl /usr/lib/systemd/system-generators/netnsctl-generator";
    let paths = folders.iter().map(|folder| folder.join(GENERATOR));
    let Some(path) = paths
        .into_iter()
        .find(|path| path.symlink_metadata().is_ok())
    else {
        let message = "no generator is linked, so that none are made at boot";
        return check(Mark::Warning, message.to_owned())
            .hint(format!("\"{link}\", then \"systemctl daemon-reload\""));
    };
    let is_program = |it: std::fs::Metadata| it.is_file() && it.permissions().mode() & 0o111 != 0;
    let shown = path.display();
    if path.metadata().is_ok_and(is_program) {
        return check(
            Mark::Ok,
            format!("made by {shown} at boot and at \"systemctl daemon-reload\""),
        );
    }
    check(
        Mark::Warning,
        format!("{shown} is no program, so that none are made at boot"),
    )
    .hint(format!("delete it, which may be a mask; then \"{link}\""))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_first_generator_counts_and_a_mask_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let folders = ["etc", "usr"].map(|name| place.path().join(name));
        folders
            .iter()
            .for_each(|folder| std::fs::create_dir(folder).unwrap());
        let found = || generator_in(&folders);
        assert_eq!(found().mark, Mark::Warning);
        assert!(found().message.contains("no generator is linked"));
        symlink("/proc/self/exe", folders[1].join(GENERATOR)).unwrap();
        assert_eq!(found().mark, Mark::Ok, "{:?}", found());
        symlink("/dev/null", folders[0].join(GENERATOR)).unwrap();
        assert_eq!(found().mark, Mark::Warning);
        assert!(found().message.contains("is no program"), "{:?}", found());
    }

    #[test]
    fn a_file_system_without_room_is_full() {
        let mut stat = statvfs("/proc").unwrap();
        (stat.f_bavail, stat.f_frsize, stat.f_files, stat.f_favail) = (1 << 20, 4096, 0, 0);
        assert!(!is_full(&stat), "it counts no files");
        stat.f_files = 10;
        assert!(is_full(&stat), "no file is left");
        (stat.f_favail, stat.f_bavail) = (5, 10);
        assert!(is_full(&stat), "40 KiB are left");
    }
}
