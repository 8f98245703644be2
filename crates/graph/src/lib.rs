//! The topology of a declaration as a picture (SVG) or as text that others draw (DOT, Mermaid).
//!
//! Three steps: a [`Topology`] says what is drawn, and how it differs from what is declared if that
//! was looked at; a card for each namespace lists what is in it, a row each; and a format writes
//! them. What a line joins stands in the rows it begins and ends at, so lines need no labels, and
//! nothing of a label can lie on anything else. For SVG, `layout` finds the places.
//!
//! Opens no file and knows nothing of the machine: one input, one text.
#![forbid(unsafe_code)]

mod build;
mod card;
mod dot;
mod escape;
mod layout;
mod mermaid;
mod svg;
mod topology;
mod words;

pub use build::Live;
pub use topology::{End, Forward, Link, Mark, Marked, Namespace, Topology, Veth};

/// What a topology can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The language of Graphviz (dot(1)).
    Dot,
    /// The language of Mermaid, which forges and wikis draw in Markdown.
    Mermaid,
    /// A picture that needs nothing else.
    Svg,
}

/// Writes `topology`.
pub fn render(topology: &Topology, format: Format) -> String {
    match format {
        Format::Dot => dot::render(topology),
        Format::Mermaid => mermaid::render(topology),
        Format::Svg => svg::render(topology),
    }
}
