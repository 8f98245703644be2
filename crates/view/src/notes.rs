//! The notes inside a view: what is bound and covered in it, and the mount namespace that it was
//! made from.

use std::collections::BTreeSet;

use netnsctl_base::error::{Context, Error};
use netnsctl_base::files::{open_folder_nofollow, replace_file};
use netnsctl_base::presence::if_present;

/// The folder of pins, in which each view has a folder of its name.
pub const VIEWS: &str = "/run/netnsctl/views";

/// Inside a view, what is bound and covered there, and what the view was made from.
pub(crate) const BOUND: &str = "/run/netnsctl/views/bound";

/// The name of that file.
pub(crate) const NOTES: &str = "bound";

/// What the line begins with that notes where a view comes from.
pub(crate) const FROM: &str = "from ";

/// What is bound and covered in the view this process is in, one a line; nothing outside of views.
pub(crate) fn bound() -> Result<BTreeSet<String>, Error> {
    let text = if_present(std::fs::read_to_string(BOUND)).context("read", BOUND)?;
    let text = text.unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

/// Notes what is bound and covered in the view this process is in.
pub(crate) fn note(lines: &BTreeSet<String>) -> Result<(), Error> {
    let folder = open_folder_nofollow(VIEWS).context("open", VIEWS)?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    replace_file(&folder, NOTES, text.as_bytes(), 0o600).context("write", BOUND)
}

/// Whether a line of the notes says where the view comes from.
pub(crate) fn is_origin(line: &str) -> bool {
    line.starts_with(FROM)
}
