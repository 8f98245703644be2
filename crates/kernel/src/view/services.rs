//! Folders of name services in a view: the namespace's own daemon where programs look for one,
//! and nothing where the host's would answer.
//!
//! Whatever resolv.conf says, a name service of the host would answer out of the host's namespace.
//! So its folder is covered: by the folder in which the namespace's own daemon listens, or by an
//! empty one. A mount vanishes when the host replaces the folder below it, so what was mounted is
//! noted by device and inode, and whoever enters compares.
//!
//! All of it acts on the mount namespace of the calling thread.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use netnsctl_model::name::NetnsName;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, Stat, fstat, mkdirat, openat, stat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

use super::content::{RESOLVED, RESOLVED_FILES, bind, name_of};
use crate::error::{Context, Error};
use crate::{nscd, state_dir};

/// The folders in which glibc looks for nscd's: in the second, which usually is a link to the
/// first.
const NSCD_ABOVE: [&str; 2] = ["/run", "/var/run"];

/// A folder of a name service, and the folder of the namespace's own daemon, if that has one.
#[derive(Debug)]
pub(super) struct Service {
    place: PathBuf,
    own: Option<String>,
}

impl Service {
    pub(super) fn name(&self) -> String {
        name_of(&self.place)
    }

    /// What shows there, if anything does.
    fn shows(&self) -> Result<Option<Stat>, Error> {
        match stat(&self.place) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).context("look at", self.name()),
        }
    }

    /// The line that notes that what shows there is the daemon's folder.
    fn bound(&self, shows: &Stat) -> String {
        format!("nscd {} {} {}", shows.st_dev, shows.st_ino, self.name())
    }

    /// The line that notes that what shows there is an empty folder.
    fn covered(&self, shows: &Stat) -> String {
        format!("cover {} {} {}", shows.st_dev, shows.st_ino, self.name())
    }

    /// Whether what shows is ours to replace, as `noted` says.
    fn is_ours(&self, shows: &Stat, noted: &BTreeSet<String>) -> bool {
        noted.contains(&self.bound(shows)) || noted.contains(&self.covered(shows))
    }

    fn is_right(&self, noted: &BTreeSet<String>) -> Result<bool, Error> {
        let shows = self.shows()?;
        let Some(own) = &self.own else {
            return Ok(shows.is_none_or(|shows| {
                // A daemon's folder that was removed is empty and stays so.
                let is_removed = shows.st_nlink == 0 && noted.contains(&self.bound(&shows));
                is_removed || noted.contains(&self.covered(&shows))
            }));
        };
        Ok(shows.is_some_and(|shows| is_at(own, &shows)))
    }

    fn mend(&self, noted: &BTreeSet<String>) -> Result<(), Error> {
        let Some(own) = &self.own else {
            return cover(&self.place);
        };
        make_place(&self.place)?;
        let is_ours = self.shows()?.is_some_and(|it| self.is_ours(&it, noted));
        match bind(own, &self.name(), is_ours) {
            // It went just now.
            Err(_) if !Path::new(own).exists() => cover(&self.place),
            result => result,
        }
    }

    /// The line for what shows there now that it is right. What went meanwhile has none, so that it
    /// is looked at the next time.
    fn note(&self, noted: &BTreeSet<String>) -> Result<Option<String>, Error> {
        let Some(shows) = self.shows()? else {
            return Ok(None);
        };
        let bound = self.bound(&shows);
        Ok(match &self.own {
            Some(own) => is_at(own, &shows).then_some(bound),
            None if noted.contains(&bound) => Some(bound),
            None => Some(self.covered(&shows)),
        })
    }
}

/// Whether what stands at `path` is what shows.
fn is_at(path: &str, shows: &Stat) -> bool {
    let there = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    there.is_ok_and(|there| (there.st_dev, there.st_ino) == (shows.st_dev, shows.st_ino))
}

/// The folders of name services that the host has, and those that the view of `name` needs.
fn services(name: &NetnsName) -> Vec<Service> {
    let own = nscd::has_folder(name).then(|| nscd::folder(name));
    let mut services: Vec<Service> = Vec::new();
    for above in NSCD_ABOVE {
        let Ok(above) = std::fs::canonicalize(above) else {
            continue;
        };
        let place = above.join("nscd");
        let place = match std::fs::canonicalize(&place) {
            Ok(place) => place,
            Err(_) if own.is_some() && !place.is_symlink() => place,
            Err(_) => continue,
        };
        if !services.iter().any(|service| service.place == place) {
            let own = own.clone();
            services.push(Service { place, own });
        }
    }
    services.extend(
        std::fs::canonicalize(RESOLVED)
            .ok()
            .map(|place| Service { place, own: None }),
    );
    services
}

/// The name services of which something else shows here than should, `noted` being what was
/// mounted.
pub(super) fn exposed(name: &NetnsName, noted: &BTreeSet<String>) -> Result<Vec<Service>, Error> {
    let mut exposed = Vec::new();
    for service in services(name) {
        if !service.is_right(noted)? {
            exposed.push(service);
        }
    }
    Ok(exposed)
}

/// Puts right what is exposed. Returns the lines that note it.
pub(super) fn hide(name: &NetnsName, noted: &BTreeSet<String>) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for service in services(name) {
        if !service.is_right(noted)? {
            service.mend(noted)?;
        }
        lines.extend(service.note(noted)?);
    }
    Ok(lines)
}

/// Puts an empty folder over one of the host's. The files that /etc/resolv.conf may be a link to
/// stay as they are now, for a namespace that has none of its own.
fn cover(folder: &Path) -> Result<(), Error> {
    let mut files = Vec::new();
    if folder == Path::new(RESOLVED) {
        let paths = RESOLVED_FILES.map(|file| folder.join(file));
        files.extend(paths.map(|path| (std::fs::read(&path).unwrap_or_default(), path)));
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("tmpfs", folder, "tmpfs", flags, Some(c"mode=755")).context("cover", name_of(folder))?;
    for (content, path) in files {
        std::fs::write(&path, content).context("create", name_of(&path))?;
    }
    let flags = flags | MountFlags::RDONLY;
    rustix::mount::mount_remount(folder, flags, "").context("close", name_of(folder))
}

/// Which folders were made on the host to mount on, one a line, with device and inode: what the
/// host makes in their place is not removed.
const PLACES: &str = "/run/netnsctl/nscd-places";

/// The mode that a service manager gives them.
const PLACE_MODE: u32 = 0o755;

/// Makes an empty folder on a host that has none, to mount on. There it is as good as none: a
/// program that finds no socket in it looks up by itself.
fn make_place(place: &Path) -> Result<(), Error> {
    let name = name_of(place);
    match mkdirat(CWD, place, Mode::from_raw_mode(PLACE_MODE)) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(()),
        Err(error) => return Err(error).context("create", name),
    }
    let made = fstat(state_dir::open_to(&name, PLACE_MODE)?).context("look at", name)?;
    state_dir::make()?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, PLACES, flags, Mode::from_raw_mode(0o600))
        .map_err(std::io::Error::from)
        .and_then(|fd| File::from(fd).write_all(place_line(&made, place).as_bytes()))
        .context("write", PLACES)
}

fn place_line(made: &Stat, place: &Path) -> String {
    format!("{} {} {}\n", made.st_dev, made.st_ino, place.display())
}

/// Removes the folders that were made on the host, if they are empty.
pub(super) fn remove_places() {
    let Ok(text) = std::fs::read_to_string(PLACES) else {
        return;
    };
    for line in text.split_inclusive('\n') {
        let place = line.trim_end().splitn(3, ' ').nth(2).map(Path::new);
        let Some(place) = place else { continue };
        // What is not empty is in use.
        if stat(place).is_ok_and(|there| place_line(&there, place) == line) {
            let _ = unlinkat(CWD, place, AtFlags::REMOVEDIR);
        }
    }
    let _ = unlinkat(CWD, PLACES, AtFlags::empty());
}
