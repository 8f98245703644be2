//! What can be typed to put namespaces under systemd.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Units {
    /// Write them below this folder, for example /etc/systemd/system, and print nothing
    #[arg(long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// The path of netnsctl where the units will be used; that of this one if not given
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServiceConfig {
    /// The namespace
    pub(crate) name: String,
}
