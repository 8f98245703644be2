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
    /// What the pages are written in: mdoc for man(1), or Markdown, all in one folder
    #[arg(long, value_enum, default_value_t = ManFormat::Mdoc)]
    pub(crate) format: ManFormat,
}

/// What manual pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManFormat {
    Markdown,
    Mdoc,
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
