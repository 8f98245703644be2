//! What can be typed to have the topology drawn.

use clap::{Args, ValueEnum};

use super::Sandbox;

#[derive(Debug, Args)]
#[command(
    after_help = "What is declared is drawn; with --live what is there: what is declared and \
missing is dashed, what nobody declared has a colour of its own, and either is said by a word. The \
picture (SVG) needs nothing else and has light and dark colours.

Examples:
  netnsctl graph >topology.svg
  netnsctl graph --live office >office.svg       one, and what it is joined to
  netnsctl graph --format mermaid                for a README
  netnsctl graph --format dot | dot -Tpdf >topology.pdf"
)]
pub(crate) struct Graph {
    /// Only these namespaces and what they are joined to; all if none
    pub(crate) names: Vec<String>,
    /// What to write; svg, but mermaid on a terminal
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<GraphFormat>,
    /// Draw what is there, marked where it differs from what is declared, with what forwards carried
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) sandbox: Sandbox,
}

/// What a topology can be written as.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For dot(1) of Graphviz
    Dot,
    /// For Markdown, where GitHub, GitLab and many wikis draw it
    Mermaid,
    /// A picture
    Svg,
}
