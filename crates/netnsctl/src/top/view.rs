//! Draws the model. What does not fit goes in an order: first the lines around the rows, then
//! columns, the least needed first; names are cut last.
//!
//! Colour says nothing that a word or a mark does not say too.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use ratatui_core::text::Span;

use super::detail::Line;
use super::input::HELP;
use super::model::{Extent, Model, Sort};
use super::table::{Column, Row, Tab};
use netnsctl_model::outside::Outside;

/// Rows of a terminal from which on each of the lines around the table is drawn.
const ROWS_FOR_HEADER: u16 = 3;
const ROWS_FOR_TABS: u16 = 5;
const ROWS_FOR_FOOTER: u16 = 7;

/// Columns of a terminal from which on details have their labels beside them.
const WIDTH_FOR_LABELS: u16 = 40;

/// Columns of labels.
const LABEL_WIDTH: u16 = 13;

/// Draws everything and says what fitted.
pub(super) fn draw(model: &Model, buffer: &mut Buffer, color: bool) -> Extent {
    let area = *buffer.area();
    let mut view = View {
        buffer,
        color,
        width: area.width,
    };
    if area.is_empty() {
        return Extent::default();
    }
    let rows = area.height;
    let tabs = u16::from(rows >= ROWS_FOR_TABS);
    let footer = u16::from(rows >= ROWS_FOR_FOOTER);
    if tabs > 0 {
        view.tabs(model);
    }
    if footer > 0 {
        view.footer(model, rows - 1);
    }
    let body = Rect::new(0, tabs, area.width, rows - tabs - footer);
    if model.help {
        return view.help(model, body);
    }
    match model.detail() {
        Some((heading, lines)) => view.detail(model, body, &heading, &lines),
        None => view.table(model, body),
    }
}

struct View<'a> {
    buffer: &'a mut Buffer,
    color: bool,
    width: u16,
}

impl View<'_> {
    fn paint(&self, color: Color) -> Style {
        if self.color {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    /// Writes as much of `text` as there is room for, and gives the column after it.
    fn put(&mut self, (x, y): (u16, u16), text: &str, style: Style) -> u16 {
        if x >= self.width {
            return x;
        }
        let room = usize::from(self.width - x);
        self.buffer.set_stringn(x, y, text, room, style).0
    }

    /// Writes `text` into `width` columns; what is cut off is seen to be.
    fn put_within(&mut self, (x, y): (u16, u16), text: &str, width: u16, style: Style) {
        let (text, width) = (Outside(text).to_string(), usize::from(width));
        let is_cut = Span::raw(text.as_str()).width() > width;
        let shown = if is_cut {
            width.saturating_sub(1)
        } else {
            width
        };
        let end = self.buffer.set_stringn(x, y, text, shown, style).0;
        if is_cut && width > 0 {
            self.buffer.set_stringn(end, y, "…", 1, style);
        }
    }

    /// The tables, how many rows each has, and how many want a look.
    fn tabs(&mut self, model: &Model) {
        let mut x = 0;
        for (tab, key) in Tab::ALL.into_iter().zip(1..) {
            let (count, troubled) = (model.count(tab), model.troubled(tab));
            let is_shown = tab == model.tab;
            let style = if is_shown {
                Style::new().add_modifier(Modifier::BOLD)
            } else {
                Style::new()
            };
            let text = match is_shown {
                true => format!("[{key} {} {count}]", tab.title()),
                false => format!(" {key} {} {count} ", tab.title()),
            };
            // On a narrow terminal the table that is shown is told, the others are not.
            if self.width < 60 && !is_shown {
                continue;
            }
            x = self.put((x, 0), &text, style);
            if troubled > 0 {
                let style = self.paint(Color::Red);
                x = self.put((x, 0), &format!("!{troubled}"), style);
            }
            x += 1;
        }
        let mut state = Vec::new();
        if model.paused {
            state.push("paused".to_owned());
        }
        if !model.is_typing() && !model.filter.is_empty() {
            state.push(format!("filter: {}", Outside(&model.filter)));
        }
        state.push(format!("every {} s", model.interval.as_secs_f64()));
        let text = state.join("  ");
        let width = u16::try_from(Span::raw(text.as_str()).width()).unwrap_or(u16::MAX);
        if let Some(at) = self.width.checked_sub(width).filter(|at| *at > x) {
            self.put((at, 0), &text, Style::new().add_modifier(Modifier::BOLD));
        } else if model.paused {
            self.put((x, 0), "paused", Style::new().add_modifier(Modifier::BOLD));
        }
    }

    /// What is typed, what is wrong, or which keys there are.
    fn footer(&mut self, model: &Model, y: u16) {
        if model.is_typing() {
            let text = format!("/{}_", Outside(&model.filter));
            self.put((0, y), &text, Style::new().add_modifier(Modifier::BOLD));
        } else if let Some(trouble) = model.trouble() {
            let style = self.paint(Color::Red);
            self.put_within((0, y), &format!("! {trouble}"), self.width, style);
        } else {
            let keys = if model.help || model.detail().is_some() {
                "Esc back  Up/Down scroll  p pause  q quit"
            } else {
                "? help  Enter look into  Left/Right sort  / filter  Tab tables  q quit"
            };
            let dim = Style::new().add_modifier(Modifier::DIM);
            self.put_within((0, y), keys, self.width, dim);
        }
    }

    fn table(&mut self, model: &Model, area: Rect) -> Extent {
        let has_header = area.height >= ROWS_FOR_HEADER;
        let columns = layout(model.tab.columns(), model.sort(), area.width);
        if has_header {
            self.header(model, area.y, &columns);
        }
        let (first, page) = (
            area.y + u16::from(has_header),
            area.height - u16::from(has_header),
        );
        let (rows, place) = (model.rows(), model.place());
        let extent = Extent {
            page: page.into(),
            lines: rows.len(),
        };
        // The chosen row stays in the middle where there are rows on both sides.
        let most = rows.len().saturating_sub(extent.page);
        let offset = place.saturating_sub(extent.page / 2).min(most);
        for (y, (at, row)) in (first..area.bottom()).zip(rows.iter().enumerate().skip(offset)) {
            self.row(y, row, &columns, at == place);
        }
        if rows.is_empty() && page > 0 {
            let text = match (model.filter.is_empty(), model.tab) {
                (false, _) => "nothing has this text",
                (true, Tab::Netns) => "no network namespaces, declared or otherwise",
                (true, Tab::Links) => "no links",
                (true, Tab::Forwards) => "no forwards",
            };
            self.put_within((1, first), text, self.width.saturating_sub(1), Style::new());
        }
        extent
    }

    fn header(&mut self, model: &Model, y: u16, columns: &[(usize, u16, u16)]) {
        let bold = Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED);
        let sort = model.sort();
        for (at, x, width) in columns.iter().copied() {
            let column = &model.tab.columns()[at];
            let mut title = column.title.to_owned();
            if at == sort.column {
                title.push(if sort.reversed { '^' } else { 'v' });
            }
            if !is_text(column) {
                title = format!("{title:>0$}", usize::from(width));
            }
            self.put_within((x, y), &title, width, bold);
        }
    }

    fn row(&mut self, y: u16, row: &Row, columns: &[(usize, u16, u16)], is_chosen: bool) {
        let mut style = Style::new();
        if is_chosen {
            style = style.add_modifier(Modifier::REVERSED);
            let whole = Rect::new(0, y, self.width, 1);
            self.buffer.set_style(whole, style);
            self.put((0, y), ">", style);
        }
        for (at, x, width) in columns.iter().copied() {
            let cell = &row.cells[at];
            let mut text = cell.show();
            if cell.is_number() {
                text = format!("{text:>0$}", usize::from(width));
            }
            let style = match text.starts_with('!') && row.trouble {
                true => style.patch(self.paint(Color::Red)),
                false => style,
            };
            self.put_within((x, y), &text, width, style);
        }
    }

    fn detail(&mut self, model: &Model, area: Rect, heading: &str, lines: &[Line]) -> Extent {
        let mut first = area.y;
        if area.height >= ROWS_FOR_HEADER {
            let bold = Style::new().add_modifier(Modifier::BOLD);
            self.put_within((0, first), heading, area.width, bold);
            first += 1;
        }
        let label_width = if area.width >= WIDTH_FOR_LABELS {
            LABEL_WIDTH
        } else {
            0
        };
        let mut shown = Vec::new();
        for line in lines {
            let text = match (label_width, line.label) {
                (0, "") => format!(" {}", line.text),
                (0, label) => format!("{label}: {}", line.text),
                _ => line.text.clone(),
            };
            let text = format!("{}{text}", if line.trouble { "!" } else { "" });
            let room = usize::from(area.width - label_width);
            for (at, part) in wrap(&Outside(&text).to_string(), room)
                .into_iter()
                .enumerate()
            {
                let label = if at == 0 { line.label } else { "" };
                shown.push((label, part, line.trouble));
            }
        }
        for (y, (label, text, trouble)) in
            (first..area.bottom()).zip(shown.iter().skip(model.scroll()))
        {
            let style = if *trouble {
                self.paint(Color::Red)
            } else {
                Style::new()
            };
            if label_width > 0 {
                let dim = Style::new().add_modifier(Modifier::DIM);
                self.put_within((0, y), label, label_width - 1, dim);
            }
            self.put((label_width, y), text, style);
        }
        Extent {
            page: (area.bottom() - first).into(),
            lines: shown.len(),
        }
    }

    fn help(&mut self, model: &Model, area: Rect) -> Extent {
        let keys_width = 14;
        let lines = (area.y..area.bottom()).zip(HELP.iter().skip(model.scroll()));
        for (y, (keys, meaning)) in lines {
            let bold = Style::new().add_modifier(Modifier::BOLD);
            let width = keys_width.min(self.width);
            self.put_within((0, y), keys, width, bold);
            self.put((keys_width, y), meaning, Style::new());
        }
        Extent {
            page: area.height.into(),
            lines: HELP.len(),
        }
    }
}

/// Whether a column holds words.
fn is_text(column: &Column) -> bool {
    column.grows || matches!(column.title, "STATE" | "NETNS")
}

/// The columns that fit, in their order: which, where and how wide. The first and the one that is
/// sorted by are always among them.
fn layout(columns: &[Column], sort: Sort, width: u16) -> Vec<(usize, u16, u16)> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    // One column is for the mark of the chosen row, one between each two.
    let room = usize::from(width.saturating_sub(1));
    // A mark of the order beside the title is one more.
    let wanted = |at: usize| columns[at].width + u16::from(at == sort.column);
    let needed = |shown: &[usize]| {
        let widths = shown.iter().map(|at| usize::from(wanted(*at)) + 1);
        widths.sum::<usize>() - 1
    };
    while shown.len() > 1 && needed(&shown) > room {
        let droppable = shown.iter().filter(|at| **at != 0 && **at != sort.column);
        match droppable.max_by_key(|at| columns[**at].rank).copied() {
            Some(least) => shown.retain(|at| *at != least),
            None => break,
        }
    }
    let growing = shown.iter().filter(|at| columns[**at].grows).count().max(1);
    let spare = room.saturating_sub(needed(&shown)) / growing;
    let missing = needed(&shown).saturating_sub(room) / growing;
    let each = |number| u16::try_from(number).unwrap_or(u16::MAX);
    let mut x = 1;
    let mut placed = Vec::new();
    for at in shown {
        let mut wanted = wanted(at);
        if columns[at].grows {
            wanted = (wanted.saturating_add(each(spare)))
                .saturating_sub(each(missing))
                .max(1);
        }
        let fits = wanted.min(width.saturating_sub(x));
        if fits > 0 {
            placed.push((at, x, fits));
        }
        x = x.saturating_add(wanted + 1);
    }
    placed
}

/// `text` in lines of `width` columns, broken between words where that can be.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let columns = |text: &str| Span::raw(text).width();
    for word in text.split_inclusive(' ') {
        let line = lines.last().map_or(0, |line| columns(line));
        if line > 0 && line + columns(word.trim_end()) > width {
            lines.push(String::new());
        }
        for character in word.chars() {
            let mut bytes = [0; 4];
            let character: &str = character.encode_utf8(&mut bytes);
            let line = lines.last().map_or(0, |line| columns(line));
            if line > 0 && line + columns(character) > width {
                if character == " " {
                    continue;
                }
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(character);
            }
        }
    }
    lines
}
