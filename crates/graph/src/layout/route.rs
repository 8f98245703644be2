//! How lines run.

use super::metrics::Shape;
use super::net::{Net, Piece, height_of};
use super::{Layout, Rect};
use crate::card::{Diagram, Kind};

/// From a card to the first bracket beside it.
const BRACKET: i32 = 16;
/// From one bracket to the next.
const BRACKET_STEP: i32 = 9;
/// Between two brackets that are as far out, one below the other.
const APART: i32 = 4;
/// Of the corners of brackets.
const RADIUS: i32 = 7;
/// The length of an arrow's head.
const HEAD: i32 = 9;
/// The least that a channel is wide.
const CHANNEL_MIN: i32 = 76;
/// The most.
const CHANNEL_MAX: i32 = 230;

/// An arrow's head: its point, and where it points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrow {
    pub(crate) x: i32,
    pub(crate) y: i32,
    /// Whether it points to the right.
    pub(crate) right: bool,
}

/// The way of an edge.
#[derive(Debug, Default)]
pub(crate) struct Path {
    /// As SVG writes it.
    pub(crate) way: String,
    /// Where a dot is drawn.
    pub(crate) dots: Vec<(i32, i32)>,
    pub(crate) arrow: Option<Arrow>,
    /// Roughly, in pixels.
    pub(crate) length: i32,
}

/// What is beside the columns.
struct Channels {
    /// The left and right edge of each column.
    edges: Vec<(i32, i32)>,
    /// How far out the bracket of a piece goes; none for the others.
    brackets: Vec<Option<i32>>,
    /// Room for brackets at the right of each column.
    rooms: Vec<i32>,
    width: i32,
}

/// Draws the lines between nodes that stand where `tops` says.
pub(crate) fn route(diagram: &Diagram, net: &Net, shapes: Vec<Shape>, tops: &[i32]) -> Layout {
    let height = |place| height_of(net, &shapes, tops, place);
    let heights: Vec<[i32; 2]> = net
        .pieces
        .iter()
        .map(|piece| piece.ends.map(height))
        .collect();
    let channels = channels(net, &shapes, &heights);
    let mut paths: Vec<Path> = diagram.edges.iter().map(|_| Path::default()).collect();
    for (number, piece) in net.pieces.iter().enumerate() {
        let path = &mut paths[piece.edge];
        let ends = heights[number];
        let points_to = match diagram.edges[piece.edge].kind {
            Kind::Forward => Some(diagram.edges[piece.edge].ends[1]),
            Kind::Veth => None,
        };
        let mut is_target = [0, 1].map(|end| {
            let place = piece.ends[end];
            points_to.is_some_and(|to| place.node == to.card && place.row == Some(to.row))
        });
        // A forward of a namespace to itself has both ends there, in two rows.
        if is_target == [true, true] {
            is_target[0] = false;
        }
        match channels.brackets[number] {
            Some(depth) => bracket(path, &channels, net, piece, ends, depth, is_target),
            None => curve(path, &channels, net, piece, ends, is_target),
        }
    }
    let cards = net
        .nodes
        .iter()
        .zip(tops)
        .filter(|(node, _)| node.card.is_some());
    let cards: Vec<_> = cards
        .map(|(node, top)| {
            let (left, right) = channels.edges[node.column];
            Rect {
                x: left,
                y: *top,
                width: right - left,
                height: node.height,
            }
        })
        .collect();
    let bottom = net
        .nodes
        .iter()
        .zip(tops)
        .map(|(node, top)| top + node.height)
        .max();
    Layout {
        width: channels.width,
        height: bottom.unwrap_or(0),
        cards,
        shapes,
        paths,
    }
}

/// Whether brackets of a column are at its left, which is where nothing else is.
fn at_left(net: &Net, column: usize) -> bool {
    column == 0 && net.columns.len() > 1
}

fn channels(net: &Net, shapes: &[Shape], heights: &[[i32; 2]]) -> Channels {
    let mut brackets = vec![None; net.pieces.len()];
    let (mut rooms, mut widths) = (Vec::new(), Vec::new());
    let mut left = 0;
    for column in 0..net.columns.len() {
        let column_of = |piece: &Piece, end: usize| net.nodes[piece.ends[end].node].column;
        let pieces = net.pieces.iter().enumerate();
        let (beside, across): (Vec<_>, Vec<_>) = pieces
            .filter(|(_, piece)| column_of(piece, 0) == column)
            .partition(|(_, piece)| column_of(piece, 1) == column);
        let spans = beside
            .iter()
            .map(|(number, _)| (span(heights[*number]), *number));
        let room = nest(spans.collect(), &mut brackets);
        if at_left(net, column) {
            left = room;
        }
        rooms.push(if at_left(net, column) { 0 } else { room });
        let drop =
            |(number, _): &(usize, &Piece)| (heights[*number][0] - heights[*number][1]).abs();
        let steepest = across.iter().map(drop).max().unwrap_or(0);
        widths.push((CHANNEL_MIN + steepest / 6).min(CHANNEL_MAX));
    }
    let mut edges = Vec::new();
    let mut x = left;
    for (column, nodes) in net.columns.iter().enumerate() {
        let cards = nodes.iter().filter_map(|node| net.nodes[*node].card);
        let width = cards.map(|card| shapes[card].width).max().unwrap_or(0);
        edges.push((x, x + width));
        x += width + rooms[column];
        if column + 1 < net.columns.len() {
            x += widths[column];
        }
    }
    Channels {
        edges,
        brackets,
        rooms,
        width: x,
    }
}

/// Nests the brackets of a column, by their spans and the numbers of their pieces, so that none lies
/// on another; returns how much room they take.
fn nest(mut spans: Vec<([i32; 2], usize)>, brackets: &mut [Option<i32>]) -> i32 {
    let mut levels: Vec<Vec<[i32; 2]>> = Vec::new();
    spans.sort_by_key(|([from, to], number)| (to - from, *from, *number));
    for (span, number) in spans {
        let apart = |other: &[i32; 2]| span[1] + APART < other[0] || other[1] + APART < span[0];
        let free = levels.iter().position(|taken| taken.iter().all(apart));
        let level = free.unwrap_or(levels.len());
        if level == levels.len() {
            levels.push(Vec::new());
        }
        levels[level].push(span);
        brackets[number] = Some(BRACKET + BRACKET_STEP * i32::try_from(level).unwrap_or(0));
    }
    match i32::try_from(levels.len()).unwrap_or(0) {
        0 => 0,
        count => BRACKET + BRACKET_STEP * count,
    }
}

fn span([one, other]: [i32; 2]) -> [i32; 2] {
    [one.min(other), one.max(other)]
}

impl Path {
    fn add(&mut self, words: &str) {
        if !self.way.is_empty() {
            self.way.push(' ');
        }
        self.way.push_str(words);
    }

    /// Notes how an edge ends at (`x`, `y`), the side of a card; returns where its line ends.
    fn end(&mut self, x: i32, y: i32, is_target: bool, card_is_right: bool) -> i32 {
        if !is_target {
            self.dots.push((x, y));
            return x;
        }
        self.arrow = Some(Arrow {
            x,
            y,
            right: card_is_right,
        });
        if card_is_right {
            x - HEAD + 1
        } else {
            x + HEAD - 1
        }
    }
}

/// A line beside a column, out and back.
fn bracket(
    path: &mut Path,
    channels: &Channels,
    net: &Net,
    piece: &Piece,
    [from, to]: [i32; 2],
    depth: i32,
    is_target: [bool; 2],
) {
    let column = net.nodes[piece.ends[0].node].column;
    let left = at_left(net, column);
    let (edge, out) = match left {
        true => (channels.edges[column].0, channels.edges[column].0 - depth),
        false => (channels.edges[column].1, channels.edges[column].1 + depth),
    };
    let start = path.end(edge, from, is_target[0], left);
    let end = path.end(edge, to, is_target[1], left);
    let radius = RADIUS.min((from - to).abs() / 2);
    let before = if left { out + radius } else { out - radius };
    let turn = if to > from { radius } else { -radius };
    path.add(&format!(
        "M{start} {from}H{before}Q{out} {from} {out} {}V{}Q{out} {to} {before} {to}H{end}",
        from + turn,
        to - turn,
    ));
    path.length += (depth + (from - to).abs()) * 2;
}

/// A line from one column to the next.
fn curve(
    path: &mut Path,
    channels: &Channels,
    net: &Net,
    piece: &Piece,
    [from, to]: [i32; 2],
    is_target: [bool; 2],
) {
    let [first, last] = piece.ends.map(|end| &net.nodes[end.node]);
    let (mut start, mut end) = (
        channels.edges[first.column].1,
        channels.edges[last.column].0,
    );
    let straight = start + channels.rooms[first.column];
    let middle = (straight + end) / 2;
    path.length += end - start + (from - to).abs();
    if first.card.is_some() {
        start = path.end(start, from, is_target[0], false);
        path.add(&format!("M{start} {from}"));
    } else {
        // From the other side of the column, by the lane.
        path.add(&format!("H{start}"));
    }
    if last.card.is_some() {
        end = path.end(end, to, is_target[1], true);
    }
    if straight > start {
        path.add(&format!("H{straight}"));
    }
    path.add(&match from == to {
        true => format!("H{end}"),
        false => format!("C{middle} {from} {middle} {to} {end} {to}"),
    });
}
