//! `top`: the live view, where it is built in.

use std::path::PathBuf;

use crate::cli::Top;
use crate::output::{Exit, Failure};

#[cfg(feature = "top")]
pub(super) fn top(config: Vec<PathBuf>, arguments: &Top) -> Result<Exit, Failure> {
    crate::top::top(config, arguments)
}

#[cfg(not(feature = "top"))]
pub(super) fn top(_: Vec<PathBuf>, _: &Top) -> Result<Exit, Failure> {
    Err(
        Failure::usage("\"top\" is not built into this program (cargo feature \"top\")")
            .hint("\"netnsctl status --watch\" shows the same without rates"),
    )
}
