//! `man`: the manual pages, printed or written.

use std::path::{Path, PathBuf};

use crate::cli::{Man, ManFormat};
use crate::man::{self, Page};
use crate::output::{self, Exit, Failure};

/// A file that can be written: its place below a folder, and its text.
type Written = (PathBuf, String);

pub(super) fn man(arguments: &Man) -> Result<Exit, Failure> {
    let pages = man::pages();
    let files = files(&pages, arguments.format);
    if let Some(folder) = &arguments.output {
        write(folder, &files)?;
        return Ok(Exit::Done);
    }
    let wanted = arguments.page.as_deref().unwrap_or("netnsctl");
    let names = |page: &Page| {
        page.file_name() == wanted
            || page.name == wanted
            || page.name.strip_prefix("netnsctl-") == Some(wanted)
    };
    let found = pages.iter().position(names).and_then(|n| files.get(n));
    let (_, text) = found.ok_or_else(|| {
        let known: Vec<_> = pages.iter().map(Page::file_name).collect();
        Failure::usage(format!("there is no page {wanted:?}"))
            .hint(format!("there are: {}", known.join(", ")))
    })?;
    output::print(text)?;
    Ok(Exit::Done)
}

/// The pages as files, in their order: `man1/netnsctl.1` and the others, as man(1) looks for them,
/// or `netnsctl.1.md` beside the others.
fn files(pages: &[Page], format: ManFormat) -> Vec<Written> {
    let place = |page: &Page| {
        let section = PathBuf::from(format!("man{}", page.section));
        (section.join(page.file_name()), page.text.clone())
    };
    match format {
        ManFormat::Mdoc => pages.iter().map(place).collect(),
        ManFormat::Markdown => man::markdown(pages),
    }
}

fn write(folder: &Path, files: &[Written]) -> Result<(), Failure> {
    for (place, text) in files {
        let path = folder.join(place);
        let section = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(section)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| {
                let words = netnsctl_sys::errno::Errno::of(&error);
                let path = path.display().to_string();
                Failure::failed(format!("cannot write manual page {path:?}: {words}"))
                    .hint("name a folder you may write to with --output")
            })?;
    }
    Ok(())
}
