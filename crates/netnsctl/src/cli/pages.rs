//! What can be typed for manual pages, completion and the schema.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Only this page: a command, or the page's name such as netnsctl.toml; netnsctl if none
    #[arg(conflicts_with = "output")]
    pub(crate) page: Option<String>,
    /// Write all pages below this folder, for example /usr/local/share/man, and print nothing
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// The shells that can be helped.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Fish,
    Zsh,
}

#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// The words of the line up to the cursor, the program first
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<OsString>,
}
