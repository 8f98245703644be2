//! The user namespace of this process (user_namespaces(7)).

use crate::error::{Context, Error};
use crate::presence::if_present;

/// What the initial user namespace maps (user_namespaces(7)).
const EVERY_ID: [&str; 3] = ["0", "0", "4294967295"];

/// Whether this process is in the user namespace of the machine, in which user 0 is its root.
///
/// Errors: /proc cannot be read.
pub fn is_initial_user_namespace() -> Result<bool, Error> {
    const MAP: &str = "/proc/self/uid_map";
    let map = if_present(std::fs::read_to_string(MAP)).context("read", MAP)?;
    // A kernel without user namespaces has no such file.
    Ok(map.is_none_or(|map| map.split_whitespace().eq(EVERY_ID)))
}
