//! What can be typed to have a machine or a view examined.

use clap::Args;

use super::Sandbox;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A namespace, to prove that its view holds; without, the kernel, the host and the declaration are looked at
    pub(crate) name: Option<String>,
    /// Shows what is fine too
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// For programs; docs/json.md has the shape
    #[arg(long)]
    pub(crate) json: bool,
    /// Looks from inside and asks for this name; `doctor` starts itself with it
    #[arg(long, value_name = "QUESTION", hide = true, requires = "name")]
    pub(crate) inside: Option<String>,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}
