//! How much room text takes, in pixels, and what is where in a card.

use crate::card::{Card, Line, Section};
use crate::words::cells;

/// From one line of a row to the next.
pub(crate) const LINE: i32 = 18;
/// Left and right of what is written in a card.
pub(crate) const PADDING: i32 = 14;
/// Between a label and its value.
const GAP: i32 = 14;
/// Above and below the rows.
const BODY: i32 = 8;
/// Between two sections.
const BETWEEN: i32 = 9;
/// The least a card is wide.
const WIDTH_MIN: i32 = 170;

/// The width of a line in rows, whose font is 12 pixels high: a cell is 0.6 of that in all common
/// fonts, and a little more.
pub(crate) fn text_width(text: &str) -> i32 {
    (cells(text) * 73).div_euclid(10) + 1
}

/// The width of a line in titles, whose font is 14 pixels high.
pub(crate) fn title_width(text: &str) -> i32 {
    (cells(text) * 85).div_euclid(10) + 1
}

/// What is where in a card, from its upper left corner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    pub(crate) width: i32,
    pub(crate) height: i32,
    /// The height of what is above the rows.
    pub(crate) header: i32,
    /// Rows from top to bottom.
    pub(crate) order: Vec<usize>,
    /// The middle of each row's first line, by the row's place in the card.
    pub(crate) rows: Vec<i32>,
    /// The thin lines between sections.
    pub(crate) rules: Vec<i32>,
    /// Where values begin.
    pub(crate) value: i32,
}

impl Shape {
    /// Rows in the order of their sections, as they were written.
    pub(crate) fn of(card: &Card) -> Self {
        let mut order: Vec<_> = (0..card.rows.len()).collect();
        order.sort_by_key(|row| card.rows[*row].section);
        let label = card.rows.iter().map(|row| text_width(&row.label)).max();
        let value = PADDING + label.unwrap_or(0) + GAP;
        let line_width = |line: &Line| {
            let word = line
                .word
                .as_deref()
                .map_or(0, |word| text_width(word) + GAP);
            text_width(&line.text) + word
        };
        let lines = card.rows.iter().flat_map(|row| &row.lines);
        let body = lines
            .map(line_width)
            .max()
            .map_or(0, |widest| value + widest + PADDING);
        let title = card
            .title
            .iter()
            .map(|line| title_width(line))
            .max()
            .unwrap_or(0);
        let tag = card.tag.as_deref().map_or(0, |tag| text_width(tag) + GAP);
        let mut shape = Self {
            width: body.max(title + tag + 2 * PADDING).max(WIDTH_MIN),
            header: 12 + 18 * i32::try_from(card.title.len()).unwrap_or(1),
            order,
            value,
            ..Self::default()
        };
        shape.arrange(card);
        shape
    }

    /// Finds the places of rows anew after their order has changed.
    pub(crate) fn arrange(&mut self, card: &Card) {
        self.rows = vec![0; card.rows.len()];
        self.rules.clear();
        let mut y = self.header + BODY;
        let mut section: Option<Section> = None;
        for row in &self.order {
            let of = &card.rows[*row];
            if section.is_some_and(|section| section != of.section) {
                self.rules.push(y + BETWEEN / 2);
                y += BETWEEN;
            }
            section = Some(of.section);
            self.rows[*row] = y + LINE / 2;
            y += LINE * i32::try_from(of.lines.len().max(1)).unwrap_or(1);
        }
        self.height = if self.order.is_empty() {
            self.header
        } else {
            y + BODY
        };
    }
}
