//! `/etc/netns/NAME`: the files that stand for those of /etc in a view.

use netnsctl_base::error::{Context, Error};
use netnsctl_model::etc_files::directory;
use netnsctl_model::name::NetnsName;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

/// The files of `/etc/netns/NAME`, which stand for those of /etc in its view; none if there is no
/// such folder.
///
/// Errors: if it cannot be read.
pub fn files_of(name: &NetnsName) -> Result<Vec<String>, Error> {
    let path = directory(name);
    // A link is followed, as ip-netns(8) does: /etc is root's, and nothing is written here.
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = match openat(CWD, &path, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(error) => return Err(error).context("open", path),
    };
    let mut files = Vec::new();
    for entry in rustix::fs::Dir::read_from(&folder).context("list", &path)? {
        let entry = entry.context("list", &path)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Our own temporary files begin with a dot.
        if !name.starts_with('.') {
            files.push(name);
        }
    }
    Ok(files)
}
