//! Which card stands in which column.

use crate::card::Kind;

/// Times all cards are looked at again for a better column.
const PASSES: usize = 30;

/// How high, in pixels, a column may be in any case: a screen shows as much.
const HEIGHT_FREE: i64 = 640;

/// What a line costs that joins cards in columns so far apart. A bracket beside a column is worth
/// less than a line to the next, one that passes columns much less.
fn cost(apart: usize) -> i64 {
    match apart {
        0 => 17,
        1 => 10,
        more => 10 + 13 * i64::try_from(more - 1).unwrap_or(i64::MAX / 64),
    }
}

/// What a line counts: veth pairs are what a picture is seen for first.
fn weight(kind: Kind) -> i64 {
    match kind {
        Kind::Forward => 8,
        Kind::Veth => 10,
    }
}

struct Assignment<'a> {
    heights: &'a [i32],
    neighbours: Vec<Vec<(usize, i64)>>,
    column: Vec<usize>,
    filled: Vec<i64>,
    /// How high a column may be before it costs.
    limit: i64,
}

/// Columns, counted from 0, for cards of these heights that are joined so. All are used if there are
/// as many cards.
pub(crate) fn assign(heights: &[i32], joined: &[([usize; 2], Kind)], count: usize) -> Vec<usize> {
    let mut neighbours = vec![Vec::new(); heights.len()];
    for ([one, other], kind) in joined.iter().filter(|([one, other], _)| one != other) {
        neighbours[*one].push((*other, weight(*kind)));
        neighbours[*other].push((*one, weight(*kind)));
    }
    let total: i64 = heights.iter().map(|height| padded(*height)).sum();
    let even = total / i64::try_from(count.max(1)).unwrap_or(i64::MAX);
    let tallest = heights
        .iter()
        .map(|height| padded(*height))
        .max()
        .unwrap_or(0);
    let empty = || Assignment {
        heights,
        neighbours: neighbours.clone(),
        column: vec![0; heights.len()],
        filled: vec![0; count],
        limit: tallest.max(even + even / 6).max(HEIGHT_FREE),
    };
    let (mut along, mut around) = (empty(), empty());
    along.fill(&near_first(&neighbours), even);
    around.fill_around(even);
    let both = [along, around].map(|mut assignment| {
        for _ in 0..PASSES {
            if !assignment.improve() {
                break;
            }
        }
        assignment
    });
    let best = both.into_iter().min_by_key(Assignment::total);
    best.map(|assignment| assignment.column).unwrap_or_default()
}

/// A card's height with the room below it.
fn padded(height: i32) -> i64 {
    i64::from(height) + i64::from(super::net::CARD_GAP)
}

/// All cards so that those that are joined are near each other (Cuthill and McKee, 1969): breadth
/// first from one that few lead to, each one's neighbours by how many theirs are.
fn near_first(neighbours: &[Vec<(usize, i64)>]) -> Vec<usize> {
    let degree = |card: &usize| neighbours[*card].len();
    let mut starts: Vec<_> = (0..neighbours.len()).collect();
    // What stands alone comes last.
    starts.sort_by_key(|card| (degree(card) == 0, degree(card), *card));
    let mut seen = vec![false; neighbours.len()];
    let mut order = Vec::with_capacity(neighbours.len());
    for start in starts {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut next = order.len();
        order.push(start);
        while let Some(card) = order.get(next) {
            let mut found: Vec<_> = neighbours[*card].iter().map(|(card, _)| *card).collect();
            found.sort_by_key(|card| (degree(card), *card));
            for card in found {
                if !std::mem::replace(&mut seen[card], true) {
                    order.push(card);
                }
            }
            next += 1;
        }
    }
    order
}

impl Assignment<'_> {
    /// Fills one column after the other.
    fn fill(&mut self, order: &[usize], even: i64) {
        let count = self.filled.len();
        let (mut column, mut before) = (0, 0);
        for (at, card) in order.iter().enumerate() {
            let height = padded(self.heights[*card]);
            let here = self.filled[column];
            // Every column gets one, and the next begins where that is nearer to an even share.
            let must = order.len() - at == count - column - 1;
            let full = before + here + height / 2 > even * i64::try_from(column + 1).unwrap_or(1);
            if here > 0 && column + 1 < count && (must || full) {
                before += here;
                column += 1;
            }
            self.column[*card] = column;
            self.filled[column] += height;
        }
    }

    /// Puts the card that most lines lead to into the middle, alone, and what is nearest to it to
    /// both sides.
    fn fill_around(&mut self, even: i64) {
        let middle = self.filled.len() / 2;
        let most = (0..self.column.len())
            .rev()
            .max_by_key(|card| self.neighbours[*card].len());
        let mut order: Vec<_> = most.into_iter().collect();
        let mut next = 0;
        while let Some(card) = order.get(next) {
            let found: Vec<_> = self.neighbours[*card]
                .iter()
                .map(|(card, _)| *card)
                .collect();
            for card in found {
                if !order.contains(&card) {
                    order.push(card);
                }
            }
            next += 1;
        }
        order.extend(
            (0..self.column.len())
                .filter(|card| !order.contains(card))
                .collect::<Vec<_>>(),
        );
        // Outwards from the middle, which comes last: it has one already.
        let mut columns: Vec<_> = (0..self.filled.len()).collect();
        columns.sort_by_key(|column| (column.abs_diff(middle), *column));
        columns.rotate_left(1);
        for (at, card) in order.iter().enumerate() {
            let open = |column: &&usize| self.filled[**column] < even;
            // The last cards go where there is none yet.
            let bare: Vec<_> = columns
                .iter()
                .filter(|column| self.filled[**column] == 0)
                .collect();
            let column = match (at, order.len() - at <= bare.len()) {
                (0, _) => middle,
                (_, true) => *bare[0],
                _ => columns.iter().find(open).copied().unwrap_or(middle),
            };
            self.column[*card] = column;
            self.filled[column] += padded(self.heights[*card]);
        }
    }

    /// What all lines and all columns cost.
    fn total(&self) -> i64 {
        let cards = 0..self.column.len();
        let lines: i64 = cards
            .map(|card| self.lines(card, self.column[card], card))
            .sum();
        let heights: i64 = self
            .filled
            .iter()
            .map(|filled| self.heights(*filled, 0))
            .sum();
        // Every line has been counted at both ends.
        lines / 2 + heights
    }

    /// What the lines of a card cost if it stood in `column`, but for those to `except`.
    fn lines(&self, card: usize, column: usize, except: usize) -> i64 {
        let others = self.neighbours[card]
            .iter()
            .filter(|(other, _)| *other != except);
        others
            .map(|(other, weight)| weight * cost(self.column[*other].abs_diff(column)))
            .sum()
    }

    /// What it costs if columns are filled so high.
    fn heights(&self, one: i64, other: i64) -> i64 {
        let over = |filled: i64| {
            (filled - self.limit).max(0) * 5 + filled * filled / self.limit.max(1) / 16
        };
        over(one) + over(other)
    }

    /// Moves cards and has them change places as long as that costs less; whether anything did.
    fn improve(&mut self) -> bool {
        let mut improved = false;
        for card in 0..self.column.len() {
            for to in 0..self.filled.len() {
                improved |= self.try_move(card, to);
            }
            for other in card + 1..self.column.len() {
                improved |= self.try_swap(card, other);
            }
        }
        improved
    }

    fn try_move(&mut self, card: usize, to: usize) -> bool {
        let from = self.column[card];
        let height = padded(self.heights[card]);
        // No column may become empty.
        if from == to || self.filled[from] == height {
            return false;
        }
        let (here, there) = (self.filled[from], self.filled[to]);
        let before = self.lines(card, from, card) + self.heights(here, there);
        let after = self.lines(card, to, card) + self.heights(here - height, there + height);
        if after >= before {
            return false;
        }
        self.filled[from] -= height;
        self.filled[to] += height;
        self.column[card] = to;
        true
    }

    fn try_swap(&mut self, one: usize, other: usize) -> bool {
        let (from, to) = (self.column[one], self.column[other]);
        if from == to {
            return false;
        }
        let differs = padded(self.heights[one]) - padded(self.heights[other]);
        let (here, there) = (self.filled[from], self.filled[to]);
        let lines = |a: usize, b: usize| self.lines(one, a, other) + self.lines(other, b, one);
        let before = lines(from, to) + self.heights(here, there);
        let after = lines(to, from) + self.heights(here - differs, there + differs);
        if after >= before {
            return false;
        }
        self.filled[from] -= differs;
        self.filled[to] += differs;
        self.column.swap(one, other);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_card() {
        for cards in 1..12 {
            let heights = vec![100; cards];
            for count in 1..=cards {
                let joined: Vec<_> = (1..cards).map(|card| ([0, card], Kind::Veth)).collect();
                let columns = assign(&heights, &joined, count);
                for column in 0..count {
                    assert!(columns.contains(&column), "{cards} in {count}: {columns:?}");
                }
            }
        }
    }

    #[test]
    fn a_hub_stands_between_its_spokes() {
        let joined: Vec<_> = (1..9).map(|card| ([0, card], Kind::Veth)).collect();
        let columns = assign(&[400, 90, 90, 90, 90, 90, 90, 90, 90], &joined, 3);
        assert_eq!(columns[0], 1, "{columns:?}");
    }
}
