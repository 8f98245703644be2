//! Whether others than root may change what root reads as configuration.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use netnsctl_base::user_namespace::is_initial_user_namespace;

/// What is wrong with the owner and mode of a file that root takes for its configuration, and of the
/// folder it is in; none if nothing is, and none for users who are not root.
///
/// What cannot be looked at cannot be read either, which has been said then.
pub(crate) fn open_to_others(path: &Path) -> Option<String> {
    // Elsewhere the machine's root is another user.
    let is_machine = is_initial_user_namespace().unwrap_or(true);
    if !(is_machine && rustix::process::geteuid().is_root()) {
        return None;
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    [path, folder].into_iter().find_map(|path| {
        let found = std::fs::metadata(path).ok()?;
        let who = others(&found)?;
        Some(format!(
            "{} can change {:?}, and so what root does with it",
            who,
            path.display().to_string()
        ))
    })
}

/// Who but root may change it.
fn others(found: &Metadata) -> Option<String> {
    /// Only the owner of a file may remove or replace it in such a folder (inode(7)).
    const STICKY: u32 = 0o1000;
    let (user, group, mode) = (found.uid(), found.gid(), found.mode());
    let may = |bit| mode & bit != 0 && !(found.is_dir() && mode & STICKY != 0);
    if user != 0 {
        return Some(format!("user {user}"));
    }
    if may(0o002) {
        return Some("every user".to_owned());
    }
    (group != 0 && may(0o020)).then(|| format!("group {group}"))
}
