//! Files and folders that are opened without following a link, made, locked, and replaced as a whole.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, fchmod, fstat, mkdirat, openat, openat2, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Context, Error};
use crate::lock;
use crate::presence::if_present;

/// Opens a folder below `/run` or `/etc` step by step without following a symbolic link, so that
/// nobody who owns a part of the path can lead us elsewhere.
pub fn open_folder_nofollow(path: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat2(
        CWD,
        path,
        flags,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS,
    )?)
}

/// Whether `folder` is what stands at `path`.
pub fn is_at(folder: &OwnedFd, path: &str) -> Result<bool, Error> {
    let own = fstat(folder).context("look at", path)?;
    let there = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    let there = if_present(there).context("look at", path)?;
    Ok(there.is_some_and(|there| (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)))
}

/// Makes a folder. One that is there is success.
pub fn make_folder(path: &str, mode: u32) -> Result<(), Error> {
    match mkdirat(CWD, path, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).context("create", path),
    }
}

/// Opens a folder that was made and gives it `mode`, whatever the umask was.
pub fn open_to(path: &str, mode: u32) -> Result<OwnedFd, Error> {
    let folder = open_folder_nofollow(path).context("open", path)?;
    set_mode(&folder, path, mode)?;
    Ok(folder)
}

fn set_mode(folder: &OwnedFd, path: &str, mode: u32) -> Result<(), Error> {
    if fstat(folder).context("look at", path)?.st_mode & 0o7777 == mode {
        return Ok(());
    }
    fchmod(folder, Mode::from_raw_mode(mode)).context("change the mode of", path)
}

/// Makes a folder if need be, gives it `mode` whatever the umask, and waits for its lock ([`lock::wait`]), which
/// goes with the descriptor.
pub fn lock_folder(path: &'static str, mode: u32) -> Result<OwnedFd, Error> {
    loop {
        make_folder(path, mode)?;
        let folder = match open_folder_nofollow(path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context("open", path),
        };
        set_mode(&folder, path, mode)?;
        lock::wait(&folder, path)?;
        // A `down` that had the lock before us may have removed the folder we waited for.
        if is_at(&folder, path)? {
            return Ok(folder);
        }
    }
}

/// The name a file has while it is being written.
pub fn temporary_name(file: &str) -> String {
    format!(".{file}.new")
}

/// Replaces a file by one with `content`: a reader sees either the old or the new one, complete.
/// No fsync: these files are in memory or can be written again.
pub fn replace_file(folder: &OwnedFd, file: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let temporary = temporary_name(file);
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(folder, &temporary, flags, Mode::from_raw_mode(mode))?;
    let written = io::Write::write_all(&mut std::fs::File::from(fd), content)
        .and_then(|()| Ok(renameat(folder, &temporary, folder, file)?));
    if written.is_err() {
        let _ = unlinkat(folder, &temporary, AtFlags::empty());
    }
    written
}

/// Reads a plain file in `folder`; ELOOP for a symbolic link.
pub fn read_file(folder: &OwnedFd, file: &str) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = openat(folder, file, flags, Mode::empty())?;
    read_text(&fd)
}

/// Bytes fetched at once: more than any file of ours has, so that one call gets it all.
const READ_AT_ONCE: usize = 16 * 1024;

/// The text of an open file, from where it stands to its end. `InvalidData` if it is not UTF-8.
///
/// The standard library asks for the size and the position first, which is half of the work for
/// files as small as these. The text takes no more memory than it has bytes: many are kept.
pub fn read_text(fd: &OwnedFd) -> io::Result<String> {
    let mut bytes = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); READ_AT_ONCE];
    loop {
        let (read, _) = rustix::io::read(fd, &mut buffer)?;
        if read.is_empty() {
            return String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into());
        }
        bytes.extend_from_slice(read);
    }
}
