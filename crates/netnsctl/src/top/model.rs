//! What is shown: which table, in which order, which row of it, or what is inside of one.
//!
//! Knows no terminal and no kernel; samples and actions come in, and the view asks what there is.

use std::time::Duration;

use super::detail::{self, Line};
use super::rates::Rates;
use super::sample::Sample;
use super::table::{self, Id, Row, Tab};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Back,
    Down,
    End,
    Enter,
    Filter,
    First,
    Help,
    Last,
    NextTab,
    PageDown,
    PageUp,
    Pause,
    PreviousTab,
    Redraw,
    Reverse,
    /// Takes the last character of the filter away.
    Rub,
    RubAll,
    Show(Tab),
    SortNext,
    SortPrevious,
    /// Adds a character to the filter.
    Type(char),
    Up,
}

/// What comes after an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    End,
    Redraw,
}

/// What fitted when it was drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Lines of the place where rows or details stand.
    pub(super) page: usize,
    /// Lines that there are to be shown in it.
    pub(super) lines: usize,
}

/// How a table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) column: usize,
    /// The other way round than people want at first.
    pub(super) reversed: bool,
}

/// A table as it was left.
#[derive(Clone, Debug)]
struct Left {
    sort: Sort,
    /// The row that is chosen, and where it was when it was last there.
    chosen: Option<Id>,
    place: usize,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) interval: Duration,
    pub(super) tab: Tab,
    pub(super) filter: String,
    pub(super) paused: bool,
    pub(super) help: bool,
    typing: bool,
    left: [Left; 3],
    /// What is looked into.
    inside: Option<Id>,
    /// The first line of details that is shown, or of help.
    scroll: usize,
    extent: Extent,
    sample: Option<Sample>,
    rates: Rates,
    /// The rows of each table.
    all: [Vec<Row>; 3],
    /// Those of the table that is shown, sorted and filtered.
    rows: Vec<Row>,
}

impl Model {
    pub(super) fn new(interval: Duration) -> Self {
        let left = Tab::ALL.map(|tab| Left {
            sort: Sort {
                column: tab.busiest(),
                reversed: false,
            },
            chosen: None,
            place: 0,
        });
        Self {
            interval,
            tab: Tab::default(),
            filter: String::new(),
            paused: false,
            help: false,
            typing: false,
            left,
            inside: None,
            scroll: 0,
            extent: Extent::default(),
            sample: None,
            rates: Rates::default(),
            all: [const { Vec::new() }; 3],
            rows: Vec::new(),
        }
    }

    /// Shows `sample`, unless it is paused.
    pub(super) fn absorb(&mut self, sample: Sample) {
        if self.paused {
            return;
        }
        self.rates = match &self.sample {
            Some(before) => Rates::between(before, &sample),
            None => Rates::default(),
        };
        self.all = Tab::ALL.map(|tab| table::rows(tab, &sample, &self.rates));
        self.sample = Some(sample);
        self.arrange();
    }

    /// Learns how much of it could be shown.
    pub(super) fn fit(&mut self, extent: Extent) {
        self.extent = extent;
        self.scroll = self.scroll.min(self.last_scroll());
    }

    /// Whether a filter is being typed.
    pub(super) fn is_typing(&self) -> bool {
        self.typing
    }

    pub(super) fn sort(&self) -> Sort {
        self.left().sort
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How many rows there are without the filter.
    pub(super) fn count(&self, tab: Tab) -> usize {
        self.all[tab as usize].len()
    }

    /// How many rows want a look, filtered or not.
    pub(super) fn troubled(&self, tab: Tab) -> usize {
        let rows = self.all[tab as usize].iter();
        rows.filter(|row| row.trouble).count()
    }

    /// The place of the chosen row.
    pub(super) fn place(&self) -> usize {
        self.left().place
    }

    pub(super) fn scroll(&self) -> usize {
        self.scroll
    }

    pub(super) fn trouble(&self) -> Option<&str> {
        self.sample.as_ref()?.trouble.as_deref()
    }

    /// What is looked into: its heading and its lines.
    pub(super) fn detail(&self) -> Option<(String, Vec<Line>)> {
        let (id, sample) = (self.inside.as_ref()?, self.sample.as_ref()?);
        Some(detail::detail(id, sample, &self.rates))
    }

    pub(super) fn apply(&mut self, action: Action) -> Next {
        match action {
            Action::End => return Next::End,
            Action::Redraw => return Next::Redraw,
            Action::Back => self.back(),
            Action::Help => self.show_help(),
            _ if self.help => self.scroll_by(action),
            Action::Enter if self.typing => self.typing = false,
            Action::Pause => self.paused = !self.paused,
            Action::Enter => self.enter(),
            Action::NextTab => self.show(self.neighbour(1)),
            Action::PreviousTab => self.show(self.neighbour(2)),
            Action::Show(tab) => self.show(tab),
            _ if self.inside.is_some() => self.scroll_by(action),
            Action::Filter => self.typing = true,
            Action::Type(character) => self.refilter(|filter| filter.push(character)),
            Action::Rub => self.refilter(|filter| {
                filter.pop();
            }),
            Action::RubAll => self.refilter(String::clear),
            Action::Reverse => {
                let sort = &mut self.left_mut().sort;
                sort.reversed = !sort.reversed;
                self.arrange();
            }
            Action::SortNext => self.sort_by(1),
            Action::SortPrevious => self.sort_by(self.tab.columns().len() - 1),
            Action::Down
            | Action::First
            | Action::Last
            | Action::PageDown
            | Action::PageUp
            | Action::Up => self.choose(action),
        }
        Next::Continue
    }

    fn left(&self) -> &Left {
        &self.left[self.tab as usize]
    }

    fn left_mut(&mut self) -> &mut Left {
        &mut self.left[self.tab as usize]
    }

    /// Sorts and filters anew, and finds the chosen row again.
    fn arrange(&mut self) {
        let Sort { column, reversed } = self.sort();
        let rows = self.all[self.tab as usize].iter();
        let mut rows: Vec<Row> = rows.filter(|row| row.has(&self.filter)).cloned().collect();
        rows.sort_by(|one, other| {
            let order = one.cells[column].order(&other.cells[column]);
            let order = if reversed { order.reverse() } else { order };
            // What is equal keeps its place from one sample to the next.
            order.then_with(|| one.id.cmp(&other.id))
        });
        self.rows = rows;
        let chosen = self.left().chosen.as_ref();
        let found = chosen.and_then(|id| self.rows.iter().position(|row| row.id == *id));
        let last = self.rows.len().saturating_sub(1);
        let place = found.unwrap_or_else(|| self.left().place.min(last));
        self.left_mut().place = place;
    }

    fn choose(&mut self, action: Action) {
        let last = self.rows.len().saturating_sub(1);
        let place = moved(self.left().place, action, self.extent.page, last);
        let chosen = self.rows.get(place).map(|row| row.id.clone());
        let left = self.left_mut();
        (left.place, left.chosen) = (place, chosen);
    }

    fn scroll_by(&mut self, action: Action) {
        self.scroll = moved(self.scroll, action, self.extent.page, self.last_scroll());
    }

    fn last_scroll(&self) -> usize {
        self.extent.lines.saturating_sub(self.extent.page)
    }

    fn enter(&mut self) {
        if let (None, Some(row)) = (&self.inside, self.rows.get(self.place())) {
            let id = row.id.clone();
            // It stays the chosen one wherever the order takes it.
            self.left_mut().chosen = Some(id.clone());
            self.inside = Some(id);
            self.scroll = 0;
        }
    }

    fn back(&mut self) {
        self.scroll = 0;
        if self.help {
            self.help = false;
        } else if self.typing {
            self.typing = false;
            self.refilter(String::clear);
        } else if self.inside.take().is_none() {
            self.refilter(String::clear);
        }
    }

    fn show_help(&mut self) {
        self.help = !self.help;
        self.scroll = 0;
    }

    fn neighbour(&self, steps: usize) -> Tab {
        Tab::ALL[(self.tab as usize + steps) % Tab::ALL.len()]
    }

    fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.inside = None;
        self.typing = false;
        self.arrange();
    }

    fn refilter(&mut self, change: impl FnOnce(&mut String)) {
        change(&mut self.filter);
        self.arrange();
    }

    fn sort_by(&mut self, steps: usize) {
        let columns = self.tab.columns().len();
        let sort = &mut self.left_mut().sort;
        sort.column = (sort.column + steps) % columns;
        sort.reversed = false;
        self.arrange();
    }
}

/// Where a movement leads among places up to `last`.
fn moved(place: usize, action: Action, page: usize, last: usize) -> usize {
    let place = match action {
        Action::Up => place.saturating_sub(1),
        Action::Down => place.saturating_add(1),
        Action::PageUp => place.saturating_sub(page.max(1)),
        Action::PageDown => place.saturating_add(page.max(1)),
        Action::First => 0,
        Action::Last => last,
        _ => place,
    };
    place.min(last)
}
