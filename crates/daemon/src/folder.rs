//! The folder of a socket: opened once, and who else can change what its path leads to.
//!
//! A path that another user can change between two uses of it leads to two places. So the folder
//! is opened once, and all that follows is done inside that folder. Sources: path_resolution(7),
//! openat(2), symlink(7).

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Symbolic links followed in one path, as many as the kernel follows (path_resolution(7)).
const LINKS_MOST: u32 = 40;

/// The sticky bit: only the owner of an entry may rename or remove it (inode(7)).
const STICKY: u32 = 0o1000;

/// A folder on the way to a socket that another user can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    folder: PathBuf,
    to: Others,
}

/// Who can change a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// Its owner.
    User(u32),
    /// The members of its group.
    Group(u32),
    /// All users.
    All,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = &self.folder;
        match self.to {
            Others::User(user) => write!(f, "user {user} owns the folder {folder:?}"),
            Others::Group(group) => write!(f, "group {group} may write to the folder {folder:?}"),
            Others::All => write!(f, "all users may write to the folder {folder:?}"),
        }
    }
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Opened with O_PATH.
    pub(crate) fd: OwnedFd,
    /// The first folder on the way that another user can change.
    pub(crate) exposed: Option<Exposed>,
}

/// Users that may own a folder or link without being another user: root, this process's, and the
/// owner of `/`, which stands for root in a user namespace that has no id for root.
struct Trusted([u32; 3]);

impl Trusted {
    fn has(&self, user: u32) -> bool {
        self.0.contains(&user)
    }

    /// Who else can change entries of the folder.
    fn others(&self, stat: &Stat) -> Option<Others> {
        let may_write = |bit| stat.st_mode & bit != 0 && stat.st_mode & STICKY == 0;
        match stat.st_uid {
            user if !self.has(user) => Some(Others::User(user)),
            _ if may_write(0o002) => Some(Others::All),
            _ if may_write(0o020) && stat.st_gid != 0 => Some(Others::Group(stat.st_gid)),
            _ => None,
        }
    }
}

impl Folder {
    /// Opens the folder at `path`, component by component.
    ///
    /// Symbolic links are followed if their owner is root or the user of this process: a link of
    /// another user would have us act where that user chooses.
    ///
    /// Errors: `ELOOP` for a link that is not followed, `ENOTDIR` and those of openat(2).
    pub(crate) fn open(path: &Path) -> Result<Self, Errno> {
        let root = fs::stat("/")?.st_uid;
        let trusted = Trusted([0, geteuid().as_raw(), root]);
        let mut left: VecDeque<OsString> = parts(path).collect();
        let mut folder = Self {
            fd: start(path)?,
            exposed: None,
        };
        let mut walked = PathBuf::from(if path.is_absolute() { "/" } else { "." });
        let mut links = 0;
        folder.note(&walked, &trusted)?;
        while let Some(name) = left.pop_front() {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let next = fs::openat(&folder.fd, &name, flags, Mode::empty())?;
            let stat = fs::fstat(&next)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    walked.push(&name);
                    folder.fd = next;
                    folder.note(&walked, &trusted)?;
                }
                FileType::Symlink if links < LINKS_MOST && trusted.has(stat.st_uid) => {
                    links += 1;
                    let to = fs::readlinkat(&next, "", Vec::new())?.into_bytes();
                    let to = PathBuf::from(OsString::from_vec(to));
                    if to.is_absolute() {
                        folder.fd = start(&to)?;
                        walked = PathBuf::from("/");
                    }
                    parts(&to).rev().for_each(|part| left.push_front(part));
                }
                FileType::Symlink => return Err(Errno::LOOP),
                _ => return Err(Errno::NOTDIR),
            }
        }
        Ok(folder)
    }

    /// Notes who else can change this folder, which was reached by `walked`.
    fn note(&mut self, walked: &Path, trusted: &Trusted) -> Result<(), Errno> {
        if self.exposed.is_none() {
            let to = trusted.others(&fs::fstat(&self.fd)?);
            let folder = walked.to_owned();
            self.exposed = to.map(|to| Exposed { folder, to });
        }
        Ok(())
    }
}

/// Where a path begins.
fn start(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let at = if path.is_absolute() { "/" } else { "." };
    fs::openat(CWD, at, flags, Mode::empty())
}

/// The names of a path, `..` among them.
fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn place() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(place.path().join("real/inner")).unwrap();
        place
    }

    #[test]
    fn links_of_ours_are_followed_as_the_kernel_does() {
        let place = place();
        let at = |name: &str| place.path().join(name);
        symlink("real/inner/..", at("relative")).unwrap();
        symlink(at("relative"), at("absolute")).unwrap();
        symlink("loop", at("loop")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        let stat = fs::stat(at("real")).unwrap();
        for path in ["real", "real/./inner/..", "relative", "absolute"] {
            let own = fs::fstat(Folder::open(&at(path)).unwrap().fd).unwrap();
            assert_eq!(
                (own.st_dev, own.st_ino),
                (stat.st_dev, stat.st_ino),
                "{path}"
            );
        }
        let errno = |path: &str| Folder::open(&at(path)).unwrap_err();
        assert_eq!(errno("loop"), Errno::LOOP);
        assert_eq!(errno("file"), Errno::NOTDIR);
        assert_eq!(errno("nothing"), Errno::NOENT);
    }

    #[test]
    fn a_folder_that_others_may_write_is_named() {
        let place = place();
        let real = place.path().join("real");
        let exposed = || Folder::open(&real.join("inner")).unwrap().exposed;
        assert_eq!(exposed(), None);
        let mode = |mode| std::fs::set_permissions(&real, PermissionsExt::from_mode(mode));
        mode(0o777).unwrap();
        let text = format!("all users may write to the folder {real:?}");
        assert_eq!(exposed().unwrap().to_string(), text);
        // Entries of others cannot be changed there.
        mode(0o1777).unwrap();
        assert_eq!(exposed(), None);
    }
}
