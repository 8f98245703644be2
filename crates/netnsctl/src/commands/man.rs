//! `man`: the manual pages, printed or written.

use std::path::Path;

use crate::cli::Man;
use crate::man::{self, Page};
use crate::output::{self, Exit, Failure};

pub(super) fn man(arguments: &Man) -> Result<Exit, Failure> {
    let pages = man::pages();
    if let Some(folder) = &arguments.output {
        write(folder, &pages)?;
        return Ok(Exit::Done);
    }
    let wanted = arguments.page.as_deref().unwrap_or("netnsctl");
    let names = |page: &&Page| {
        page.file_name() == wanted
            || page.name == wanted
            || page.name.strip_prefix("netnsctl-") == Some(wanted)
    };
    let page = pages.iter().find(names).ok_or_else(|| {
        let known: Vec<_> = pages.iter().map(Page::file_name).collect();
        Failure::usage(format!("there is no page {wanted:?}"))
            .hint(format!("there are: {}", known.join(", ")))
    })?;
    output::print(&page.text)?;
    Ok(Exit::Done)
}

/// Writes `DIR/man1/netnsctl.1` and the others, as man(1) looks for them.
fn write(folder: &Path, pages: &[Page]) -> Result<(), Failure> {
    for page in pages {
        let section = folder.join(format!("man{}", page.section));
        let path = section.join(page.file_name());
        std::fs::create_dir_all(&section)
            .and_then(|()| std::fs::write(&path, &page.text))
            .map_err(|error| {
                let words = netnsctl_sys::errno::Errno::of(&error);
                let path = path.display().to_string();
                Failure::failed(format!("cannot write manual page {path:?}: {words}"))
                    .hint("name a folder you may write to with --output")
            })?;
    }
    Ok(())
}
