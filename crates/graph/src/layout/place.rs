//! How high everything stands, once it is known what stands above what.

use super::metrics::Shape;
use super::net::{Net, height_of};

/// Rounds in which all columns are placed by their neighbours.
const ROUNDS: usize = 14;

/// What the wish of a lane counts against that of a line into a card: bends are worst in lanes.
const LANE_WEIGHT: i64 = 3;

/// Moves the nodes of every column to where their lines are as level as can be.
pub(crate) fn settle(net: &Net, shapes: &[Shape], tops: &mut [i32]) {
    let count = net.columns.len();
    for round in 0..ROUNDS {
        for step in 0..count {
            let column = if round % 2 == 0 {
                step
            } else {
                count - 1 - step
            };
            place_column(net, shapes, &net.columns[column], tops);
        }
    }
    gather_lonely(net, tops);
    let highest = tops.iter().min().copied().unwrap_or(0);
    tops.iter_mut().for_each(|top| *top -= highest);
}

/// A run of nodes without gaps between them but those they need, and where it wants to begin: the
/// sum of all wishes, and how many there are.
struct Run {
    wish: i64,
    weight: i64,
    nodes: usize,
}

impl Run {
    fn start(&self) -> i64 {
        self.wish.div_euclid(self.weight)
    }
}

/// Gives every node of a column the height it wishes as nearly as the order allows (least squares
/// by pooling adjacent violators: Ayer and others, 1955).
fn place_column(net: &Net, shapes: &[Shape], column: &[usize], tops: &mut [i32]) {
    let mut runs: Vec<Run> = Vec::new();
    let mut offsets = Vec::with_capacity(column.len());
    let mut offset = 0;
    for (at, node) in column.iter().enumerate() {
        if at > 0 {
            let above = column[at - 1];
            offset += net.nodes[above].height + net.gap(above, *node);
        }
        offsets.push(offset);
        let (wish, weight) = wish(net, shapes, tops, *node);
        let mut run = Run {
            wish: (wish - i64::from(offset)) * weight,
            weight,
            nodes: 1,
        };
        while let Some(above) = runs.pop_if(|above| above.start() >= run.start()) {
            run.wish += above.wish;
            run.weight += above.weight;
            run.nodes += above.nodes;
        }
        runs.push(run);
    }
    let starts = runs
        .iter()
        .flat_map(|run| std::iter::repeat_n(run.start(), run.nodes));
    for ((node, offset), start) in column.iter().zip(offsets).zip(starts) {
        tops[*node] = i32::try_from(start + i64::from(offset)).unwrap_or(offset);
    }
}

/// The top a node wishes for, and what that counts.
fn wish(net: &Net, shapes: &[Shape], tops: &[i32], node: usize) -> (i64, i64) {
    let (mut sum, mut count) = (0, 0);
    for piece in &net.at[node] {
        let [one, other] = net.pieces[*piece].ends;
        let (here, there) = if one.node == node {
            (one, other)
        } else {
            (other, one)
        };
        // A bracket is no shorter for being level, and a line of a card to itself never moves.
        if net.nodes[there.node].column == net.nodes[node].column {
            continue;
        }
        let within = height_of(net, shapes, tops, here) - tops[node];
        let height = height_of(net, shapes, tops, there);
        sum += i64::from(height - within);
        count += 1;
    }
    match (count, net.nodes[node].card) {
        (0, _) => (i64::from(tops[node]), 1),
        (count, Some(_)) => (sum / count, 1 + count.min(8)),
        (count, None) => (sum / count, LANE_WEIGHT),
    }
}

/// Moves what leads to no other column to what is next to it.
fn gather_lonely(net: &Net, tops: &mut [i32]) {
    let stays = |node: usize| {
        let column = net.nodes[node].column;
        net.neighbours(node)
            .all(|other| net.nodes[other].column == column)
    };
    let highest = tops.iter().min().copied().unwrap_or(0);
    for column in &net.columns {
        let Some(first) = column.iter().position(|node| !stays(*node)) else {
            tops[column[0]] = highest;
            net.stack(column, tops);
            continue;
        };
        for at in (0..first).rev() {
            let (above, below) = (column[at], column[at + 1]);
            tops[above] = tops[below] - net.gap(above, below) - net.nodes[above].height;
        }
        for at in first + 1..column.len() {
            let (above, below) = (column[at - 1], column[at]);
            if stays(below) {
                tops[below] = tops[above] + net.nodes[above].height + net.gap(above, below);
            }
        }
    }
}
