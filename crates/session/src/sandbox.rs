//! A throw-away machine: mount and network namespaces of one's own, with nothing in /run and a
//! copy of /etc that can be written to. What is done in it touches nothing outside and ends with
//! the last process inside.
//!
//! `serve --sandbox` gives it to people without root, in a user namespace; the tests live in it.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use netnsctl_base::error::{Context, Error, NamespaceKind, NetlinkContext, Object};
use netnsctl_netlink::{Batch, Socket};
use netnsctl_sys::mount::make_read_only;
use netnsctl_sys::namespace;
use rustix::fs::{CWD, Dir, Mode, OFlags, mkdirat, openat, readlinkat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change};
use rustix::process::{DumpableBehavior, getuid, set_dumpable_behavior};

mod join;

pub use join::join;

/// Where the host's /etc can be seen inside. A sandbox in a sandbox has one for each around it,
/// told apart by a number.
const HOST_ETC: &str = "/run/host-etc";

/// Bytes of a file of /etc that is copied; they are a few lines long.
const COPIED_MOST: u64 = 1 << 20;

/// Whose rights there are inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Those one has; needs CAP_SYS_ADMIN.
    Privileged,
    /// All rights over what is inside and none over anything else, in a new user namespace.
    User,
}

/// Moves this process into a new sandbox. It must have a single thread.
///
/// Errors: where the kernel or its administrator does not let users make user namespaces (EPERM,
/// or ENOSPC for user.max_user_namespaces).
pub fn enter(isolation: Isolation) -> Result<(), Error> {
    match isolation {
        Isolation::User => {
            let (user, group) = (getuid().as_raw(), rustix::process::getgid().as_raw());
            namespace::unshare_user_mounts_network()
                .context("create", Object::new_namespace(NamespaceKind::User))?;
            write_map("/proc/self/setgroups", "deny")?;
            write_map("/proc/self/uid_map", &format!("0 {user} 1"))?;
            write_map("/proc/self/gid_map", &format!("0 {group} 1"))?;
        }
        Isolation::Privileged => {
            namespace::unshare_network()
                .context("create", Object::new_namespace(NamespaceKind::Network))?;
            namespace::unshare_mounts()
                .context("create", Object::new_namespace(NamespaceKind::Mount))?;
        }
    }
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("make private", "/")?;
    let vanishing = etc_files_in_run();
    let host_etc = replace_run()?;
    replace_etc(&host_etc, &vanishing)?;
    // The new credentials made /proc/self root's; `--sandbox` of the same user must be let in.
    set_dumpable_behavior(DumpableBehavior::Dumpable)
        .context("open to its user", Object::other("this process"))?;
    let mut socket = Socket::open().netlink_context("open a socket in", sandbox())?;
    let mut batch = Batch::new();
    batch.set_link_up("lo");
    socket
        .commit(batch)
        .netlink_context("set lo up in", sandbox())?;
    Ok(())
}

/// The sandbox, for errors.
fn sandbox() -> Object {
    Object::other("the sandbox")
}

fn write_map(path: &str, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).context("write", path)
}

fn cover(path: &str, flags: MountFlags) -> Result<(), Error> {
    mount("tmpfs", path, "tmpfs", flags, Some(c"mode=755")).context("mount a tmpfs on", path)
}

/// Those files of /etc that are links into /run, which is about to be covered; resolv.conf usually
/// is one.
fn etc_files_in_run() -> BTreeMap<OsString, Vec<u8>> {
    let entries = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    let files = links.filter_map(|entry| {
        let target = std::fs::canonicalize(entry.path()).ok()?;
        let vanishes = target.starts_with("/run") && !is_host_etc(&target);
        let meta = target.metadata().ok()?;
        let copied = vanishes && meta.is_file() && meta.len() <= COPIED_MOST;
        copied.then(|| Some((entry.file_name(), std::fs::read(target).ok()?)))?
    });
    files.collect()
}

fn is_host_etc(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with(HOST_ETC))
}

/// An empty /run but for the host's /etc, and those of sandboxes around this one, to which links
/// of their /etc lead. Gives the path of the innermost.
fn replace_run() -> Result<String, Error> {
    let path = |number: usize| match number {
        0 => HOST_ETC.to_owned(),
        number => format!("{HOST_ETC}-{number}"),
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &String| openat(CWD, path, flags, Mode::empty()).ok();
    let around: Vec<OwnedFd> = (0..).map_while(|number| open(&path(number))).collect();
    cover("/run", MountFlags::NOSUID | MountFlags::NODEV)?;
    for (number, fd) in around.iter().enumerate() {
        let (from, to) = (format!("/proc/self/fd/{}", fd.as_raw_fd()), path(number));
        bind_folder(&from, &to)?;
    }
    let own = path(around.len());
    bind_folder("/etc", &own)?;
    Ok(own)
}

/// Shows the folder `from` at `to`, where nothing can be written to it: links in the /etc of a
/// sandbox lead there, and whoever writes through one would write to the host's.
fn bind_folder(from: &str, to: &str) -> Result<(), Error> {
    mkdirat(CWD, to, Mode::from_raw_mode(0o755)).context("create", to)?;
    mount_bind_recursive(from, to).context("bind", from)?;
    let path = CString::new(to).map_err(io::Error::from);
    match path.and_then(|path| make_read_only(&path)) {
        // Linux 5.11 cannot.
        Err(error) if error.raw_os_error() == Some(Errno::NOSYS.raw_os_error()) => Ok(()),
        result => result.context("close", to),
    }
}

/// An /etc that can be written to and shows what the host's does: links to each of its entries.
fn replace_etc(host_etc: &str, vanishing: &BTreeMap<OsString, Vec<u8>>) -> Result<(), Error> {
    // Only the /etc of a view has both flags (`view::mark`), and devices are no danger to a sandbox.
    cover("/etc", MountFlags::NOSUID)?;
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let host = openat(CWD, host_etc, flags, Mode::empty()).context("open", host_etc)?;
    let etc = openat(CWD, "/etc", flags, Mode::empty()).context("open", "/etc")?;
    for entry in Dir::read_from(&host).context("list", host_etc)? {
        let entry = entry.context("list", host_etc)?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b".." | b"netns") {
            continue;
        }
        let file = OsStr::from_bytes(name.to_bytes());
        if let Some(content) = vanishing.get(file) {
            std::fs::write(Path::new("/etc").join(file), content).context("fill", "/etc")?;
            continue;
        }
        // A link that is relative to /etc must stay in /etc.
        let target = match readlinkat(&host, name, Vec::new()) {
            Ok(target) => target.into_bytes(),
            Err(_) => [host_etc.as_bytes(), b"/", name.to_bytes()].concat(),
        };
        symlinkat(target, &etc, name).context("fill", "/etc")?;
    }
    Ok(())
}

/// The running `netnsctl serve --sandbox` of the calling user, by process id.
pub fn running() -> Vec<u32> {
    let own = link("/proc/self/ns/user");
    let user = getuid().as_raw();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_sandbox(*pid, user, own.as_deref()))
        .collect();
    found.sort_unstable();
    found
}

fn is_sandbox(pid: u32, user: u32, own: Option<&Path>) -> bool {
    let folder = format!("/proc/{pid}");
    let owner = std::fs::metadata(&folder).map(|meta| std::os::unix::fs::MetadataExt::uid(&meta));
    if !owner.is_ok_and(|owner| owner == user) {
        return false;
    }
    let line = std::fs::read(format!("{folder}/cmdline")).unwrap_or_default();
    let arguments: Vec<_> = line.split(|byte| *byte == 0).collect();
    let has = |word: &[u8]| arguments.contains(&word);
    let other = link(&format!("{folder}/ns/user"));
    has(b"serve") && has(b"--sandbox") && other.is_some() && other.as_deref() != own
}

fn link(path: &str) -> Option<std::path::PathBuf> {
    std::fs::read_link(path).ok()
}
