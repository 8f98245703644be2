//! Cards and lanes by column, and the pieces of lines between them.

use super::metrics::Shape;
use crate::card::Diagram;

/// Between two cards of a column.
pub(crate) const CARD_GAP: i32 = 26;
/// Between a card and a lane.
const LANE_GAP: i32 = 13;
/// From one lane to the next.
const LANE: i32 = 9;

/// A card, or a lane that a line takes through a column.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) column: usize,
    /// None for a lane.
    pub(crate) card: Option<usize>,
    pub(crate) height: i32,
}

/// An end of a piece: a node, and the row if that is a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) node: usize,
    pub(crate) row: Option<usize>,
}

/// A piece of a line, in one channel; never from right to left.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) edge: usize,
    pub(crate) ends: [Place; 2],
}

/// All of them. The first nodes are the cards, in their order.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    /// Those of one edge are next to each other, from left to right.
    pub(crate) pieces: Vec<Piece>,
    /// The nodes of each column from top to bottom.
    pub(crate) columns: Vec<Vec<usize>>,
    /// The pieces at each node.
    pub(crate) at: Vec<Vec<usize>>,
}

impl Net {
    pub(crate) fn new(diagram: &Diagram, shapes: &[Shape], columns: &[usize]) -> Self {
        let cards = shapes.iter().zip(columns).enumerate();
        let card = |(card, (shape, column)): (usize, (&Shape, &usize))| Node {
            column: *column,
            card: Some(card),
            height: shape.height,
        };
        let mut net = Self {
            nodes: cards.map(card).collect(),
            pieces: Vec::new(),
            columns: Vec::new(),
            at: Vec::new(),
        };
        for (edge, of) in diagram.edges.iter().enumerate() {
            let mut ends = of.ends.map(|end| Place {
                node: end.card,
                row: Some(end.row),
            });
            ends.sort_by_key(|end| net.nodes[end.node].column);
            let [first, last] = ends;
            let mut from = first;
            for column in net.nodes[first.node].column + 1..net.nodes[last.node].column {
                let lane = Place {
                    node: net.nodes.len(),
                    row: None,
                };
                net.nodes.push(Node {
                    column,
                    card: None,
                    height: LANE,
                });
                net.pieces.push(Piece {
                    edge,
                    ends: [from, lane],
                });
                from = lane;
            }
            net.pieces.push(Piece {
                edge,
                ends: [from, last],
            });
        }
        let count = columns.iter().max().map_or(0, |last| last + 1);
        net.columns = vec![Vec::new(); count];
        for (node, of) in net.nodes.iter().enumerate() {
            net.columns[of.column].push(node);
        }
        net.at = vec![Vec::new(); net.nodes.len()];
        for (number, piece) in net.pieces.iter().enumerate() {
            for end in &piece.ends {
                if net.at[end.node].last() != Some(&number) {
                    net.at[end.node].push(number);
                }
            }
        }
        net
    }

    /// The room between two nodes, one below the other.
    pub(crate) fn gap(&self, above: usize, below: usize) -> i32 {
        match (self.nodes[above].card, self.nodes[below].card) {
            (Some(_), Some(_)) => CARD_GAP,
            (None, None) => 0,
            _ => LANE_GAP,
        }
    }

    /// The tops of all nodes if each column begins at the same height and has no other gaps.
    pub(crate) fn stacked(&self) -> Vec<i32> {
        let mut tops = vec![0; self.nodes.len()];
        for column in &self.columns {
            self.stack(column, &mut tops);
        }
        // Around one middle.
        let bottom = |column: &Vec<usize>| {
            column
                .last()
                .map_or(0, |node| tops[*node] + self.nodes[*node].height)
        };
        let bottoms: Vec<_> = self.columns.iter().map(bottom).collect();
        let lowest = bottoms.iter().max().copied().unwrap_or(0);
        for (column, bottom) in self.columns.iter().zip(bottoms) {
            column
                .iter()
                .for_each(|node| tops[*node] += (lowest - bottom) / 2);
        }
        tops
    }

    /// Puts the nodes of a column below one another, from where the first is.
    pub(crate) fn stack(&self, column: &[usize], tops: &mut [i32]) {
        for pair in column.windows(2) {
            let [above, below] = *pair else { continue };
            tops[below] = tops[above] + self.nodes[above].height + self.gap(above, below);
        }
    }

    /// The nodes that `node` is joined to, once for each piece.
    pub(crate) fn neighbours(&self, node: usize) -> impl Iterator<Item = usize> {
        self.at[node].iter().map(move |piece| {
            let [one, other] = self.pieces[*piece].ends;
            if one.node == node {
                other.node
            } else {
                one.node
            }
        })
    }
}

/// The height at which a piece ends.
pub(crate) fn height_of(net: &Net, shapes: &[Shape], tops: &[i32], place: Place) -> i32 {
    let node = &net.nodes[place.node];
    let within = match (node.card, place.row) {
        (Some(card), Some(row)) => shapes[card].rows[row],
        _ => node.height / 2,
    };
    tops[place.node] + within
}
