//! Unix sockets that listen at a path, and the files that remain of them.
//!
//! The file is only a name: it stays when the socket is closed, and then stands in the way of the
//! next bind(2). Whether somebody listens there is found out by connecting. Source: unix(7).

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::umask;

use crate::folder::{Exposed, Folder};
use crate::{BACKLOG, BindError};

/// Who may connect: everybody who gets through the folders above, as on a port of the loopback
/// address, and as SocketMode= of systemd.socket(5) has it.
const MODE: Mode = Mode::from_raw_mode(0o666);

/// Held while the file mode creation mask is another one, which is the whole process's.
static MASK: Mutex<()> = Mutex::new(());

/// The file of a listening socket.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    folder: Folder,
    name: OsString,
    /// Open (O_PATH), so that its inode number is given to no other file.
    file: OwnedFd,
}

impl SocketFile {
    /// Whether the file still stands at its path.
    pub fn is_there(&self) -> bool {
        self.is_at(identity(CWD, &self.path))
    }

    /// A folder above the file that another user can change. That user can put another socket at
    /// the path.
    pub fn exposed(&self) -> Option<&Exposed> {
        self.folder.exposed.as_ref()
    }

    /// Removes the file if it is still the one that was made, from the folder it was made in.
    ///
    /// Needs the right to write to that folder. A file that is gone or another's is no error.
    pub fn remove(&self) {
        let folder = &self.folder.fd;
        if self.is_at(identity(folder, Path::new(&self.name))) {
            // A file that cannot be removed is replaced at the next start.
            let _ = fs::unlinkat(folder, &self.name, AtFlags::empty());
        }
    }

    fn is_at(&self, there: Result<(u64, u64), Errno>) -> bool {
        let own = fs::fstat(&self.file).map(|stat| (stat.st_dev, stat.st_ino));
        own.is_ok() && there == own
    }
}

/// Makes a unix stream socket that listens at `path`, with mode 0666: restrict who connects by the
/// mode of the folder.
///
/// A socket file at `path` that nobody listens at is replaced; to find out, it is connected to.
/// Two that are started at `path` in the same moment may replace each other's file. The folder is
/// opened once and everything happens in that folder, wherever `path` leads afterwards. Symbolic
/// links are followed in the folders above if root or this user owns them, and not at `path` itself.
/// The socket has `path` as its address, or one below /proc if another user can change what `path`
/// leads to.
///
/// Needs the right to write to the folder. Sets the file mode creation mask of the process for a
/// moment. See unix(7), bind(2), umask(2).
///
/// Errors: [`BindError`] with the step; `EADDRINUSE` when somebody listens there or what stands
/// there is no socket, `ENOENT` when the folder does not exist, `ELOOP` for a link of another user.
pub fn bind_unix_listener(path: &Path) -> Result<(OwnedFd, SocketFile), BindError> {
    let at = |step| {
        move |errno| BindError {
            step,
            what: format!("unix:{}", path.display()),
            errno,
        }
    };
    // Clients need a path that fits, too.
    let plain = SocketAddrUnix::new(path).map_err(at("name a socket"))?;
    let name = path.file_name().ok_or(Errno::ISDIR);
    let name = name.map_err(at("name a socket"))?.to_owned();
    let folder = path.parent().unwrap_or(Path::new("/"));
    let folder = Folder::open(folder).map_err(at("open the folder"))?;
    let address = match folder.exposed {
        None => plain,
        Some(_) => address_in(&folder, &name).map_err(at("name a socket"))?,
    };
    let fd = new_socket().map_err(at("create a socket"))?;
    // The file gets the mode that the socket has at bind(2) (`unix_bind_bsd` in the kernel's
    // net/unix/af_unix.c), so no mode is ever set by a path.
    fs::fchmod(&fd, MODE).map_err(at("set the mode"))?;
    match bind(&fd, &address) {
        Err(Errno::ADDRINUSE) if remove_abandoned(&folder, &name, &address) => bind(&fd, &address),
        result => result,
    }
    .map_err(at("bind"))?;
    let file = open(&folder, &name).map_err(at("open the socket's file"))?;
    net::listen(&fd, BACKLOG).map_err(at("listen"))?;
    let path = path.to_owned();
    Ok((
        fd,
        SocketFile {
            path,
            folder,
            name,
            file,
        },
    ))
}

/// Binds so that the mode of the socket becomes that of its file.
fn bind(socket: &OwnedFd, address: &SocketAddrUnix) -> Result<(), Errno> {
    let _held = MASK.lock().unwrap_or_else(PoisonError::into_inner);
    let before = umask(Mode::empty());
    let bound = net::bind(socket, address);
    umask(before);
    bound
}

/// The address of `name` in a folder, whatever the path of the folder leads to.
fn address_in(folder: &Folder, name: &OsString) -> Result<SocketAddrUnix, Errno> {
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", folder.fd.as_raw_fd()));
    path.push(name);
    SocketAddrUnix::new(path)
}

fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Removes the socket file that nobody listens at, and says whether there was one. A file that
/// took its place meanwhile stays.
fn remove_abandoned(folder: &Folder, name: &OsString, address: &SocketAddrUnix) -> bool {
    let found = || identity(&folder.fd, Path::new(name));
    let probe = || -> Result<(), Errno> { net::connect(&new_socket()?, address) };
    let before = found();
    before.is_ok()
        && probe() == Err(Errno::CONNREFUSED)
        && found() == before
        && fs::unlinkat(&folder.fd, name, AtFlags::empty()).is_ok()
}

/// The device and inode of a socket file; `EADDRINUSE` if it is something else.
fn identity(folder: impl AsFd, name: &Path) -> Result<(u64, u64), Errno> {
    let stat = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => Ok((stat.st_dev, stat.st_ino)),
        _ => Err(Errno::ADDRINUSE),
    }
}

/// Opens the socket file that was just made.
fn open(folder: &Folder, name: &OsString) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(&folder.fd, name, flags, Mode::empty())?;
    let stat = fs::fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => Ok(file),
        _ => Err(Errno::ADDRINUSE),
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails"
)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::atomic::{AtomicBool, Ordering};

    use rustix::fs::{RenameFlags, renameat_with};

    use super::*;

    fn errno(path: &Path) -> Errno {
        bind_unix_listener(path).unwrap_err().errno
    }

    #[test]
    fn an_abandoned_socket_is_replaced_and_all_may_connect() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, file) = bind_unix_listener(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o666);
        UnixStream::connect(&path).unwrap();
        file.remove();
        assert!(!path.exists());
    }

    #[test]
    fn what_somebody_else_has_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let _other = UnixListener::bind(&path).unwrap();
        assert_eq!(errno(&path), Errno::ADDRINUSE);
        UnixStream::connect(&path).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "precious").unwrap();
        assert_eq!(errno(&file), Errno::ADDRINUSE);
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
        let link = folder.path().join("link");
        symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert_eq!(errno(&link), Errno::ADDRINUSE);
        assert!(link.is_symlink());
    }

    #[test]
    fn a_file_that_another_made_since_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let (_first, file) = bind_unix_listener(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (_second, _) = bind_unix_listener(&path).unwrap();
        file.remove();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_is_removed_from_the_folder_it_was_made_in() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for name in ["one", "two"] {
            std::fs::create_dir(at(name)).unwrap();
            std::fs::set_permissions(at(name), PermissionsExt::from_mode(0o777)).unwrap();
        }
        let (_listener, file) = bind_unix_listener(&at("one/app.sock")).unwrap();
        assert!(file.exposed().is_some() && file.is_there());
        let mode = at("one/app.sock").metadata().unwrap().mode();
        assert_eq!(mode & 0o7777, 0o666);
        let _other = UnixListener::bind(at("two/app.sock")).unwrap();
        let (one, two) = (at("one"), at("two"));
        renameat_with(CWD, &one, CWD, &two, RenameFlags::EXCHANGE).unwrap();
        assert!(!file.is_there());
        file.remove();
        assert!(at("one/app.sock").exists() && !at("two/app.sock").exists());
    }

    #[test]
    fn no_other_file_gets_the_mode_while_a_user_swaps_folder_and_link() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).unwrap();
        for folder in ["app", "private"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        symlink("private", at("link")).unwrap();
        let _private = UnixListener::bind(at("private/app.sock")).unwrap();
        let mode = PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(at("private/app.sock"), mode).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    renameat_with(CWD, at("app"), CWD, at("link"), RenameFlags::EXCHANGE).unwrap();
                }
            });
            for _ in 0..2_000 {
                if let Ok((_, file)) = bind_unix_listener(&at("app/app.sock")) {
                    file.remove();
                }
            }
            stop.store(true, Ordering::Relaxed);
        });
        let mode = at("private/app.sock").metadata().unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600);
        UnixStream::connect(at("private/app.sock")).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_had_is_named() {
        let error = bind_unix_listener(Path::new("/nowhere/app.sock")).unwrap_err();
        let start = "cannot open the folder for unix:/nowhere/app.sock: No such file";
        assert!(error.to_string().starts_with(start), "{error}");
        let long = format!("/{}", "a".repeat(108));
        assert_eq!(errno(Path::new(&long)), Errno::NAMETOOLONG);
    }
}
