//! Folders of name services in a view: the namespace's own daemon where programs look for one,
//! and nothing where the host's would answer.
//!
//! Whatever resolv.conf says, a name service of the host would answer out of the host's namespace.
//! So its folder is covered: by the folder in which the namespace's own daemon listens, or by an
//! empty one. A mount vanishes when the host replaces the folder below it, so what was mounted is
//! noted by device, inode and mount, and whoever enters compares.
//!
//! All of it acts on the mount namespace of the calling thread.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::open_to;
use netnsctl_base::presence::if_present;
use netnsctl_base::state_folder;
use netnsctl_model::name::NetnsName;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, Stat, Statx, StatxFlags, fstat, mkdirat, openat, readlinkat, stat,
    statx, unlinkat,
};
use rustix::io::Errno;

use crate::bind::{bind, name_of};
use crate::nscd;
use crate::tmpfs::Tmpfs;

/// The folder of systemd-resolved, with its varlink socket and the files that /etc/resolv.conf may
/// be a link to.
pub(crate) const RESOLVED: &str = "/run/systemd/resolve";

/// Those files.
pub(crate) const RESOLVED_FILES: [&str; 2] = ["stub-resolv.conf", "resolv.conf"];

/// Bytes of a file of systemd-resolved that are taken; it has some lines.
const RESOLVED_MOST: u64 = 1 << 20;

/// The folders in which glibc looks for nscd's: in the second, which usually is a link to the
/// first.
const NSCD_ABOVE: [&str; 2] = ["/run", "/var/run"];

/// STATX_MNT_ID_UNIQUE (Linux 6.8): the id of a mount that no other mount gets until the next boot.
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;

/// What shows at a path.
#[derive(Debug)]
struct Shown(Statx);

impl Shown {
    /// None if nothing is there.
    fn at(path: &str, flags: AtFlags) -> Result<Option<Self>, Error> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let wanted = wanted | StatxFlags::from_bits_retain(STATX_MNT_ID_UNIQUE);
        let found = statx(CWD, path, flags | AtFlags::NO_AUTOMOUNT, wanted);
        let found = if_present(found).context("look at", path)?;
        Ok(found.map(Self))
    }

    fn identity(&self) -> (u32, u32, u64) {
        let Self(found) = self;
        (found.stx_dev_major, found.stx_dev_minor, found.stx_ino)
    }

    /// The mount, and the file that shows by it, in words.
    fn mount(&self) -> String {
        let (major, minor, inode) = self.identity();
        format!("{major}:{minor} {inode} {}", self.0.stx_mnt_id)
    }

    fn is_removed(&self) -> bool {
        self.0.stx_nlink == 0
    }

    /// The line that notes that this is the daemon's folder, at `place`.
    fn bound(&self, place: &Path) -> String {
        format!("nscd {} {}", self.mount(), place.display())
    }

    /// The line that notes that this is an empty folder of ours, at `place`. Nothing can be written
    /// to that, so the time of its last change tells it from a later one that got the same numbers.
    fn covered(&self, place: &Path) -> String {
        let changed = self.0.stx_ctime;
        format!(
            "cover {} {}.{} {}",
            self.mount(),
            changed.tv_sec,
            changed.tv_nsec,
            place.display()
        )
    }
}

/// A folder of a name service, and the folder of the namespace's own daemon, if that has one.
#[derive(Debug)]
pub(crate) struct Service {
    place: PathBuf,
    own: Option<String>,
}

impl Service {
    pub(crate) fn name(&self) -> String {
        name_of(&self.place)
    }

    /// What shows there, if anything does.
    fn shows(&self) -> Result<Option<Shown>, Error> {
        Shown::at(&self.name(), AtFlags::empty())
    }

    /// Whether what shows is ours to replace, as `noted` says.
    fn is_ours(&self, shows: &Shown, noted: &BTreeSet<String>) -> bool {
        let lines = [shows.bound(&self.place), shows.covered(&self.place)];
        lines.iter().any(|line| noted.contains(line))
    }

    fn is_right(&self, noted: &BTreeSet<String>) -> Result<bool, Error> {
        let shows = self.shows()?;
        let Some(own) = &self.own else {
            return Ok(shows.is_none_or(|shows| {
                // A daemon's folder that was removed is empty and stays so.
                let is_removed = shows.is_removed() && noted.contains(&shows.bound(&self.place));
                is_removed || noted.contains(&shows.covered(&self.place))
            }));
        };
        match shows {
            Some(shows) => is_at(own, &shows),
            None => Ok(false),
        }
    }

    fn mend(&self, noted: &BTreeSet<String>) -> Result<(), Error> {
        let Some(own) = &self.own else {
            return cover(&self.place);
        };
        make_place(&self.place)?;
        let is_ours = self.shows()?.is_some_and(|it| self.is_ours(&it, noted));
        match bind(own, &self.name(), is_ours) {
            // It went just now.
            Err(_) if find(own)?.is_none() => cover(&self.place),
            result => result,
        }
    }

    /// The line for what shows there now that it is right. What went meanwhile has none, so that it
    /// is looked at the next time.
    fn note(&self, noted: &BTreeSet<String>) -> Result<Option<String>, Error> {
        let Some(shows) = self.shows()? else {
            return Ok(None);
        };
        let bound = shows.bound(&self.place);
        Ok(match &self.own {
            Some(own) => is_at(own, &shows)?.then_some(bound),
            None if noted.contains(&bound) => Some(bound),
            None => Some(shows.covered(&self.place)),
        })
    }
}

/// What stands at `path`, where a link counts as itself.
fn find(path: &str) -> Result<Option<Shown>, Error> {
    Shown::at(path, AtFlags::SYMLINK_NOFOLLOW)
}

/// Whether what stands at `path` is what shows.
fn is_at(path: &str, shows: &Shown) -> Result<bool, Error> {
    Ok(find(path)?.is_some_and(|there| there.identity() == shows.identity()))
}

/// The path without links, if something is there.
fn resolved(path: &Path) -> Result<Option<PathBuf>, Error> {
    if_present(std::fs::canonicalize(path)).context("look at", name_of(path))
}

/// The folders of name services that the host has, and those that the view of `name` needs.
fn services(name: &NetnsName) -> Result<Vec<Service>, Error> {
    let own = nscd::has_folder(name)?.then(|| nscd::folder(name));
    let mut services: Vec<Service> = Vec::new();
    for above in NSCD_ABOVE {
        let Some(above) = resolved(Path::new(above))? else {
            continue;
        };
        let place = above.join("nscd");
        let place = match resolved(&place)? {
            Some(place) => place,
            // A link that leads nowhere is nothing to mount on.
            None if own.is_some() && find(&name_of(&place))?.is_none() => place,
            None => continue,
        };
        if !services.iter().any(|service| service.place == place) {
            let own = own.clone();
            services.push(Service { place, own });
        }
    }
    let resolved = resolved(Path::new(RESOLVED))?;
    services.extend(resolved.map(|place| Service { place, own: None }));
    Ok(services)
}

/// The name services of which something else shows here than should, `noted` being what was
/// mounted.
pub(crate) fn exposed(name: &NetnsName, noted: &BTreeSet<String>) -> Result<Vec<Service>, Error> {
    let mut exposed = Vec::new();
    for service in services(name)? {
        if !service.is_right(noted)? {
            exposed.push(service);
        }
    }
    Ok(exposed)
}

/// Puts right what is exposed. Returns the lines that note it.
pub(crate) fn hide(name: &NetnsName, noted: &BTreeSet<String>) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for service in services(name)? {
        if !service.is_right(noted)? {
            service.mend(noted)?;
        }
        lines.extend(service.note(noted)?);
    }
    Ok(lines)
}

/// Puts an empty folder over one of the host's. The files that /etc/resolv.conf may be a link to
/// stay as they are now, for a namespace that has none of its own. It shows once it is complete.
fn cover(folder: &Path) -> Result<(), Error> {
    let name = name_of(folder);
    let tmpfs = Tmpfs::new("tmpfs", &[("mode", "755")]).context("cover", &name)?;
    if folder == Path::new(RESOLVED) {
        for file in RESOLVED_FILES {
            let path = name_of(&folder.join(file));
            let content = read_resolved(file).context("read", &path)?;
            tmpfs.write(file, &content).context("create", path)?;
        }
    }
    tmpfs.close().context("close", &name)?;
    tmpfs.show(folder).context("cover", name)
}

/// The content of a file of systemd-resolved, nothing if there is none. It belongs to an ordinary
/// user, so a link counts only if it leads to the other one of those files, as resolved makes it.
fn read_resolved(file: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(CWD, RESOLVED, flags, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = |file: &str| openat(&folder, file, flags, Mode::empty());
    let opened = match open(file) {
        Err(Errno::LOOP) => {
            let target = readlinkat(&folder, file, Vec::new())?;
            let target = RESOLVED_FILES
                .iter()
                .find(|it| target.as_bytes() == it.as_bytes());
            open(target.ok_or(Errno::LOOP)?)
        }
        opened => opened,
    };
    let mut content = Vec::new();
    if let Some(fd) = if_present(opened)? {
        let file = File::from(fd);
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        file.take(RESOLVED_MOST).read_to_end(&mut content)?;
    }
    Ok(content)
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
    let made = fstat(open_to(&name, PLACE_MODE)?).context("look at", name)?;
    state_folder::make()?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, PLACES, flags, Mode::from_raw_mode(0o600))
        .map_err(io::Error::from)
        .and_then(|fd| File::from(fd).write_all(place_line(&made, place).as_bytes()))
        .inspect_err(|_| {
            let _ = unlinkat(CWD, place, AtFlags::REMOVEDIR);
        })
        .context("write", PLACES)
}

fn place_line(made: &Stat, place: &Path) -> String {
    format!("{} {} {}\n", made.st_dev, made.st_ino, place.display())
}

/// Removes the folders that were made on the host, if they are empty.
///
/// Errors: a step that the kernel refused; what is not done then is done the next time.
pub(crate) fn remove_places() -> Result<(), Error> {
    let text = if_present(std::fs::read_to_string(PLACES)).context("read", PLACES)?;
    let Some(text) = text else {
        return Ok(());
    };
    for line in text.split_inclusive('\n') {
        let Some(place) = line.trim_end().splitn(3, ' ').nth(2) else {
            continue;
        };
        let there = if_present(stat(place)).context("look at", place)?;
        if there.is_none_or(|there| place_line(&there, Path::new(place)) != line) {
            continue;
        }
        match unlinkat(CWD, place, AtFlags::REMOVEDIR) {
            // What is not empty is in use.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY) => {}
            Err(error) => return Err(error).context("remove", place),
        }
    }
    let removed = if_present(unlinkat(CWD, PLACES, AtFlags::empty()));
    removed.context("remove", PLACES).map(drop)
}
