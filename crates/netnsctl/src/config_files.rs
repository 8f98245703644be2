//! Finds and reads the files of the configuration.
//!
//! The folders follow systemd's convention (systemd.unit(5), file-hierarchy(7)): a file name in an
//! earlier one masks the same name in a later one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use netnsctl_model::config::{self, Format, Loaded, Severity, Source};
use netnsctl_model::desired::Desired;
use netnsctl_model::name::NetnsRef;

use crate::output::{self, Exit, Failure};
use crate::published;

/// Where configuration is looked for, the first taking precedence.
pub(crate) const FOLDERS: [&str; 3] = ["/etc/netnsctl", "/run/netnsctl/conf", "/usr/lib/netnsctl"];

mod trust;

/// A configuration without mistakes.
pub(crate) struct Right {
    pub(crate) desired: Desired,
    /// Index of the file that declares each namespace; home only if one does.
    pub(crate) files: BTreeMap<NetnsRef, usize>,
}

/// The configuration, read and checked.
pub(crate) struct Configuration {
    pub(crate) sources: Vec<Source>,
    pub(crate) loaded: Loaded,
}

/// Reads what `paths` name; without any, what a running `serve` was given; else the search path.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Configuration, Failure> {
    load_named_or_installed(&in_force(paths)?)
}

/// What `paths` stand for: without any, what a running `serve` was given; nothing is the search
/// path.
fn in_force(paths: &[PathBuf]) -> Result<Cow<'_, [PathBuf]>, Failure> {
    let running = match paths {
        [] => published::config_of_running()?,
        _ => None,
    };
    Ok(running.map_or(paths.into(), Cow::from))
}

/// Reads what `paths` name, or the search path without any, whatever a running `serve` was given.
pub(crate) fn load_named_or_installed(paths: &[PathBuf]) -> Result<Configuration, Failure> {
    let files = match paths {
        [] => search_path(Path::new("/"))?,
        paths => named(paths)?,
    };
    let sources = files.iter().map(|file| read(file));
    Ok(checked(sources.collect::<Result<_, _>>()?))
}

/// Reads the search path of the machine whose files are below `root`. Its files are called what
/// they are called there.
pub(crate) fn load_below(root: &Path) -> Result<Configuration, Failure> {
    let read_there = |file: &PathBuf| {
        let mut source = read(file)?;
        if let Ok(below) = file.strip_prefix(root) {
            source.path = Path::new("/").join(below).display().to_string();
        }
        Ok(source)
    };
    let files = search_path(root)?;
    let sources = files.iter().map(read_there);
    Ok(checked(sources.collect::<Result<_, Failure>>()?))
}

fn checked(sources: Vec<Source>) -> Configuration {
    let loaded = config::load(&sources);
    Configuration { sources, loaded }
}

/// The files of the search path, read as far as they can be, and what is wrong with the others.
pub(crate) fn installed() -> (Vec<Source>, Vec<String>) {
    let (mut sources, mut unreadable) = (Vec::new(), Vec::new());
    match search_path(Path::new("/")) {
        Ok(files) => {
            for file in files {
                match read(&file) {
                    Ok(source) => sources.push(source),
                    Err(failure) => unreadable.push(failure.into_message()),
                }
            }
        }
        Err(failure) => unreadable.push(failure.into_message()),
    }
    (sources, unreadable)
}

/// Reads the configuration and says what is wrong with it.
///
/// Errors: exit status 2 if it is refused or if there is none at all.
pub(crate) fn load_or_report(paths: &[PathBuf]) -> Result<Desired, Failure> {
    load(paths)?.right_or_report().map(|right| right.desired)
}

/// Reads the configuration for a command that shows what there is, which is worth seeing also when
/// the configuration is wrong or missing: then nothing is declared and the exit status says so.
pub(crate) fn load_if_right(paths: &[PathBuf]) -> Result<(Desired, Exit), Failure> {
    let configuration = load(paths)?;
    configuration.report();
    Ok(match configuration.loaded.desired {
        Some(desired) => (desired, Exit::Done),
        None => (Desired::default(), Exit::Usage),
    })
}

/// Reads the configuration again and again, for a live view that has no place to say what is wrong
/// with it: none if it is wrong.
pub(crate) fn load_quietly(paths: &[PathBuf]) -> Result<Option<Desired>, Failure> {
    Ok(load(paths)?.loaded.desired)
}

/// Reads the configuration for a command that takes something away, which mistakes elsewhere are no
/// reason to leave: what is declared by the files that are right, after a line for each of the others.
///
/// Errors: exit status 2 if no file is right.
pub(crate) fn load_what_is_right(paths: &[PathBuf]) -> Result<Desired, Failure> {
    let without = |line: &str| output::note(&format!("doing without this file: {line}"));
    let sources = match &*in_force(paths)? {
        [] => {
            let (sources, unreadable) = installed();
            unreadable.iter().for_each(|line| without(line));
            sources
        }
        paths => load_named_or_installed(paths)?.sources,
    };
    if sources.is_empty() {
        return Err(none_found());
    }
    match without_mistakes(sources, without) {
        (Some(right), right_sources) if !right_sources.is_empty() => Ok(right.desired),
        _ => Err(Failure::silent(Exit::Usage)),
    }
}

/// What is declared by those of `sources` that have no mistake, also when taken together without
/// the others; `tell` is told of those, a line each.
pub(crate) fn without_mistakes(
    mut sources: Vec<Source>,
    mut tell: impl FnMut(&str),
) -> (Option<Right>, Vec<Source>) {
    loop {
        let loaded = config::load(&sources);
        if let Some(desired) = loaded.desired {
            let files = loaded.files;
            return (Some(Right { desired, files }), sources);
        }
        let mistakes = || {
            let all = loaded.diagnostics.iter();
            all.filter(|diagnostic| diagnostic.severity == Severity::Error)
        };
        let mut wrong: Vec<usize> = mistakes().map(|mistake| mistake.file).collect();
        wrong.sort_unstable();
        wrong.dedup();
        if wrong.is_empty() {
            return (None, sources);
        }
        for file in &wrong {
            let mut of_file = mistakes().filter(|mistake| mistake.file == *file);
            let first = of_file.next().map(|mistake| mistake.one_line(&sources));
            let more = match of_file.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let first = first.unwrap_or_default();
            tell(&format!("{first}{more}"));
        }
        for file in wrong.into_iter().rev() {
            sources.remove(file);
        }
    }
}

impl Configuration {
    /// What is declared, after saying what is wrong with it.
    ///
    /// Errors: exit status 2 if it is refused or if there is none at all.
    pub(crate) fn right_or_report(&mut self) -> Result<Right, Failure> {
        if self.sources.is_empty() {
            return Err(none_found());
        }
        self.report();
        let desired = self.loaded.desired.take();
        let files = std::mem::take(&mut self.loaded.files);
        let right = desired.map(|desired| Right { desired, files });
        right.ok_or_else(|| Failure::silent(Exit::Usage))
    }

    /// Prints every mistake with its line, then how many there are.
    pub(crate) fn report(&self) {
        for source in &self.sources {
            if let Some(words) = trust::open_to_others(Path::new(&source.path)) {
                output::note(&format!("warning: {words}"));
            }
        }
        let diagnostics = &self.loaded.diagnostics;
        if diagnostics.is_empty() {
            return;
        }
        let text = config::render(&self.sources, diagnostics, output::color_on_stderr());
        output::note(text.trim_end());
        let count = |severity| {
            diagnostics
                .iter()
                .filter(|d| d.severity == severity)
                .count()
        };
        let errors = count(Severity::Error);
        if errors > 0 {
            let s = if errors == 1 { "" } else { "s" };
            output::note(&format!(
                "{errors} mistake{s} in the configuration; nothing was touched"
            ));
        }
    }
}

pub(crate) fn none_found() -> Failure {
    Failure::usage("there is no configuration").hint(format!(
        "write a .toml or .json file into {}, or name one with --config",
        FOLDERS[0]
    ))
}

/// The files of the search path below `root`, by name.
fn search_path(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for folder in FOLDERS {
        for file in folder_files(&root.join(folder.trim_start_matches('/')))? {
            if let Some(name) = file.file_name() {
                found.entry(name.to_owned()).or_insert(file);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Files as they are, folders as what is in them.
fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let found = folder_files(path)?;
            if found.is_empty() {
                let path = path.display().to_string();
                return Err(Failure::usage(format!(
                    "{path:?} has no .toml or .json file in it"
                )));
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The `*.toml` and `*.json` of a folder, by name; none if there is no such folder.
fn folder_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_read(folder, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot_read(folder, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| !name.starts_with('.') && Format::of_file_name(name).is_some()) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<Source, Failure> {
    let shown = path.display().to_string();
    let Some(format) = Format::of_file_name(&shown) else {
        return Err(Failure::usage(format!(
            "{shown:?} is neither .toml nor .json"
        )));
    };
    let bytes = std::fs::read(path).map_err(|error| cannot_read(path, &error))?;
    Ok(Source::from_bytes(shown, format, &bytes))
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    let words = netnsctl_sys::errno::Errno::of(error);
    let failure = Failure::usage(format!(
        "cannot read configuration {:?}: {words}",
        path.display().to_string()
    ));
    match error.kind() {
        io::ErrorKind::NotFound => {
            failure.hint("is the path right? --config takes files and folders")
        }
        io::ErrorKind::PermissionDenied => {
            failure.hint("this user may not read it: ask as root, or let everybody read it")
        }
        _ => failure,
    }
}
