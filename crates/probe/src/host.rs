//! What this kernel can do, found out by doing it where nobody else sees it: in network and mount
//! namespaces of threads that end.
//!
//! Sources: rtnetlink(7), mount_namespaces(7), move_mount(2), the kernel's
//! Documentation/filesystems/overlayfs.rst.

use std::ffi::CStr;
use std::io;
use std::thread::Builder;

use netnsctl_base::error::{Context, Error, NamespaceKind, NetlinkContext, Object};
use netnsctl_base::netns::wander;
use netnsctl_netlink::{Batch, NewLink, Socket};
use netnsctl_sys::errno::Errno as Number;
use netnsctl_sys::namespace::unshare_mounts;
use netnsctl_view::mount_namespace::pin_new;
use rustix::fs::{CWD, Mode, mkdirat};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_bind,
    mount_change, move_mount, open_tree,
};

/// What came of trying something: done, or refused in the kernel's words.
pub type Tried = Result<(), String>;

/// The setting, as sysctl(8) takes it, that would let users make user namespaces where one forbids
/// it; none if none does.
///
/// Sources: namespaces(7), and what Debian and Ubuntu add to the kernel.
pub fn user_namespaces_setting() -> Option<&'static str> {
    let settings = [
        (
            "user/max_user_namespaces",
            "0",
            "user.max_user_namespaces=15000",
        ),
        (
            "kernel/unprivileged_userns_clone",
            "0",
            "kernel.unprivileged_userns_clone=1",
        ),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ];
    let forbids = |(key, value, _): &(&str, &str, _)| {
        let is = std::fs::read_to_string(format!("/proc/sys/{key}"));
        is.is_ok_and(|is| is.trim() == *value)
    };
    settings
        .into_iter()
        .find(forbids)
        .map(|(_, _, setting)| setting)
}

/// Makes a link of each of `kinds` in a scratch network namespace. The kernel loads modules for
/// them if it can. Needs CAP_SYS_ADMIN.
///
/// Errors: if there can be no scratch namespace, which says nothing about the kinds.
pub fn link_kinds<'a>(kinds: &[&'a str]) -> Result<Vec<(&'a str, Tried)>, Error> {
    const STEP: &str = "try kinds of links in";
    wander(|wanderer| {
        wanderer.create()?;
        let mut socket = Socket::open().netlink_context(STEP, Object::scratch())?;
        let mut batch = Batch::new();
        let names: Vec<_> = (0..kinds.len()).map(|it| format!("probe{it}")).collect();
        for (name, kind) in names.iter().zip(kinds) {
            batch.create_link(NewLink {
                name,
                kind,
                ..NewLink::default()
            });
        }
        let results = socket
            .commit(batch)
            .netlink_context(STEP, Object::scratch())?;
        let tried = results.into_iter().map(|it| it.map_err(|e| e.to_string()));
        Ok(kinds.iter().copied().zip(tried).collect())
    })?
}

/// What views are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts {
    /// A layer over /etc that has more files: overlayfs.
    pub overlay: Tried,
    /// A mount that slips in below another: MOVE_MOUNT_BENEATH, Linux 6.5.
    pub beneath: Tried,
    /// A mount namespace kept by a bind mount of its nsfs file.
    pub pin: Tried,
}

/// Tries what views are made of, in a scratch mount namespace. Needs CAP_SYS_ADMIN.
///
/// Errors: if there can be no scratch namespace.
pub fn mounts() -> Result<Mounts, Error> {
    std::thread::scope(|scope| {
        let visitor = Builder::new().spawn_scoped(scope, || {
            scratch().context("create", Object::new_namespace(NamespaceKind::Mount))?;
            Ok(Mounts {
                overlay: words(overlay()),
                beneath: words(beneath()),
                pin: pin(),
            })
        });
        let visitor = visitor.context("start", Object::task("a thread that tries mounts"))?;
        visitor.join().unwrap_or_else(|_| {
            let died = io::Error::other("the thread in it ended");
            Err(died).context("try mounts in", Object::other("a mount namespace"))
        })
    })
}

fn words(result: io::Result<()>) -> Tried {
    result.map_err(|error| Number::of(&error).to_string())
}

/// Where things are tried: a folder that every host has, covered by a tmpfs.
const PLACE: &CStr = c"/run";

/// Gives this thread a mount namespace from which nothing gets out, with an empty [`PLACE`].
fn scratch() -> io::Result<()> {
    unshare_mounts()?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", PLACE, "tmpfs", flags, Some(c"mode=700"))?;
    Ok(())
}

fn overlay() -> io::Result<()> {
    for folder in ["/run/layer", "/run/over"] {
        mkdirat(CWD, folder, Mode::from_raw_mode(0o755))?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let data = Some(c"lowerdir=/run/layer:/etc");
    Ok(mount("overlay", "/run/over", "overlay", flags, data)?)
}

fn beneath() -> io::Result<()> {
    for file in ["/run/first", "/run/second"] {
        std::fs::write(file, "")?;
    }
    mount_bind("/run/first", "/run/second")?;
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let copy = open_tree(CWD, "/run/first", clone)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_BENEATH;
    Ok(move_mount(&copy, "", CWD, "/run/second", flags)?)
}

/// Pins a mount namespace, as views are.
fn pin() -> Tried {
    words(std::fs::write("/run/pin", ""))?;
    let object = Object::new_namespace(NamespaceKind::Mount);
    let build = || unshare_mounts().context("create", object.clone());
    match pin_new(&object, "/run/pin", build) {
        Ok(pinned) => words(pinned.map_err(io::Error::from)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_leaves_nothing() {
        let own = || std::fs::read_link("/proc/self/ns/mnt").unwrap();
        let before = own();
        // Refused without the right to it, which a test has or has not.
        let tried = mounts();
        assert_eq!(tried.is_ok(), link_kinds(&["bridge"]).is_ok());
        assert_eq!(own(), before);
        for left in ["layer", "over", "first", "second", "pin"] {
            assert!(!std::path::Path::new("/run").join(left).exists(), "{left}");
        }
        if let Ok(kinds) = link_kinds(&["no such kind", "bridge"]) {
            assert!(kinds[0].1.is_err());
            assert_eq!(kinds[1].0, "bridge");
        }
    }
}
