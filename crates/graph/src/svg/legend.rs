//! What lines and colours mean, as far as they are in the picture.

use std::fmt::Write as _;

use super::{class, text};
use crate::card::{Diagram, Kind};
use crate::layout::metrics::text_width;
use crate::topology::{Tone, Topology};

/// Above the legend.
const GAP: i32 = 26;
/// From one line to the next.
const LINE: i32 = 22;
/// The width of a sample.
const SAMPLE: i32 = 34;
/// Between a sample and its text.
const SAMPLE_GAP: i32 = 9;
/// Between two entries.
const ENTRY_GAP: i32 = 28;
/// The least that a picture is wide, so that no entry stands on a line of its own without need.
const WIDTH_MIN: i32 = 420;

struct Entry {
    x: i32,
    y: i32,
    kind: Kind,
    tone: Tone,
    words: &'static str,
}

pub(crate) struct Legend {
    entries: Vec<Entry>,
    pub(crate) width: i32,
    /// None if there is nothing to explain.
    pub(crate) height: i32,
}

impl Legend {
    /// The legend of a picture of that width.
    pub(crate) fn of(topology: &Topology, diagram: &Diagram, width: i32) -> Self {
        let limit = width.max(WIDTH_MIN);
        let mut legend = Self {
            entries: Vec::new(),
            width: 0,
            height: 0,
        };
        let (mut x, mut y) = (0, GAP + LINE / 2);
        for (kind, tone, words) in needed(topology, diagram) {
            let width = SAMPLE + SAMPLE_GAP + text_width(words);
            if x > 0 && x + width > limit {
                (x, y) = (0, y + LINE);
            }
            legend.entries.push(Entry {
                x,
                y,
                kind,
                tone,
                words,
            });
            legend.width = legend.width.max(x + width);
            legend.height = y + LINE / 2;
            x += width + ENTRY_GAP;
        }
        legend
    }

    /// Draws it below and right of a point.
    pub(crate) fn draw(&self, svg: &mut String, left: i32, top: i32) {
        for entry in &self.entries {
            let (x, y) = (left + entry.x, top + entry.y);
            let end = x + SAMPLE;
            let tone = class(entry.tone);
            let kind = match entry.kind {
                Kind::Forward => "forward",
                Kind::Veth => "veth",
            };
            let to = if entry.kind == Kind::Forward {
                end - 8
            } else {
                end
            };
            let _ = writeln!(
                svg,
                "<g class=\"line {kind} {tone}\"><path d=\"M{x} {y}H{to}\"/></g>"
            );
            let dot = |svg: &mut String, x: i32| {
                let _ = writeln!(
                    svg,
                    "<circle class=\"end {kind} {tone}\" cx=\"{x}\" cy=\"{y}\" r=\"3.5\"/>"
                );
            };
            match entry.kind {
                Kind::Veth => {
                    dot(svg, x);
                    dot(svg, end);
                }
                Kind::Forward => {
                    dot(svg, x);
                    let (back, up, down) = (end - 9, y - 5, y + 5);
                    let _ = writeln!(
                        svg,
                        "<path class=\"head {kind} {tone}\" d=\"M{end} {y}L{back} {up}V{down}Z\"/>"
                    );
                }
            }
            text(
                svg,
                "legend",
                end + SAMPLE_GAP,
                y + 4,
                text_width(entry.words),
                entry.words,
            );
        }
    }
}

/// What there is to explain.
fn needed(topology: &Topology, diagram: &Diagram) -> Vec<(Kind, Tone, &'static str)> {
    let mut needed = Vec::new();
    if !topology.veths.is_empty() {
        needed.push((Kind::Veth, Tone::Plain, "veth pair"));
    }
    if !topology.forwards.is_empty() {
        needed.push((Kind::Forward, Tone::Plain, "forward: listens, connects"));
    }
    let of_cards = diagram.cards.iter().flat_map(|card| {
        let rows = card.rows.iter();
        let of_rows = rows.flat_map(|row| row.lines.iter().map(|line| line.tone).chain([row.tone]));
        of_rows.chain([card.tone])
    });
    let used: Vec<_> = of_cards
        .chain(diagram.edges.iter().map(|edge| edge.tone))
        .collect();
    let tones = [
        (Tone::Missing, "declared, not there"),
        (Tone::Extra, "there, not declared"),
        (Tone::Differs, "differs from what is declared"),
    ];
    for (tone, words) in tones {
        if used.contains(&tone) {
            needed.push((Kind::Veth, tone, words));
        }
    }
    needed
}
