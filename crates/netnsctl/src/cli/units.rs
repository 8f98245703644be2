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
    /// Make them for the machine whose files are below this folder: its configuration, its
    /// etc/netns and its etc/nsswitch.conf
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Also write the files by which polkit knows who may run commands in namespaces: below this
    /// folder, as in /usr/share/polkit-1
    #[arg(long, value_name = "DIR")]
    pub(crate) polkit: Option<PathBuf>,
    /// Order namespaces after network.target, not before it
    #[arg(long)]
    pub(crate) after_network: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServiceConfig {
    /// The namespace
    pub(crate) name: String,
}
