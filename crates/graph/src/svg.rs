//! The picture: SVG 1.1 with a style sheet inside, without scripts, fonts or anything else from
//! elsewhere, so it is the same in a browser, in a README and in an editor.
//!
//! It has its own background, since whoever shows it as an image may have any. Its colours follow
//! the reader's wish for light or dark (prefers-color-scheme). Fonts differ in width by some
//! hundredths, so each text says how wide it is (textLength) and never leaves its place.

mod legend;

use std::fmt::Write as _;

use crate::card::{Card, Diagram, Edge, Kind, Row, diagram};
use crate::escape::xml;
use crate::layout::metrics::{LINE, PADDING, Shape, text_width, title_width};
use crate::layout::{Layout, Path, Rect, layout};
use crate::topology::{Tone, Topology};

/// Around everything.
const MARGIN: i32 = 28;
/// Between a line's text and the word behind it.
const WORD_GAP: i32 = 10;

/// All colours and lines.
const STYLE: &str = include_str!("svg/style.css");

pub(crate) fn render(topology: &Topology) -> String {
    let diagram = diagram(topology);
    let layout = layout(&diagram);
    let legend = legend::Legend::of(topology, &diagram, layout.width);
    let width = layout.width.max(legend.width) + 2 * MARGIN;
    let height = layout.height + legend.height + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"12\"/>\n",
        xml(&title(topology)),
    );
    let indent = (width - layout.width) / 2;
    let _ = writeln!(svg, "<g transform=\"translate({indent} {MARGIN})\">");
    // What is drawn later is above; what is as it should be comes first.
    let mut edges: Vec<_> = diagram.edges.iter().zip(&layout.paths).collect();
    edges.sort_by_key(|(edge, _)| (edge.tone, edge.kind == Kind::Forward));
    for (edge, path) in &edges {
        line(&mut svg, edge, path);
    }
    for place in 0..diagram.cards.len() {
        card(&mut svg, &diagram, &layout, place);
    }
    for (edge, path) in &edges {
        ends(&mut svg, edge, path);
    }
    svg.push_str("</g>\n");
    legend.draw(&mut svg, MARGIN, MARGIN + layout.height);
    svg.push_str("</svg>\n");
    svg
}

/// What the picture shows, for those who do not see it and as a tooltip.
fn title(topology: &Topology) -> String {
    let count = |number: usize, what: &str| {
        let s = if number == 1 { "" } else { "s" };
        format!("{number} {what}{s}")
    };
    format!(
        "Network namespaces{}: {}, {}, {}",
        if topology.live { " as they are" } else { "" },
        count(topology.namespaces.len(), "namespace"),
        count(topology.veths.len(), "veth pair"),
        count(topology.forwards.len(), "forward"),
    )
}

/// The class of a tone.
fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Muted => "muted",
        Tone::Missing => "missing",
        Tone::Extra => "extra",
        Tone::Differs => "differs",
    }
}

fn kind(edge: &Edge) -> &'static str {
    match edge.kind {
        Kind::Forward => "forward",
        Kind::Veth => "veth",
    }
}

fn line(svg: &mut String, edge: &Edge, path: &Path) {
    let _ = writeln!(
        svg,
        "<g class=\"line {} {}\"><title>{}</title><path d=\"{}\"/></g>",
        kind(edge),
        class(edge.tone),
        xml(&edge.title),
        path.way,
    );
}

/// The dots and the arrow of a line, above cards.
fn ends(svg: &mut String, edge: &Edge, path: &Path) {
    let (kind, tone) = (kind(edge), class(edge.tone));
    for (x, y) in &path.dots {
        let _ = writeln!(
            svg,
            "<circle class=\"end {kind} {tone}\" cx=\"{x}\" cy=\"{y}\" r=\"3.5\"/>"
        );
    }
    if let Some(arrow) = path.arrow {
        let (x, y) = (arrow.x, arrow.y);
        let back = if arrow.right { x - 9 } else { x + 9 };
        let (up, down) = (y - 5, y + 5);
        let _ = writeln!(
            svg,
            "<path class=\"head {kind} {tone}\" d=\"M{x} {y}L{back} {up}V{down}Z\"/>"
        );
    }
}

fn card(svg: &mut String, diagram: &Diagram, layout: &Layout, place: usize) {
    let (card, rect, shape) = (
        &diagram.cards[place],
        layout.cards[place],
        &layout.shapes[place],
    );
    let Rect {
        x,
        y,
        width,
        height,
    } = rect;
    let home = if card.is_home { " home" } else { "" };
    let _ = writeln!(svg, "<g class=\"card {}{home}\">", class(card.tone));
    let _ = writeln!(
        svg,
        "<rect class=\"body\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>"
    );
    header(svg, card, rect, shape);
    for rule in &shape.rules {
        let (from, to, y) = (x + PADDING, x + width - PADDING, y + rule);
        let _ = writeln!(svg, "<path class=\"rule\" d=\"M{from} {y}H{to}\"/>");
    }
    for (at, of) in card.rows.iter().enumerate() {
        row(svg, of, x, x + shape.value, y + shape.rows[at]);
    }
    svg.push_str("</g>\n");
}

/// The name, and a word at the right.
fn header(svg: &mut String, card: &Card, rect: Rect, shape: &Shape) {
    let Rect {
        x,
        y,
        width,
        height,
    } = rect;
    let (right, bottom) = (x + width, y + shape.header);
    let top = format!(
        "M{x} {bottom}V{}q0 -8 8 -8H{}q8 0 8 8V{bottom}",
        y + 8,
        right - 8
    );
    // A card without rows is all header.
    let way = match shape.header == height {
        true => format!(
            "M{} {y}H{}q8 0 8 8V{}q0 8 -8 8H{}q-8 0 -8 -8V{}q0 -8 8 -8Z",
            x + 8,
            right - 8,
            bottom - 8,
            x + 8,
            y + 8
        ),
        false => format!("{top}Z"),
    };
    let _ = writeln!(svg, "<path class=\"header\" d=\"{way}\"/>");
    let mut baseline = y + 20;
    for line in &card.title {
        text(svg, "name", x + PADDING, baseline, title_width(line), line);
        baseline += 18;
    }
    if let Some(tag) = &card.tag {
        let width = text_width(tag);
        text(svg, "tag", right - PADDING - width, y + 20, width, tag);
    }
}

fn row(svg: &mut String, row: &Row, x: i32, value: i32, middle: i32) {
    let mut baseline = middle + 4;
    let label = format!("label {}", class(row.tone));
    text(
        svg,
        &label,
        x + PADDING,
        baseline,
        text_width(&row.label),
        &row.label,
    );
    for line in &row.lines {
        let width = text_width(&line.text);
        let mut word_at = value;
        if !line.text.is_empty() {
            text(
                svg,
                &format!("value {}", class(line.tone)),
                value,
                baseline,
                width,
                &line.text,
            );
            word_at += width + WORD_GAP;
        }
        if let Some(word) = &line.word {
            let tone = if line.tone == Tone::Plain || line.tone == Tone::Muted {
                row.tone
            } else {
                line.tone
            };
            text(
                svg,
                &format!("word {}", class(tone)),
                word_at,
                baseline,
                text_width(word),
                word,
            );
        }
        baseline += LINE;
    }
}

/// One text that is `width` wide.
fn text(svg: &mut String, class: &str, x: i32, baseline: i32, width: i32, text: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x}\" y=\"{baseline}\" textLength=\"{width}\" \
         lengthAdjust=\"spacingAndGlyphs\">{}</text>",
        xml(text),
    );
}
