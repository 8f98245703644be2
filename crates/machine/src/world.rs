//! The machine that a test gets.

use std::path::Path;

use netnsctl_base::error::Error;
use netnsctl_session::sandbox::{self, Isolation};

/// Moves this process onto a machine of its own.
pub(crate) fn enter() -> Result<(), Error> {
    let root = rustix::process::geteuid().is_root();
    sandbox::enter(if root {
        Isolation::Privileged
    } else {
        Isolation::User
    })?;
    hide_configuration();
    if root {
        hide_polkit();
    }
    Ok(())
}

/// Takes the configuration away that the machine the tests run on may have: they write their own.
fn hide_configuration() {
    let link = Path::new("/etc/netnsctl");
    if link.is_symlink() {
        std::fs::remove_file(link).expect("/etc is ours");
    }
    hide("/usr/lib/netnsctl");
}

/// Shows an empty folder in the place of `folder`, if it is there.
fn hide(folder: &str) {
    if Path::new(folder).exists() {
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", folder, "tmpfs", flags, None).expect("mounts are ours");
    }
}

/// Takes this machine's polkit away, so that nothing of a test is told to that of the machine the
/// tests run on.
fn hide_polkit() {
    let _ = std::fs::remove_dir_all("/etc/polkit-1");
    hide("/usr/share/polkit-1");
}
