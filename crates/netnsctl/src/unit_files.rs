//! Units on the file system, and what the machine tells of itself that they depend on.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use netnsctl_model::config::Source;
use netnsctl_model::name::{NetnsName, NetnsRef};
use netnsctl_units::{Entry, Facts, Units};
use netnsctl_view::etc::files_of;

use crate::config_files::Right;
use crate::output::Failure;

/// Where units will be used, if not on this machine by this program.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    /// The path of the program there.
    pub(crate) program: Option<PathBuf>,
    /// Below which the files of that machine are.
    pub(crate) root: Option<PathBuf>,
}

/// What the units of `loaded` depend on. `config` is what `--config` named.
pub(crate) fn facts(
    config: &[PathBuf],
    elsewhere: Elsewhere,
    loaded: &Right,
    sources: &[Source],
) -> Result<Facts, Failure> {
    let program = match elsewhere.program {
        Some(path) if !path.is_absolute() => {
            let path = path.display().to_string();
            return Err(Failure::usage(format!("{path:?} is not an absolute path")));
        }
        Some(path) => path,
        None => own_path()?,
    };
    let names = loaded.desired.netns.keys();
    let machine = match elsewhere.root {
        Some(root) => below(&root, names)?,
        None => of_machine(names)?,
    };
    let absolute = |path: &PathBuf| {
        let path = std::path::absolute(path).map_err(|error| cannot("find", path, &error))?;
        text(path)
    };
    let source = |(netns, file): (&NetnsRef, &usize)| {
        Some((netns.clone(), sources.get(*file)?.path.clone()))
    };
    let sources = loaded.files.iter().filter_map(source);
    Ok(Facts {
        program: text(program)?,
        config: config.iter().map(absolute).collect::<Result<_, _>>()?,
        // systemd takes no relative ones.
        sources: sources.filter(|(_, path)| path.starts_with('/')).collect(),
        ..machine
    })
}

/// What the machine has for `names` whose files are below `root`.
fn below<'a>(root: &Path, names: impl Iterator<Item = &'a NetnsName>) -> Result<Facts, Failure> {
    let etc = root.join("etc");
    let mut files = BTreeMap::new();
    for name in names {
        let folder = etc.join("netns").join(name.as_str());
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(error),
        };
        let entries = entries.map_err(|error| cannot("list", &folder, &error))?;
        let names = entries.iter().map(|entry| entry.file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        files.insert(
            name.clone(),
            names.filter(|it| !it.starts_with('.')).collect(),
        );
    }
    Ok(Facts {
        files,
        // Anything but a missing one: a link may lead to where it will be.
        host_nsswitch: etc.join("nsswitch.conf").symlink_metadata().is_ok(),
        ..Facts::default()
    })
}

/// What the machine has for `names`, declared or not.
pub(crate) fn of_machine<'a>(names: impl Iterator<Item = &'a NetnsName>) -> Result<Facts, Failure> {
    let mut files = BTreeMap::new();
    for name in names {
        files.insert(name.clone(), files_of(name)?.into_iter().collect());
    }
    Ok(Facts {
        files,
        host_nsswitch: Path::new("/etc/nsswitch.conf").exists(),
        ..Facts::default()
    })
}

/// Where this program is. The path of one that was replaced while it ran ends in words that are no
/// part of it (proc(5)).
fn own_path() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe().map_err(|error| {
        Failure::failed(format!(
            "cannot find this program: {}",
            netnsctl_sys::errno::words(&error)
        ))
    })?;
    let replaced = path
        .to_str()
        .and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(replaced.map_or_else(|| path.clone(), PathBuf::from))
}

/// A path in a unit is text.
fn text(path: PathBuf) -> Result<String, Failure> {
    let has_control = |path: &str| path.chars().any(netnsctl_model::name::is_control);
    match path.into_os_string().into_string() {
        Ok(path) if !has_control(&path) => Ok(path),
        Ok(path) => Err(Failure::usage(format!("{path:?} cannot stand in a unit"))),
        Err(path) => Err(Failure::usage(format!("{path:?} is not UTF-8"))),
    }
}

/// Writes `units` below `folder`, each whole or not at all, and leaves alone what is right already
/// and what is not theirs. The error is for people.
pub(crate) fn write(folder: &Path, units: &Units) -> Result<(), String> {
    let mut entries = units.entries.iter();
    entries.try_for_each(|(path, entry)| write_one("unit", &folder.join(path), entry))
}

/// Writes one file, which is a `what` in errors.
pub(crate) fn write_one(what: &str, path: &Path, entry: &Entry) -> Result<(), String> {
    put(path, entry).map_err(|error| {
        let words = netnsctl_sys::errno::Errno::of(&error);
        format!(
            "cannot write {what} {:?}: {words}",
            path.display().to_string()
        )
    })
}

fn put(path: &Path, entry: &Entry) -> io::Result<()> {
    if is_there(path, entry) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)?;
    // The name of a unit may be as long as a name can be.
    let new = folder.join(format!(".netnsctl-{}.new", std::process::id()));
    let made = make(&new, entry).and_then(|()| fs::rename(&new, path));
    if made.is_err() {
        let _ = fs::remove_file(&new);
    }
    made
}

fn make(path: &Path, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::Link(target) => symlink(target, path),
        Entry::File(text) => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o644);
            options.open(path)?.write_all(text.as_bytes())
        }
    }
}

/// Whether the entry is there, so that systemd finds nothing changed.
fn is_there(path: &Path, entry: &Entry) -> bool {
    match entry {
        Entry::Link(target) => fs::read_link(path).is_ok_and(|there| there == Path::new(target)),
        Entry::File(text) => {
            let plain = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
            plain && fs::read(path).is_ok_and(|there| there == text.as_bytes())
        }
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let words = netnsctl_sys::errno::Errno::of(error);
    let path = path.display().to_string();
    Failure::usage(format!("cannot {what} {path:?}: {words}"))
}
