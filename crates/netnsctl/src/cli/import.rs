//! What can be typed after `import`.

use std::path::PathBuf;

use clap::Args;

use super::Sandbox;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Namespaces; all that netnsctl does not manage yet if none
    pub(crate) names: Vec<String>,
    /// Read a shell script that calls ip(8) and sysctl(8) instead; "-" is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["names", "sandbox"])]
    pub(crate) from_script: Option<PathBuf>,
    /// Read a profile of wg-netns in JSON instead; "-" is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["names", "sandbox", "from_script"])]
    pub(crate) from_wg_netns: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}
