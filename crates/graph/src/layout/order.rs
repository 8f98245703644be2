//! What stands above what: cards and lanes in their columns, rows in their cards.

use super::metrics::Shape;
use super::net::{Net, height_of};
use crate::card::{Diagram, Section};

/// Rounds in which every column is sorted by where its neighbours are.
const ROUNDS: usize = 16;

/// Rounds in which neighbours in a column change places where that is better.
const SWAPS: usize = 40;

/// What a crossing costs, in pixels of length.
const CROSSING: i64 = 40;

/// Sorts every column so that lines are short and seldom cross.
pub(crate) fn order(net: &mut Net) {
    let mut best = (length(net, &net.stacked()), net.columns.clone());
    for round in 0..ROUNDS {
        let count = net.columns.len();
        for step in 0..count {
            let column = if round % 2 == 0 {
                step
            } else {
                count - 1 - step
            };
            let tops = net.stacked();
            let mut nodes = std::mem::take(&mut net.columns[column]);
            nodes.sort_by_key(|node| key(net, &tops, *node));
            net.columns[column] = nodes;
        }
        let now = length(net, &net.stacked());
        if now < best.0 {
            best = (now, net.columns.clone());
        }
    }
    net.columns = best.1;
    for _ in 0..SWAPS {
        if !swap(net) {
            break;
        }
    }
}

/// The middle of a node.
fn middle(net: &Net, tops: &[i32], node: usize) -> i64 {
    i64::from(tops[node]) + i64::from(net.nodes[node].height / 2)
}

/// Where a node should be: at the mean of its neighbours. What has none goes to the end.
fn key(net: &Net, tops: &[i32], node: usize) -> (bool, i64) {
    let heights: Vec<_> = net
        .neighbours(node)
        .map(|other| middle(net, tops, other))
        .collect();
    match i64::try_from(heights.len()) {
        Ok(0) | Err(_) => (true, i64::from(tops[node])),
        Ok(count) => (false, heights.iter().sum::<i64>() / count),
    }
}

/// How far all pieces go up or down.
fn length(net: &Net, tops: &[i32]) -> i64 {
    let of = |piece: &super::net::Piece| {
        let [one, other] = piece.ends.map(|end| middle(net, tops, end.node));
        (one - other).abs()
    };
    net.pieces.iter().map(of).sum()
}

/// Has neighbours in columns change places where that is better; whether any did.
fn swap(net: &mut Net) -> bool {
    let mut improved = false;
    for column in 0..net.columns.len() {
        let mut tops = net.stacked();
        for at in 1..net.columns[column].len() {
            let (above, below) = (net.columns[column][at - 1], net.columns[column][at]);
            let start = tops[above];
            let before = pair_cost(net, &tops, above, below);
            let (old_above, old_below) = (tops[above], tops[below]);
            tops[below] = start;
            tops[above] = start + net.nodes[below].height + net.gap(below, above);
            if pair_cost(net, &tops, below, above) < before {
                net.columns[column].swap(at - 1, at);
                // Gaps to what is around may have changed.
                let nodes = std::mem::take(&mut net.columns[column]);
                net.stack(&nodes, &mut tops);
                net.columns[column] = nodes;
                improved = true;
            } else {
                (tops[above], tops[below]) = (old_above, old_below);
            }
        }
    }
    improved
}

/// What the lines of two nodes cost, one just above the other: their length and their crossings.
fn pair_cost(net: &Net, tops: &[i32], above: usize, below: usize) -> i64 {
    let away = |node: usize| {
        let here = middle(net, tops, node);
        net.neighbours(node)
            .map(move |other| (middle(net, tops, other) - here).abs())
            .sum::<i64>()
    };
    let mut crossings = 0;
    for one in net.neighbours(above) {
        for other in net.neighbours(below) {
            let same_side = net.nodes[one].column == net.nodes[other].column;
            let crosses = tops[one] > tops[other];
            crossings += i64::from(one != other && same_side && crosses);
        }
    }
    // What stands alone stays below.
    let alone = i64::from(net.at[above].is_empty() && !net.at[below].is_empty());
    away(above) + away(below) + CROSSING * crossings + alone * 10_000
}

/// Sorts the rows of each card, within their sections, by where their lines lead.
pub(crate) fn rows(diagram: &Diagram, net: &Net, tops: &[i32], shapes: &mut [Shape]) {
    let before: Vec<Shape> = shapes.to_vec();
    for (card, shape) in shapes.iter_mut().enumerate() {
        let of = &diagram.cards[card];
        let mut wanted = vec![(0i64, 0i64); of.rows.len()];
        for piece in &net.at[card] {
            let [one, other] = net.pieces[*piece].ends;
            for (here, there) in [(one, other), (other, one)] {
                let (true, Some(row)) = (here.node == card, here.row) else {
                    continue;
                };
                let height = i64::from(height_of(net, &before, tops, there));
                wanted[row] = (wanted[row].0 + height, wanted[row].1 + 1);
            }
        }
        let mean = |row: &usize| match wanted[*row] {
            (_, 0) => 0,
            (sum, count) => sum / count,
        };
        let is_sorted =
            |section| matches!(section, Section::Veths | Section::Listen | Section::Connect);
        let place = |row: &usize| {
            let section = of.rows[*row].section;
            (
                section,
                if is_sorted(section) { mean(row) } else { 0 },
                *row,
            )
        };
        shape.order.sort_by_key(place);
        shape.arrange(of);
    }
}
