//! Where cards stand and lines run.
//!
//! Cards stand in columns. What joins neighbouring columns runs as a curve in the channel between
//! them; what joins cards of one column runs as a bracket beside it; what goes further passes the
//! columns between in lanes, kept free between their cards. So no line ever touches a card but at
//! its ends. This is the layered layout of Sugiyama, Tagawa and Toda (1981) without direction: the
//! number of columns is what makes the picture neither wide nor tall, and which card stands in which
//! follows from what keeps lines short.
//!
//! All in whole pixels, without chance: the same diagram has the same layout.

mod columns;
pub(crate) mod metrics;
mod net;
mod order;
mod place;
mod route;

use crate::card::{Diagram, Kind};
use metrics::Shape;
use net::Net;

pub(crate) use route::Path;

/// Columns a picture has at most.
const COLUMNS_MAX: usize = 24;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

/// Where everything is, from (0, 0).
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) width: i32,
    pub(crate) height: i32,
    /// The place of each card.
    pub(crate) cards: Vec<Rect>,
    /// What is where in each card.
    pub(crate) shapes: Vec<Shape>,
    /// The way of each edge.
    pub(crate) paths: Vec<Path>,
}

/// Finds a place for everything.
pub(crate) fn layout(diagram: &Diagram) -> Layout {
    let count = diagram.cards.len();
    let most = count.min(COLUMNS_MAX);
    // More columns than these are wider than any screen whatever is in them.
    let tried = (1..=most).take_while(|columns| *columns <= 3 + count / 3);
    tried
        .map(|columns| in_columns(diagram, columns))
        .min_by_key(|layout| score(layout, diagram.edges.len()))
        .unwrap_or_default()
}

fn in_columns(diagram: &Diagram, count: usize) -> Layout {
    let mut shapes: Vec<_> = diagram.cards.iter().map(Shape::of).collect();
    let joined: Vec<_> = diagram
        .edges
        .iter()
        .map(|edge| (edge.ends.map(|end| end.card), edge.kind))
        .collect();
    let heights: Vec<_> = shapes.iter().map(|shape| shape.height).collect();
    let mut columns = columns::assign(&heights, &joined, count);
    face_right(diagram, &mut columns);
    let mut net = Net::new(diagram, &shapes, &columns);
    order::order(&mut net);
    let mut tops = net.stacked();
    // What is next to what decides the order of rows, and rows where cards would best be.
    for _ in 0..3 {
        order::rows(diagram, &net, &tops, &mut shapes);
        place::settle(&net, &shapes, &mut tops);
    }
    order::rows(diagram, &net, &tops, &mut shapes);
    route::route(diagram, &net, shapes, &tops)
}

/// Mirrors the columns where home would be right of the middle, or most forwards point to the left.
fn face_right(diagram: &Diagram, columns: &mut [usize]) {
    let last = columns.iter().max().copied().unwrap_or(0);
    let home = diagram.cards.iter().position(|card| card.is_home);
    let home = home.map_or(std::cmp::Ordering::Equal, |home| {
        (columns[home] * 2).cmp(&last)
    });
    let forwards = diagram
        .edges
        .iter()
        .filter(|edge| edge.kind == Kind::Forward);
    let (mut left, mut right) = (0, 0);
    for edge in forwards {
        let [from, to] = edge.ends.map(|end| columns[end.card]);
        left += usize::from(to < from);
        right += usize::from(to > from);
    }
    if home.then(left.cmp(&right)).is_gt() {
        columns
            .iter_mut()
            .for_each(|column| *column = last - *column);
    }
}

/// How little a picture pleases: lines that go far, and a shape that is far from that of a screen.
fn score(layout: &Layout, edges: usize) -> i64 {
    let (width, height) = (
        i64::from(layout.width.max(1)),
        i64::from(layout.height.max(1)),
    );
    // Four to three, in thousandths: 1000 is perfect, 2000 twice as wide or tall as it should be.
    let wide = width * 3000 / (height * 4);
    let tall = height * 4000 / (width * 3);
    let shape = wide.max(tall) - 1000;
    let length: i64 = layout.paths.iter().map(|path| i64::from(path.length)).sum();
    let mean = length / i64::try_from(edges.max(1)).unwrap_or(i64::MAX);
    // A small picture may have any shape: nobody has to scroll.
    let size = (width * height).isqrt();
    mean * 2 + shape * size / 1500
}
