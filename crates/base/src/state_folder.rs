//! `/run/netnsctl`: the folder of records, and of what else is kept beside them.

use crate::error::Error;
use crate::files::make_folder;

/// The folder.
pub const RUN_NETNSCTL: &str = "/run/netnsctl";

/// Its mode: others may pass through, to `conf`, but not open it, because any process that can open it can lock
/// it, and so keep everybody from changing anything.
pub const FOLDER_MODE: u32 = 0o711;

/// Makes the folder of records if need be, for what else is kept there.
pub fn make() -> Result<(), Error> {
    make_folder(RUN_NETNSCTL, FOLDER_MODE)
}
