//! Unix sockets that listen at a path, and the files that remain of them.
//!
//! The file is only a name: it stays when the socket is closed, and then stands in the way of the
//! next bind(2). Whether somebody listens there is found out by connecting. Source: unix(7).

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::{BACKLOG, BindError};

/// Who may connect: everybody who gets through the folders above, as on a port of the loopback
/// address, and as SocketMode= of systemd.socket(5) has it.
const MODE: Mode = Mode::from_raw_mode(0o666);

/// The file of a listening socket.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Open (O_PATH), so that its inode number is given to no other file.
    file: OwnedFd,
}

impl SocketFile {
    /// Whether the file still stands at its path.
    pub fn is_there(&self) -> bool {
        let own = fs::fstat(&self.file).map(|stat| (stat.st_dev, stat.st_ino));
        own.is_ok() && identity(&self.path) == own
    }

    /// Removes the file if it is still the one that was made.
    ///
    /// Needs the right to write to its folder. A file that is gone or another's is no error.
    pub fn remove(&self) {
        if self.is_there() {
            // What cannot be removed is replaced at the next start.
            let _ = fs::unlink(&self.path);
        }
    }
}

/// Makes a unix stream socket that listens at `path`, with mode 0666: restrict who connects by the
/// mode of the folder.
///
/// A socket file at `path` that nobody listens at is replaced; to find out, it is connected to.
/// Two that are started at `path` in the same moment may replace each other's file. Symbolic links
/// are followed in the folders above, not at `path` itself.
///
/// Needs the right to write to the folder. See unix(7), bind(2).
///
/// Errors: [`BindError`] with the step; `EADDRINUSE` when somebody listens there or what stands
/// there is no socket, `ENOENT` when the folder does not exist.
pub fn bind_unix_listener(path: &Path) -> Result<(OwnedFd, SocketFile), BindError> {
    let at = |step| {
        move |errno| BindError {
            step,
            what: format!("unix:{}", path.display()),
            errno,
        }
    };
    let name = SocketAddrUnix::new(path).map_err(at("name a socket"))?;
    let fd = new_socket().map_err(at("create a socket"))?;
    match net::bind(&fd, &name) {
        Err(Errno::ADDRINUSE) if is_abandoned(path, &name) => {
            fs::unlink(path).map_err(at("remove the abandoned socket"))?;
            net::bind(&fd, &name)
        }
        result => result,
    }
    .map_err(at("bind"))?;
    let file = own(path).map_err(at("set the mode"))?;
    net::listen(&fd, BACKLOG).map_err(at("listen"))?;
    Ok((fd, file))
}

fn new_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Whether what stands at `path` is a socket that nobody listens at.
fn is_abandoned(path: &Path, name: &SocketAddrUnix) -> bool {
    let probe = || -> Result<(), Errno> { net::connect(&new_socket()?, name) };
    identity(path).is_ok() && probe() == Err(Errno::CONNREFUSED)
}

/// The device and inode of the socket file at `path`; `EADDRINUSE` if it is something else.
fn identity(path: &Path) -> Result<(u64, u64), Errno> {
    let stat = fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Socket => Ok((stat.st_dev, stat.st_ino)),
        _ => Err(Errno::ADDRINUSE),
    }
}

/// Opens the socket file at `path` to all. Nobody can have it put a link in its place between.
fn own(path: &Path) -> Result<SocketFile, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::open(path, flags, Mode::empty())?;
    let stat = fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Errno::ADDRINUSE);
    }
    // fchmod(2) refuses such a descriptor, and chmod(2) of its name in /proc is the way round.
    let number = file.as_raw_fd();
    fs::chmod(format!("/proc/self/fd/{number}"), MODE)?;
    Ok(SocketFile {
        path: path.to_owned(),
        file,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::os::unix::net::{UnixListener, UnixStream};

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
    fn a_path_that_cannot_be_had_is_named() {
        let error = bind_unix_listener(Path::new("/nowhere/app.sock")).unwrap_err();
        let start = "cannot bind for unix:/nowhere/app.sock: No such file";
        assert!(error.to_string().starts_with(start), "{error}");
        let long = format!("/{}", "a".repeat(108));
        assert_eq!(errno(Path::new(&long)), Errno::NAMETOOLONG);
    }
}
